//! The bucket, as the adapter needs it.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Result, storage::Error};

/// A bucket of a key-value store, as far as `wasi:keyvalue` offers it. A failure of the store is
/// [`Error::Unavailable`].
pub trait Bucket {
    /// Returns the value of an entry.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Writes an entry and replaces an earlier value.
    fn set(&self, name: &str, value: &[u8]) -> Result<()>;

    /// Removes an entry.
    fn delete(&self, name: &str) -> Result<()>;

    /// Adds `delta` to a counter atomically and returns the new value. A missing counter is 0.
    fn increment(&self, name: &str, delta: u64) -> Result<u64>;

    /// Passes the name of each entry to `see`, in any order and possibly more than once.
    fn for_each_name(&self, see: &mut dyn FnMut(&str)) -> Result<()>;
}

impl dyn Bucket + '_ {
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let parse = |json: Vec<u8>| serde_json::from_slice(&json).map_err(|_| self.invalid(name));
        self.get(name)?.map(parse).transpose()
    }

    pub(crate) fn read_text(&self, name: &str) -> Result<Option<String>> {
        let parse = |text| String::from_utf8(text).map_err(|_| self.invalid(name));
        self.get(name)?.map(parse).transpose()
    }

    pub(crate) fn write(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let json = serde_json::to_vec(value).map_err(|_| self.invalid(name))?;
        self.set(name, &json)
    }

    /// The error of an entry with an invalid value. The log names the entry and does not repeat the
    /// value.
    pub(crate) fn invalid(&self, name: &str) -> Error {
        let cause = format!("the entry {name} has an invalid value: correct or restore it");
        self.report(&cause).map_or_else(|error| error, Error::Internal)
    }

    /// Logs the cause of an internal error and returns its correlation id. The log is in the bucket,
    /// because a component has no output.
    pub(crate) fn report(&self, cause: &str) -> Result<String> {
        let correlation_id = self.increment("incidents", 1)?.to_string();
        self.set(&format!("incident.{correlation_id}"), cause.as_bytes())?;
        Ok(correlation_id)
    }
}
