//! The log that a component without output has: entries of the bucket.

use crate::{bucket::Bucket, names, storage::Error};

/// Writes down what happened; gives the correlation id under which it stands.
pub fn report(bucket: &dyn Bucket, cause: &str) -> Result<String, Error> {
    let correlation_id = bucket.increment(names::INCIDENTS)?.to_string();
    bucket.set(&names::incident(&correlation_id), cause.as_bytes())?;
    Ok(correlation_id)
}

/// The error of an entry that does not read as what it should be. Never tells what is in it.
pub fn broken(bucket: &dyn Bucket, name: &str) -> Error {
    match report(bucket, &format!("the entry {name} can't be read")) {
        Ok(correlation_id) => Error::Internal(correlation_id),
        Err(error) => error,
    }
}
