//! Concurrent writes.

use keycell::{Action, AnyStorage, Storage, StorageError};

use super::samples::{NOW, all_events, event, find, id, insert, key, lookup, request, snapshot, with};

const WRITERS: u32 = 16;

/// Starts all writes at the same moment. Returns the index of the successful one, and checks that
/// all others are conflicts.
async fn winner<F>(write: impl Fn(u32) -> F) -> u32
where
    F: Future<Output = Result<(), StorageError>> + Send + 'static,
{
    let tasks: Vec<_> = (1..=WRITERS).map(|n| (n, tokio::spawn(write(n)))).collect();
    let mut winners = Vec::new();
    for (n, task) in tasks {
        match task.await.expect("a write must not panic") {
            Ok(()) => winners.push(n),
            Err(StorageError::Conflict) => {}
            Err(error) => panic!("a write that loses must be a conflict: {error}"),
        }
    }
    assert_eq!(winners.len(), 1, "one of the writes must win");
    winners[0]
}

pub async fn one_of_many_inserts_of_a_lookup_wins(storage: AnyStorage) {
    let n = winner(|n| {
        let storage = storage.clone();
        async move {
            let key = with(key(n), |key| key.lookup = lookup(0));
            storage.insert_key(key.clone(), event(n, Action::Created, &key), None).await
        }
    })
    .await;
    let (keys, events) = snapshot(&storage).await;
    assert_eq!((keys.len(), events.len()), (1, 1));
    assert_eq!((&keys[0]["id"], &events[0].key_id), (&id(n).into(), &id(n)));
}

pub async fn one_of_many_inserts_of_an_idempotency_key_wins(storage: AnyStorage) {
    let n = winner(|n| {
        let storage = storage.clone();
        async move {
            let request = request("first", &key(n));
            storage.insert_key(key(n), event(n, Action::Created, &key(n)), Some(request)).await
        }
    })
    .await;
    let (keys, events) = snapshot(&storage).await;
    assert_eq!((keys.len(), events.len()), (1, 1));
    let found = storage.find_request("ann", "first", NOW).await.unwrap().unwrap();
    assert_eq!((found.key_id, &events[0].key_id), (id(n), &id(n)));
}

pub async fn one_of_many_updates_of_a_revision_wins(storage: AnyStorage) {
    insert(&storage, 0, &key(0)).await;
    let n = winner(|n| {
        let storage = storage.clone();
        async move {
            let key = with(key(0), |key| key.name = n.to_string());
            storage.update_key(key.clone(), event(n, Action::Updated, &key)).await
        }
    })
    .await;
    let stored = find(&storage, &id(0)).await.unwrap();
    assert_eq!((stored.name, stored.revision), (n.to_string(), 1));
    let events = all_events(&storage).await;
    assert_eq!((events.len(), &events[0].id), (2, &id(n)));
}

pub async fn one_of_many_rotations_of_a_key_wins(storage: AnyStorage) {
    insert(&storage, 0, &key(0)).await;
    let n = winner(|n| {
        let storage = storage.clone();
        async move {
            let old = with(key(0), |key| key.rotated_to = Some(id(n)));
            let replacement = with(key(n), |key| key.rotated_from = Some(id(0)));
            let rotated = event(n, Action::Rotated, &old);
            let created = event(n + WRITERS, Action::Created, &replacement);
            storage.rotate_key(old, rotated, replacement, created).await
        }
    })
    .await;
    assert_eq!(find(&storage, &id(0)).await.unwrap().rotated_to, Some(id(n)));
    let (keys, events) = snapshot(&storage).await;
    assert_eq!((keys.len(), events.len()), (2, 3));
    assert_eq!(keys[0]["id"], id(n));
}

pub async fn one_of_many_replacements_of_a_secret_wins(storage: AnyStorage) {
    insert(&storage, 0, &key(0)).await;
    let n = winner(|n| {
        let storage = storage.clone();
        async move {
            let key = with(key(0), |key| key.lookup = lookup(n));
            storage.replace_secret(key.clone(), event(n, Action::IssuedAgain, &key)).await
        }
    })
    .await;
    assert_eq!(find(&storage, &id(0)).await.unwrap().lookup, lookup(n));
    for other in (0..=WRITERS).filter(|other| *other != n) {
        assert_eq!(storage.find_key_by_lookup(&lookup(other)).await.unwrap(), None);
    }
    assert_eq!(all_events(&storage).await.len(), 2);
}

pub async fn different_keys_are_written_side_by_side(storage: AnyStorage) {
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let storage = storage.clone();
            tokio::spawn(async move {
                insert(&storage, n, &key(n)).await;
                find(&storage, &id(n)).await.expect("a stored key must be readable at once")
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a write must not panic");
    }
    let (keys, events) = snapshot(&storage).await;
    assert_eq!((keys.len(), events.len()), (64, 64));
}
