//! One matrix of tests for what every storage must guarantee.

use keycell::{
    KeyFilter, KeyRecord, MemoryStorage, ProjectReference, ProjectSlug, ProjectStorage, SqliteStorage, StorageError,
};
use uuid::Uuid;

/// Runs each test against each storage of the crate.
macro_rules! matrix {
    ($($test:ident),* $(,)?) => {
        mod memory {
            use super::*;
            $(#[tokio::test]
            async fn $test() {
                super::$test(MemoryStorage::default()).await;
            })*
        }

        mod sqlite {
            use super::*;
            $(#[tokio::test]
            async fn $test() {
                let dir = tempfile::tempdir().unwrap();
                super::$test(SqliteStorage::open(&dir.path().join("keycell.db")).unwrap()).await;
            })*
        }
    };
}

matrix!(
    a_record_comes_back_as_it_was,
    what_is_not_there_is_none,
    a_taken_id_is_a_conflict_and_changes_nothing,
    a_taken_lookup_is_a_conflict_and_changes_nothing,
    one_of_many_at_the_same_moment_wins,
    a_project_is_found_by_its_members_alone,
    a_taken_slug_is_a_conflict_and_adds_no_member,
    a_key_is_found_by_its_lookup,
    a_list_is_filtered_and_goes_from_new_to_old,
    an_update_of_the_stored_revision_changes_what_may_change,
    an_update_of_an_older_revision_is_a_conflict,
    a_rotation_stores_both_records_or_none,
    a_use_is_only_moved_forward,
);

/// A record in which every field that `insert-key` stores is set.
pub fn record(id: &str, lookup: &str) -> KeyRecord {
    KeyRecord {
        id: id.to_owned(),
        prefix: "keycell".to_owned(),
        lookup: lookup.to_owned(),
        hash: (0..32).collect(),
        user_id: "ann".to_owned(),
        project_id: None,
        name: "Zoë's \"key\" \u{1f511}".to_owned(),
        scopes: vec!["a:b".to_owned(), "c".to_owned()],
        created_at: 1_900_000_000_123,
        updated_at: 1_900_000_000_124,
        expires_at: Some(253_402_300_799_999),
        last_used_at: None,
        revoked_at: None,
        revocation_reason: None,
        rotated_from: None,
        rotated_to: None,
        revision: 0,
    }
}

/// Records have no equality of their own: the host only moves them.
pub fn assert_same(left: &KeyRecord, right: &KeyRecord) {
    assert_eq!(format!("{left:?}"), format!("{right:?}"));
}

async fn a_record_comes_back_as_it_was(storage: impl ProjectStorage) {
    let project = Uuid::from_u128(7);
    storage.insert_project(project, slug("web"), vec!["ann".to_owned()]).await.unwrap();
    let full = KeyRecord { project_id: Some(project.to_string()), ..record("id-1", "lookup-1") };
    let bare = KeyRecord { expires_at: None, scopes: vec![], ..record("id-2", "lookup-2") };
    for key in [full, bare] {
        storage.insert_key(key.clone()).await.unwrap();
        assert_same(&storage.find_key(&key.id).await.unwrap().unwrap(), &key);
    }
}

async fn what_is_not_there_is_none(storage: impl ProjectStorage) {
    assert!(storage.find_key("id").await.unwrap().is_none());
    let by_slug = ProjectReference::Slug("web".to_owned());
    assert_eq!(storage.find_project(&by_slug, "ann").await.unwrap(), None);
    assert_eq!(storage.list_projects("ann").await.unwrap(), []);
}

async fn a_taken_id_is_a_conflict_and_changes_nothing(storage: impl ProjectStorage) {
    let first = record("id-1", "lookup-1");
    storage.insert_key(first.clone()).await.unwrap();
    let second = KeyRecord { name: "other".to_owned(), ..record("id-1", "lookup-2") };
    assert!(matches!(storage.insert_key(second).await, Err(StorageError::Conflict)));
    assert_same(&storage.find_key("id-1").await.unwrap().unwrap(), &first);
    // The lookup of the one that was refused is still free.
    storage.insert_key(record("id-2", "lookup-2")).await.unwrap();
}

async fn a_taken_lookup_is_a_conflict_and_changes_nothing(storage: impl ProjectStorage) {
    storage.insert_key(record("id-1", "lookup-1")).await.unwrap();
    assert!(matches!(storage.insert_key(record("id-2", "lookup-1")).await, Err(StorageError::Conflict)));
    assert!(storage.find_key("id-2").await.unwrap().is_none());
}

