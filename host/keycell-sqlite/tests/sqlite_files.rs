//! Database files: opening, refusing files of other programs, and removed or replaced files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use keycell::{Caller, CreateApiKey, Error, Keycell, ProjectStorage, Storage, StorageError};
use keycell_sqlite::{SqliteError, SqliteStorage};
use rusqlite::Connection;

fn database() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keycell.db");
    (directory, path)
}

fn open(path: &Path) -> Keycell<SqliteStorage> {
    Keycell::new(SqliteStorage::open(path).unwrap()).unwrap()
}

/// The names and the bytes of all files.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(directory).unwrap().map(Result::unwrap);
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, path) = database();
    let keycell = open(&path);
    keycell.create_api_key(&Caller::user("ann"), CreateApiKey::named("x")).await.unwrap();
    let files: Vec<_> = fs::read_dir(directory.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 3, "the database, its write-ahead log and its index");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn no_file_holds_a_secret() {
    let (directory, path) = database();
    let keycell = open(&path);
    let ann = Caller::user("ann");
    let mut secrets = Vec::new();
    for _ in 0..20 {
        let created = keycell.create_api_key(&ann, CreateApiKey::named("x")).await.unwrap();
        secrets.push(created.key.expose().rsplit('_').next().unwrap()[..43].to_owned());
        keycell.get_api_key(&ann, &created.id.to_string()).await.unwrap();
    }
    // With the write-ahead log, and again after it is moved into the file.
    let mut searched = 0;
    let mut search = || {
        for bytes in files(directory.path()).values() {
            searched += bytes.len();
            for secret in &secrets {
                let part = &secret.as_bytes()[10..26];
                assert!(!bytes.windows(16).any(|window| window == part));
            }
        }
    };
    search();
    drop(keycell);
    search();
    assert!(searched > 20 * 32);
}

#[test]
fn a_missing_database_is_created_only_if_allowed() {
    let (directory, path) = database();
    let existing = SqliteStorage::options().create(false);
    assert!(matches!(existing.open(&path), Err(SqliteError::Missing)));
    assert!(files(directory.path()).is_empty());
    fs::write(&path, "").unwrap();
    assert!(matches!(existing.open(&path), Err(SqliteError::Missing)));
    assert!(files(directory.path())["keycell.db"].is_empty());

    assert!(SqliteStorage::open(&path).unwrap().is_new());
    assert!(!existing.open(&path).unwrap().is_new());
}

#[test]
fn a_directory_is_refused() {
    let (directory, _) = database();
    assert!(matches!(SqliteStorage::open(directory.path()), Err(SqliteError::NotADatabase)));
}

#[test]
fn a_file_that_is_no_database_is_unchanged() {
    for bytes in [&b"x"[..], &[0; 511], "dear diary, ".repeat(1000).as_bytes()] {
        let (directory, path) = database();
        fs::write(&path, bytes).unwrap();
        for create in [true, false] {
            let opened = SqliteStorage::options().create(create).open(&path);
            assert!(matches!(opened, Err(SqliteError::NotADatabase)));
            assert_eq!(files(directory.path()), BTreeMap::from([("keycell.db".to_owned(), bytes.to_vec())]));
        }
    }
}

#[test]
fn a_database_of_another_program_is_unchanged() {
    let notes = "CREATE TABLE notes (x); INSERT INTO notes VALUES (1);";
    for (sql, is_newer) in [
        (notes.to_owned(), false),
        (format!("PRAGMA journal_mode = WAL; {notes}"), false),
        (format!("PRAGMA user_version = 1; {notes}"), false),
        (format!("PRAGMA user_version = 999; {notes}"), false),
        (format!("PRAGMA application_id = 252006674; {notes}"), false),
        ("PRAGMA user_version = 1; CREATE TABLE api_keys (id); CREATE TABLE projects (id);".to_owned(), false),
        ("PRAGMA application_id = 1801812323; PRAGMA user_version = 3".to_owned(), true),
        ("PRAGMA application_id = 1801812323; PRAGMA user_version = 3; PRAGMA journal_mode = WAL".to_owned(), true),
    ] {
        let (directory, path) = database();
        Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
        let before = files(directory.path());
        for create in [true, false] {
            let error = SqliteStorage::options().create(create).open(&path).err().unwrap();
            assert_eq!(matches!(error, SqliteError::NewerSchema), is_newer, "{sql}: {error}");
            assert_eq!(matches!(error, SqliteError::Foreign), !is_newer, "{sql}: {error}");
            assert!(files(directory.path()) == before, "{sql}");
        }
    }
}

/// The content of the other program's file is only in its write-ahead log.
#[test]
fn a_database_that_another_program_has_open_is_unchanged() {
    let (directory, path) = database();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE notes (x); INSERT INTO notes VALUES (1)").unwrap();
    let unchanged = || {
        let mut files = files(directory.path());
        // The index of the log has a place for the locks of readers.
        files.remove("keycell.db-shm");
        files
    };
    let before = unchanged();
    assert!(before["keycell.db-wal"].len() > 4096);
    assert!(matches!(SqliteStorage::open(&path), Err(SqliteError::Foreign)));
    assert!(unchanged() == before);

    // The same after a crash: no process has the file open.
    let (crashed, path) = database();
    for (name, bytes) in &before {
        fs::write(crashed.path().join(name), bytes).unwrap();
    }
    assert!(matches!(SqliteStorage::open(&path), Err(SqliteError::Foreign)));
    let mut after = files(crashed.path());
    after.remove("keycell.db-shm");
    assert!(after == before);
}

