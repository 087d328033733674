//! Records for the tests.

use keycell_keyvalue::storage::{
    Action, EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, RateLimit, StatusFilter,
};

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
        rate_limit: Some(RateLimit { requests: 5, window_seconds: 60 }),
        metadata: Some("{\"plan\":\"pro\"}".to_owned()),
    }
}

pub fn revoked(key: &KeyRecord, at: i64) -> KeyRecord {
    KeyRecord { revoked_at: Some(at), revocation_reason: Some("lost".to_owned()), updated_at: at, ..key.clone() }
}

/// `record(1)` after `record(2)` has replaced it, and that replacement.
pub fn rotation() -> (KeyRecord, KeyRecord) {
    let old = KeyRecord { rotated_to: Some("id-2".to_owned()), expires_at: Some(9), ..record(1) };
    (old, KeyRecord { rotated_from: Some("id-1".to_owned()), ..record(2) })
}

/// `record(1)` with the secret that a repeated issuing gives it.
pub fn minted() -> KeyRecord {
    KeyRecord { lookup: "Minted".to_owned(), hash: vec![9; 32], updated_at: 1_900_000_000_200, ..record(1) }
}

pub fn event(n: u32, action: Action, key: &KeyRecord) -> EventRecord {
    EventRecord {
        id: format!("event-{n:03}"),
        time: 1_900_000_000_123,
        action,
        key_id: key.id.clone(),
        user_id: key.user_id.clone(),
        project_id: key.project_id.clone(),
        actor_user_id: "bob".to_owned(),
        actor_key_id: None,
        fields: vec!["name".to_owned()],
    }
}

/// A request that issued `key` and expires at 2,000,000,000,000.
pub fn request(key: &KeyRecord) -> IdempotentRequest {
    IdempotentRequest {
        user_id: "ann".to_owned(),
        idempotency_key: "first try".to_owned(),
        key_id: key.id.clone(),
        expires_at: 2_000_000_000_000,
        digest: vec![7; 32],
    }
}

pub fn all_keys() -> KeyFilter {
    KeyFilter { user_id: None, project_id: None, status: StatusFilter::All, now: 0, before: None, limit: 100 }
}

pub fn all_events() -> EventFilter {
    EventFilter { key_id: None, user_id: None, project_id: None, since: None, before: None, limit: 100 }
}
