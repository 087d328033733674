//! The caller and the policy, which the owner of the bucket writes as plain text: not every host's
//! command line can pass JSON.

use std::str::FromStr;

use crate::{
    bucket::Bucket,
    context_types::{Caller, Policy, User},
    entries, incident, names,
    storage::Error,
};

/// `get-caller`. Without a user id, the caller is the host, which may verify keys and nothing else.
pub fn caller(bucket: &dyn Bucket) -> Result<Caller, Error> {
    let Some(id) = read(bucket, names::CALLER_USER_ID)? else { return Ok(Caller::Host) };
    Ok(Caller::User(User {
        id,
        operator: read(bucket, names::CALLER_OPERATOR)?.unwrap_or_default(),
        scopes: words(bucket, names::CALLER_SCOPES)?.unwrap_or_default(),
    }))
}

/// `get-policy`.
pub fn policy(bucket: &dyn Bucket) -> Result<Policy, Error> {
    Ok(Policy {
        prefix: read(bucket, names::POLICY_PREFIX)?.ok_or(Error::NotFound)?,
        longest_life: read(bucket, names::POLICY_LONGEST_LIFE)?,
        default_life: read(bucket, names::POLICY_DEFAULT_LIFE)?,
        default_scopes: words(bucket, names::POLICY_DEFAULT_SCOPES)?.unwrap_or_default(),
        grantable_scopes: words(bucket, names::POLICY_GRANTABLE_SCOPES)?,
    })
}

/// Parses one line of text. An editor may have added a line break at its end.
fn read<T: FromStr>(bucket: &dyn Bucket, name: &str) -> Result<Option<T>, Error> {
    let parse = |text: String| text.trim().parse().map_err(|_| incident::broken(bucket, name));
    entries::read_text(bucket, name)?.map(parse).transpose()
}

fn words(bucket: &dyn Bucket, name: &str) -> Result<Option<Vec<String>>, Error> {
    let text = entries::read_text(bucket, name)?;
    Ok(text.map(|text| text.split_whitespace().map(str::to_owned).collect()))
}
