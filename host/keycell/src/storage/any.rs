//! A storage chosen at run time.

use std::{future::Future, pin::Pin, sync::Arc};

use keycell_component::project::ProjectSlug;
use uuid::Uuid;

use super::{
    CacheCounts, EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, Member, Project,
    ProjectReference, ProjectStorage, ProjectWithRole, Storage, StorageError,
};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StorageError>> + Send + 'a>>;

/// Any storage, behind a pointer. Clones share the storage.
///
/// ```
/// use keycell::{AnyStorage, Keycell, MemoryStorage};
///
/// let storage = AnyStorage::new(MemoryStorage::default());
/// let keycell: Keycell<AnyStorage> = Keycell::new(storage)?;
/// # Ok::<(), keycell::ComponentError>(())
/// ```
#[derive(Clone)]
pub struct AnyStorage(Arc<dyn Erased>);

impl AnyStorage {
    /// Hides the type of a storage.
    #[must_use]
    pub fn new(storage: impl ProjectStorage) -> Self {
        Self(Arc::new(storage))
    }
}

/// Declares the storage traits with boxed futures, and both directions between the two forms.
///
/// A type in brackets may borrow.
macro_rules! erase {
    (@impl Storage $(fn $name:ident($($argument:ident: $kind:tt),*) -> $output:ty;)*) => {
        impl Storage for AnyStorage {
            $(async fn $name(&self, $($argument: erase!(@elided $kind)),*) -> Result<$output, StorageError> {
                self.0.$name($($argument),*).await
            })*

            fn record_use(&self, id: &str, at: i64) {
                self.0.record_use(id, at);
            }

            async fn close(&self) {
                self.0.close().await;
            }

            fn reads_at_once(&self) -> bool {
                self.0.reads_at_once()
            }

            fn cache_counts(&self) -> Option<CacheCounts> {
                self.0.cache_counts()
            }
        }
    };
    (@impl ProjectStorage $(fn $name:ident($($argument:ident: $kind:tt),*) -> $output:ty;)*) => {
        impl ProjectStorage for AnyStorage {
            $(async fn $name(&self, $($argument: erase!(@elided $kind)),*) -> Result<$output, StorageError> {
                self.0.$name($($argument),*).await
            })*
        }
    };
    (@of $a:lifetime [&$kind:ty]) => { &$a $kind };
    (@of $a:lifetime [Option<&$kind:ty>]) => { Option<&$a $kind> };
    (@of $a:lifetime [$kind:ty]) => { $kind };
    (@elided [$kind:ty]) => { $kind };
    ($($of:ident { $(fn $name:ident($($argument:ident: $kind:tt),*) -> $output:ty;)* })*) => {
        /// The storage traits with boxed futures.
        trait Erased: Send + Sync {
            $($(fn $name<'a>(&'a self, $($argument: erase!(@of 'a $kind)),*) -> Answer<'a, $output>;)*)*
            fn record_use(&self, id: &str, at: i64);
            fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
            fn reads_at_once(&self) -> bool;
            fn cache_counts(&self) -> Option<CacheCounts>;
        }

        impl<S: ProjectStorage> Erased for S {
            $($(fn $name<'a>(&'a self, $($argument: erase!(@of 'a $kind)),*) -> Answer<'a, $output> {
                Box::pin($of::$name(self, $($argument),*))
            })*)*

            fn record_use(&self, id: &str, at: i64) {
                Storage::record_use(self, id, at);
            }

            fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
                Box::pin(Storage::close(self))
            }

            fn reads_at_once(&self) -> bool {
                Storage::reads_at_once(self)
            }

            fn cache_counts(&self) -> Option<CacheCounts> {
                Storage::cache_counts(self)
            }
        }

        $(erase! { @impl $of $(fn $name($($argument: $kind),*) -> $output;)* })*
    };
}

erase! {
    Storage {
        fn insert_key(key: [KeyRecord], event: [EventRecord], request: [Option<IdempotentRequest>]) -> ();
        fn find_key(id: [&str], viewer: [&str]) -> Option<KeyWithRole>;
        fn find_key_by_lookup(lookup: [&str]) -> Option<KeyRecord>;
        fn find_request(user_id: [&str], idempotency_key: [&str], now: [i64]) -> Option<IdempotentRequest>;
        fn list_keys(filter: [KeyFilter]) -> Vec<KeyRecord>;
        fn list_events(filter: [EventFilter]) -> Vec<EventRecord>;
        fn update_key(key: [KeyRecord], event: [EventRecord]) -> ();
        fn rotate_key(key: [KeyRecord], event: [EventRecord], replacement: [KeyRecord], replacement_event: [EventRecord]) -> ();
        fn replace_secret(key: [KeyRecord], event: [EventRecord]) -> ();
        fn find_project(reference: [&ProjectReference], user_id: [&str]) -> Option<ProjectWithRole>;
    }

    ProjectStorage {
        fn insert_project(id: [Uuid], slug: [ProjectSlug], members: [Vec<Member>]) -> Project;
        fn list_projects(user_id: [Option<&str>]) -> Vec<Project>;
        fn put_member(project: [&ProjectReference], member: [Member]) -> bool;
        fn remove_member(project: [&ProjectReference], user_id: [&str]) -> bool;
        fn list_members(project: [&ProjectReference]) -> Option<Vec<Member>>;
        fn check_ready() -> ();
    }
}
