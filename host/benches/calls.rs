//! What a call costs, beside the same work without the component. `cargo xtask bench` runs this
//! and prints the ratios.

use std::{
    hint::black_box,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use keycell::{
    ApiKeyId, Caller, CreateApiKey, KeyRecord, Keycell, Policy, Prefix, Scope, SqliteStorage, Storage, Time, bench,
};
use keycell_component::{
    access,
    key::{self, Key},
    name::KeyName,
    scopes,
};
use tokio::runtime::{Builder, Runtime};

const STORED: usize = 100_000;
const USER: &str = "ann";
const SCOPES: [&str; 2] = ["api-keys:read", "api-keys:write"];

/// A database with keys in it, and the authority on it.
struct World {
    _dir: tempfile::TempDir,
    path: PathBuf,
    keycell: Arc<Keycell<SqliteStorage>>,
    caller: Caller,
    ids: Arc<Vec<String>>,
}

impl World {
    fn new(stored: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keycell.db");
        let storage = SqliteStorage::open(&path).expect("a database");
        let ids = fill(&path, stored);
        let default_scopes = SCOPES.iter().filter_map(|scope| Scope::parse(scope)).collect();
        let policy = Policy { default_scopes, ..Policy::default() };
        let keycell = Keycell::builder(storage).policy(policy).build().expect("the component");
        let caller = Caller::user(USER).expect("a user").with_scopes(SCOPES);
        Self { _dir: dir, path, keycell: keycell.into(), caller, ids: ids.into() }
    }

    /// An id, another one each time, all over the table.
    fn id(&self, n: u64) -> &str {
        &self.ids[usize::try_from(n).unwrap_or_default().wrapping_mul(48_271) % self.ids.len()]
    }
}

/// Inserts keys by the quickest way; gives their ids.
fn fill(path: &Path, stored: usize) -> Vec<String> {
    let mut connection = rusqlite::Connection::open(path).expect("the database");
    let transaction = connection.transaction().expect("a transaction");
    let mut ids = Vec::with_capacity(stored);
    for n in 0..stored {
        let record = native_record(1_700_000_000_000 + n as u64, "filling").1;
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
        ids.push(record.id);
    }
    transaction.commit().expect("a commit");
    ids
}

fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("random bytes");
}

/// What the component does to create a key, by the same rules, without the component.
fn native_record(now: u64, name: &str) -> (Key, KeyRecord) {
    let prefix = Prefix::default();
    let held = SCOPES.map(str::to_owned);
    let defaults = SCOPES.iter().filter_map(|scope| Scope::parse(scope)).collect();
    let id = ApiKeyId::mint(now, &mut random);
    let key = Key::mint(&prefix, &mut random);
    let record = KeyRecord {
        id: id.to_text(),
        prefix: prefix.as_str().to_owned(),
        lookup: key.lookup().to_owned(),
        hash: key.hash().as_bytes().to_vec(),
        user_id: USER.to_owned(),
        project_id: None,
        name: KeyName::parse(name).expect("a name").into_text(),
        scopes: scopes::granted(defaults, &held),
        created_at: now as i64,
        updated_at: now as i64,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        revocation_reason: None,
        rotated_from: None,
        rotated_to: None,
        revision: 0,
    };
    (key, record)
}

async fn native_create(storage: &SqliteStorage) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let (key, record) = native_record(now, "bench");
    let time = Time::from_millis(record.created_at).expect("a time").to_text();
    storage.insert_key(record).await.expect("stored");
    black_box((key.into_text(), time));
}

async fn native_get(storage: &SqliteStorage, id: &str) {
    let id = ApiKeyId::parse(id).expect("an id").to_text();
    let record = storage.find_key(&id).await.expect("read").expect("there");
    let caller = access::Caller { user_id: USER.to_owned(), project_id: None, expires_at: None, scopes: Vec::new() };
    assert!(access::may_see(&caller, &record.user_id, record.project_id.as_deref()));
    let text = |millis| Time::from_millis(millis).map(Time::to_text);
    black_box((
        key::key_prefix(&record.prefix, &record.lookup),
        text(record.created_at),
        text(record.updated_at),
        record.last_used_at.map(text),
    ));
    black_box(record);
}

fn runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("a runtime")
}

/// Times `tasks` tasks that make `calls` calls in all.
fn timed<F, Fut>(runtime: &Runtime, tasks: u64, calls: u64, work: F) -> Duration
where
    F: Fn(u64, u64) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let share = calls.div_ceil(tasks);
    let began = Instant::now();
    let running: Vec<_> = (0..tasks).map(|task| runtime.spawn(work(task * share, (task + 1) * share))).collect();
    for task in running {
        runtime.block_on(task).expect("a task");
    }
    began.elapsed()
}

fn reads(criterion: &mut Criterion) {
    let world = Arc::new(World::new(STORED));
    for threads in [1, 2] {
        let runtime = runtime(threads);
        let tasks = threads as u64;
        let mut group = group(criterion, &format!("get {threads} thread"));
        group.bench_function("native", |bencher| {
            bencher.iter_custom(|calls| {
                timed(&runtime, tasks, calls, |from, to| {
                    let world = Arc::clone(&world);
                    async move {
                        for n in from..to {
                            native_get(world.keycell.storage(), world.id(n)).await;
                        }
                    }
                })
            });
        });
        group.bench_function("reused instance", |bencher| {
            bencher.iter_custom(|calls| {
                timed(&runtime, tasks, calls, |from, to| {
                    let world = Arc::clone(&world);
                    async move {
                        let read = bench::get_on_one_instance(&world.keycell, &world.caller, world.id(from), to - from);
                        read.await.expect("read");
                    }
                })
            });
        });
        group.bench_function("fresh instance", |bencher| {
            bencher.iter_custom(|calls| {
                timed(&runtime, tasks, calls, |from, to| {
                    let world = Arc::clone(&world);
                    async move {
                        for n in from..to {
                            black_box(world.keycell.get_api_key(&world.caller, world.id(n)).await.expect("read"));
                        }
                    }
                })
            });
        });
    }
}

fn creates(criterion: &mut Criterion) {
    let world = Arc::new(World::new(STORED));
    let runtime = runtime(2);
    let mut group = group(criterion, "create");
    group.bench_function("native", |bencher| {
        bencher.iter_custom(|calls| {
            timed(&runtime, 1, calls, |from, to| {
                let world = Arc::clone(&world);
                async move {
                    for _ in from..to {
                        native_create(world.keycell.storage()).await;
                    }
                }
            })
        });
    });
    group.bench_function("reused instance", |bencher| {
        bencher.iter_custom(|calls| {
            timed(&runtime, 1, calls, |from, to| {
                let world = Arc::clone(&world);
                async move {
                    let request = CreateApiKey::named("bench");
                    let created = bench::create_on_one_instance(&world.keycell, &world.caller, &request, to - from);
                    created.await.expect("created");
                }
            })
        });
    });
    for (name, tasks) in [("fresh instance", 1), ("fresh instance, 8 at once", 8)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|calls| {
                timed(&runtime, tasks, calls, |from, to| {
                    let world = Arc::clone(&world);
                    async move {
                        for _ in from..to {
                            let request = CreateApiKey::named("bench");
                            black_box(world.keycell.create_api_key(&world.caller, request).await.expect("created"));
                        }
                    }
                })
            });
        });
    }
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

criterion_group!(benches, reads, creates, cold_start);
criterion_main!(benches);
