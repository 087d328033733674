//! The store fails at each step of each change, once or for good.

use keycell_keyvalue::{
    keys,
    storage::{Error, KeyRecord},
};

use crate::{
    bucket::{Failure, Memory},
    keys::{record, revoked, rotation},
};

/// Runs `change` on a bucket with `record(1)` until no step of it fails any more; `check` sees what
/// it left behind when one did.
fn at_each_step(failure: fn(usize) -> Failure, change: impl Fn(&Memory) -> Result<(), Error>, check: impl Fn(&Memory)) {
    for step in 0.. {
        let bucket = Memory::default();
        keys::insert_key(&bucket, &record(1)).unwrap();
        bucket.fail(failure(step));
        let changed = change(&bucket);
        if !bucket.heal() {
            assert_eq!(changed, Ok(()));
            assert!(step > 2, "a change has steps");
            return;
        }
        assert_eq!(changed, Err(Error::Unavailable), "{:?}", failure(step));
        check(&bucket);
    }
}

fn insert(bucket: &Memory) -> Result<(), Error> {
    keys::insert_key(bucket, &record(2))
}

fn rename(bucket: &Memory) -> Result<(), Error> {
    keys::update_key(bucket, &KeyRecord { name: "other".to_owned(), ..record(1) })
}

fn revoke(bucket: &Memory) -> Result<(), Error> {
    keys::update_key(bucket, &revoked(&record(1), 7))
}

fn rotate(bucket: &Memory) -> Result<(), Error> {
    let (old, replacement) = rotation();
    keys::rotate_key(bucket, &old, &replacement)
}

fn nothing_has_changed(bucket: &Memory) {
    assert_eq!(keys::find_key(bucket, "id-1"), Ok(record(1)));
    assert_eq!(keys::find_key(bucket, "id-2"), Err(Error::NotFound));
    assert_eq!(keys::find_key_by_lookup(bucket, "Lookup2"), Err(Error::NotFound));
    let all = keycell_keyvalue::storage::KeyFilter {
        user_id: "ann".to_owned(),
        project_id: None,
        revoked: None,
        expires_after: None,
        expires_until: None,
        before: None,
        limit: 10,
    };
    assert_eq!(keys::list_keys(bucket, &all), Ok(vec![record(1)]));
}

#[test]
fn a_change_that_failed_has_changed_nothing_and_may_be_tried_again() {
    for change in [insert, rename, revoke, rotate] {
        at_each_step(Failure::Once, change, |bucket| {
            nothing_has_changed(bucket);
            assert_eq!(change(bucket), Ok(()));
        });
    }
}

#[test]
fn a_crash_in_a_change_has_changed_nothing() {
    for change in [insert, rename, revoke, rotate] {
        at_each_step(Failure::ForGood, change, nothing_has_changed);
    }
}

#[test]
fn a_key_is_revoked_whatever_crashed_before() {
    for change in [rename, rotate] {
        at_each_step(Failure::ForGood, change, |bucket| {
            assert_eq!(revoke(bucket), Ok(()));
            assert_eq!(keys::find_key(bucket, "id-1").unwrap().revoked_at, Some(7));
        });
    }
}

/// The limit that the README tells of.
#[test]
fn a_crash_between_claim_and_record_holds_up_changes_until_the_claim_is_deleted() {
    let bucket = Memory::default();
    keys::insert_key(&bucket, &record(1)).unwrap();
    // The record, the revocation and the claim are read or taken; the write is lost.
    bucket.fail(Failure::ForGood(3));
    assert_eq!(rename(&bucket), Err(Error::Unavailable));
    assert!(bucket.heal());
    assert_eq!(rename(&bucket), Err(Error::Conflict));
    assert_eq!(rotate(&bucket), Err(Error::Conflict));
    bucket.entries.lock().unwrap().remove("claim.key.id-1.1");
    assert_eq!(rename(&bucket), Ok(()));
}
