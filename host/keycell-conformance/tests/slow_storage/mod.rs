//! Storage in memory that answers each call at the second poll.

use keycell::{
    EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, Member, MemoryStorage, Project,
    ProjectReference, ProjectSlug, ProjectStorage, ProjectWithRole, Storage, StorageError,
};

pub struct SlowStorage {
    memory: MemoryStorage,
    reads_at_once: bool,
}

impl SlowStorage {
    /// Makes a storage that may seem to answer reads at once.
    pub fn new(reads_at_once: bool) -> Self {
        Self { memory: MemoryStorage::default(), reads_at_once }
    }
}

macro_rules! delegate {
    ($(fn $name:ident($($argument:ident: $kind:ty),*) -> $output:ty;)*) => {
        $(async fn $name(&self, $($argument: $kind),*) -> Result<$output, StorageError> {
            tokio::task::yield_now().await;
            self.memory.$name($($argument),*).await
        })*
    };
}

impl Storage for SlowStorage {
    delegate! {
        fn insert_key(key: KeyRecord, event: EventRecord, request: Option<IdempotentRequest>) -> ();
        fn find_key(id: &str, viewer: &str) -> Option<KeyWithRole>;
        fn find_key_by_lookup(lookup: &str) -> Option<KeyRecord>;
        fn find_request(user_id: &str, idempotency_key: &str, now: i64) -> Option<IdempotentRequest>;
        fn list_keys(filter: KeyFilter) -> Vec<KeyRecord>;
        fn list_events(filter: EventFilter) -> Vec<EventRecord>;
        fn update_key(key: KeyRecord, event: EventRecord) -> ();
        fn rotate_key(key: KeyRecord, event: EventRecord, replacement: KeyRecord, replacement_event: EventRecord) -> ();
        fn replace_secret(key: KeyRecord, event: EventRecord) -> ();
        fn find_project(reference: &ProjectReference, user_id: &str) -> Option<ProjectWithRole>;
    }

    fn record_use(&self, id: &str, at: i64) {
        self.memory.record_use(id, at);
    }

    fn reads_at_once(&self) -> bool {
        self.reads_at_once
    }
}

impl ProjectStorage for SlowStorage {
    delegate! {
        fn insert_project(id: uuid::Uuid, slug: ProjectSlug, members: Vec<Member>) -> Project;
        fn list_projects(user_id: Option<&str>) -> Vec<Project>;
        fn put_member(project: &ProjectReference, member: Member) -> bool;
        fn remove_member(project: &ProjectReference, user_id: &str) -> bool;
        fn list_members(project: &ProjectReference) -> Option<Vec<Member>>;
        fn check_ready() -> ();
    }
}
