//! The caller and the policy, as the bucket's owner has written them: plain text, because not every
//! host's command line can pass JSON.

use std::str::FromStr;

use crate::{
    bucket::Bucket,
    context_types::{Caller, Policy},
    entries, incident, names,
    storage::Error,
};

/// `get-caller`.
pub fn caller(bucket: &dyn Bucket) -> Result<Caller, Error> {
    Ok(Caller {
        user_id: read(bucket, names::CALLER_USER_ID)?.ok_or(Error::NotFound)?,
        project_id: read(bucket, names::CALLER_PROJECT_ID)?,
        expires_at: read(bucket, names::CALLER_EXPIRES_AT)?,
        scopes: read_words(bucket, names::CALLER_SCOPES)?,
    })
}

/// `get-policy`.
pub fn policy(bucket: &dyn Bucket) -> Result<Policy, Error> {
    Ok(Policy {
        prefix: read(bucket, names::POLICY_PREFIX)?.ok_or(Error::NotFound)?,
        longest_life: read(bucket, names::POLICY_LONGEST_LIFE)?,
        default_scopes: read_words(bucket, names::POLICY_DEFAULT_SCOPES)?,
    })
}

/// What a line of text says. A line break at its end is an editor's.
fn read<T: FromStr>(bucket: &dyn Bucket, name: &str) -> Result<Option<T>, Error> {
    let parse = |text: String| text.trim().parse().map_err(|_| incident::broken(bucket, name));
    entries::read_text(bucket, name)?.map(parse).transpose()
}

fn read_words(bucket: &dyn Bucket, name: &str) -> Result<Vec<String>, Error> {
    let text = entries::read_text(bucket, name)?.unwrap_or_default();
    Ok(text.split_whitespace().map(str::to_owned).collect())
}
