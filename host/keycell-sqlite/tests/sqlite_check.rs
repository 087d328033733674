//! `check`, `quick_check` and `backup`.

use std::{fs, path::PathBuf, sync::Arc};

use keycell::{Action, Caller, CreateApiKey, Error, EventRecord, KeyRecord, Keycell, RateLimit, Storage};
use keycell_sqlite::{Problem, SqliteError, SqliteStorage, backup, check, quick_check};
use rusqlite::Connection;

fn database() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keycell.db");
    (directory, path)
}

fn id(n: u64) -> String {
    format!("01890a5d-ac96-774b-bcce-{n:012x}")
}

fn key(n: u64) -> KeyRecord {
    let mut key = KeyRecord::default();
    key.id = id(n);
    key.prefix = "keycell".to_owned();
    key.lookup = format!("{n:012}");
    key.hash = vec![7; 32];
    key.user_id = "ann".to_owned();
    key.name = format!("key number {n}");
    key.scopes = vec!["a".to_owned(), "b".to_owned()];
    key.metadata = Some(r#"{"a":1}"#.to_owned());
    key.rate_limit = Some(RateLimit { requests: 1, window_seconds: 1 });
    key
}

async fn insert(storage: &SqliteStorage, n: u64) {
    let key = key(n);
    let mut event = EventRecord::new(Action::Created);
    event.id.clone_from(&key.id);
    event.key_id.clone_from(&key.id);
    event.user_id.clone_from(&key.user_id);
    event.actor_user_id = "ann".to_owned();
    storage.insert_key(key, event, None).await.unwrap();
}

/// A database with five keys.
async fn filled() -> (tempfile::TempDir, PathBuf) {
    let (directory, path) = database();
    let storage = SqliteStorage::open(&path).unwrap();
    for n in 0..5 {
        insert(&storage, n).await;
    }
    drop(storage);
    (directory, path)
}

#[tokio::test]
async fn a_sound_database_has_no_problems() {
    let (_directory, path) = filled().await;
    let report = check(&path).unwrap();
    assert_eq!((report.keys, report.events, report.problem_count), (5, 5, 0));
    assert_eq!(report.problems, []);
    assert_eq!(quick_check(&path).unwrap(), None);
}

#[tokio::test]
async fn every_rule_of_a_record_is_checked() {
    for (sql, expected) in [
        ("UPDATE api_keys SET id = upper(id) WHERE lookup = '000000000003'", "api_keys: record 4: `id` is invalid"),
        ("UPDATE api_keys SET prefix = 'K' WHERE rowid = 2", "api_keys: record 2: `prefix` is invalid"),
        ("UPDATE api_keys SET lookup = '0000' WHERE rowid = 2", "api_keys: record 2: `lookup` is invalid"),
        ("UPDATE api_keys SET name = '' WHERE rowid = 2", "api_keys: record 2: `name` is invalid"),
        ("UPDATE api_keys SET scopes = '[\"b\",\"a\"]' WHERE rowid = 2", "api_keys: record 2: `scopes` is invalid"),
        ("UPDATE api_keys SET scopes = '[1]' WHERE rowid = 2", "api_keys: record 2 cannot be read"),
        ("UPDATE api_keys SET metadata = '{\"a\": 1}' WHERE rowid = 2", "api_keys: record 2: `metadata` is invalid"),
        ("UPDATE api_keys SET expires_at = -1 WHERE rowid = 2", "api_keys: record 2: `expires_at` is invalid"),
        ("UPDATE api_keys SET rate_limit_requests = 0 WHERE rowid = 2", "api_keys: record 2: `rate_limit` is invalid"),
        (
            "UPDATE api_keys SET revocation_reason = 'x' WHERE rowid = 2",
            "api_keys: record 2: `revocation_reason` is invalid",
        ),
        ("UPDATE events SET action = 'stolen' WHERE rowid_of = 1", "events: record 1 cannot be read"),
        ("UPDATE events SET user_id = 'eve' WHERE rowid_of = 1", "events: record 1: `user_id` is invalid"),
        ("UPDATE api_keys SET rotated_to = 'x' WHERE rowid = 2", "file: api_keys: a record refers to a missing one"),
        ("INSERT INTO projects VALUES ('x', 'y', 0)", "projects: record 1: `id` is invalid"),
        (
            "PRAGMA ignore_check_constraints = ON; UPDATE api_keys SET hash = x'00' WHERE rowid = 2",
            "api_keys: record 2: `hash` is invalid",
        ),
    ] {
        let (_directory, path) = filled().await;
        let sql = sql.replace("rowid_of = 1", &format!("id = '{}'", id(0)));
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        connection.execute_batch(&sql).unwrap();
        drop(connection);
        let report = check(&path).unwrap();
        let problems: Vec<_> = report.problems.iter().map(Problem::to_string).collect();
        assert!(problems.iter().any(|problem| problem == expected), "{sql}: {problems:?}");
        assert_eq!(report.problem_count, problems.len() as u64);
    }
}

#[tokio::test]
async fn a_damaged_page_is_found_and_other_keys_are_still_read() {
    let (_directory, path) = database();
    let keycell = Keycell::new(SqliteStorage::open(&path).unwrap()).unwrap();
    let ann = Caller::user("ann");
    let mut ids = Vec::new();
    for n in 0..400 {
        let created = keycell.create_api_key(&ann, CreateApiKey::named(format!("key number {n}"))).await.unwrap();
        ids.push(created.id.to_string());
    }
    drop(keycell);
    let mut bytes = fs::read(&path).unwrap();
    // A leaf of the table: names are nowhere else.
    let at = bytes.windows(14).position(|window| window == b"key number 200").unwrap();
    let page = at / 4096 * 4096;
    bytes[page..page + 64].fill(0xff);
    fs::write(&path, &bytes).unwrap();

    assert!(matches!(quick_check(&path).unwrap(), Some(Problem::File { .. })));
    let report = check(&path).unwrap();
    assert!(report.problem_count > 0);
    assert!(fs::read(&path).unwrap() == bytes, "a check changes nothing");

    let keycell = Keycell::new(SqliteStorage::open(&path).unwrap()).unwrap();
    let (mut broken, mut read) = (0, 0);
    for id in &ids {
        match keycell.get_api_key(&ann, id).await {
            Ok(_) => read += 1,
            Err(Error::Internal { .. }) => broken += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(broken > 0 && read > 0, "{broken} broken, {read} read");
}

/// The files as a crash leaves them: all keys are in the write-ahead log.
#[tokio::test]
async fn a_check_and_a_backup_leave_a_log_as_it_is() {
    let (_directory, path) = database();
    let storage = SqliteStorage::open(&path).unwrap();
    for n in 0..5 {
        insert(&storage, n).await;
    }
    let (crashed, copy) = database();
    let names = ["keycell.db", "keycell.db-wal"];
    for name in names {
        fs::copy(path.with_file_name(name), copy.with_file_name(name)).unwrap();
    }
    drop(storage);
    let read = || names.map(|name| fs::read(copy.with_file_name(name)).unwrap());
    let before = read();
    assert_eq!(check(&copy).unwrap().keys, 5);
    backup(&copy, crashed.path().join("backup.db")).unwrap();
    assert!(read() == before);
    assert_eq!(check(crashed.path().join("backup.db")).unwrap().keys, 5);
}

/// A row under another index entry, as damage that no page shows.
#[tokio::test]
async fn an_index_that_differs_from_its_table_is_found() {
    let (_directory, path) = filled().await;
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = 'CREATE INDEX api_keys_of_user ON api_keys (name, state, id)'
             WHERE name = 'api_keys_of_user'",
        )
        .unwrap();
    drop(connection);
    let report = check(&path).unwrap();
    assert!(report.problems.iter().any(|problem| matches!(problem, Problem::File { .. })), "{:?}", report.problems);
}

#[test]
fn what_is_not_keycells_database_is_refused() {
    let (_directory, path) = database();
    assert!(matches!(check(&path), Err(SqliteError::Missing)));
    assert!(matches!(quick_check(&path), Err(SqliteError::Missing)));
    assert!(matches!(backup(&path, path.with_extension("copy")), Err(SqliteError::Missing)));
    assert!(!path.exists());
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE notes (x)").unwrap();
    assert!(matches!(check(&path), Err(SqliteError::Foreign)));
    assert!(matches!(backup(&path, path.with_extension("copy")), Err(SqliteError::Foreign)));
    assert!(!path.with_extension("copy").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_whole_while_keys_are_written() {
    let (directory, path) = filled().await;
    let storage = Arc::new(SqliteStorage::open(&path).unwrap());
    let writer = Arc::clone(&storage);
    let writing = tokio::spawn(async move {
        for n in 5..400 {
            insert(&writer, n).await;
        }
    });
    let mut earlier = 0;
    for n in 0..5 {
        let target = directory.path().join(format!("backup-{n}.db"));
        let (from, to) = (path.clone(), target.clone());
        tokio::task::spawn_blocking(move || backup(from, to)).await.unwrap().unwrap();
        let report = check(&target).unwrap();
        assert_eq!((report.keys, report.problem_count), (report.events, 0));
        assert!(report.keys >= earlier.max(5));
        earlier = report.keys;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    writing.await.unwrap();
    drop(storage);

    // The copy is a database.
    let copy = directory.path().join("backup-0.db");
    let storage = SqliteStorage::options().create(false).open(&copy).unwrap();
    assert_eq!(storage.find_key(&id(3), "ann").await.unwrap().unwrap().key, key(3));
    drop(storage);

    // An existing file is not overwritten.
    let bytes = fs::read(&copy).unwrap();
    assert!(matches!(backup(&path, &copy), Err(SqliteError::Exists)));
    assert!(fs::read(&copy).unwrap() == bytes);
}
