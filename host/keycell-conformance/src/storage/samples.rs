//! Records for the cases, and helpers to store and compare them.

use keycell::{
    Action, AnyStorage, EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, Member, ProjectReference,
    ProjectSlug, ProjectStorage, RateLimit, Role, Storage, StorageError,
};
use serde_json::Value;
use uuid::Uuid;

/// A time of creation, later than the clock of the machine.
pub const NOW: i64 = 4_000_000_000_123;

/// Returns a changed value.
pub fn with<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}

pub fn id(n: u32) -> String {
    format!("03a35294-407b-7000-8000-{n:012x}")
}

pub fn lookup(n: u32) -> String {
    format!("Ab{n:010}")
}

/// A record in which every field that an insert stores is set.
pub fn key(n: u32) -> KeyRecord {
    with(KeyRecord::default(), |key| {
        key.id = id(n);
        key.prefix = "keycell".to_owned();
        key.lookup = lookup(n);
        key.hash = (0..32).map(|byte| n.to_le_bytes()[0].wrapping_add(byte)).collect();
        key.user_id = "ann".to_owned();
        key.name = "Zoë's \"key\" \u{1f511}".to_owned();
        key.scopes = vec!["a:b".to_owned(), "c".to_owned()];
        key.metadata = Some(r#"{"plan":"pro \"\\ é","n":1.50}"#.to_owned());
        key.rate_limit = Some(RateLimit { requests: 1_000_000, window_seconds: 86_400 });
        key.created_at = NOW;
        key.updated_at = NOW + 1;
        key.expires_at = Some(253_402_300_799_999);
    })
}

/// The event of a change of `key`.
pub fn event(n: u32, action: Action, key: &KeyRecord) -> EventRecord {
    with(EventRecord::new(action), |event| {
        event.id = id(n);
        event.time = NOW + i64::from(n);
        event.key_id.clone_from(&key.id);
        event.user_id.clone_from(&key.user_id);
        event.project_id.clone_from(&key.project_id);
        event.actor_user_id = "operator".to_owned();
        event.fields = vec!["expires_at".to_owned(), "name".to_owned()];
    })
}

pub fn request(idempotency_key: &str, key: &KeyRecord) -> IdempotentRequest {
    with(IdempotentRequest::default(), |request| {
        request.user_id.clone_from(&key.user_id);
        request.idempotency_key = idempotency_key.to_owned();
        request.key_id.clone_from(&key.id);
        request.expires_at = key.created_at + 1_000;
        request.digest = vec![7; 32];
    })
}

/// Stores a key with the event of its creation, which has the same number.
pub async fn insert(storage: &AnyStorage, n: u32, key: &KeyRecord) {
    let created = event(n, Action::Created, key);
    storage.insert_key(key.clone(), created, None).await.expect("a new key must be stored");
}

/// Stores a project, and returns its id.
pub async fn insert_project(storage: &AnyStorage, n: u128, slug: &str, members: &[(&str, Role)]) -> String {
    let members = members.iter().map(|(user_id, role)| Member::new(*user_id, *role)).collect();
    let id = Uuid::from_u128(n);
    let project = storage.insert_project(id, parse_slug(slug), members).await.expect("a new project must be stored");
    assert_eq!((project.id, project.slug.as_str()), (id.to_string(), slug));
    id.to_string()
}

pub fn parse_slug(slug: &str) -> ProjectSlug {
    ProjectSlug::parse(slug).expect("the slug of the case must be valid")
}

pub fn by_slug(slug: &str) -> ProjectReference {
    ProjectReference::Slug(slug.to_owned())
}

/// Finds the key with this id, by id and by its lookup.
pub async fn find(storage: &AnyStorage, id: &str) -> Option<KeyRecord> {
    let key = storage.find_key(id, "ann").await.expect("storage must be readable")?.key;
    let by_lookup = storage.find_key_by_lookup(&key.lookup).await.expect("storage must be readable");
    assert_same(&by_lookup.expect("a key must be found by its lookup, too"), &key);
    Some(key)
}

/// Checks the whole stored record of a key.
pub async fn assert_stored(storage: &AnyStorage, expected: &KeyRecord) {
    assert_same(&find(storage, &expected.id).await.expect("the key must be stored"), expected);
}

/// Compares records as JSON, because their `Debug` hides most fields.
fn assert_same(left: &KeyRecord, right: &KeyRecord) {
    assert_eq!(json(left), json(right));
}

fn json(key: &KeyRecord) -> Value {
    serde_json::to_value(key).expect("a record must be JSON")
}

/// Returns every key and every event, to compare storage before and after a call.
pub async fn snapshot(storage: &AnyStorage) -> (Vec<Value>, Vec<EventRecord>) {
    let all = with(KeyFilter::default(), |filter| filter.limit = 10_000);
    let keys = storage.list_keys(all).await.expect("storage must be readable");
    (keys.iter().map(json).collect(), all_events(storage).await)
}

pub async fn all_events(storage: &AnyStorage) -> Vec<EventRecord> {
    let all = with(EventFilter::default(), |filter| filter.limit = 10_000);
    storage.list_events(all).await.expect("storage must be readable")
}

pub fn assert_conflict<T: std::fmt::Debug>(result: Result<T, StorageError>) {
    assert!(matches!(result, Err(StorageError::Conflict)), "must be a conflict: {result:?}");
}
