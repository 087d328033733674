//! Times of the SQLite storage: pages of lists in a database of 2,000,000 keys, creates in the
//! schemas of 0.1 and 0.2, creates while the uses of 200,000 keys are stored, and lists and creates
//! after 300,000 keys have expired at the same time.
//!
//! `cargo bench --workspace --bench sqlite_storage -- [lists|creates|uses|backlog]`. Without `--bench`, as
//! in `cargo test --benches`, it does nothing.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use keycell::{Action, EventFilter, EventRecord, KeyFilter, KeyRecord, StatusFilter, Storage};
use keycell_sqlite::SqliteStorage;
use rusqlite::Connection;

/// Keys of one user, and keys of all others.
const KEYS: u64 = 1_000_000;
const PAGE: u32 = 101;
const SAMPLES: usize = 300;
const CREATES: u64 = 4_000;
const USES: u64 = 200_000;
/// Keys of one user that expire at the same time.
const BACKLOG: u64 = 300_000;
const DAY: i64 = 86_400_000;

/// The path of the database that a child process fills, so that its memory is not measured.
const FILL: &str = "KEYCELL_BENCH_FILL";

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    if let Some(path) = std::env::var_os(FILL) {
        return fill(Path::new(&path), KEYS, now()?);
    }
    let names = ["lists", "creates", "uses", "backlog"];
    let runs_all = !names.iter().any(|name| arguments.iter().any(|argument| argument == name));
    let runs = |name: &str| runs_all || arguments.iter().any(|argument| argument == name);
    if runs("creates") {
        creates().await?;
    }
    if runs("uses") {
        uses().await?;
    }
    if runs("backlog") {
        backlog().await?;
    }
    if runs("lists") {
        lists().await?;
    }
    Ok(())
}

/// A directory on the disk of the build, as `/tmp` may be in memory.
fn directory() -> Result<(tempfile::TempDir, PathBuf)> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = directory.path().join("keycell.db");
    Ok((directory, path))
}

fn id(n: u64) -> String {
    format!("01{:06x}-{:04x}-7000-8000-{n:012x}", n >> 16 & 0xff_ffff, n & 0xffff)
}

/// The time of the machine, which the sweep of expired keys compares with.
fn now() -> Result<i64> {
    Ok(i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis())?)
}

