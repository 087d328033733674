//! The conformance suite, the model test and the storage matrix on the example's storage, and a file
//! that is opened again.

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
    Caller, Component, CreateApiKey, EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole,
    Keycell, Member, MemoryStorage, Project, ProjectReference, ProjectSlug, ProjectStorage, ProjectWithRole, Storage,
    StorageError, Verification,
};
use redb::{Database, backends::InMemoryBackend};

use self::storage::RedbStorage;

/// The minimum number of cases, so that none is skipped.
const MIN_CASES: usize = 4960;

type Result<T> = std::result::Result<T, StorageError>;

/// The example's storage with projects beside it.
struct WithProjects {
    keys: RedbStorage,
    projects: MemoryStorage,
}

impl Storage for WithProjects {
    async fn insert_key(&self, key: KeyRecord, event: EventRecord, request: Option<IdempotentRequest>) -> Result<()> {
        self.keys.insert_key(key, event, request).await
    }

    async fn find_key(&self, id: &str, viewer: &str) -> Result<Option<KeyWithRole>> {
        let Some(mut found) = self.keys.find_key(id, viewer).await? else { return Ok(None) };
        if let Some(project_id) = &found.key.project_id {
            let project = self.projects.find_project(&ProjectReference::Id(project_id.clone()), viewer).await?;
            found.role = project.and_then(|project| project.role);
        }
        Ok(Some(found))
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>> {
        self.keys.find_key_by_lookup(lookup).await
    }

    async fn find_request(&self, user: &str, idempotency_key: &str, now: i64) -> Result<Option<IdempotentRequest>> {
        self.keys.find_request(user, idempotency_key, now).await
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>> {
        self.keys.list_keys(filter).await
    }

    async fn list_events(&self, filter: EventFilter) -> Result<Vec<EventRecord>> {
        self.keys.list_events(filter).await
    }

    async fn update_key(&self, key: KeyRecord, event: EventRecord) -> Result<()> {
        self.keys.update_key(key, event).await
    }

    async fn rotate_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        replacement: KeyRecord,
        replacement_event: EventRecord,
    ) -> Result<()> {
        self.keys.rotate_key(key, event, replacement, replacement_event).await
    }

    async fn replace_secret(&self, key: KeyRecord, event: EventRecord) -> Result<()> {
        self.keys.replace_secret(key, event).await
    }

    fn record_use(&self, id: &str, at: i64) {
        self.keys.record_use(id, at);
    }

    async fn find_project(&self, reference: &ProjectReference, user_id: &str) -> Result<Option<ProjectWithRole>> {
        self.projects.find_project(reference, user_id).await
    }
}

impl ProjectStorage for WithProjects {
    async fn insert_project(&self, id: uuid::Uuid, slug: ProjectSlug, members: Vec<Member>) -> Result<Project> {
        self.projects.insert_project(id, slug, members).await
    }

    async fn list_projects(&self, user_id: Option<&str>) -> Result<Vec<Project>> {
        self.projects.list_projects(user_id).await
    }

    async fn put_member(&self, project: &ProjectReference, member: Member) -> Result<bool> {
        self.projects.put_member(project, member).await
    }

    async fn remove_member(&self, project: &ProjectReference, user_id: &str) -> Result<bool> {
        self.projects.remove_member(project, user_id).await
    }

    async fn list_members(&self, project: &ProjectReference) -> Result<Option<Vec<Member>>> {
        self.projects.list_members(project).await
    }

    async fn check_ready(&self) -> Result<()> {
        self.projects.check_ready().await
    }
}

fn in_memory() -> RedbStorage {
    RedbStorage::new(Database::builder().create_with_backend(InMemoryBackend::new()).unwrap()).unwrap()
}

fn with_projects() -> WithProjects {
    WithProjects { keys: in_memory(), projects: MemoryStorage::default() }
}

keycell_conformance::storage_tests!(async || ((), with_projects()));

#[tokio::test]
async fn every_case_passes() {
    let component = Component::built_in().unwrap();
    let cases = keycell_conformance::cases().unwrap();
    for case in &cases {
        let outcome = keycell_conformance::run(case, &component, with_projects()).await;
        assert_eq!(outcome.result, Ok(()), "{}", outcome.name);
    }
    assert!(cases.len() >= MIN_CASES, "only {} cases", cases.len());
}

#[tokio::test]
async fn random_calls_have_the_results_of_the_model() {
    for seed in 0..10 {
        keycell_conformance::model::run(with_projects(), seed, 300).await;
    }
}

#[tokio::test]
async fn the_first_key_is_the_one_of_every_host() {
    // 2026-03-14T09:26:53.589Z
    let now = UNIX_EPOCH + Duration::from_millis(1_773_480_413_589);
    let keycell = Keycell::builder(in_memory()).clock(Arc::new(move || now)).random(xorshift32(1)).build().unwrap();
    let created = keycell.create_api_key(&Caller::user("ann"), CreateApiKey::named("laptop")).await.unwrap();
    assert_eq!(created.id.to_string(), "019cebab-8995-7101-854f-d1d01ab22574");
    assert_eq!(created.key.expose(), "keycell_HtEoxr88LPpz_nHuffgX0PK1ecwe27tQ5dxl7Mn9xtIRuQQMPHlc0DYq1wQvRx");
}

#[tokio::test]
async fn a_key_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let database = Database::create(dir.path().join("keys.redb")).unwrap();
        Keycell::new(RedbStorage::new(database).unwrap()).unwrap()
    };
    let ann = Caller::user("ann");
    let created = open().create_api_key(&ann, CreateApiKey::named("laptop")).await.unwrap();
    let keycell = open();
    assert!(matches!(
        keycell.verify_api_key(&Caller::host(), created.key.expose(), &[]).await.unwrap(),
        Verification::Valid(key) if key.id == created.id
    ));
    assert_eq!(keycell.get_api_key(&ann, &created.id.to_string()).await.unwrap().name, "laptop");
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
