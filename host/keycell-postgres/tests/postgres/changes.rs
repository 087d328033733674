//! The change feed, with transactions that commit late.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use keycell::{Action, ChangeFeed, Changes, EventRecord, KeyRecord, Storage};
use keycell_postgres::{FeedPosition, PostgresStorage};

use crate::server::{Server, server};

fn key(n: u32) -> KeyRecord {
    let mut key = KeyRecord::default();
    key.id = format!("01890a5d-ac96-774b-bcce-{n:012x}");
    key.lookup = n.to_string();
    key
}

fn event(id: String) -> EventRecord {
    let mut event = EventRecord::new(Action::Updated);
    event.id = id;
    event
}

async fn insert(storage: &PostgresStorage, n: u32) {
    storage.insert_key(key(n), event(format!("created-{n}")), None).await.unwrap();
}

/// Changes a key of this revision.
async fn change(storage: &PostgresStorage, n: u32, revision: u32) {
    let mut key = key(n);
    key.revision = revision;
    storage.update_key(key, event(format!("changed-{n}-{revision}"))).await.unwrap();
}

fn ids(changes: Changes) -> Vec<String> {
    match changes {
        Changes::Keys(mut ids) => {
            ids.sort();
            ids
        }
        other => panic!("the changes must be known: {other:?}"),
    }
}

/// A transaction of another program that takes a position of the feed as a host does, and stays
/// open for a second.
fn commit_late(server: &Server, database: &str, n: u32) -> std::thread::JoinHandle<String> {
    let (url, id) = (database.to_owned(), key(n).id);
    let shard = n % 16;
    let sql = format!(
        "BEGIN;
         UPDATE keycell.change_feed SET position = position + 1 WHERE shard = {shard};
         INSERT INTO keycell.key_changes (shard, position, key_id, event_id)
         SELECT shard, position, '{id}', 'late' FROM keycell.change_feed WHERE shard = {shard};
         SELECT pg_sleep(1);
         COMMIT"
    );
    // The server lives as long as the process.
    let server: &'static Server = crate::server::server().filter(|s| std::ptr::eq(*s, server)).unwrap();
    std::thread::spawn(move || server.run_at(&url, &sql))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_transaction_that_commits_late_is_not_skipped() {
    let Some(server) = server() else { return };
    let database = server.database();
    let storage = PostgresStorage::open(&database).await.unwrap();
    // Two keys of one shard, and one of another.
    for n in [1, 17, 2] {
        insert(&storage, n).await;
    }
    let (start, changes) = storage.read_changes(None).await.unwrap();
    assert_eq!(changes, Changes::Unknown);

    let late = commit_late(server, &database, 1);
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Another shard does not wait for the open transaction, and its change is read before.
    change(&storage, 2, 0).await;
    let (first, changes) = storage.read_changes(Some(&start)).await.unwrap();
    assert_eq!(ids(changes), [key(2).id]);
    // A change of the same shard gets its position after the late commit.
    assert!(!late.is_finished());
    change(&storage, 17, 0).await;
    let (second, changes) = storage.read_changes(Some(&first)).await.unwrap();
    assert_eq!(ids(changes), [key(1).id, key(17).id]);
    late.join().unwrap();
    let (_, changes) = storage.read_changes(Some(&second)).await.unwrap();
    assert_eq!(ids(changes), [""; 0]);
}

/// Reads the feed without pause until the changes are over. Returns the key of each change.
async fn follow(storage: PostgresStorage, mut position: FeedPosition, are_over: Arc<AtomicBool>) -> Vec<String> {
    let mut changed = Vec::new();
    loop {
        let is_last = are_over.load(Ordering::Relaxed);
        let (next, changes) = storage.read_changes(Some(&position)).await.unwrap();
        changed.extend(ids(changes));
        position = next;
        if is_last {
            return changed;
        }
    }
}

/// Hosts change keys of all shards at the same time. Each acknowledged change must be read by a call
/// of its host that begins after it, and once by a reader that does not wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_acknowledged_change_is_read_by_the_next_call() {
    let Some(server) = server() else { return };
    for settings in ["", "SET default_transaction_isolation = 'serializable'"] {
        let database = server.database_with(settings);
        let storage = PostgresStorage::open(&database).await.unwrap();
        let (start, _) = storage.read_changes(None).await.unwrap();
        let are_over = Arc::new(AtomicBool::new(false));
        let reader = tokio::spawn(follow(storage, start, Arc::clone(&are_over)));
        let hosts: Vec<_> = (0..4_u32)
            .map(|host| {
                let database = database.clone();
                tokio::spawn(async move {
                    let storage = PostgresStorage::open(&database).await.unwrap();
                    let keys: Vec<_> = (host * 20..host * 20 + 20).collect();
                    for n in &keys {
                        insert(&storage, *n).await;
                    }
                    let (mut position, _) = storage.read_changes(None).await.unwrap();
                    for revision in 0..5 {
                        for n in &keys {
                            change(&storage, *n, revision).await;
                            let (next, changes) = storage.read_changes(Some(&position)).await.unwrap();
                            assert!(ids(changes).contains(&key(*n).id), "the change of {n} was skipped");
                            position = next;
                        }
                    }
                })
            })
            .collect();
        for host in hosts {
            host.await.unwrap();
        }
        are_over.store(true, Ordering::Relaxed);
        assert_eq!(reader.await.unwrap().len(), 400);
        let counts = "SELECT sum(position), (SELECT count(*) FROM keycell.key_changes) FROM keycell.change_feed";
        assert_eq!(server.run_at(&database, counts), "400|400");
    }
}

#[tokio::test]
async fn a_change_in_conflict_takes_no_position() {
    let Some(server) = server() else { return };
    let database = server.database();
    let storage = PostgresStorage::open(&database).await.unwrap();
    insert(&storage, 1).await;
    change(&storage, 1, 0).await;
    let conflict = storage.update_key(key(1), event("again".to_owned())).await;
    assert!(matches!(conflict, Err(keycell::StorageError::Conflict)));
    assert_eq!(server.run_at(&database, "SELECT position FROM keycell.change_feed WHERE shard = 1"), "1");
}