fn key(n: u64, user_id: &str) -> KeyRecord {
    let mut key = KeyRecord::default();
    key.id = id(n);
    key.prefix = "keycell".to_owned();
    key.lookup = format!("{:012}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000_000_000_000);
    key.hash = vec![7; 32];
    key.user_id = user_id.to_owned();
    key.name = "nightly export".to_owned();
    key.scopes = vec!["orders:read".to_owned()];
    key
}

fn created(key: &KeyRecord) -> EventRecord {
    let mut event = EventRecord::new(Action::Created);
    event.id.clone_from(&key.id);
    event.key_id.clone_from(&key.id);
    event.user_id.clone_from(&key.user_id);
    event.actor_user_id.clone_from(&key.user_id);
    event.fields = vec!["name".to_owned(), "scopes".to_owned()];
    event
}

/// Prints the median and the 99th percentile.
fn report(name: &str, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    let [median, p99, slowest] = [at(50), at(99), times.last()].map(|time| time.copied().unwrap_or_default());
    println!("{name:60} p50 {median:>10.1?}   p99 {p99:>10.1?}   max {slowest:>10.1?}");
    p99
}

/// Stores a figure where `cargo xtask bench` finds it.
fn figure(name: &str, time: Duration) -> Result<()> {
    let target = std::env::current_exe()?;
    let dir = target.ancestors().nth(3).ok_or("the bench is not where cargo puts it")?.join("criterion/figures");
    std::fs::create_dir_all(&dir)?;
    let figure = serde_json::json!({"name": name, "nanoseconds": time.as_secs_f64() * 1e9});
    std::fs::write(dir.join(name.replace(['/', ' '], "-")).with_extension("json"), figure.to_string())?;
    Ok(())
}

/// Durable creates of one key a commit: in the tables of 0.1, in those of 0.2, and by the storage.
async fn creates() -> Result<()> {
    println!("\n{CREATES} creates in a database of 20000 keys, one a commit");
    for version in [1, 2] {
        let (_directory, path) = directory()?;
        let connection = Connection::open(&path)?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
        connection.execute_batch(include_str!("../src/migrations/0001_keys_and_projects.sql"))?;
        if version == 2 {
            connection.execute_batch(include_str!("../src/migrations/0002_issuing_and_events.sql"))?;
        }
        let insert = |n| -> Result<()> {
            let key = key(n, "ann");
            connection
                .prepare_cached(
                    "INSERT INTO api_keys (id, prefix, lookup, hash, user_id, name, scopes, created_at, updated_at,
                                           expires_at)
                     VALUES (?1, 'keycell', ?2, ?3, 'ann', 'nightly export', '[\"orders:read\"]', 0, 0, ?4)",
                )?
                .execute((&key.id, &key.lookup, &key.hash, i64::MAX >> 16))?;
            if version == 2 {
                connection
                    .prepare_cached(
                        "INSERT INTO events (id, time, action, key_id, user_id, actor_user_id, fields)
                         VALUES (?1, 0, 'created', ?1, 'ann', 'ann', '[\"name\",\"scopes\"]')",
                    )?
                    .execute([&key.id])?;
            }
            Ok(())
        };
        connection.execute_batch("BEGIN")?;
        (0..20_000).try_for_each(insert)?;
        connection.execute_batch("COMMIT")?;
        let mut times = Vec::new();
        for n in 0..CREATES {
            let began = Instant::now();
            insert(20_000 + n)?;
            times.push(began.elapsed());
        }
        // One statement a commit in 0.1; in 0.2 the key and its event share one.
        if version == 2 {
            times = Vec::new();
            for n in 0..CREATES {
                let began = Instant::now();
                connection.execute_batch("BEGIN IMMEDIATE")?;
                insert(30_000 + CREATES + n)?;
                connection.execute_batch("COMMIT")?;
                times.push(began.elapsed());
            }
        }
        report(&format!("schema {version}, SQL alone"), times);
    }
    for tasks in [1, 8] {
        let (_directory, path) = directory()?;
        let storage = Arc::new(SqliteStorage::open(&path)?);
        let began = Instant::now();
        report(&format!("the storage, {tasks} at once"), create_many(&storage, tasks, CREATES, "ann", 0).await?);
        println!("{:60} {:.0} a second", "", CREATES as f64 / began.elapsed().as_secs_f64());
    }
    Ok(())
}

