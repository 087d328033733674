//! The exports of the composed component, and the key-value store that it imports.

pub mod exports {
    wasmtime::component::bindgen!({
        inline: "package keycell:composed; world composed { export keycell:api-keys/api-keys@0.2.0; }",
        path: "../../wit",
        additional_derives: [PartialEq],
    });
}

pub mod keyvalue {
    wasmtime::component::bindgen!({
        world: "wasi:keyvalue/imports",
        path: "../keyvalue/wit/deps/keyvalue",
        with: { "wasi:keyvalue/store.bucket": crate::shared_bucket::Bucket },
        imports: { default: trappable },
    });
}

pub use exports::{
    Composed,
    exports::keycell::api_keys::api_keys::{
        ApiKeyChanges, Error, EventRequest, Guest as ApiKeys, IssueRequest, KeyStatus, ListRequest, RateLimitChange,
        Refusal, Subject, Verification,
    },
    keycell::api_keys::limits::RateLimit,
};

/// A list of all keys or events that the caller may see.
pub fn list() -> ListRequest {
    ListRequest { status: Some("all".to_owned()), project_reference: None, owner: None, limit: None, cursor: None }
}

pub fn list_events() -> EventRequest {
    EventRequest {
        api_key_id: None,
        project_reference: None,
        owner: None,
        since: None,
        until: None,
        limit: None,
        cursor: None,
    }
}

/// A change of the name.
pub fn rename(name: &str) -> ApiKeyChanges {
    ApiKeyChanges {
        name: Some(name.to_owned()),
        expires_at: None,
        metadata: None,
        rate_limit: RateLimitChange::Keep,
        if_revision: None,
    }
}

/// A request that can be repeated, for a key with a rate limit.
pub fn issue(idempotency_key: &str) -> IssueRequest {
    IssueRequest {
        name: "issued".to_owned(),
        owner: None,
        project_reference: None,
        expires_at: None,
        rate_limit: Some(RateLimit { requests: 2, window_seconds: 86_400 }),
        metadata: Some("{\"plan\": \"pro\"}".to_owned()),
        idempotency_key: Some(idempotency_key.to_owned()),
        scopes: None,
    }
}
