//! A database of version 0.1.
//!
//! The command of 0.1 (commit 94b933a) made `fixtures/keycell-0.1.db` with `project create`, `create`,
//! `verify`, `rotate`, `update` and `revoke`, for three users. Its library made what the command
//! cannot: the project `shared` with two members, the key `shared bot` with another prefix, and
//! `fixtures/keycell-0.1.json`, the records as 0.1 reads them.

use std::{collections::HashMap, fs, path::PathBuf};

use keycell::{
    Action, Caller, EventFilter, KeyFilter, KeyRecord, Keycell, Member, ProjectReference, ProjectStorage, Refusal,
    Role, StatusFilter, Storage, Time, Verification,
};
use keycell_sqlite::{SqliteError, SqliteStorage, check};
use serde::Deserialize;

/// The content of the database as records of this version, in the order in which it was made.
#[derive(Deserialize)]
struct Contents {
    projects: Vec<Project>,
    keys: Vec<Entry>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    slug: String,
    members: Vec<String>,
}

#[derive(Deserialize)]
struct Entry {
    key: String,
    record: KeyRecord,
}

/// A copy of the database in a directory of its own.
fn database() -> (tempfile::TempDir, PathBuf, Contents) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keycell.db");
    fs::write(&path, include_bytes!("fixtures/keycell-0.1.db")).unwrap();
    let contents = serde_json::from_str(include_str!("fixtures/keycell-0.1.json")).unwrap();
    (directory, path, contents)
}

#[tokio::test]
async fn every_field_of_every_record_survives() {
    let (_directory, path, contents) = database();
    assert!(matches!(check(&path), Err(SqliteError::OlderSchema)));
    let storage = SqliteStorage::options().create(false).open(&path).unwrap();
    assert!(!storage.is_new());
    for Entry { record, .. } in &contents.keys {
        let found = storage.find_key(&record.id, "nobody").await.unwrap().unwrap().key;
        // Unlike a test of equality, this shows what differs.
        assert_eq!(serde_json::to_value(&found).unwrap(), serde_json::to_value(record).unwrap());
        assert_eq!(storage.find_key_by_lookup(&record.lookup).await.unwrap().as_ref(), Some(record));
    }
    let mut filter = KeyFilter::default();
    filter.limit = 100;
    assert_eq!(storage.list_keys(filter).await.unwrap().len(), contents.keys.len());
    for Project { id, slug, members } in &contents.projects {
        let reference = ProjectReference::Slug(slug.clone());
        let expected: Vec<_> = members.iter().map(|user_id| Member::new(user_id, Role::Member)).collect();
        assert_eq!(storage.list_members(&reference).await.unwrap().unwrap(), expected);
        assert_eq!(storage.find_project(&reference, "ann").await.unwrap().unwrap().project_id, *id);
    }
    let report = check(&path).unwrap();
    assert_eq!((report.keys, report.problems), (15, vec![]));
}

#[tokio::test]
async fn lists_have_the_right_status_at_once() {
    let (_directory, path, contents) = database();
    let storage = SqliteStorage::open(&path).unwrap();
    let names: HashMap<_, _> = contents.keys.into_iter().map(|Entry { record, .. }| (record.id, record.name)).collect();
    for (status, expected) in [
        (
            StatusFilter::Active,
            "from the command line, shared bot, renamed, ci, deploy, Zoë’s nightly export 🔑, laptop",
        ),
        (StatusFilter::Expired, "server, ci, ci, visitor"),
        (StatusFilter::Revoked, "server, gone, leaked, trial"),
    ] {
        let mut filter = KeyFilter::default();
        filter.status = status;
        filter.now = now().millis();
        filter.limit = 100;
        let listed = storage.list_keys(filter).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|key| names[&key.id].as_str()).collect();
        assert_eq!(listed.join(", "), expected, "{status:?}");
    }
}

#[tokio::test]
async fn old_keys_verify_and_can_be_changed() {
    let (_directory, path, contents) = database();
    let keycell = Keycell::new(SqliteStorage::open(&path).unwrap()).unwrap();
    for Entry { key, record } in &contents.keys {
        let verification = keycell.verify_api_key(&Caller::host(), key, &[]).await.unwrap();
        let is_revoked = record.revoked_at.is_some();
        let is_expired = record.expires_at.is_some_and(|at| Time::from_millis(at).unwrap() < now());
        match verification {
            Verification::Valid(valid) => {
                assert!(!is_revoked && !is_expired, "{}", record.name);
                assert_eq!(valid.user_id, record.user_id);
            }
            Verification::Refused(Refusal::Revoked) => assert!(is_revoked, "{}", record.name),
            Verification::Refused(Refusal::Expired) => assert!(is_expired && !is_revoked, "{}", record.name),
            Verification::Refused(reason) => panic!("{}: {reason}", record.name),
        }
    }
    let id = &contents.keys[0].record.id;
    keycell.revoke_api_key(&Caller::user("ann"), id, Some("too old"), None).await.unwrap();
    let mut filter = EventFilter::default();
    filter.limit = 10;
    let events = keycell.storage().list_events(filter).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].action, &events[0].key_id), (Action::Revoked, id));
}

fn now() -> Time {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time::from_millis(i64::try_from(since_1970.as_millis()).unwrap()).unwrap()
}
