//! The change feed of a storage, for caches of records.

use std::future::Future;

use super::{Storage, StorageError};

/// What has changed since a position in a [`ChangeFeed`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changes {
    /// The keys with these ids, and no other.
    Keys(Vec<String>),
    /// Any key may have changed: the position is too old, or the storage was restored.
    Unknown,
}

/// A storage that says which keys have changed, whichever host changed them.
///
/// A change of a key is each [`update_key`](Storage::update_key),
/// [`rotate_key`](Storage::rotate_key) and [`replace_secret`](Storage::replace_secret) that
/// succeeded. A change that was acknowledged before [`read_changes`](Self::read_changes) began is in
/// its result, or was in an earlier one: the feed is in the order of the commits and skips nothing.
pub trait ChangeFeed: Storage {
    /// A position of a reader.
    type Position: Send + Sync + 'static;

    /// Reads what has changed after a position, and the position of the end. Without a position the
    /// changes are [`Changes::Unknown`].
    ///
    /// # Errors
    ///
    /// The storage cannot be reached or is damaged.
    fn read_changes(
        &self,
        after: Option<&Self::Position>,
    ) -> impl Future<Output = Result<(Self::Position, Changes), StorageError>> + Send;
}
