//! Durability when the process is killed.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use keycell::{Caller, CreateApiKey, Keycell};
use keycell_sqlite::{SqliteStorage, check};

const DATABASE: &str = "KEYCELL_TEST_DATABASE_OF_THE_KILLED";
const ROUNDS: usize = 20;

fn open(path: &Path) -> Keycell<SqliteStorage> {
    Keycell::new(SqliteStorage::open(path).unwrap()).unwrap()
}

/// Eight tasks create keys until the process is killed, and print the id of each that was created.
/// Runs only as the child of the test below.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_creates_until_it_is_killed() {
    let Some(path) = std::env::var_os(DATABASE) else {
        return;
    };
    let keycell = Arc::new(open(Path::new(&path)));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let keycell = Arc::clone(&keycell);
        tasks.spawn(async move {
            let ann = Caller::user("ann");
            loop {
                let created = keycell.create_api_key(&ann, CreateApiKey::named(format!("task {n}"))).await.unwrap();
                println!("created {}", created.id);
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn no_created_key_is_lost_when_the_process_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keycell.db");
    let ann = Caller::user("ann");
    let mut created = Vec::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_creates_until_it_is_killed", "--nocapture"])
            .env(DATABASE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut take = |line: String| {
            // The test harness may print on the same line.
            created.extend(line.split_once("created ").map(|(_, id)| id.to_owned()).filter(|id| id.len() == 36));
        };
        // Killed at another point each time.
        for line in lines.by_ref().take(30 + 7 * round) {
            take(line.unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(&mut take);

        let keycell = open(&path);
        for id in &created {
            keycell.get_api_key(&ann, id).await.unwrap_or_else(|error| panic!("round {round}: {id}: {error}"));
        }
    }
    assert!(created.len() > ROUNDS * 20, "{}", created.len());
    let report = check(&path).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!(report.events, report.keys, "each key has the event of its creation");
    assert!(report.keys >= created.len() as u64);
}
