//! What the benchmarks of calls share: a database with keys, and the same work without the component.

#![allow(dead_code, reason = "a benchmark uses a part of it")]

use std::{
    hint::black_box,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use keycell::{
    Action, ApiKeyId, Caller, EventRecord, KeyRecord, Keycell, Policy, Prefix, Scope, Storage, Time, Verification,
};
use keycell_component::{
    access::Actor,
    id::mint_event_id,
    key::{self, Key},
    name::KeyName,
    scopes,
    status::Status,
};
use keycell_sqlite::SqliteStorage;
use tokio::runtime::{Builder, Runtime};

pub const STORED: usize = 100_000;
const SAMPLES: usize = 10_000;
pub const USER: &str = "ann";
pub const SCOPES: [&str; 2] = ["api-keys:read", "api-keys:write"];

/// A database with keys in it, and the authority on it.
pub struct World {
    _dir: tempfile::TempDir,
    path: PathBuf,
    pub keycell: Arc<Keycell<SqliteStorage>>,
    pub caller: Caller,
    pub keys: Arc<Vec<Sample>>,
}

/// A stored key and its secret.
pub struct Sample {
    pub id: String,
    pub key: String,
}

impl World {
    pub fn new(stored: usize) -> Self {
        // On the disk of the build, as `/tmp` may be in memory.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let path = dir.path().join("keycell.db");
        let storage = SqliteStorage::open(&path).expect("a database");
        let keys = fill(&path, stored);
        let default_scopes = SCOPES.iter().filter_map(|scope| Scope::parse(scope)).collect();
        let mut policy = Policy::default();
        policy.default_scopes = default_scopes;
        let keycell = Keycell::builder(storage).policy(policy).build().expect("the component");
        let caller = Caller::user(USER).with_scopes(SCOPES);
        Self { _dir: dir, path, keycell: keycell.into(), caller, keys: keys.into() }
    }

    /// The path of the database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A key for each number, spread over the table.
    pub fn key(&self, n: u64) -> &Sample {
        &self.keys[usize::try_from(n).unwrap_or_default().wrapping_mul(48_271) % self.keys.len()]
    }

    pub fn id(&self, n: u64) -> &str {
        &self.key(n).id
    }
}

/// Inserts keys with SQL, and returns a sample that is spread over the table.
fn fill(path: &Path, stored: usize) -> Vec<Sample> {
    let mut connection = rusqlite::Connection::open(path).expect("the database");
    let transaction = connection.transaction().expect("a transaction");
    let mut keys = Vec::with_capacity(SAMPLES);
    for n in 0..stored {
        let (key, record) = native_record(1_700_000_000_000 + n as u64, "filling", &mut random);
        insert(&transaction, &record);
        if n % (stored / SAMPLES).max(1) == 0 {
            keys.push(Sample { id: record.id, key: key.into_text() });
        }
    }
    transaction.commit().expect("a commit");
    keys
}

/// Inserts a key with SQL, without its event.
pub fn insert(connection: &rusqlite::Connection, record: &KeyRecord) {
    connection
        .prepare_cached(
            "INSERT INTO api_keys (id, prefix, lookup, hash, user_id, name, scopes, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
        )
        .and_then(|mut insert| {
            insert.execute((
                &record.id,
                &record.prefix,
                &record.lookup,
                &record.hash,
                &record.user_id,
                &record.name,
                r#"["api-keys:read","api-keys:write"]"#,
                record.created_at,
            ))
        })
        .expect("an insert");
}

pub fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("random bytes");
}

/// Makes a key and its record by the component's own rules, without the component.
pub fn native_record(now: u64, name: &str, random: &mut impl FnMut(&mut [u8])) -> (Key, KeyRecord) {
    let prefix = Prefix::default();
    let caller = Actor::user(USER.to_owned(), SCOPES.map(str::to_owned).into(), false);
    let defaults: Vec<_> = SCOPES.iter().filter_map(|scope| Scope::parse(scope)).collect();
    let time = Time::from_millis(now as i64).expect("a time");
    let id = ApiKeyId::mint(time, random);
    let key = Key::mint(&prefix, random);
    let mut record = KeyRecord::default();
    record.id = id.to_string();
    record.prefix = prefix.as_str().to_owned();
    record.lookup = key.lookup().to_owned();
    record.hash = key.hash().as_bytes().to_vec();
    record.user_id = USER.to_owned();
    record.name = KeyName::parse(name).expect("a name").into_text();
    record.scopes = scopes::grantable(&defaults, |scope| caller.may_grant(scope));
    record.created_at = time.millis();
    record.updated_at = time.millis();
    (key, record)
}

