//! A store that fails at each step of each change, once or for good.

use keycell_keyvalue::{
    keys,
    storage::{Action, Error, KeyRecord},
};

use crate::{
    bucket::{Failure, Memory},
    records::{all_events, all_keys, event, minted, record, request, revoked, rotation},
};

fn created() -> Memory {
    let bucket = Memory::default();
    let key = record(1);
    keys::insert_key(&bucket, &key, &event(1, Action::Created, &key), None).unwrap();
    bucket
}

/// Runs `change` on a bucket with `record(1)` for each step that it has, and `check` after each failure.
fn at_each_step(failure: fn(usize) -> Failure, change: impl Fn(&Memory) -> Result<(), Error>, check: impl Fn(&Memory)) {
    for step in 0.. {
        let bucket = created();
        bucket.fail(failure(step));
        let changed = change(&bucket);
        if !bucket.heal() {
            assert_eq!(changed, Ok(()));
            assert!(step > 2, "a change has steps");
            return;
        }
        // The last step of a replaced secret is a clean-up, which may fail.
        if changed.is_err() {
            assert_eq!(changed, Err(Error::Unavailable), "{:?}", failure(step));
            check(&bucket);
        }
    }
}

fn insert(bucket: &Memory) -> Result<(), Error> {
    keys::insert_key(bucket, &record(2), &event(2, Action::Created, &record(2)), None)
}

fn issue(bucket: &Memory) -> Result<(), Error> {
    keys::insert_key(bucket, &record(2), &event(2, Action::Created, &record(2)), Some(&request(&record(2))))
}

fn rename(bucket: &Memory) -> Result<(), Error> {
    let renamed = KeyRecord { name: "other".to_owned(), ..record(1) };
    keys::update_key(bucket, &renamed, &event(2, Action::Updated, &renamed))
}

fn revoke(bucket: &Memory) -> Result<(), Error> {
    keys::update_key(bucket, &revoked(&record(1), 7), &event(2, Action::Revoked, &record(1)))
}

fn rotate(bucket: &Memory) -> Result<(), Error> {
    let (old, replacement) = rotation();
    let events = [event(2, Action::Rotated, &old), event(3, Action::Created, &replacement)];
    keys::rotate_key(bucket, &old, &events[0], &replacement, &events[1])
}

fn issue_again(bucket: &Memory) -> Result<(), Error> {
    keys::replace_secret(bucket, &minted(), &event(2, Action::IssuedAgain, &minted()))
}

type Change = fn(&Memory) -> Result<(), Error>;

const CHANGES: [Change; 6] = [insert, issue, rename, revoke, rotate, issue_again];

/// Neither a record nor an event nor a request has changed.
fn nothing_has_changed(bucket: &Memory) {
    assert_eq!(keys::find_key(bucket, "id-1", "ann").map(|found| found.key), Ok(record(1)));
    assert_eq!(keys::find_key_by_lookup(bucket, "Lookup1"), Ok(record(1)));
    assert_eq!(keys::find_key(bucket, "id-2", "ann"), Err(Error::NotFound));
    for lookup in ["Lookup2", "Minted"] {
        assert_eq!(keys::find_key_by_lookup(bucket, lookup), Err(Error::NotFound));
    }
    assert_eq!(keys::find_request(bucket, "ann", "first try", 0), Err(Error::NotFound));
    assert_eq!(keys::list_keys(bucket, &all_keys()), Ok(vec![record(1)]));
    assert_eq!(keys::list_events(bucket, &all_events()), Ok(vec![event(1, Action::Created, &record(1))]));
}

#[test]
fn a_failed_change_has_changed_nothing_and_may_be_tried_again() {
    for change in CHANGES {
        at_each_step(Failure::Once, change, |bucket| {
            nothing_has_changed(bucket);
            assert_eq!(change(bucket), Ok(()));
            assert!(keys::list_events(bucket, &all_events()).unwrap().len() > 1);
        });
    }
}

#[test]
fn a_crash_during_a_change_has_changed_nothing() {
    for change in CHANGES {
        at_each_step(Failure::ForGood, change, nothing_has_changed);
    }
}

#[test]
fn a_key_can_be_revoked_after_every_crash() {
    for change in [rename, rotate, issue_again] {
        at_each_step(Failure::ForGood, change, |bucket| {
            assert_eq!(revoke(bucket), Ok(()));
            assert_eq!(keys::find_key(bucket, "id-1", "ann").unwrap().key.revoked_at, Some(7));
        });
    }
}

/// A limit that the README describes.
#[test]
fn a_crash_between_claim_and_record_blocks_changes_until_the_claim_is_deleted() {
    let bucket = created();
    // The record and the revocation are read, the claim is taken, and the write is lost.
    bucket.fail(Failure::ForGood(3));
    assert_eq!(rename(&bucket), Err(Error::Unavailable));
    assert!(bucket.heal());
    assert_eq!(rename(&bucket), Err(Error::Conflict));
    assert_eq!(rotate(&bucket), Err(Error::Conflict));
    bucket.entries.lock().unwrap().remove("claim.key.id-1.1");
    assert_eq!(rename(&bucket), Ok(()));
}

/// A limit that the README describes.
#[test]
fn a_crash_during_an_issuing_blocks_its_idempotency_key_until_it_expires() {
    let issue_another = |bucket: &Memory, created_at| {
        let key = KeyRecord { created_at, ..record(3) };
        keys::insert_key(bucket, &key, &event(3, Action::Created, &key), Some(&request(&key)))
    };
    let bucket = created();
    // The claims of id and lookup, the request's entry, its claim and its write; the lookup is lost.
    bucket.fail(Failure::ForGood(5));
    assert_eq!(issue(&bucket), Err(Error::Unavailable));
    assert!(bucket.heal());
    let expires_at = request(&record(3)).expires_at;
    assert_eq!(issue_another(&bucket, expires_at - 1), Err(Error::Conflict));
    assert_eq!(issue_another(&bucket, expires_at), Ok(()));
}
