//! What the adapter needs of a bucket.

use crate::storage::Error;

/// A bucket of a key-value store, in so far as `wasi:keyvalue` offers it. What the store reports as
/// its own failure is [`Error::Unavailable`].
pub trait Bucket {
    /// The value of an entry.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Writes an entry, whatever was there.
    fn set(&self, name: &str, value: &[u8]) -> Result<(), Error>;

    /// Removes an entry.
    fn delete(&self, name: &str) -> Result<(), Error>;

    /// Counts a counter up by one, atomically, and gives its new value: 1 if there was none.
    fn increment(&self, name: &str) -> Result<u64, Error>;

    /// Shows the name of each entry, in no order; some perhaps twice.
    fn for_each_name(&self, see: &mut dyn FnMut(&str)) -> Result<(), Error>;
}
