//! The caller and the policy, which the owner of the bucket writes as plain text: not every host's
//! command line can pass JSON.

use std::str::FromStr;

use crate::{
    Result,
    bucket::Bucket,
    context_types::{Caller, Policy, User},
    storage::Error,
};

/// `get-caller`. Without a user id, the caller is the host, which may verify keys and nothing else.
pub fn caller(bucket: &dyn Bucket) -> Result<Caller> {
    let Some(id) = read(bucket, "caller.user-id")? else { return Ok(Caller::Host) };
    Ok(Caller::User(User {
        id,
        operator: read(bucket, "caller.operator")?.unwrap_or_default(),
        scopes: words(bucket, "caller.scopes")?.unwrap_or_default(),
    }))
}

/// `get-policy`.
pub fn policy(bucket: &dyn Bucket) -> Result<Policy> {
    Ok(Policy {
        prefix: read(bucket, "policy.prefix")?.ok_or(Error::NotFound)?,
        longest_life: read(bucket, "policy.longest-life")?,
        default_life: read(bucket, "policy.default-life")?,
        default_scopes: words(bucket, "policy.default-scopes")?.unwrap_or_default(),
        grantable_scopes: words(bucket, "policy.grantable-scopes")?,
    })
}

/// Parses one line of text. An editor may have added a line break at its end.
fn read<T: FromStr>(bucket: &dyn Bucket, name: &str) -> Result<Option<T>> {
    let parse = |text: String| text.trim().parse().map_err(|_| bucket.invalid(name));
    bucket.read_text(name)?.map(parse).transpose()
}

fn words(bucket: &dyn Bucket, name: &str) -> Result<Option<Vec<String>>> {
    let text = bucket.read_text(name)?;
    Ok(text.map(|text| text.split_whitespace().map(str::to_owned).collect()))
}
