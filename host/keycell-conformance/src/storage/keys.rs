//! `insert_key`, `find_key` and `find_key_by_lookup`.

use keycell::{Action, AnyStorage, RateLimit, Role, Storage};

use super::samples::{assert_conflict, assert_stored, event, id, insert, insert_project, key, lookup, snapshot, with};

pub async fn a_key_comes_back_as_it_was_stored(storage: AnyStorage) {
    let project = insert_project(&storage, 7, "web", &[("ann", Role::Member)]).await;
    // A storage may require that the keys that a record names exist.
    insert(&storage, 9, &key(9)).await;
    let full = with(key(1), |key| {
        key.project_id = Some(project);
        key.rotated_from = Some(id(9));
    });
    let bare = with(key(2), |key| {
        key.expires_at = None;
        key.metadata = None;
        key.rate_limit = None;
        key.scopes.clear();
    });
    let largest = with(key(3), |key| {
        key.user_id = "ü".repeat(127) + "x";
        key.name = "\u{1f511}".repeat(100);
        key.scopes = (0..32).map(|n| format!("{n:064}")).collect();
        key.metadata = Some(format!("{{\"a\":\"{}\"}}", "x".repeat(4088)));
    });
    let smallest = with(key(4), |key| {
        key.created_at = 0;
        key.updated_at = 0;
        key.expires_at = Some(1);
        key.rate_limit = Some(RateLimit { requests: 1, window_seconds: 1 });
        key.metadata = Some("{}".to_owned());
        key.hash = vec![0; 32];
    });
    let keys = [full, bare, largest, smallest];
    for (key, n) in keys.iter().zip(1..) {
        insert(&storage, n, key).await;
    }
    for key in &keys {
        assert_stored(&storage, key).await;
    }
}

pub async fn a_missing_key_is_none(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    assert_eq!(storage.find_key(&id(2), "ann").await.unwrap(), None);
    assert_eq!(storage.find_key(&lookup(1), "ann").await.unwrap(), None);
    assert_eq!(storage.find_key_by_lookup(&lookup(2)).await.unwrap(), None);
    assert_eq!(storage.find_key_by_lookup(&id(1)).await.unwrap(), None);
    assert_eq!(storage.find_key_by_lookup("").await.unwrap(), None);
}

pub async fn a_taken_id_is_a_conflict_and_stores_nothing(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    let before = snapshot(&storage).await;
    let other = with(key(2), |key| key.id = id(1));
    assert_conflict(storage.insert_key(other.clone(), event(2, Action::Created, &other), None).await);
    assert_eq!(snapshot(&storage).await, before);
    // The lookup and the event id of the refused key are still free.
    insert(&storage, 2, &key(2)).await;
}

pub async fn a_taken_lookup_is_a_conflict_and_stores_nothing(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    let before = snapshot(&storage).await;
    let other = with(key(2), |key| key.lookup = lookup(1));
    assert_conflict(storage.insert_key(other.clone(), event(2, Action::Created, &other), None).await);
    assert_eq!(snapshot(&storage).await, before);
    assert_eq!(storage.find_key(&id(2), "ann").await.unwrap(), None);
    insert(&storage, 2, &key(2)).await;
}

pub async fn texts_are_compared_byte_by_byte(storage: AnyStorage) {
    let pairs = [("aB0000000000", "ann"), ("Ab0000000000", "Ann"), ("ab0000000000", "ann "), ("AB0000000000", "änn")];
    for ((lookup, user_id), n) in pairs.into_iter().zip(1..) {
        let key = with(key(n), |key| {
            key.lookup = lookup.to_owned();
            key.user_id = user_id.to_owned();
        });
        insert(&storage, n, &key).await;
    }
    for ((lookup, user_id), n) in pairs.into_iter().zip(1..) {
        let found = storage.find_key_by_lookup(lookup).await.unwrap().expect("the key must be found");
        assert_eq!((found.id, found.user_id.as_str()), (id(n), user_id));
    }
    // The same letter in its other Unicode form is another user.
    let decomposed = with(key(5), |key| key.user_id = "a\u{308}nn".to_owned());
    insert(&storage, 5, &decomposed).await;
    assert_stored(&storage, &decomposed).await;
}

pub async fn a_key_is_found_with_the_role_of_the_viewer(storage: AnyStorage) {
    let members = [("ann", Role::Member), ("pia", Role::Admin)];
    let project = insert_project(&storage, 7, "web", &members).await;
    insert_project(&storage, 8, "other", &[("eve", Role::Admin)]).await;
    let in_project = with(key(1), |key| key.project_id = Some(project));
    insert(&storage, 1, &in_project).await;
    insert(&storage, 2, &key(2)).await;
    for (viewer, role) in [("ann", Some(Role::Member)), ("pia", Some(Role::Admin)), ("eve", None), ("", None)] {
        let found = storage.find_key(&id(1), viewer).await.unwrap().expect("the viewer must not matter");
        assert_eq!((found.key.id, found.role), (id(1), role), "{viewer}");
        let user_level = storage.find_key(&id(2), viewer).await.unwrap().expect("the viewer must not matter");
        assert_eq!(user_level.role, None, "{viewer}");
    }
}