async fn one_of_many_at_the_same_moment_wins(storage: impl ProjectStorage) {
    let storage = std::sync::Arc::new(storage);
    let tasks = (0..16).map(|n| {
        let storage = std::sync::Arc::clone(&storage);
        tokio::spawn(async move { storage.insert_key(record(&format!("id-{n}"), "lookup")).await })
    });
    let mut winners = 0;
    for task in tasks.collect::<Vec<_>>() {
        match task.await.unwrap() {
            Ok(()) => winners += 1,
            Err(error) => assert!(matches!(error, StorageError::Conflict), "{error}"),
        }
    }
    assert_eq!(winners, 1);
}

async fn a_project_is_found_by_its_members_alone(storage: impl ProjectStorage) {
    let id = Uuid::from_u128(7);
    storage.insert_project(id, slug("web"), vec!["ann".to_owned(), "bob".to_owned()]).await.unwrap();
    for reference in [ProjectReference::Id(id.to_string()), ProjectReference::Slug("web".to_owned())] {
        for (user, expected) in [("ann", Some(id.to_string())), ("bob", Some(id.to_string())), ("eve", None)] {
            assert_eq!(storage.find_project(&reference, user).await.unwrap(), expected, "{user}");
        }
    }
    assert_eq!(storage.list_projects("bob").await.unwrap().len(), 1);
    assert_eq!(storage.list_projects("eve").await.unwrap(), []);
}

async fn a_taken_slug_is_a_conflict_and_adds_no_member(storage: impl ProjectStorage) {
    storage.insert_project(Uuid::from_u128(1), slug("web"), vec!["ann".to_owned()]).await.unwrap();
    let taken = storage.insert_project(Uuid::from_u128(2), slug("web"), vec!["eve".to_owned()]).await;
    assert!(matches!(taken, Err(StorageError::Conflict)));
    assert_eq!(storage.list_projects("eve").await.unwrap(), []);
}

fn slug(text: &str) -> ProjectSlug {
    ProjectSlug::parse(text).unwrap()
}

async fn a_key_is_found_by_its_lookup(storage: impl ProjectStorage) {
    let key = record("id-1", "lookup-1");
    storage.insert_key(key.clone()).await.unwrap();
    storage.insert_key(record("id-2", "lookup-2")).await.unwrap();
    assert_same(&storage.find_key_by_lookup("lookup-1").await.unwrap().unwrap(), &key);
    assert!(storage.find_key_by_lookup("lookup-3").await.unwrap().is_none());
    assert!(storage.find_key_by_lookup("id-1").await.unwrap().is_none());
}

async fn a_list_is_filtered_and_goes_from_new_to_old(storage: impl ProjectStorage) {
    let project = Uuid::from_u128(7).to_string();
    storage.insert_project(Uuid::from_u128(7), slug("web"), vec!["ann".to_owned()]).await.unwrap();
    for (n, expires_at, revoked_at) in
        [(1, None, None), (2, Some(10), None), (3, Some(11), None), (4, Some(9), Some(5)), (5, None, Some(5))]
    {
        let project_id = (n % 2 == 0).then(|| project.clone());
        let key = KeyRecord { expires_at, project_id, ..record(&format!("id-{n}"), &format!("lookup-{n}")) };
        storage.insert_key(key.clone()).await.unwrap();
        storage.update_key(KeyRecord { revoked_at, ..key }).await.unwrap();
    }
    let bobs = KeyRecord { user_id: "bob".to_owned(), ..record("id-6", "lookup-6") };
    storage.insert_key(bobs).await.unwrap();

    let all = KeyFilter {
        user_id: "ann".to_owned(),
        project_id: None,
        revoked: None,
        expires_after: None,
        expires_until: None,
        before: None,
        limit: 10,
    };
    for (filter, expected) in [
        (all.clone(), vec![5, 4, 3, 2, 1]),
        (KeyFilter { limit: 2, ..all.clone() }, vec![5, 4]),
        (KeyFilter { before: Some("id-3".to_owned()), ..all.clone() }, vec![2, 1]),
        (KeyFilter { before: Some("id-35".to_owned()), limit: 1, ..all.clone() }, vec![3]),
        (KeyFilter { project_id: Some(project), ..all.clone() }, vec![4, 2]),
        (KeyFilter { revoked: Some(true), ..all.clone() }, vec![5, 4]),
        (KeyFilter { revoked: Some(false), expires_after: Some(10), ..all.clone() }, vec![3, 1]),
        (KeyFilter { revoked: Some(false), expires_until: Some(10), ..all.clone() }, vec![2]),
        (KeyFilter { user_id: "bob".to_owned(), ..all.clone() }, vec![6]),
        (KeyFilter { user_id: "eve".to_owned(), ..all }, vec![]),
    ] {
        let ids: Vec<_> = storage.list_keys(filter.clone()).await.unwrap().into_iter().map(|key| key.id).collect();
        let expected: Vec<_> = expected.into_iter().map(|n| format!("id-{n}")).collect();
        assert_eq!(ids, expected, "{filter:?}");
    }
}

