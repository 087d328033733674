//! The cost of calls, beside the same work without the component. `cargo xtask bench` runs this and
//! prints the ratios.

use std::{
    hint::black_box,
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use keycell::{
    Action, ApiKeyId, Caller, CreateApiKey, EventRecord, KeyRecord, Keycell, Policy, Prefix, Scope, Storage, Time,
    Verification, bench,
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

const STORED: usize = 100_000;
const MANY_STORED: usize = 1_000_000;
const SAMPLES: usize = 10_000;
const USER: &str = "ann";
const SCOPES: [&str; 2] = ["api-keys:read", "api-keys:write"];

/// A database with keys in it, and the authority on it.
struct World {
    _dir: tempfile::TempDir,
    path: PathBuf,
    keycell: Arc<Keycell<SqliteStorage>>,
    caller: Caller,
    keys: Arc<Vec<Sample>>,
}

/// A stored key and its secret.
struct Sample {
    id: String,
    key: String,
}

impl World {
    fn new(stored: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
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

    /// A key for each number, spread over the table.
    fn key(&self, n: u64) -> &Sample {
        &self.keys[usize::try_from(n).unwrap_or_default().wrapping_mul(48_271) % self.keys.len()]
    }

    fn id(&self, n: u64) -> &str {
        &self.key(n).id
    }
}

/// Inserts keys with SQL, and returns a sample that is spread over the table.
fn fill(path: &Path, stored: usize) -> Vec<Sample> {
    let mut connection = rusqlite::Connection::open(path).expect("the database");
    let transaction = connection.transaction().expect("a transaction");
    let mut keys = Vec::with_capacity(SAMPLES);
    for n in 0..stored {
        let (key, record) = native_record(1_700_000_000_000 + n as u64, "filling");
        transaction
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
        if n % (stored / SAMPLES).max(1) == 0 {
            keys.push(Sample { id: record.id, key: key.into_text() });
        }
    }
    transaction.commit().expect("a commit");
    keys
}

fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("random bytes");
}

/// Makes a key and its record by the component's own rules, without the component.
fn native_record(now: u64, name: &str) -> (Key, KeyRecord) {
    let prefix = Prefix::default();
    let caller = Actor::user(USER.to_owned(), SCOPES.map(str::to_owned).into(), false);
    let defaults: Vec<_> = SCOPES.iter().filter_map(|scope| Scope::parse(scope)).collect();
    let time = Time::from_millis(now as i64).expect("a time");
    let id = ApiKeyId::mint(time, &mut random);
    let key = Key::mint(&prefix, &mut random);
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

fn native_event(record: &KeyRecord) -> EventRecord {
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

async fn native_create(storage: &SqliteStorage) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let (key, record) = native_record(now, "bench");
    let event = native_event(&record);
    let time = Time::from_millis(record.created_at).expect("a time").to_rfc3339();
    storage.insert_key(record, event, None).await.expect("stored");
    black_box((key.into_text(), time));
}

async fn native_get(storage: &SqliteStorage, id: &str) {
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
async fn native_verify(storage: &SqliteStorage, key: &str) -> bool {
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

fn runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("a runtime")
}

/// The calls of a range, in the shares that one instance serves.
fn shares(calls: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let most = bench::CALLS_OF_ONE_INSTANCE;
    calls.clone().step_by(most as usize).map(move |from| from..calls.end.min(from + most))
}

/// Measures `work`, which makes the calls of a range, in this number of tasks at once.
fn measure<F, Fut>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    (runtime, tasks): (&Runtime, u64),
    world: &Arc<World>,
    work: F,
) where
    F: Fn(Arc<World>, Range<u64>) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|calls| {
            let share = calls.div_ceil(tasks);
            let began = Instant::now();
            let running: Vec<_> = (0..tasks)
                .map(|task| runtime.spawn(work(Arc::clone(world), task * share..(task + 1) * share)))
                .collect();
            for task in running {
                runtime.block_on(task).expect("a task");
            }
            began.elapsed()
        });
    });
}

fn reads(criterion: &mut Criterion) {
    let world = Arc::new(World::new(STORED));
    for threads in [1, 2] {
        let runtime = runtime(threads);
        let on = (&runtime, threads as u64);
        let mut group = group(criterion, &format!("get {threads} thread"));
        measure(&mut group, "native", on, &world, |world, calls| async move {
            for n in calls {
                native_get(world.keycell.storage(), world.id(n)).await;
            }
        });
        measure(&mut group, "reused instance", on, &world, |world, calls| async move {
            for share in shares(calls) {
                let ids: Vec<_> = share.map(|n| world.id(n)).collect();
                bench::get_on_one_instance(&world.keycell, &world.caller, ids).await.expect("read");
            }
        });
        measure(&mut group, "fresh instance", on, &world, |world, calls| async move {
            for n in calls {
                black_box(world.keycell.get_api_key(&world.caller, world.id(n)).await.expect("read"));
            }
        });
    }
}