#[test]
fn a_new_file_that_another_process_has_locked_is_waited_for() {
    let (_directory, path) = database();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; CREATE TABLE half_made (x)").unwrap();
    let done = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        other.execute_batch("ROLLBACK").unwrap();
    });
    SqliteStorage::open(&path).unwrap();
    done.join().unwrap();
}

#[test]
fn many_openers_may_create_a_database_at_once() {
    for _ in 0..20 {
        let (_directory, path) = database();
        let openers: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                thread::spawn(move || SqliteStorage::open(&path).map(|storage| storage.is_new()))
            })
            .collect();
        let new = openers.into_iter().map(|opener| opener.join().unwrap().unwrap());
        assert_eq!(new.filter(|&is_new| is_new).count(), 1, "one of them has created it");
    }
}

#[tokio::test]
async fn readers_do_not_wait_for_a_writer_and_writers_are_unavailable() {
    let (_directory, path) = database();
    let keycell = open(&path);
    let ann = Caller::user("ann");
    let created = keycell.create_api_key(&ann, CreateApiKey::named("x")).await.unwrap();

    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    keycell.get_api_key(&ann, &created.id.to_string()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
    let refused = keycell.create_api_key(&ann, CreateApiKey::named("y")).await;
    assert_eq!(refused.unwrap_err(), Error::Unavailable);
    assert!(began.elapsed() >= Duration::from_secs(4));

    other.execute_batch("ROLLBACK").unwrap();
    keycell.create_api_key(&ann, CreateApiKey::named("y")).await.unwrap();
}

/// Waits until every call fails, at most five seconds.
async fn assert_becomes_unavailable(keycell: &Keycell<SqliteStorage>, id: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while keycell.storage().find_key(id, "ann").await.is_ok() {
        assert!(Instant::now() < deadline, "it was not noticed within five seconds");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ann = Caller::user("ann");
    assert_eq!(keycell.create_api_key(&ann, CreateApiKey::named("y")).await.unwrap_err(), Error::Unavailable);
    assert_eq!(keycell.get_api_key(&ann, id).await.unwrap_err(), Error::Unavailable);
    assert!(matches!(keycell.storage().check_ready().await, Err(StorageError::Unavailable(_))));
}

#[cfg(unix)]
#[tokio::test]
async fn a_removed_file_is_noticed() {
    let (directory, path) = database();
    let keycell = open(&path);
    let ann = Caller::user("ann");
    let created = keycell.create_api_key(&ann, CreateApiKey::named("x")).await.unwrap();
    keycell.storage().check_ready().await.unwrap();
    let elsewhere = directory.path().join("elsewhere.db");
    fs::rename(&path, &elsewhere).unwrap();
    // A write detects it at once.
    assert_eq!(keycell.create_api_key(&ann, CreateApiKey::named("y")).await.unwrap_err(), Error::Unavailable);
    assert_becomes_unavailable(&keycell, &created.id.to_string()).await;

    // The same file again.
    fs::rename(&elsewhere, &path).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while keycell.storage().check_ready().await.is_err() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    keycell.create_api_key(&ann, CreateApiKey::named("y")).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_replaced_file_is_noticed_and_not_written() {
    let (directory, path) = database();
    let keycell = open(&path);
    let created = keycell.create_api_key(&Caller::user("ann"), CreateApiKey::named("x")).await.unwrap();
    let other = directory.path().join("other.db");
    drop(SqliteStorage::open(&other).unwrap());
    let bytes = fs::read(&other).unwrap();
    fs::rename(&other, &path).unwrap();
    assert_becomes_unavailable(&keycell, &created.id.to_string()).await;
    drop(keycell);
    assert!(fs::read(&path).unwrap() == bytes);
}

#[tokio::test]
async fn a_newer_schema_is_noticed() {
    let (_directory, path) = database();
    let keycell = open(&path);
    let created = keycell.create_api_key(&Caller::user("ann"), CreateApiKey::named("x")).await.unwrap();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 3).unwrap();
    assert_becomes_unavailable(&keycell, &created.id.to_string()).await;
    drop(keycell);
    let connection = Connection::open(&path).unwrap();
    let keys: i64 = connection.query_row("SELECT count(*) FROM api_keys", (), |row| row.get(0)).unwrap();
    assert_eq!(keys, 1);
}

#[tokio::test]
async fn a_readiness_check_does_not_grow_the_database() {
    let (_directory, path) = database();
    let storage = SqliteStorage::open(&path).unwrap();
    let pages = || -> i64 {
        Connection::open(&path).unwrap().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap()
    };
    let before = pages();
    for _ in 0..50 {
        storage.check_ready().await.unwrap();
    }
    assert_eq!(pages(), before);
}

#[cfg(target_os = "linux")]
mod read_only {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};

    use super::*;

    const PATH: &str = "KEYCELL_TEST_READ_ONLY_DATABASE";

    /// Runs only as the child of the test below.
    #[test]
    fn child_that_opens_a_read_only_database() {
        if let Some(path) = std::env::var_os(PATH) {
            match SqliteStorage::open(path) {
                Err(error) => println!("refused: {error:?}"),
                Ok(_) => println!("opened"),
            }
        }
    }

    #[test]
    fn a_read_only_database_is_refused() {
        let (directory, path) = database();
        drop(SqliteStorage::open(&path).unwrap());
        // Root may write every file, so the child runs as another user.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        let binary = directory.path().join("tests");
        fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
        let mut command = std::process::Command::new(&binary);
        command.args(["--exact", "read_only::child_that_opens_a_read_only_database", "--nocapture"]).env(PATH, &path);
        if std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0 {
            command.uid(65534);
        }
        let output = command.output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains("refused: ReadOnly"), "{stdout}");
    }
}