async fn an_update_of_the_stored_revision_changes_what_may_change(storage: impl ProjectStorage) {
    let key = record("id-1", "lookup-1");
    let other = record("id-2", "lookup-2");
    storage.insert_key(key.clone()).await.unwrap();
    storage.insert_key(other.clone()).await.unwrap();
    storage.record_use("id-1", 77);
    let changed = KeyRecord {
        name: "other".to_owned(),
        updated_at: 8,
        expires_at: Some(9),
        revoked_at: Some(10),
        revocation_reason: Some("why".to_owned()),
        rotated_to: Some("id-2".to_owned()),
        ..key.clone()
    };
    // What may not change is passed all the same.
    let hash = vec![9; 32];
    let (user_id, scopes) = ("eve".to_owned(), vec!["more".to_owned()]);
    let passed = KeyRecord { hash, user_id, scopes, created_at: 1, last_used_at: Some(1), ..changed.clone() };
    storage.update_key(passed).await.unwrap();
    let expected = KeyRecord { revision: 1, last_used_at: Some(77), ..changed };
    assert_same(&storage.find_key("id-1").await.unwrap().unwrap(), &expected);
    assert_same(&storage.find_key("id-2").await.unwrap().unwrap(), &other);
}

async fn an_update_of_an_older_revision_is_a_conflict(storage: impl ProjectStorage) {
    let key = record("id-1", "lookup-1");
    storage.insert_key(key.clone()).await.unwrap();
    storage.update_key(KeyRecord { updated_at: 5, ..key.clone() }).await.unwrap();
    let late = storage.update_key(KeyRecord { updated_at: 6, ..key.clone() }).await;
    assert!(matches!(late, Err(StorageError::Conflict)));
    assert_eq!(storage.find_key("id-1").await.unwrap().unwrap().updated_at, 5);
    let missing = storage.update_key(record("id-9", "lookup-9")).await;
    assert!(matches!(missing, Err(StorageError::Conflict)));
    assert!(storage.find_key("id-9").await.unwrap().is_none());
}

async fn a_rotation_stores_both_records_or_none(storage: impl ProjectStorage) {
    let old = record("id-1", "lookup-1");
    storage.insert_key(old.clone()).await.unwrap();
    let rotated = KeyRecord { rotated_to: Some("id-2".to_owned()), ..old.clone() };
    let new = KeyRecord { rotated_from: Some("id-1".to_owned()), ..record("id-2", "lookup-2") };

    let taken = KeyRecord { lookup: "lookup-1".to_owned(), ..new.clone() };
    assert!(matches!(storage.rotate_key(rotated.clone(), taken).await, Err(StorageError::Conflict)));
    let stale = KeyRecord { revision: 7, ..rotated.clone() };
    assert!(matches!(storage.rotate_key(stale, new.clone()).await, Err(StorageError::Conflict)));
    assert!(storage.find_key("id-2").await.unwrap().is_none());
    assert!(storage.find_key_by_lookup("lookup-2").await.unwrap().is_none());
    assert_same(&storage.find_key("id-1").await.unwrap().unwrap(), &old);

    storage.rotate_key(rotated.clone(), new.clone()).await.unwrap();
    assert_same(&storage.find_key("id-1").await.unwrap().unwrap(), &KeyRecord { revision: 1, ..rotated });
    assert_same(&storage.find_key("id-2").await.unwrap().unwrap(), &new);
}

async fn a_use_is_only_moved_forward(storage: impl ProjectStorage) {
    storage.insert_key(record("id-1", "lookup-1")).await.unwrap();
    for (at, expected) in [(5, 5), (9, 9), (7, 9)] {
        storage.record_use("id-1", at);
        for found in [storage.find_key("id-1").await, storage.find_key_by_lookup("lookup-1").await] {
            assert_eq!(found.unwrap().unwrap().last_used_at, Some(expected));
        }
    }
    storage.record_use("nobody's", 5);
}
