//! Every case of the conformance suite on the example's storage, the key that each host must make,
//! and a file that is opened again.

#[path = "../src/storage.rs"]
mod storage;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use keycell::{
    Caller, Component, CreateApiKey, KeyFilter, KeyRecord, Keycell, MemoryStorage, Project, ProjectReference,
    ProjectSlug, ProjectStorage, Storage, StorageError, Verification, conformance,
};
use redb::{Database, backends::InMemoryBackend};

use self::storage::RedbStorage;

type Result<T> = std::result::Result<T, StorageError>;

/// The example's storage beside a place for the projects of the cases.
struct WithProjects {
    keys: RedbStorage,
    projects: MemoryStorage,
}

impl Storage for WithProjects {
    async fn insert_key(&self, key: KeyRecord) -> Result<()> {
        self.keys.insert_key(key).await
    }

    async fn find_key(&self, id: &str) -> Result<Option<KeyRecord>> {
        self.keys.find_key(id).await
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>> {
        self.keys.find_key_by_lookup(lookup).await
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>> {
        self.keys.list_keys(filter).await
    }

    async fn update_key(&self, key: KeyRecord) -> Result<()> {
        self.keys.update_key(key).await
    }

    async fn rotate_key(&self, key: KeyRecord, replacement: KeyRecord) -> Result<()> {
        self.keys.rotate_key(key, replacement).await
    }

    fn record_use(&self, id: &str, at: i64) {
        self.keys.record_use(id, at);
    }

    async fn find_project(&self, reference: &ProjectReference, user_id: &str) -> Result<Option<String>> {
        self.projects.find_project(reference, user_id).await
    }
}

impl ProjectStorage for WithProjects {
    async fn insert_project(&self, id: uuid::Uuid, slug: ProjectSlug, members: Vec<String>) -> Result<Project> {
        self.projects.insert_project(id, slug, members).await
    }

    async fn list_projects(&self, user_id: &str) -> Result<Vec<Project>> {
        self.projects.list_projects(user_id).await
    }
}

fn in_memory() -> RedbStorage {
    RedbStorage::new(Database::builder().create_with_backend(InMemoryBackend::new()).unwrap()).unwrap()
}

#[tokio::test]
async fn every_case_passes() {
    let component = Component::built_in().unwrap();
    let mut passed = 0;
    for case in conformance::cases().unwrap() {
        let storage = WithProjects { keys: in_memory(), projects: MemoryStorage::default() };
        let outcome = conformance::run(&case, &component, storage).await;
        assert_eq!(outcome.result, Ok(()), "{}", outcome.name);
        passed += 1;
    }
    assert!(passed >= 3666, "only {passed} cases"); // Else some were left out.
}

#[tokio::test]
async fn the_first_key_is_the_one_of_every_host() {
    // 2026-03-14T09:26:53.589Z
    let now = UNIX_EPOCH + Duration::from_millis(1_773_480_413_589);
    let keycell = Keycell::builder(in_memory()).clock(Arc::new(move || now)).random(xorshift32(1)).build().unwrap();
    let ann = Caller::user("ann").unwrap();
    let created = keycell.create_api_key(&ann, CreateApiKey::named("laptop")).await.unwrap();
    assert_eq!(created.id.to_text(), "019cebab-8995-7101-854f-d1d01ab22574");
    assert_eq!(created.key.expose(), "keycell_HtEoxr88LPpz_nHuffgX0PK1ecwe27tQ5dxl7Mn9xtIRuQQMPHlc0DYq1wQvRx");
}

#[tokio::test]
async fn a_key_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let database = Database::create(dir.path().join("keys.redb")).unwrap();
        Keycell::new(RedbStorage::new(database).unwrap()).unwrap()
    };
    let ann = Caller::user("ann").unwrap();
    let created = open().create_api_key(&ann, CreateApiKey::named("laptop")).await.unwrap();
    let keycell = open();
    assert!(matches!(
        keycell.verify_api_key(created.key.expose(), &[]).await.unwrap(),
        Verification::Valid(key) if key.id == created.id
    ));
    assert_eq!(keycell.get_api_key(&ann, &created.id.to_text()).await.unwrap().name, "laptop");
}

/// The stream of `docs/conformance.md`: the low byte of each state.
fn xorshift32(seed: u32) -> keycell::Random {
    let state = AtomicU32::new(seed);
    Arc::new(move |bytes| {
        for byte in bytes {
            let mut x = state.load(Ordering::Relaxed);
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            *byte = x.to_le_bytes()[0];
            state.store(x, Ordering::Relaxed);
        }
        Ok(())
    })
}