async fn create_many(
    storage: &Arc<SqliteStorage>,
    tasks: u64,
    count: u64,
    user_id: &'static str,
    first: u64,
) -> Result<Vec<Duration>> {
    let tasks: Vec<_> = (0..tasks)
        .map(|task| {
            let storage = Arc::clone(storage);
            tokio::spawn(async move {
                let mut times = Vec::new();
                for n in (task..count).step_by(usize::try_from(tasks)?) {
                    let key = key(first + n, user_id);
                    let event = created(&key);
                    let began = Instant::now();
                    storage.insert_key(key, event, None).await?;
                    times.push(began.elapsed());
                }
                Result::Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    Ok(times)
}

/// Creates while the uses of many keys are stored, beside creates without.
async fn uses() -> Result<()> {
    println!("\ncreates while the uses of {USES} keys are stored");
    let (_directory, path) = directory()?;
    drop(SqliteStorage::open(&path)?);
    fill(&path, USES, 0)?;
    let storage = Arc::new(SqliteStorage::options().uses_interval(Duration::from_secs(60)).open(&path)?);
    for tasks in [1, 8] {
        let first = 4 * KEYS * tasks;
        create_many(&storage, tasks, 500, "ann", first + 900_000).await?;
        let without = create_many(&storage, tasks, CREATES, "ann", first).await?;
        let without = report(&format!("without, {tasks} at once"), without);
        let ids: Vec<_> = (0..USES).map(|n| id(2 * n)).collect();
        let at = now()?;
        let recorder = Arc::clone(&storage);
        // As from 3,300 verifications a second, for a minute: here in ten seconds.
        let recording = tokio::spawn(async move {
            for chunk in ids.chunks(200) {
                chunk.iter().for_each(|id| recorder.record_use(id, at));
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut times = Vec::new();
        let mut next = first + CREATES;
        while !recording.is_finished() {
            times.extend(create_many(&storage, tasks, 200, "ann", next).await?);
            next += 200;
        }
        let with = report(&format!("with, {tasks} at once ({} creates)", times.len()), times);
        println!("{:60} p99 is {:.2} times as long", "", with.as_secs_f64() / without.as_secs_f64());
        recording.await?;
    }
    Ok(())
}

/// Lists before the sweep of many keys that have expired, and creates during the sweep.
async fn backlog() -> Result<()> {
    println!("\n{BACKLOG} keys of one user that expired at the same time");
    let (_directory, path) = directory()?;
    drop(SqliteStorage::open(&path)?);
    let expires_at = now()? + DAY;
    let mut connection = Connection::open(&path)?;
    let transaction = connection.transaction()?;
    for n in 0..BACKLOG {
        let key = key(2 * n, "ann");
        transaction
            .prepare_cached(
                "INSERT INTO api_keys (id, prefix, lookup, hash, user_id, name, scopes, created_at, updated_at,
                                       expires_at)
                 VALUES (?1, 'keycell', ?2, ?3, 'ann', 'nightly export', '[\"orders:read\"]', 0, 0, ?4)",
            )?
            .execute((&key.id, &key.lookup, &key.hash, expires_at))?;
    }
    transaction.commit()?;
    // The keys have expired at the time of the lists, and not by the clock of the sweep.
    let storage = SqliteStorage::open(&path)?;
    for user_id in [Some("ann"), Some("bob"), None] {
        for status in [StatusFilter::Expired, StatusFilter::Active] {
            let mut times = Vec::new();
            for _ in 0..20 {
                let mut filter = KeyFilter::default();
                filter.user_id = user_id.map(str::to_owned);
                (filter.status, filter.now, filter.limit) = (status, expires_at, PAGE);
                let began = Instant::now();
                storage.list_keys(filter).await?;
                times.push(began.elapsed());
            }
            report(&format!("unswept: {status:?} of {}, first", text(user_id)), times);
        }
    }
    drop(storage);

    connection.execute("UPDATE api_keys SET expires_at = ?1", [now()? - DAY])?;
    let storage = Arc::new(SqliteStorage::open(&path)?);
    let began = Instant::now();
    let mut times = Vec::new();
    let mut next = 4 * KEYS;
    while connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM api_keys WHERE state = 0 AND user_id = 'ann')",
        (),
        |row| row.get(0),
    )? {
        times.extend(create_many(&storage, 1, 20, "bob", next).await?);
        next += 20;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    report(&format!("creates during the sweep ({})", times.len()), times);
    println!("{:60} {:.1?} to sweep them", "", began.elapsed());
    Ok(())
}

/// Stores keys with their events without the storage: even numbers are Ann's.
///
/// Her oldest keys are revoked, the next expired, and of the newest half most are active, so that
/// a list without an index would skip hundreds of thousands of keys.
fn fill(path: &Path, keys: u64, now: i64) -> Result<()> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000")?;
    let transaction = connection.transaction()?;
    for project in 0..11 {
        transaction.execute(
            "INSERT INTO projects (id, slug, created_at) VALUES ('project-' || ?1, 'project-' || ?1, 0)",
            [project],
        )?;
    }
    {
        let mut insert = transaction.prepare(
            "INSERT INTO api_keys (id, prefix, lookup, hash, user_id, project_id, name, scopes, created_at, updated_at,
                                   expires_at, swept_expiry, revoked_at)
             VALUES (?1, 'keycell', ?2, ?3, ?4, ?5, 'nightly export', '[\"orders:read\"]', 0, 0, ?6, ?7, ?8)",
        )?;
        let mut event = transaction.prepare(
            "INSERT INTO events (id, time, action, key_id, user_id, project_id, actor_user_id, fields)
             VALUES (?1, 0, 'created', ?1, ?2, ?3, ?2, '[\"name\",\"scopes\"]')",
        )?;
        for n in 0..2 * keys {
            let user_id = if n % 2 == 0 { "ann".to_owned() } else { format!("user-{}", n % 2_000) };
            let project_id = match n {
                // Ten old keys in a project of their own.
                20..40 => Some("project-10".to_owned()),
                _ => (n / 2 % 4 == 0).then(|| format!("project-{}", n / 8 % 10)),
            };
            let (is_revoked, is_expired) = match 10 * n / (2 * keys) {
                0..3 => (true, false),
                3..6 => (false, true),
                _ => (n / 2 % 20 == 3, n / 2 % 20 == 5),
            };
            let expires_at = if is_expired { Some(now - DAY) } else { (n / 2 % 3 == 0).then_some(now + 30 * DAY) };
            let swept = expires_at.filter(|_| is_expired);
            let key = key(n, &user_id);
            let revoked_at = is_revoked.then_some(now - DAY);
            insert.execute((&key.id, &key.lookup, &key.hash, &user_id, &project_id, expires_at, swept, revoked_at))?;
            event.execute((&key.id, &user_id, &project_id))?;
        }
    }
    transaction.commit()?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

/// First and deep pages of every filter.
async fn lists() -> Result<()> {
    let (_directory, path) = directory()?;
    drop(SqliteStorage::open(&path)?);
    let now = now()?;
    let began = Instant::now();
    let filled = std::process::Command::new(std::env::current_exe()?).arg("--bench").env(FILL, &path).status()?;
    if !filled.success() {
        return Err("the database was not filled".into());
    }
    println!("\npages of {PAGE} in a database of {} keys ({:.0?} to fill it)", 2 * KEYS, began.elapsed());
    let storage = SqliteStorage::open(&path)?;
    let mut slowest = Duration::ZERO;
    for status in [StatusFilter::All, StatusFilter::Active, StatusFilter::Expired, StatusFilter::Revoked] {
        for user_id in [None, Some("ann"), Some("user-77")] {
            for project_id in [None, Some("project-3"), Some("project-10")] {
                for is_deep in [false, true] {
                    let mut times = Vec::new();
                    for sample in 0..SAMPLES as u64 {
                        let mut filter = KeyFilter::default();
                        filter.user_id = user_id.map(str::to_owned);
                        filter.project_id = project_id.map(str::to_owned);
                        filter.status = status;
                        filter.now = now;
                        filter.before = is_deep.then(|| id(sample * 2 * KEYS / SAMPLES as u64));
                        filter.limit = PAGE;
                        let began = Instant::now();
                        storage.list_keys(filter).await?;
                        times.push(began.elapsed());
                    }
                    let page = if is_deep { "deep" } else { "first" };
                    let name = format!("{status:?} of {} in {}, {page}", text(user_id), text(project_id));
                    slowest = slowest.max(report(&name, times));
                }
            }
        }
    }
    for key_id in [None, Some(id(1_000_000))] {
        for user_id in [None, Some("ann"), Some("user-77")] {
            for project_id in [None, Some("project-3"), Some("project-10")] {
                for is_deep in [false, true] {
                    let mut times = Vec::new();
                    for sample in 0..SAMPLES as u64 {
                        let mut filter = EventFilter::default();
                        filter.key_id.clone_from(&key_id);
                        filter.user_id = user_id.map(str::to_owned);
                        filter.project_id = project_id.map(str::to_owned);
                        filter.before = is_deep.then(|| id(sample * 2 * KEYS / SAMPLES as u64));
                        filter.limit = PAGE;
                        let began = Instant::now();
                        storage.list_events(filter).await?;
                        times.push(began.elapsed());
                    }
                    let key = if key_id.is_some() { "of one key " } else { "" };
                    let page = if is_deep { "deep" } else { "first" };
                    let name = format!("events {key}of {} in {}, {page}", text(user_id), text(project_id));
                    slowest = slowest.max(report(&name, times));
                }
            }
        }
    }
    println!("the slowest p99 is {slowest:.1?}");
    figure(&format!("lists in {} keys/slowest p99", 2 * KEYS), slowest)?;
    reads_beside_lists(&Arc::new(storage), now).await
}

/// Reads of single keys while 128 tasks list the keys of one user, and half of them give up.
async fn reads_beside_lists(storage: &Arc<SqliteStorage>, now: i64) -> Result<()> {
    let tasks: Vec<_> = (0..128_u64)
        .map(|task| {
            let storage = Arc::clone(storage);
            tokio::spawn(async move {
                for page in 0.. {
                    let mut filter = KeyFilter::default();
                    filter.user_id = Some("ann".to_owned());
                    filter.status = if page % 2 == 0 { StatusFilter::Active } else { StatusFilter::Revoked };
                    filter.now = now;
                    filter.before = Some(id((page * 7_919 + task * 104_729) % (2 * KEYS)));
                    filter.limit = PAGE;
                    let list = storage.list_keys(filter);
                    let timeout = Duration::from_millis(if task % 2 == 0 { 5 } else { 60_000 });
                    let _ = tokio::time::timeout(timeout, list).await;
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut times = Vec::new();
    for sample in 0..2_000 {
        let began = Instant::now();
        storage.find_key(&id(sample * 997), "ann").await?;
        times.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    report("a read beside 128 lists", times);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("memory is not known"));
    Ok(())
}

fn text(value: Option<&str>) -> &str {
    value.unwrap_or("any")
}