fn creates(criterion: &mut Criterion) {
    let world = Arc::new(World::new(STORED));
    for threads in [1, 2] {
        let runtime = runtime(threads);
        let on = (&runtime, threads as u64);
        let mut group = group(criterion, &format!("create {threads} thread"));
        measure(&mut group, "native", on, &world, |world, calls| async move {
            for _ in calls {
                native_create(world.keycell.storage()).await;
            }
        });
        measure(&mut group, "reused instance", on, &world, |world, calls| async move {
            let request = CreateApiKey::named("bench");
            for share in shares(calls) {
                let times = share.end - share.start;
                let created = bench::create_on_one_instance(&world.keycell, &world.caller, &request, times);
                created.await.expect("created");
            }
        });
        for (name, tasks) in [("fresh instance", threads as u64), ("fresh instance, 8 at once", 8)] {
            measure(&mut group, name, (&runtime, tasks), &world, |world, calls| async move {
                for _ in calls {
                    let request = CreateApiKey::named("bench");
                    black_box(world.keycell.create_api_key(&world.caller, request).await.expect("created"));
                }
            });
        }
    }
}

/// Durable creates natively and through a fresh instance in turn, so that both see the same load of
/// the disk.
fn creates_in_turn(_: &mut Criterion) {
    let world = World::new(STORED);
    let [mut native, mut fresh] = [Vec::new(), Vec::new()];
    runtime(2).block_on(async {
        for _ in 0..4000 {
            let began = Instant::now();
            native_create(world.keycell.storage()).await;
            native.push(began.elapsed());
            let began = Instant::now();
            black_box(
                world.keycell.create_api_key(&world.caller, CreateApiKey::named("bench")).await.expect("created"),
            );
            fresh.push(began.elapsed());
        }
    });
    figure("create in turn/native", percentile(native, 50));
    figure("create in turn/fresh instance", percentile(fresh, 50));
}

fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times[times.len() * percent / 100]
}

/// Stores a figure in nanoseconds beside those of criterion.
fn figure(name: &str, time: Duration) {
    let target = std::env::current_exe().expect("a path");
    let dir = target.ancestors().nth(3).expect("a target directory").join("criterion/figures");
    std::fs::create_dir_all(&dir).expect("a directory");
    let figure = serde_json::json!({ "name": name, "nanoseconds": time.as_secs_f64() * 1e9 });
    std::fs::write(dir.join(name.replace(['/', ' '], "-")).with_extension("json"), figure.to_string()).expect("a file");
    println!("{name}: {time:?}");
}

fn verifications(criterion: &mut Criterion) {
    for stored in [STORED, MANY_STORED] {
        let world = Arc::new(World::new(stored));
        for threads in [1, 2] {
            let runtime = runtime(threads);
            let on = (&runtime, threads as u64);
            let mut group = group(criterion, &format!("verify {stored} keys {threads} thread"));
            measure(&mut group, "native", on, &world, |world, calls| async move {
                for n in calls {
                    assert!(native_verify(world.keycell.storage(), &world.key(n).key).await);
                }
            });
            measure(&mut group, "good", on, &world, |world, calls| async move {
                for n in calls {
                    assert!(verify(&world, &world.key(n).key).await);
                }
            });
        }
        figure(&format!("verify {stored} keys/p99"), runtime(1).block_on(ninety_ninth_percentile(&world)));
        refusals(criterion, &world, stored);
    }
}

fn refusals(criterion: &mut Criterion, world: &Arc<World>, stored: usize) {
    let mut wrong_checksum = world.key(1).key.clone();
    let last = if wrong_checksum.pop() == Some('0') { '1' } else { '0' };
    wrong_checksum.push(last);
    let unknown = native_record(1, "unknown").0.into_text();
    let revoked = world.key(2).key.clone();
    runtime(1).block_on(world.keycell.revoke_api_key(&world.caller, world.id(2), None, None)).expect("revoked");

    for threads in [1, 2] {
        let runtime = runtime(threads);
        let on = (&runtime, threads as u64);
        let mut group = group(criterion, &format!("verify {stored} keys {threads} thread"));
        for (name, key) in [("wrong checksum", &wrong_checksum), ("unknown", &unknown), ("revoked", &revoked)] {
            measure(&mut group, &format!("{name}, native"), on, world, |world, calls| {
                let key = key.clone();
                async move {
                    for _ in calls {
                        assert!(!native_verify(world.keycell.storage(), &key).await);
                    }
                }
            });
            measure(&mut group, name, on, world, |world, calls| {
                let key = key.clone();
                async move {
                    for _ in calls {
                        assert!(!verify(&world, &key).await);
                    }
                }
            });
        }
    }
}

async fn verify(world: &World, key: &str) -> bool {
    let verification = world.keycell.verify_api_key(&Caller::host(), key, &SCOPES[..1]).await.expect("verified");
    matches!(verification, Verification::Valid(_))
}

/// The 99th percentile of 50,000 verifications, one after another.
async fn ninety_ninth_percentile(world: &World) -> Duration {
    let mut times = Vec::new();
    for n in 0..50_000 {
        let began = Instant::now();
        assert!(verify(world, &world.key(n).key).await);
        times.push(began.elapsed());
    }
    percentile(times, 99)
}

/// A whole process that reads a key, beside one that only opens the database.
fn cold_start(criterion: &mut Criterion) {
    let world = World::new(STORED);
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_keycell"))
            .args(args)
            .args(["--user", USER, "--database"])
            .arg(&world.path)
            .output()
            .expect("the command");
        assert!(output.status.success(), "{output:?}");
    };
    let mut group = group(criterion, "process");
    group.bench_function("open the database", |bencher| bencher.iter(|| run(&["project", "list"])));
    group.bench_function("keycell get", |bencher| bencher.iter(|| run(&["get", world.id(1)])));
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(30).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    group
}

criterion_group!(benches, reads, creates, creates_in_turn, verifications, cold_start);
criterion_main!(benches);
