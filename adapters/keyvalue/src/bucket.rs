//! The bucket, as the adapter needs it.

use crate::storage::Error;

/// A bucket of a key-value store, as far as `wasi:keyvalue` offers it. A failure of the store is
/// [`Error::Unavailable`].
pub trait Bucket {
    /// Returns the value of an entry.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Writes an entry and replaces an earlier value.
    fn set(&self, name: &str, value: &[u8]) -> Result<(), Error>;

    /// Removes an entry.
    fn delete(&self, name: &str) -> Result<(), Error>;

    /// Adds `delta` to a counter atomically and returns the new value. A missing counter is 0.
    fn increment(&self, name: &str, delta: u64) -> Result<u64, Error>;

    /// Passes the name of each entry to `see`, in any order and possibly more than once.
    fn for_each_name(&self, see: &mut dyn FnMut(&str)) -> Result<(), Error>;
}
