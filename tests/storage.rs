//! One matrix of tests for what every storage must guarantee.

use keycell::{KeyRecord, MemoryStorage, ProjectReference, ProjectSlug, ProjectStorage, SqliteStorage, StorageError};
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
