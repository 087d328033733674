//! The entries of keys, events and requests. `storage.rs` tests the guarantees of storage.

use keycell_keyvalue::{
    keys,
    storage::{Action, Error, KeyRecord},
};

use crate::{
    bucket::Memory,
    records::{all_events, event, minted, record, request, revoked},
};

/// A bucket with `record(1)` and the request that issued it.
fn bucket() -> Memory {
    let bucket = Memory::default();
    let key = record(1);
    keys::insert_key(&bucket, &key, &event(1, Action::Created, &key), Some(&request(&key))).unwrap();
    bucket
}

fn find(bucket: &Memory, id: &str) -> Result<KeyRecord, Error> {
    keys::find_key(bucket, id, "ann").map(|found| found.key)
}

#[test]
fn a_record_comes_back_as_it_was_stored() {
    let bucket = bucket();
    let optional = KeyRecord { project_id: None, expires_at: None, rate_limit: None, metadata: None, ..record(2) };
    let bare = KeyRecord { scopes: vec![], created_at: 0, updated_at: 0, ..optional };
    keys::insert_key(&bucket, &bare, &event(2, Action::Created, &bare), None).unwrap();
    for key in [record(1), bare] {
        assert_eq!(find(&bucket, &key.id), Ok(key.clone()));
        assert_eq!(keys::find_key_by_lookup(&bucket, &key.lookup), Ok(key));
    }
}

#[test]
fn an_entry_is_json_that_people_can_read() {
    let bucket = Memory::default();
    let key = KeyRecord { hash: vec![0xab; 32], ..record(1) };
    keys::insert_key(&bucket, &key, &event(1, Action::Created, &key), None).unwrap();
    let json = bucket.text("key.id-1").unwrap();
    assert!(json.contains(&format!("\"hash\":\"{}\"", "ab".repeat(32))), "{json}");
    let event =
        r#""events":[{"id":"event-001","time":1900000000123,"action":"Created","key_id":"id-1","user_id":"ann","#;
    assert!(json.contains(event), "{json}");
    assert_eq!(bucket.text("lookup.Lookup1").as_deref(), Some("id-1"));
}

/// Names must be of letters, digits, `-` and `.`, whatever the values are.
#[test]
fn every_name_is_one_that_each_store_accepts() {
    let bucket = bucket();
    keys::record_use(&bucket, "id-1", 5).unwrap();
    for name in bucket.entries.lock().unwrap().keys() {
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)), "{name}");
    }
}

#[test]
fn an_entry_of_version_0_1_is_read_and_changed() {
    let old = r#"{"prefix":"keycell","lookup":"Lookup1","hash":"00","user_id":"ann","project_id":null,"name":"old",
        "scopes":["a"],"created_at":1,"updated_at":2,"expires_at":null,"rotated_from":null,"rotated_to":null,
        "revision":3}"#;
    let revocation = r#"{"revoked_at":5,"revocation_reason":"lost","updated_at":5}"#;
    let bucket = Memory::with(&[("key.id-1", old), ("lookup.Lookup1", "id-1"), ("revoked.id-1", revocation)]);
    let key = keys::find_key_by_lookup(&bucket, "Lookup1").unwrap();
    assert_eq!((key.revision, key.revoked_at, key.metadata.clone(), key.rate_limit), (4, Some(5), None, None));
    assert_eq!(keys::list_events(&bucket, &all_events()), Ok(vec![]));
    keys::update_key(&bucket, &key, &event(1, Action::Updated, &key)).unwrap();
    assert_eq!(keys::list_events(&bucket, &all_events()).unwrap().len(), 1);
}

#[test]
fn a_revocation_needs_no_claim_and_stays() {
    let bucket = bucket();
    bucket.write("claim.key.id-1.1", "1");
    let renamed = KeyRecord { name: "other".to_owned(), ..record(1) };
    assert_eq!(keys::update_key(&bucket, &renamed, &event(2, Action::Updated, &renamed)), Err(Error::Conflict));
    let first = revoked(&record(1), 1_900_000_000_200);
    keys::update_key(&bucket, &first, &event(3, Action::Revoked, &first)).unwrap();
    assert_eq!(find(&bucket, "id-1"), Ok(KeyRecord { revision: 1, ..first }));
    assert_eq!(keys::list_events(&bucket, &all_events()).unwrap()[0].action, Action::Revoked);

    bucket.entries.lock().unwrap().remove("claim.key.id-1.1");
    let reinstated = KeyRecord { name: "other".to_owned(), revision: 1, ..record(1) };
    keys::update_key(&bucket, &reinstated, &event(4, Action::Updated, &reinstated)).unwrap();
    assert_eq!(find(&bucket, "id-1").unwrap().revoked_at, Some(1_900_000_000_200));
}

#[test]
fn the_lookup_of_a_replaced_secret_leads_nowhere_even_if_it_is_still_there() {
    let bucket = bucket();
    keys::replace_secret(&bucket, &minted(), &event(2, Action::IssuedAgain, &minted())).unwrap();
    assert_eq!(bucket.text("lookup.Lookup1"), None);
    bucket.write("lookup.Lookup1", "id-1");
    assert_eq!(keys::find_key_by_lookup(&bucket, "Lookup1"), Err(Error::NotFound));
    assert_eq!(keys::find_key_by_lookup(&bucket, "Minted").unwrap().id, "id-1");
}

#[test]
fn an_invalid_entry_is_internal_and_the_log_does_not_repeat_it() {
    for value in ["{\"hash\":\"s3cret\"}", "s3cret"] {
        let bucket = Memory::with(&[("key.id-1", value)]);
        assert_eq!(find(&bucket, "id-1"), Err(Error::Internal("1".to_owned())));
        assert_eq!(keys::list_events(&bucket, &all_events()), Err(Error::Internal("2".to_owned())));
        let logged = bucket.text("incident.1").unwrap();
        assert!(logged.contains("key.id-1") && !logged.contains("s3cret"), "{logged}");
    }
}

#[test]
fn an_unknown_field_is_refused_because_a_change_would_lose_it() {
    let bucket = bucket();
    let json = bucket.text("key.id-1").unwrap();
    bucket.write("key.id-1", &json.replacen('{', "{\"new\":true,", 1));
    assert_eq!(find(&bucket, "id-1"), Err(Error::Internal("1".to_owned())));
}
