//! `update_key`, `rotate_key` and `replace_secret`.

use keycell::{Action, AnyStorage, KeyRecord, RateLimit, Role, Storage};

use super::samples::{
    NOW, all_events, assert_conflict, assert_stored, event, find, id, insert, insert_project, key, lookup, snapshot,
    with,
};

/// Changes every field that an update may change.
fn change(key: &mut KeyRecord) {
    key.name = "other".to_owned();
    key.updated_at = NOW + 8;
    key.expires_at = Some(NOW + 9);
    key.revoked_at = Some(NOW + 10);
    key.revocation_reason = Some("why".to_owned());
    key.rotated_to = Some(id(2));
    key.rate_limit = Some(RateLimit { requests: 3, window_seconds: 4 });
    key.metadata = Some("{\"a\":1}".to_owned());
}

/// Changes every field that an update must not change.
fn tamper(key: &mut KeyRecord, project_id: &str) {
    key.prefix = "evil".to_owned();
    key.lookup = lookup(99);
    key.hash = vec![9; 32];
    key.user_id = "eve".to_owned();
    key.project_id = Some(project_id.to_owned());
    key.scopes = vec!["more".to_owned()];
    key.created_at = 1;
    key.last_used_at = Some(1);
    key.rotated_from = Some(id(9));
}

pub async fn an_update_changes_only_the_mutable_fields(storage: AnyStorage) {
    let project = insert_project(&storage, 7, "web", &[("ann", Role::Member)]).await;
    insert(&storage, 1, &key(1)).await;
    insert(&storage, 2, &key(2)).await;
    storage.record_use(&id(1), NOW + 77);
    let changed = with(key(1), change);
    let passed = with(changed.clone(), |key| tamper(key, &project));
    let updated = event(3, Action::Updated, &key(1));
    storage.update_key(passed, updated.clone()).await.unwrap();

    let expected = with(changed, |key| {
        key.last_used_at = Some(NOW + 77);
        key.revision = 1;
    });
    assert_stored(&storage, &expected).await;
    assert_stored(&storage, &key(2)).await;
    assert_eq!(storage.find_key_by_lookup(&lookup(99)).await.unwrap(), None);
    assert_eq!(all_events(&storage).await[0], updated);
}

pub async fn an_update_sets_and_removes_each_optional_field(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    // `rotated_to` names it.
    insert(&storage, 9, &key(2)).await;
    let mut stored = key(1);
    for (change, revision) in [change as fn(&mut KeyRecord), remove, change].into_iter().zip(0..) {
        change(&mut stored);
        storage.update_key(stored.clone(), event(revision + 2, Action::Updated, &stored)).await.unwrap();
        stored.revision = revision + 1;
        assert_stored(&storage, &stored).await;
    }

    fn remove(key: &mut KeyRecord) {
        key.expires_at = None;
        key.revoked_at = None;
        key.revocation_reason = None;
        key.rotated_to = None;
        key.rate_limit = None;
        key.metadata = None;
    }
}

pub async fn an_update_of_an_older_revision_is_a_conflict(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    storage.update_key(key(1), event(2, Action::Updated, &key(1))).await.unwrap();
    let before = snapshot(&storage).await;
    for revision in [0, 2, u32::MAX] {
        let other = with(key(1), |key| {
            change(key);
            key.revision = revision;
        });
        assert_conflict(storage.update_key(other, event(3, Action::Updated, &key(1))).await);
    }
    assert_eq!(snapshot(&storage).await, before);
}

pub async fn an_update_of_a_missing_key_is_a_conflict(storage: AnyStorage) {
    assert_conflict(storage.update_key(key(1), event(2, Action::Updated, &key(1))).await);
    assert_conflict(storage.replace_secret(key(1), event(2, Action::IssuedAgain, &key(1))).await);
    let rotation = storage
        .rotate_key(key(1), event(2, Action::Rotated, &key(1)), key(3), event(3, Action::Created, &key(3)))
        .await;
    assert_conflict(rotation);
    assert_eq!(snapshot(&storage).await, (vec![], vec![]));
}

