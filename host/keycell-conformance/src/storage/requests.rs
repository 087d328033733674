//! `insert_key` with a request, and `find_request`.

use keycell::{Action, AnyStorage, KeyRecord, Storage, StorageError};

use super::samples::{NOW, assert_conflict, event, id, insert, key, lookup, request, snapshot, with};

/// Stores key `n` with a request of this idempotency key.
async fn issue(storage: &AnyStorage, n: u32, idempotency_key: &str, key: &KeyRecord) -> Result<(), StorageError> {
    let request = request(idempotency_key, key);
    storage.insert_key(key.clone(), event(n, Action::Created, key), Some(request)).await
}

pub async fn a_request_comes_back_as_it_was_stored(storage: AnyStorage) {
    assert_eq!(storage.find_request("ann", "first", NOW).await.unwrap(), None);
    issue(&storage, 1, "first", &key(1)).await.unwrap();
    let found = storage.find_request("ann", "first", NOW).await.unwrap();
    assert_eq!(found, Some(request("first", &key(1))));
    insert(&storage, 2, &key(2)).await;
    assert_eq!(storage.find_request("ann", "", NOW).await.unwrap(), None);
}

pub async fn a_request_ends_when_it_expires(storage: AnyStorage) {
    issue(&storage, 1, "first", &key(1)).await.unwrap();
    let expires_at = request("first", &key(1)).expires_at;
    assert!(storage.find_request("ann", "first", expires_at - 1).await.unwrap().is_some());
    assert_eq!(storage.find_request("ann", "first", expires_at).await.unwrap(), None);
}

pub async fn a_taken_idempotency_key_is_a_conflict_and_stores_nothing(storage: AnyStorage) {
    issue(&storage, 1, "first", &key(1)).await.unwrap();
    let before = snapshot(&storage).await;
    let expires_at = request("first", &key(1)).expires_at;
    for created_at in [NOW, expires_at - 1] {
        let other = with(key(2), |key| key.created_at = created_at);
        assert_conflict(issue(&storage, 2, "first", &other).await);
        assert_eq!(snapshot(&storage).await, before);
    }
    let found = storage.find_request("ann", "first", NOW).await.unwrap();
    assert_eq!(found, Some(request("first", &key(1))));
    assert_eq!(storage.find_key_by_lookup(&lookup(2)).await.unwrap(), None);
}

pub async fn an_idempotency_key_is_free_again_when_it_expires(storage: AnyStorage) {
    issue(&storage, 1, "first", &key(1)).await.unwrap();
    let expires_at = request("first", &key(1)).expires_at;
    let later = with(key(2), |key| key.created_at = expires_at);
    issue(&storage, 2, "first", &later).await.unwrap();
    let found = storage.find_request("ann", "first", expires_at).await.unwrap();
    assert_eq!(found, Some(request("first", &later)));
    // The earlier key stays.
    assert!(storage.find_key(&id(1), "ann").await.unwrap().is_some());
}

pub async fn an_idempotency_key_belongs_to_one_user(storage: AnyStorage) {
    // The user of a request is the issuer, who need not own the key.
    for (n, user_id, idempotency_key) in
        [(1, "ann", "first"), (2, "bob", "first"), (3, "ann", "First"), (4, "ann", "first ")]
    {
        let request = with(request(idempotency_key, &key(n)), |request| request.user_id = user_id.to_owned());
        let created = event(n, Action::Created, &key(n));
        storage.insert_key(key(n), created, Some(request.clone())).await.unwrap();
        assert_eq!(storage.find_request(user_id, idempotency_key, NOW).await.unwrap(), Some(request));
    }
    assert_eq!(storage.find_request("eve", "first", NOW).await.unwrap(), None);
    assert_eq!(storage.find_request("bob", "First", NOW).await.unwrap(), None);
}

pub async fn a_refused_key_leaves_no_request(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    let same_lookup = with(key(2), |key| key.lookup = lookup(1));
    assert_conflict(issue(&storage, 2, "first", &same_lookup).await);
    let same_id = with(key(2), |key| key.id = id(1));
    assert_conflict(issue(&storage, 2, "first", &same_id).await);
    assert_eq!(storage.find_request("ann", "first", NOW).await.unwrap(), None);
    issue(&storage, 2, "first", &key(2)).await.unwrap();
}
