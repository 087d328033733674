//! Storage that remembers what it was asked, and fails when it is told to.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::case::{FailureKind, StorageFailure};
use crate::hex::hex;
use crate::storage::{KeyFilter, KeyRecord, ProjectReference, Storage, StorageError};

/// Another storage, with a memory of its calls.
pub struct Recorder<S> {
    pub storage: S,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    failures: Vec<StorageFailure>,
    calls: Vec<String>,
    written: Vec<Value>,
}

impl<S> Recorder<S> {
    pub fn new(storage: S, failures: Vec<StorageFailure>) -> Self {
        Self { storage, log: Mutex::new(Log { failures, ..Log::default() }) }
    }

    /// The calls since the last look.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.log().calls)
    }

    /// All records that were handed over, oldest first.
    pub fn written(&self) -> Vec<Value> {
        self.log().written.clone()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
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
            FailureKind::Unavailable => StorageError::Unavailable("the case says so".into()),
            FailureKind::Internal => StorageError::Internal("the case says so".into()),
        })
    }

    fn handed_over(&self, key: &KeyRecord) {
        let record = json!({
            "id": key.id,
            "prefix": key.prefix,
            "lookup": key.lookup,
            "hash": hex(&key.hash),
            "user_id": key.user_id,
            "project_id": key.project_id,
            "name": key.name,
            "scopes": key.scopes,
            "created_at": key.created_at,
            "updated_at": key.updated_at,
            "expires_at": key.expires_at,
            "last_used_at": key.last_used_at,
            "revoked_at": key.revoked_at,
            "revocation_reason": key.revocation_reason,
            "rotated_from": key.rotated_from,
            "rotated_to": key.rotated_to,
            "revision": key.revision,
        });
        self.log().written.push(record);
    }
}

impl<S: Storage> Storage for Recorder<S> {
    async fn insert_key(&self, key: KeyRecord) -> Result<(), StorageError> {
        self.handed_over(&key);
        self.called("insert-key")?;
        self.storage.insert_key(key).await
    }

    async fn find_key(&self, id: &str) -> Result<Option<KeyRecord>, StorageError> {
        self.called("find-key")?;
        self.storage.find_key(id).await
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>, StorageError> {
        self.called("find-key-by-lookup")?;
        self.storage.find_key_by_lookup(lookup).await
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>, StorageError> {
        self.called("list-keys")?;
        self.storage.list_keys(filter).await
    }

    async fn update_key(&self, key: KeyRecord) -> Result<(), StorageError> {
        self.handed_over(&key);
        self.called("update-key")?;
        self.storage.update_key(key).await
    }

    async fn rotate_key(&self, key: KeyRecord, replacement: KeyRecord) -> Result<(), StorageError> {
        self.handed_over(&key);
        self.handed_over(&replacement);
        self.called("rotate-key")?;
        self.storage.rotate_key(key, replacement).await
    }

    fn record_use(&self, id: &str, at: i64) {
        // It can't fail, so neither can its recording.
        let _ = self.called("record-use");
        self.storage.record_use(id, at);
    }

    async fn find_project(&self, reference: &ProjectReference, user_id: &str) -> Result<Option<String>, StorageError> {
        self.called("find-project")?;
        self.storage.find_project(reference, user_id).await
    }
}
