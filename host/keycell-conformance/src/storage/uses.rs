//! `record_use`.

use keycell::{Action, AnyStorage, KeyFilter, Storage};

use super::samples::{NOW, assert_conflict, assert_stored, event, find, id, insert, key, lookup, snapshot, with};

pub async fn a_use_is_visible_at_once_and_moves_only_forward(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    insert(&storage, 2, &key(2)).await;
    for (at, expected) in [(NOW, NOW), (NOW + 9, NOW + 9), (NOW + 7, NOW + 9), (0, NOW + 9)] {
        storage.record_use(&id(1), at);
        assert_eq!(find(&storage, &id(1)).await.unwrap().last_used_at, Some(expected));
        let all = with(KeyFilter::default(), |filter| filter.limit = 10);
        let listed: Vec<_> = storage.list_keys(all).await.unwrap().iter().map(|key| key.last_used_at).collect();
        assert_eq!(listed, [None, Some(expected)]);
    }
    assert_eq!(find(&storage, &id(2)).await.unwrap().last_used_at, None);
}

pub async fn a_use_is_no_change_of_the_record(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    let (_, before) = snapshot(&storage).await;
    storage.record_use(&id(1), NOW + 5);
    let used = with(key(1), |key| key.last_used_at = Some(NOW + 5));
    assert_stored(&storage, &used).await;
    assert_eq!(snapshot(&storage).await.1, before);
    // An update of a record that was read before the use neither fails nor loses the use.
    storage.update_key(key(1), event(2, Action::Updated, &key(1))).await.unwrap();
    assert_stored(&storage, &with(used, |key| key.revision = 1)).await;
}

pub async fn a_used_key_keeps_its_secret(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    storage.record_use(&id(1), NOW + 5);
    let before = snapshot(&storage).await;
    for last_used_at in [None, Some(NOW + 5)] {
        let minted = with(key(1), |key| {
            key.lookup = lookup(2);
            key.last_used_at = last_used_at;
        });
        assert_conflict(storage.replace_secret(minted, event(2, Action::IssuedAgain, &key(1))).await);
    }
    assert_eq!(snapshot(&storage).await, before);
    assert_eq!(storage.find_key_by_lookup(&lookup(2)).await.unwrap(), None);
}

pub async fn a_use_of_a_missing_key_is_ignored(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    let before = snapshot(&storage).await;
    storage.record_use(&id(2), NOW);
    storage.record_use("", NOW);
    assert_eq!(snapshot(&storage).await, before);
}
