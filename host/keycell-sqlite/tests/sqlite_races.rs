//! Concurrent calls on one database.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use keycell::{
    Caller, CreateApiKey, CreatedApiKey, Error, IssueApiKey, Keycell, ListApiKeys, ListEvents, Storage, Verification,
};
use keycell_sqlite::SqliteStorage;

fn ann() -> Caller {
    Caller::user("ann")
}

fn open(path: &Path) -> Keycell<SqliteStorage> {
    Keycell::new(SqliteStorage::open(path).unwrap()).unwrap()
}

async fn create<S: Storage>(keycell: &Keycell<S>, name: &str) -> CreatedApiKey {
    keycell.create_api_key(&ann(), CreateApiKey::named(name)).await.unwrap()
}

async fn is_valid<S: Storage>(keycell: &Keycell<S>, key: &str) -> bool {
    matches!(keycell.verify_api_key(&Caller::host(), key, &[]).await.unwrap(), Verification::Valid(_))
}

fn list(status: &str, limit: u32) -> ListApiKeys {
    let mut request = ListApiKeys::default();
    request.status = Some(status.to_owned());
    request.limit = Some(limit);
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_rotations_wins() {
    let directory = tempfile::tempdir().unwrap();
    let keycell = Arc::new(open(&directory.path().join("keycell.db")));
    for _ in 0..20 {
        let id = create(&keycell, "x").await.id.to_string();
        let rotate = || {
            let (keycell, id) = (Arc::clone(&keycell), id.clone());
            tokio::spawn(async move { keycell.rotate_api_key(&ann(), &id, Duration::ZERO, None).await })
        };
        let mut winners = Vec::new();
        for rotation in [rotate(), rotate()] {
            match rotation.await.unwrap() {
                Ok(replacement) => winners.push(replacement),
                Err(error) => assert_eq!(error, Error::NotActive),
            }
        }
        assert_eq!(winners.len(), 1);
        assert!(is_valid(&keycell, winners[0].key.expose()).await);
    }
    assert_eq!(keycell.list_api_keys(&ann(), list("active", 100)).await.unwrap().api_keys.len(), 20);
}

/// Each storage stands for a process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_of_an_issuing_in_two_processes_end_with_one_key_and_one_valid_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keycell.db");
    let processes = [open(&path), open(&path)].map(Arc::new);
    for round in 0..10 {
        let issuers: Vec<_> = (0..8)
            .map(|n| {
                let keycell = Arc::clone(&processes[n % 2]);
                let request = IssueApiKey::named("x").with_idempotency_key(format!("round {round}"));
                tokio::spawn(async move { keycell.issue_api_key(&ann(), request).await.unwrap() })
            })
            .collect();
        let mut issued = Vec::new();
        for issuer in issuers {
            issued.push(issuer.await.unwrap());
        }
        assert!(issued.iter().all(|key| key.details.id == issued[0].details.id));
        // The newest answer has the secret. It is the one with the highest revision.
        issued.sort_by_key(|key| key.details.revision);
        assert_eq!(issued.iter().map(|key| key.details.revision).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
        let newest = issued.pop().unwrap();
        for void in &issued {
            assert!(!is_valid(&processes[0], void.key.expose()).await);
        }
        assert!(is_valid(&processes[0], newest.key.expose()).await);
        let mut events = ListEvents::default();
        events.api_key_id = Some(newest.details.id.to_string());
        assert_eq!(processes[1].list_events(&ann(), events).await.unwrap().events.len(), 8);
    }
    assert_eq!(processes[0].list_api_keys(&ann(), list("all", 100)).await.unwrap().api_keys.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_shows_each_earlier_key_once_while_keys_are_created() {
    let directory = tempfile::tempdir().unwrap();
    let keycell = Arc::new(open(&directory.path().join("keycell.db")));
    let mut earlier = Vec::new();
    for n in 0..250 {
        earlier.push(create(&keycell, &format!("earlier {n}")).await.id);
    }
    let creators: Vec<_> = (0..8)
        .map(|_| {
            let keycell = Arc::clone(&keycell);
            tokio::spawn(async move {
                for _ in 0..125 {
                    create(&keycell, "meanwhile").await;
                }
            })
        })
        .collect();

    let (mut rounds, mut overlapped) = (0, 0);
    while rounds < 3 || creators.iter().any(|creator| !creator.is_finished()) {
        let mut seen = Vec::new();
        let mut request = list("active", 10);
        loop {
            let page = keycell.list_api_keys(&ann(), request.clone()).await.unwrap();
            seen.extend(page.api_keys.iter().map(|key| key.id));
            assert!(seen.is_sorted_by(|newer, older| newer > older), "the list must be sorted, each key once");
            request.cursor = page.next_cursor;
            if request.cursor.is_none() {
                break;
            }
        }
        for id in &earlier {
            assert_eq!(seen.iter().filter(|seen| *seen == id).count(), 1);
        }
        rounds += 1;
        overlapped += usize::from(seen.len() > 250 && seen.len() < 1250);
    }
    assert!(overlapped > 0, "no list was read while keys were created");
    for creator in creators {
        creator.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_verification_succeeds_after_the_answer_of_a_revocation() {
    let directory = tempfile::tempdir().unwrap();
    let keycell = Arc::new(open(&directory.path().join("keycell.db")));
    for _ in 0..20 {
        let key = Arc::new(create(&keycell, "x").await);
        let is_revoked = Arc::new(AtomicBool::new(false));
        let verifiers: Vec<_> = (0..2)
            .map(|_| {
                let (keycell, key, is_revoked) = (Arc::clone(&keycell), Arc::clone(&key), Arc::clone(&is_revoked));
                tokio::spawn(async move {
                    let mut after = 0;
                    while after < 20 {
                        let was_revoked = is_revoked.load(Ordering::SeqCst);
                        let is_valid = is_valid(&keycell, key.key.expose()).await;
                        assert!(!(was_revoked && is_valid), "a revoked key is valid");
                        after += usize::from(was_revoked);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        assert!(is_valid(&keycell, key.key.expose()).await);
        keycell.revoke_api_key(&ann(), &key.id.to_string(), None, None).await.unwrap();
        is_revoked.store(true, Ordering::SeqCst);
        for verifier in verifiers {
            verifier.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_verification_writes_nothing_and_its_use_is_stored_when_the_storage_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keycell.db");
    let keycell = open(&path);
    let key = create(&keycell, "x").await;
    let watcher = rusqlite::Connection::open(&path).unwrap();
    let files = || {
        let lengths = ["keycell.db", "keycell.db-wal"].map(|name| {
            let metadata = std::fs::metadata(directory.path().join(name)).unwrap();
            (metadata.len(), metadata.modified().unwrap())
        });
        let version: i64 = watcher.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap();
        (lengths, version)
    };
    let before = files();
    for _ in 0..500 {
        assert!(is_valid(&keycell, key.key.expose()).await);
        assert!(!is_valid(&keycell, "keycell_malformed").await);
    }
    assert_eq!(files(), before, "a verification wrote to the database");

    // This process sees the use at once, others see it when it is stored.
    let id = key.id.to_string();
    let used_at = keycell.get_api_key(&ann(), &id).await.unwrap().last_used_at;
    assert!(used_at.is_some());
    assert_eq!(open(&path).get_api_key(&ann(), &id).await.unwrap().last_used_at, None);
    drop(keycell);
    assert_eq!(open(&path).get_api_key(&ann(), &id).await.unwrap().last_used_at, used_at);
}

#[tokio::test]
async fn an_older_use_that_is_stored_later_does_not_replace_a_newer_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keycell.db");
    let (newer, older) = (SqliteStorage::open(&path).unwrap(), SqliteStorage::open(&path).unwrap());
    let keycell = open(&path);
    let id = create(&keycell, "x").await.id.to_string();
    newer.record_use(&id, 9_000);
    older.record_use(&id, 5_000);
    drop(newer);
    drop(older);
    let stored = keycell.storage().find_key(&id, "ann").await.unwrap().unwrap().key;
    assert_eq!(stored.last_used_at, Some(9_000));
}

/// Calls that wait for the lock of another process leave room for those that only read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_waiting_creates_do_not_hold_up_a_reader() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keycell.db");
    let keycell = Arc::new(open(&path));
    let key = create(&keycell, "x").await;
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting: Vec<_> = (0..200)
        .map(|_| {
            let keycell = Arc::clone(&keycell);
            tokio::spawn(async move { keycell.create_api_key(&ann(), CreateApiKey::named("waiting")).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    assert!(is_valid(&keycell, key.key.expose()).await);
    keycell.get_api_key(&ann(), &key.id.to_string()).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(!waiting.iter().any(tokio::task::JoinHandle::is_finished), "no call was waiting");
    other.execute_batch("ROLLBACK").unwrap();
    for create in waiting {
        create.await.unwrap().unwrap();
    }
}