pub fn native_event(record: &KeyRecord) -> EventRecord {
    let time = Time::from_millis(record.created_at).expect("a time");
    let mut event = EventRecord::new(Action::Created);
    event.id = mint_event_id(time, &mut random);
    event.time = record.created_at;
    event.key_id = record.id.clone();
    event.user_id = record.user_id.clone();
    event.actor_user_id = record.user_id.clone();
    event.fields = ["name", "scopes"].map(str::to_owned).into();
    event
}

pub async fn native_create(storage: &SqliteStorage) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let (key, record) = native_record(now, "bench", &mut random);
    let event = native_event(&record);
    let time = Time::from_millis(record.created_at).expect("a time").to_rfc3339();
    storage.insert_key(record, event, None).await.expect("stored");
    black_box((key.into_text(), time));
}

pub async fn native_get(storage: &SqliteStorage, id: &str) {
    let id = ApiKeyId::parse(id).expect("an id").to_string();
    let found = storage.find_key(&id, USER).await.expect("read").expect("there");
    let (record, role) = (found.key, found.role);
    let caller = Actor::user(USER.to_owned(), Vec::new(), false);
    assert!(role.is_none() && caller.may_see(&record.user_id, record.project_id.as_deref(), None));
    let text = |millis| Time::from_millis(millis).map(Time::to_rfc3339);
    black_box((
        key::key_prefix(&record.prefix, &record.lookup),
        text(record.created_at),
        text(record.updated_at),
        record.last_used_at.map(text),
    ));
    black_box(record);
}

/// Verifies a key by the component's own rules, without the component.
pub async fn native_verify(storage: &SqliteStorage, key: &str) -> bool {
    let needed = scopes::parse_all(&[SCOPES[0].to_owned()]).expect("a scope");
    let Some(key) = Key::parse(key) else { return false };
    let Some(record) = storage.find_key_by_lookup(key.lookup()).await.expect("read") else { return false };
    if !key.hash().matches(&record.hash) {
        return false;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let expires_at = record.expires_at.and_then(Time::from_millis);
    let status = Status::of(record.revoked_at.is_some(), expires_at, Time::from_millis(now).expect("a time"));
    if status != Status::Active || !scopes::missing(&needed, &record.scopes).is_empty() {
        return false;
    }
    storage.record_use(&record.id, now);
    black_box((record, expires_at.map(Time::to_rfc3339)));
    true
}

pub fn runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("a runtime")
}

/// The mean time of these calls.
pub async fn time(from: u64, calls: u64, call: &impl AsyncFn(u64)) -> Duration {
    let began = Instant::now();
    for n in from..from + calls {
        call(n).await;
    }
    began.elapsed() / u32::try_from(calls).expect("few")
}

pub fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times[times.len() * percent / 100]
}

/// Stores a figure in nanoseconds beside those of criterion.
pub fn figure(name: &str, time: Duration) {
    let target = std::env::current_exe().expect("a path");
    let dir = target.ancestors().nth(3).expect("a target directory").join("criterion/figures");
    std::fs::create_dir_all(&dir).expect("a directory");
    let figure = serde_json::json!({ "name": name, "nanoseconds": time.as_secs_f64() * 1e9 });
    std::fs::write(dir.join(name.replace(['/', ' '], "-")).with_extension("json"), figure.to_string()).expect("a file");
    // Not between the lines of a table.
    eprintln!("{name}: {time:?}");
}

pub async fn verify(world: &World, key: &str) -> bool {
    let verification = world.keycell.verify_api_key(&Caller::host(), key, &SCOPES[..1]).await.expect("verified");
    matches!(verification, Verification::Valid(_))
}

/// The key with another last character.
pub fn with_wrong_checksum(key: &str) -> String {
    let mut wrong = key.to_owned();
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    wrong
}
