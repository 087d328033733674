//! Storage in memory that counts its calls and can be stopped.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use keycell::{
    EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, Member, MemoryStorage, Project,
    ProjectReference, ProjectSlug, ProjectStorage, ProjectWithRole, Storage, StorageError,
};
use tokio::sync::watch;

#[derive(Clone)]
pub struct TestStorage(Arc<Inner>);

struct Inner {
    memory: MemoryStorage,
    calls: Mutex<HashMap<&'static str, usize>>,
    fails: AtomicBool,
    is_stopped: watch::Sender<fn(&str) -> bool>,
    waiting: AtomicUsize,
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl TestStorage {
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            memory: MemoryStorage::default(),
            calls: Mutex::default(),
            fails: AtomicBool::new(false),
            is_stopped: watch::Sender::new(|_| false),
            waiting: AtomicUsize::new(0),
        }))
    }

    /// The calls since the last time, by name.
    pub fn take_calls(&self) -> HashMap<&'static str, usize> {
        std::mem::take(&mut self.0.calls.lock().unwrap())
    }

    /// Lets every call fail, or none.
    pub fn fail(&self, fails: bool) {
        self.0.fails.store(fails, Ordering::SeqCst);
    }

    /// Lets every call wait, or none.
    pub fn stop(&self, is_stopped: bool) {
        self.0.is_stopped.send_replace(if is_stopped { |_| true } else { |_| false });
    }

    /// Lets lists of keys wait.
    pub fn stop_lists(&self) {
        self.0.is_stopped.send_replace(|name| name == "list_keys");
    }

    /// The number of calls that wait.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::SeqCst)
    }

    async fn before(&self, name: &'static str) -> Result<(), StorageError> {
        *self.0.calls.lock().unwrap().entry(name).or_default() += 1;
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.0.waiting);
        self.0.is_stopped.subscribe().wait_for(|is_stopped| !is_stopped(name)).await.unwrap();
        if self.0.fails.load(Ordering::SeqCst) { Err(StorageError::Unavailable("test".into())) } else { Ok(()) }
    }
}

macro_rules! delegate {
    ($(fn $name:ident($($argument:ident: $kind:ty),*) -> $output:ty;)*) => {
        $(async fn $name(&self, $($argument: $kind),*) -> Result<$output, StorageError> {
            self.before(stringify!($name)).await?;
            self.0.memory.$name($($argument),*).await
        })*
    };
}

impl Storage for TestStorage {
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
        self.0.memory.record_use(id, at);
    }
}

impl ProjectStorage for TestStorage {
    delegate! {
        fn insert_project(id: uuid::Uuid, slug: ProjectSlug, members: Vec<Member>) -> Project;
        fn list_projects(user_id: Option<&str>) -> Vec<Project>;
        fn put_member(project: &ProjectReference, member: Member) -> bool;
        fn remove_member(project: &ProjectReference, user_id: &str) -> bool;
        fn list_members(project: &ProjectReference) -> Option<Vec<Member>>;
        fn check_ready() -> ();
    }
}
