//! A storage that records its calls and fails on request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keycell::{
    EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, ProjectReference, ProjectWithRole,
    Storage, StorageError,
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    case::{FailureKind, StorageFailure},
    expect::hex,
};

/// A storage with a record of its calls. Clones share both.
pub struct Recorder<S>(Arc<Inner<S>>);

struct Inner<S> {
    storage: S,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    failures: Vec<StorageFailure>,
    /// The calls and events of this step.
    calls: Vec<String>,
    events: Vec<Value>,
    last_key: Option<Value>,
    last_request: Option<Value>,
    /// Every record that storage received, as text.
    received: Vec<String>,
}

impl<S> Clone for Recorder<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Recorder<S> {
    pub fn new(storage: S, failures: Vec<StorageFailure>) -> Self {
        Self(Arc::new(Inner { storage, log: Mutex::new(Log { failures, ..Log::default() }) }))
    }

    pub fn storage(&self) -> &S {
        &self.0.storage
    }

    /// Clears the calls and events of the previous step.
    pub fn begin_step(&self) {
        let mut log = self.log();
        log.calls.clear();
        log.events.clear();
    }

    /// The functions that were called in this step.
    pub fn calls(&self) -> Vec<String> {
        self.log().calls.clone()
    }

    /// The events that storage received in this step.
    pub fn events(&self) -> Value {
        self.log().events.clone().into()
    }

    /// The key record that storage received last.
    pub fn last_key(&self) -> Option<Value> {
        self.log().last_key.clone()
    }

    /// The request that storage received last.
    pub fn last_request(&self) -> Option<Value> {
        self.log().last_request.clone()
    }

    /// Returns whether a record that storage received contains this text.
    pub fn has_received(&self, text: &str) -> bool {
        self.log().received.iter().any(|received| received.contains(text))
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn called(&self, call: &str) -> Result<(), StorageError> {
        let mut log = self.log();
        log.calls.push(call.to_owned());
        let Some(failure) = log.failures.iter_mut().find(|failure| failure.call == call && failure.times > 0) else {
            return Ok(());
        };
        failure.times -= 1;
        Err(match failure.with {
            FailureKind::Conflict => StorageError::Conflict,
            FailureKind::Unavailable => StorageError::Unavailable("the case makes storage unavailable".into()),
            FailureKind::Internal => StorageError::Internal("the case makes storage fail".into()),
        })
    }

    fn received_key(&self, key: &KeyRecord) {
        let json = as_json(key, "hash", &key.hash);
        let mut log = self.log();
        log.received.push(json.to_string());
        log.last_key = Some(json);
    }

    fn received_event(&self, event: &EventRecord) {
        let json = serde_json::to_value(event).unwrap_or_default();
        let mut log = self.log();
        log.received.push(json.to_string());
        log.events.push(json);
    }

    fn received_request(&self, request: &IdempotentRequest) {
        let json = as_json(request, "digest", &request.digest);
        let mut log = self.log();
        log.received.push(json.to_string());
        log.last_request = Some(json);
    }
}

/// Returns the record as JSON, with the bytes of one field in hexadecimal.
fn as_json(record: &impl Serialize, field: &str, bytes: &[u8]) -> Value {
    let mut json = serde_json::to_value(record).unwrap_or_default();
    if let Some(value) = json.get_mut(field) {
        *value = hex(bytes).into();
    }
    json
}

impl<S: Storage> Storage for Recorder<S> {
    async fn insert_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        request: Option<IdempotentRequest>,
    ) -> Result<(), StorageError> {
        self.received_key(&key);
        self.received_event(&event);
        request.iter().for_each(|request| self.received_request(request));
        self.called("insert-key")?;
        self.storage().insert_key(key, event, request).await
    }

    async fn find_key(&self, id: &str, viewer: &str) -> Result<Option<KeyWithRole>, StorageError> {
        self.called("find-key")?;
        self.storage().find_key(id, viewer).await
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>, StorageError> {
        self.called("find-key-by-lookup")?;
        self.storage().find_key_by_lookup(lookup).await
    }

    async fn find_request(
        &self,
        user_id: &str,
        idempotency_key: &str,
        now: i64,
    ) -> Result<Option<IdempotentRequest>, StorageError> {
        self.called("find-request")?;
        self.storage().find_request(user_id, idempotency_key, now).await
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>, StorageError> {
        self.called("list-keys")?;
        self.storage().list_keys(filter).await
    }

    async fn list_events(&self, filter: EventFilter) -> Result<Vec<EventRecord>, StorageError> {
        self.called("list-events")?;
        self.storage().list_events(filter).await
    }

    async fn update_key(&self, key: KeyRecord, event: EventRecord) -> Result<(), StorageError> {
        self.received_key(&key);
        self.received_event(&event);
        self.called("update-key")?;
        self.storage().update_key(key, event).await
    }

    async fn rotate_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        replacement: KeyRecord,
        replacement_event: EventRecord,
    ) -> Result<(), StorageError> {
        self.received_key(&key);
        self.received_event(&event);
        self.received_key(&replacement);
        self.received_event(&replacement_event);
        self.called("rotate-key")?;
        self.storage().rotate_key(key, event, replacement, replacement_event).await
    }

    async fn replace_secret(&self, key: KeyRecord, event: EventRecord) -> Result<(), StorageError> {
        self.received_key(&key);
        self.received_event(&event);
        self.called("replace-secret")?;
        self.storage().replace_secret(key, event).await
    }

    fn record_use(&self, id: &str, at: i64) {
        // This function cannot fail, so a failure of the case has no effect on it.
        let _ = self.called("record-use");
        self.storage().record_use(id, at);
    }

    async fn find_project(
        &self,
        reference: &ProjectReference,
        user_id: &str,
    ) -> Result<Option<ProjectWithRole>, StorageError> {
        self.called("find-project")?;
        self.storage().find_project(reference, user_id).await
    }

    fn reads_at_once(&self) -> bool {
        self.storage().reads_at_once()
    }
}
