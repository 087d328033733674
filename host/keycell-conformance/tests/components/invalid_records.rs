//! A stored record that breaks the rules costs its readers an `internal` error. It is never shown,
//! and its key is never valid.

use keycell::{
    Action, Caller, CreateApiKey, Error, EventRecord, IssueApiKey, KeyRecord, Keycell, ListApiKeys, ListEvents,
    MemoryStorage, RateLimit, Refusal, Storage, Verification,
};

use crate::faults::{Edit, Fault, keycell_with};

/// A component that asks for the records of all users and projects. So its storage answers like
/// one that ignores the filter.
const ASKS_FOR_EVERY_RECORD: &str = "asks_for_every_record";

pub fn faults() -> Vec<Fault> {
    let edits = ["guest/list.rs", "guest/events.rs"].into_iter().flat_map(|file| {
        ["selection.user_id.clone()", "selection.project_id.clone()"].map(|original| Edit {
            file,
            original,
            replacement: "None".to_owned(),
        })
    });
    vec![Fault { name: ASKS_FOR_EVERY_RECORD, edits: edits.collect() }]
}

fn ann() -> Caller {
    Caller::user("ann")
}

/// A new key of Ann's, and its record.
async fn new_key() -> (String, KeyRecord) {
    let keycell = Keycell::new(MemoryStorage::default()).unwrap();
    let created = keycell.create_api_key(&ann(), CreateApiKey::named("k")).await.unwrap();
    let found = keycell.storage().find_key(&created.id.to_string(), "ann").await.unwrap().unwrap();
    (created.key.expose().to_owned(), found.key)
}

/// The event of the creation of this key.
fn created(key: &KeyRecord) -> EventRecord {
    let mut event = EventRecord::new(Action::Created);
    event.id.clone_from(&key.id);
    event.key_id.clone_from(&key.id);
    event.user_id.clone_from(&key.user_id);
    event.actor_user_id.clone_from(&key.user_id);
    event
}

/// An authority with these records.
async fn with_records(key: KeyRecord, event: EventRecord) -> Keycell<MemoryStorage> {
    let keycell = Keycell::new(MemoryStorage::default()).unwrap();
    keycell.storage().insert_key(key, event, None).await.unwrap();
    keycell
}

/// Fails unless the result is an internal error.
fn assert_internal<T: std::fmt::Debug>(what: &str, result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Internal { .. })), "{what}: {result:?}");
}

#[tokio::test]
async fn an_invalid_field_of_a_key() {
    type Damage = (&'static str, fn(&mut KeyRecord));
    let damages: [Damage; 9] = [
        ("id", |key| key.id = "x".to_owned()),
        ("created_at", |key| key.created_at = -1),
        ("updated_at", |key| key.updated_at = i64::MAX),
        ("expires_at", |key| key.expires_at = Some(i64::MIN)),
        ("last_used_at", |key| key.last_used_at = Some(i64::MAX)),
        ("revoked_at", |key| key.revoked_at = Some(-1)),
        ("rotated_from", |key| key.rotated_from = Some("x".to_owned())),
        ("rotated_to", |key| key.rotated_to = Some("x".to_owned())),
        ("metadata", |key| key.metadata = Some("{".to_owned())),
    ];
    let mut every_key = ListApiKeys::default();
    every_key.status = Some("all".to_owned());
    let (_, record) = new_key().await;
    for (field, damage) in damages {
        let mut damaged = record.clone();
        damage(&mut damaged);
        let keycell = with_records(damaged, created(&record)).await;
        assert_internal(field, keycell.list_api_keys(&ann(), every_key.clone()).await);
    }
}

#[tokio::test]
async fn an_invalid_field_of_a_key_that_is_presented() {
    let (key, record) = new_key().await;
    let (host, bearer) = (Caller::host(), Caller::bearer(key.clone()));

    let mut damaged = record.clone();
    damaged.expires_at = Some(-1);
    let keycell = with_records(damaged, created(&record)).await;
    assert_internal("expires_at", keycell.verify_api_key(&host, &key, &[]).await);
    assert_internal("expires_at", keycell.describe_caller(&bearer).await);

    let mut damaged = record.clone();
    damaged.rate_limit = Some(RateLimit { requests: 0, window_seconds: 60 });
    let keycell = with_records(damaged, created(&record)).await;
    assert_internal("rate_limit", keycell.verify_api_key(&host, &key, &[]).await);

    for hash in [vec![], record.hash[..31].to_vec(), [record.hash.clone(), vec![0]].concat()] {
        let mut damaged = record.clone();
        damaged.hash = hash;
        let keycell = with_records(damaged, created(&record)).await;
        let verified = keycell.verify_api_key(&host, &key, &[]).await.unwrap();
        assert!(matches!(verified, Verification::Refused(Refusal::Unknown)), "{verified:?}");
        assert_eq!(keycell.describe_caller(&bearer).await.unwrap_err(), Error::Unauthenticated);
    }
}

#[tokio::test]
async fn an_invalid_field_of_an_event() {
    type Damage = (&'static str, fn(&mut EventRecord));
    let damages: [Damage; 4] = [
        ("id", |event| event.id = "x".to_owned()),
        ("time", |event| event.time = -1),
        ("key_id", |event| event.key_id = "x".to_owned()),
        ("actor_key_id", |event| event.actor_key_id = Some("x".to_owned())),
    ];
    let (_, record) = new_key().await;
    for (field, damage) in damages {
        let mut damaged = created(&record);
        damage(&mut damaged);
        let keycell = with_records(record.clone(), damaged).await;
        assert_internal(field, keycell.list_events(&ann(), ListEvents::default()).await);
    }
}

#[tokio::test]
async fn an_idempotent_request_of_a_missing_key() {
    let keycell = Keycell::new(MemoryStorage::default()).unwrap();
    let request = IssueApiKey::named("k").with_idempotency_key("first");
    let issued = keycell.issue_api_key(&ann(), request.clone()).await.unwrap();
    let found = keycell.storage().find_request("ann", "first", 0).await.unwrap().unwrap();
    assert_eq!(found.key_id, issued.details.id.to_string());

    let (_, other) = new_key().await;
    let keycell = Keycell::new(MemoryStorage::default()).unwrap();
    keycell.storage().insert_key(other.clone(), created(&other), Some(found)).await.unwrap();
    assert_internal("request", keycell.issue_api_key(&ann(), request).await);
}

#[tokio::test]
async fn a_record_that_does_not_pass_the_filter_of_a_list() {
    let keycell = keycell_with(ASKS_FOR_EVERY_RECORD);
    let bob = Caller::user("bob");
    keycell.create_api_key(&bob, CreateApiKey::named("b")).await.unwrap();
    assert_eq!(keycell.list_api_keys(&bob, ListApiKeys::default()).await.unwrap().api_keys.len(), 1);
    assert_eq!(keycell.list_events(&bob, ListEvents::default()).await.unwrap().events.len(), 1);
    assert_internal("keys", keycell.list_api_keys(&ann(), ListApiKeys::default()).await);
    assert_internal("events", keycell.list_events(&ann(), ListEvents::default()).await);
}
