//! SQLite when things go wrong: nothing is lost, and it is said clearly.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use keycell::{Caller, CreateApiKey, Error, Keycell, SqliteError, SqliteStorage};

fn database() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keycell.db");
    (dir, path)
}

fn open(path: &Path) -> Keycell<SqliteStorage> {
    Keycell::new(SqliteStorage::open(path).unwrap()).unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn its_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, path) = database();
    let keycell = open(&path);
    keycell.create_api_key(&Caller::user("ann").unwrap(), CreateApiKey::named("x")).await.unwrap();
    let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(files.len(), 3, "the database, its write-ahead log and its index");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn the_secret_is_in_no_file() {
    let (dir, path) = database();
    let keycell = open(&path);
    let ann = Caller::user("ann").unwrap();
    let mut secrets = Vec::new();
    for _ in 0..20 {
        let created = keycell.create_api_key(&ann, CreateApiKey::named("x")).await.unwrap();
        secrets.push(created.key.expose().rsplit('_').next().unwrap()[..43].to_owned());
        keycell.get_api_key(&ann, &created.id.to_text()).await.unwrap();
    }
    // With the write-ahead log still there, and again when it is merged.
    let mut searched = 0;
    let mut search = || {
        for file in fs::read_dir(dir.path()).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            searched += bytes.len();
            for secret in &secrets {
                // Any 16 characters of it are too many.
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

#[tokio::test]
async fn readers_do_not_wait_for_a_writer_and_writers_say_busy() {
    let (_dir, path) = database();
    let keycell = open(&path);
    let ann = Caller::user("ann").unwrap();
    let created = keycell.create_api_key(&ann, CreateApiKey::named("x")).await.unwrap();

    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    keycell.get_api_key(&ann, &created.id.to_text()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
    let refused = keycell.create_api_key(&ann, CreateApiKey::named("y")).await;
    assert_eq!(refused, Err(Error::Unavailable));
    assert!(began.elapsed() >= Duration::from_secs(4));

    other.execute_batch("ROLLBACK").unwrap();
    keycell.create_api_key(&ann, CreateApiKey::named("y")).await.unwrap();
}

/// SQLite itself does not wait where the journal of a new file is set.
#[test]
fn a_file_that_another_process_is_just_making_is_waited_for() {
    let (_dir, path) = database();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; CREATE TABLE half_made (x)").unwrap();
    let made = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        other.execute_batch("ROLLBACK").unwrap();
    });
    SqliteStorage::open(&path).unwrap();
    made.join().unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_schema_is_left_alone() {
    let (_dir, path) = database();
    drop(open(&path));
    let other = rusqlite::Connection::open(&path).unwrap();
    other.pragma_update(None, "user_version", 999).unwrap();
    assert!(matches!(SqliteStorage::open(&path), Err(SqliteError::NewerSchema)));
    let version: i64 = other.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 999);
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let (_dir, path) = database();
    let text = "dear diary, ".repeat(1000);
    fs::write(&path, &text).unwrap();
    assert!(matches!(SqliteStorage::open(&path), Err(SqliteError::Corrupt)));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_damaged_page_is_an_internal_error_and_other_keys_are_still_read() {
    let (_dir, path) = database();
    let keycell = open(&path);
    let ann = Caller::user("ann").unwrap();
    let mut ids = Vec::new();
    for n in 0..400 {
        ids.push(
            keycell.create_api_key(&ann, CreateApiKey::named(&format!("key number {n}"))).await.unwrap().id.to_text(),
        );
    }
    drop(keycell);
    let mut bytes = fs::read(&path).unwrap();
    // A leaf of the table: names stand nowhere else.
    let at = bytes.windows(14).position(|window| window == b"key number 200").unwrap();
    let page = at / 4096 * 4096;
    bytes[page..page + 64].fill(0xff);
    fs::write(&path, bytes).unwrap();

    let keycell = open(&path);
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

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_database_says_so() {
    let (dir, path) = database();
    drop(open(&path));
    // Root may write to everything, so the command runs as nobody.
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let binary = dir.path().join("keycell");
    fs::copy(env!("CARGO_BIN_EXE_keycell"), &binary).unwrap();
    let mut command = Command::new(&binary);
    command.args(["create", "--name", "x", "--database"]).arg(&path);
    if fs::metadata("/proc/self").map(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata)).unwrap() == 0 {
        command.uid(65534);
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("read-only"), "{stderr}");
    assert!(output.stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_may_open_a_new_database_at_once() {
    let (_dir, path) = database();
    let openers: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || SqliteStorage::open(&path).map(|_| ()))
        })
        .collect();
    for opener in openers {
        opener.join().unwrap().unwrap();
    }
}

const KILLED: &str = "KEYCELL_TEST_DATABASE_OF_THE_KILLED";
const ROUNDS: usize = 20;

/// Eight tasks create keys until they are killed, and print the id of each that was acknowledged.
/// It runs only as the child of the test below.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_creates_until_it_is_killed() {
    let Some(path) = std::env::var_os(KILLED) else {
        return;
    };
    let keycell = Arc::new(open(Path::new(&path)));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let keycell = Arc::clone(&keycell);
        tasks.spawn(async move {
            let ann = Caller::user("ann").unwrap();
            loop {
                let request = CreateApiKey::named(&format!("task {n}"));
                let created = keycell.create_api_key(&ann, request).await.unwrap();
                println!("acknowledged {}", created.id.to_text());
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn no_acknowledged_key_is_lost_when_the_process_is_killed() {
    let (_dir, path) = database();
    let ann = Caller::user("ann").unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sqlite::child_that_creates_until_it_is_killed", "--nocapture"])
            .env(KILLED, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut take = |line: String| {
            // The harness's own words may stand before the first of ours.
            acknowledged
                .extend(line.split_once("acknowledged ").map(|(_, id)| id.to_owned()).filter(|id| id.len() == 36));
        };
        // Killed in the middle of its work, at another point each time.
        for line in lines.by_ref().take(30 + 7 * round) {
            take(line.unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(&mut take);

        let keycell = open(&path);
        for id in &acknowledged {
            keycell.get_api_key(&ann, id).await.unwrap_or_else(|error| panic!("round {round}: {id}: {error}"));
        }
    }
    assert!(acknowledged.len() > ROUNDS * 20, "{}", acknowledged.len());
}