pub async fn a_rotation_stores_both_records_and_both_events(storage: AnyStorage) {
    let project = insert_project(&storage, 7, "web", &[("ann", Role::Member)]).await;
    let old = with(key(1), |key| key.project_id = Some(project.clone()));
    insert(&storage, 1, &old).await;
    let rotated = with(old, change);
    let passed = with(rotated.clone(), |key| tamper(key, &project));
    let replacement = with(key(2), |key| {
        key.project_id = Some(project);
        key.rotated_from = Some(id(1));
    });
    let [first, second] = [event(2, Action::Rotated, &rotated), event(3, Action::Created, &replacement)];
    storage.rotate_key(passed, first.clone(), replacement.clone(), second.clone()).await.unwrap();

    assert_stored(&storage, &with(rotated, |key| key.revision = 1)).await;
    assert_stored(&storage, &replacement).await;
    assert_eq!(all_events(&storage).await[..2], [second, first]);
}

pub async fn a_rotation_in_conflict_changes_nothing(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    insert(&storage, 2, &key(2)).await;
    let before = snapshot(&storage).await;
    let rotated = with(key(1), |key| {
        change(key);
        key.rotated_to = Some(id(3));
    });
    let [first, second] = [event(3, Action::Rotated, &rotated), event(4, Action::Created, &key(3))];
    let stale = with(rotated.clone(), |key| key.revision = 7);
    for (key, replacement) in [
        (stale, key(3)),
        (rotated.clone(), with(key(3), |key| key.lookup = lookup(1))),
        (rotated.clone(), with(key(3), |key| key.lookup = lookup(2))),
        (rotated.clone(), with(key(3), |key| key.id = id(2))),
        (rotated.clone(), with(key(3), |key| key.id = id(1))),
    ] {
        assert_conflict(storage.rotate_key(key, first.clone(), replacement, second.clone()).await);
        assert_eq!(snapshot(&storage).await, before);
        assert_eq!(storage.find_key_by_lookup(&lookup(3)).await.unwrap(), None);
    }
    // The refused ids and lookups are still free.
    storage.rotate_key(rotated, first, key(3), second).await.unwrap();
}

/// Gives a key a new secret, as a repeated issuing does.
fn mint(key: &mut KeyRecord) {
    key.prefix = "minted".to_owned();
    key.lookup = lookup(50);
    key.hash = vec![5; 32];
    key.updated_at = NOW + 50;
}

pub async fn a_replaced_secret_voids_the_earlier_one(storage: AnyStorage) {
    let project = insert_project(&storage, 7, "web", &[("ann", Role::Member)]).await;
    insert(&storage, 1, &key(1)).await;
    insert(&storage, 2, &key(2)).await;
    let passed = with(key(1), |key| {
        change(key);
        tamper(key, &project);
        mint(key);
    });
    let again = event(3, Action::IssuedAgain, &key(1));
    storage.replace_secret(passed, again.clone()).await.unwrap();

    let minted = with(key(1), |key| {
        mint(key);
        key.revision = 1;
    });
    assert_stored(&storage, &minted).await;
    assert_stored(&storage, &key(2)).await;
    assert_eq!(storage.find_key_by_lookup(&lookup(1)).await.unwrap(), None);
    assert_eq!(all_events(&storage).await[0], again);
    let listed = snapshot(&storage).await.0;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1]["lookup"], lookup(50));
}

pub async fn a_replacement_of_a_secret_in_conflict_changes_nothing(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    insert(&storage, 2, &key(2)).await;
    storage.update_key(key(1), event(3, Action::Updated, &key(1))).await.unwrap();
    let before = snapshot(&storage).await;
    let current = find(&storage, &id(1)).await.unwrap();
    let stale = with(key(1), mint);
    let taken = with(current, |key| {
        mint(key);
        key.lookup = lookup(2);
    });
    for key in [stale, taken] {
        assert_conflict(storage.replace_secret(key.clone(), event(4, Action::IssuedAgain, &key)).await);
        assert_eq!(snapshot(&storage).await, before);
        assert_eq!(storage.find_key_by_lookup(&lookup(50)).await.unwrap(), None);
    }
}
