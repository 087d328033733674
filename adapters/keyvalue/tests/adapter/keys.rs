//! What storage must guarantee, whatever is below it.

use keycell_keyvalue::{
    keys,
    storage::{Error, KeyFilter, KeyRecord},
};

use crate::bucket::Memory;

/// A record in which every field that `insert-key` stores is set.
pub fn record(n: u32) -> KeyRecord {
    KeyRecord {
        id: format!("id-{n}"),
        prefix: "keycell".to_owned(),
        lookup: format!("Lookup{n}"),
        hash: (0..32).collect(),
        user_id: "ann".to_owned(),
        project_id: Some("p".to_owned()),
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

pub fn revoked(key: &KeyRecord, at: i64) -> KeyRecord {
    KeyRecord { revoked_at: Some(at), revocation_reason: Some("lost".to_owned()), updated_at: at, ..key.clone() }
}

/// `record(1)` as it is once `record(2)` has replaced it, and that replacement.
pub fn rotation() -> (KeyRecord, KeyRecord) {
    let old = KeyRecord { rotated_to: Some("id-2".to_owned()), expires_at: Some(9), ..record(1) };
    (old, KeyRecord { rotated_from: Some("id-1".to_owned()), ..record(2) })
}

#[test]
fn a_record_comes_back_as_it_was_by_id_and_by_lookup() {
    let bucket = Memory::default();
    let bare = KeyRecord { project_id: None, expires_at: None, scopes: vec![], ..record(2) };
    for key in [record(1), bare] {
        keys::insert_key(&bucket, &key).unwrap();
        assert_eq!(keys::find_key(&bucket, &key.id), Ok(key.clone()));
        assert_eq!(keys::find_key_by_lookup(&bucket, &key.lookup), Ok(key));
    }
    assert_eq!(keys::find_key(&bucket, "id-3"), Err(Error::NotFound));
    assert_eq!(keys::find_key_by_lookup(&bucket, "Lookup3"), Err(Error::NotFound));
}

#[test]
fn an_entry_is_json_that_people_can_read() {
    let bucket = Memory::default();
    keys::insert_key(&bucket, &KeyRecord { hash: vec![0xab; 32], ..record(1) }).unwrap();
    let json = bucket.text("key.id-1").unwrap();
    assert!(json.contains(&format!("\"hash\":\"{}\"", "ab".repeat(32))), "{json}");
    assert_eq!(bucket.text("lookup.Lookup1").as_deref(), Some("id-1"));
}

#[test]
fn a_taken_id_or_lookup_is_a_conflict_and_takes_nothing() {
    let bucket = Memory::default();
    keys::insert_key(&bucket, &record(1)).unwrap();
    for taken in
        [KeyRecord { id: "id-1".to_owned(), ..record(2) }, KeyRecord { lookup: "Lookup1".to_owned(), ..record(2) }]
    {
        assert_eq!(keys::insert_key(&bucket, &taken), Err(Error::Conflict));
    }
    assert_eq!(keys::find_key(&bucket, "id-1"), Ok(record(1)));
    keys::insert_key(&bucket, &record(2)).unwrap();
}

#[test]
fn an_update_changes_what_may_change_and_nothing_else() {
    let bucket = Memory::default();
    keys::insert_key(&bucket, &record(1)).unwrap();
    keys::record_use(&bucket, "id-1", 77).unwrap();
    let changed = KeyRecord { name: "other".to_owned(), updated_at: 8, expires_at: Some(9), ..record(1) };
    let passed = KeyRecord { hash: vec![9; 32], user_id: "eve".to_owned(), last_used_at: None, ..changed.clone() };
    keys::update_key(&bucket, &passed).unwrap();
    assert_eq!(keys::find_key(&bucket, "id-1"), Ok(KeyRecord { revision: 1, last_used_at: Some(77), ..changed }));
}

#[test]
fn a_change_of_an_older_revision_is_a_conflict() {
    let bucket = Memory::default();
    keys::insert_key(&bucket, &record(1)).unwrap();
    keys::update_key(&bucket, &KeyRecord { updated_at: 5, ..record(1) }).unwrap();
    let (old, replacement) = rotation();
    for stale in [KeyRecord { updated_at: 6, ..record(1) }, revoked(&record(1), 7), record(9)] {
        assert_eq!(keys::update_key(&bucket, &stale), Err(Error::Conflict));
    }
    assert_eq!(keys::rotate_key(&bucket, &old, &replacement), Err(Error::Conflict));
    assert_eq!(keys::find_key(&bucket, "id-1").unwrap().updated_at, 5);
    assert_eq!(keys::find_key(&bucket, "id-2"), Err(Error::NotFound));
}

#[test]
fn a_revocation_is_a_change_that_stays() {
    let bucket = Memory::default();
    keys::insert_key(&bucket, &record(1)).unwrap();
    let first = revoked(&record(1), 1_900_000_000_200);
    keys::update_key(&bucket, &first).unwrap();
    assert_eq!(keys::find_key(&bucket, "id-1"), Ok(KeyRecord { revision: 1, ..first.clone() }));
    assert_eq!(keys::update_key(&bucket, &revoked(&record(1), 1_900_000_000_300)), Err(Error::Conflict));

    let renamed = KeyRecord { name: "other".to_owned(), updated_at: 1_900_000_000_400, revision: 1, ..first.clone() };
    keys::update_key(&bucket, &renamed).unwrap();
    assert_eq!(keys::find_key(&bucket, "id-1"), Ok(KeyRecord { revision: 2, ..renamed }));
}

#[test]
fn one_update_may_change_a_key_and_revoke_it() {
    let bucket = Memory::default();
    keys::insert_key(&bucket, &record(1)).unwrap();
    let both = KeyRecord { name: "other".to_owned(), ..revoked(&record(1), 1_900_000_000_200) };
    keys::update_key(&bucket, &both).unwrap();
    assert_eq!(keys::find_key(&bucket, "id-1"), Ok(KeyRecord { revision: 2, ..both }));
}

#[test]
fn a_rotation_stores_both_records_or_none() {
    let bucket = Memory::default();
    keys::insert_key(&bucket, &record(1)).unwrap();
    let (old, replacement) = rotation();
    let taken = KeyRecord { lookup: "Lookup1".to_owned(), ..replacement.clone() };
    assert_eq!(keys::rotate_key(&bucket, &old, &taken), Err(Error::Conflict));
    assert_eq!(keys::find_key(&bucket, "id-1"), Ok(record(1)));
    assert_eq!(keys::find_key(&bucket, "id-2"), Err(Error::NotFound));

    keys::rotate_key(&bucket, &old, &replacement).unwrap();
    assert_eq!(keys::find_key(&bucket, "id-1"), Ok(KeyRecord { revision: 1, ..old }));
    assert_eq!(keys::find_key_by_lookup(&bucket, "Lookup2"), Ok(replacement));
}

#[test]
fn a_use_is_only_moved_forward_and_is_no_change() {
    let bucket = Memory::default();
    keys::insert_key(&bucket, &record(1)).unwrap();
    for (at, expected) in [(5, 5), (9, 9), (7, 9)] {
        keys::record_use(&bucket, "id-1", at).unwrap();
        assert_eq!(keys::find_key(&bucket, "id-1"), Ok(KeyRecord { last_used_at: Some(expected), ..record(1) }));
    }
}

#[test]
fn a_list_is_filtered_and_goes_from_new_to_old() {
    let bucket = Memory::default();
    for (n, expires_at, revoked_at) in
        [(1, None, None), (2, Some(10), None), (3, Some(11), None), (4, Some(9), Some(5)), (5, None, Some(5))]
    {
        let project_id = (n % 2 == 0).then(|| "p".to_owned());
        let key = KeyRecord { expires_at, project_id, ..record(n) };
        keys::insert_key(&bucket, &key).unwrap();
        keys::update_key(&bucket, &KeyRecord { revoked_at, ..key }).unwrap();
    }
    keys::insert_key(&bucket, &KeyRecord { user_id: "bob".to_owned(), ..record(6) }).unwrap();

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
        (KeyFilter { project_id: Some("p".to_owned()), ..all.clone() }, vec![4, 2]),
        (KeyFilter { revoked: Some(true), ..all.clone() }, vec![5, 4]),
        (KeyFilter { revoked: Some(false), expires_after: Some(10), ..all.clone() }, vec![3, 1]),
        (KeyFilter { revoked: Some(false), expires_until: Some(10), ..all.clone() }, vec![2]),
        (KeyFilter { user_id: "bob".to_owned(), ..all.clone() }, vec![6]),
        (KeyFilter { user_id: "eve".to_owned(), ..all }, vec![]),
    ] {
        let ids: Vec<_> = keys::list_keys(&bucket, &filter).unwrap().into_iter().map(|key| key.id).collect();
        let expected: Vec<_> = expected.into_iter().map(|n| format!("id-{n}")).collect();
        assert_eq!(ids, expected, "{filter:?}");
    }
}

#[test]
fn an_entry_that_can_not_be_read_is_internal_and_is_written_down_without_what_is_in_it() {
    for value in ["{\"hash\":\"s3cret\"}", "s3cret"] {
        let bucket = Memory::with(&[("key.id-1", value)]);
        assert_eq!(keys::find_key(&bucket, "id-1"), Err(Error::Internal("1".to_owned())));
        assert_eq!(keys::find_key(&bucket, "id-1"), Err(Error::Internal("2".to_owned())));
        assert_eq!(bucket.text("incident.1").as_deref(), Some("the entry key.id-1 can't be read"));
    }
}
