//! The world `keyvalue`: the host's bucket and the exports.

use std::sync::OnceLock;

use crate::{
    Result,
    bindings::wasi::keyvalue::{atomics, store},
    bucket::Bucket,
    context,
    context_types::{self, Caller, InternalCause, Policy},
    keys, limits, limits_types, projects,
    storage::{
        self, Error, EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyRole, ProjectReference,
        ProjectRole,
    },
};

/// The name of the bucket, and the name on hosts that have one bucket without a name.
const IDENTIFIERS: [&str; 2] = ["keycell", ""];

struct Guest;

#[allow(unsafe_code, reason = "generated")]
mod export {
    crate::bindings::export!(Guest with_types_in crate::bindings);
    use super::Guest;
}

/// The bucket, opened once: some hosts open a copy each time, and lose its entries when it is closed.
fn bucket() -> Result<&'static store::Bucket> {
    static BUCKET: OnceLock<store::Bucket> = OnceLock::new();
    if let Some(bucket) = BUCKET.get() {
        return Ok(bucket);
    }
    let [name, unnamed] = IDENTIFIERS;
    let opened = match store::open(name) {
        Err(store::Error::NoSuchStore) => store::open(unnamed),
        opened => opened,
    }?;
    Ok(BUCKET.get_or_init(|| opened))
}

/// The host, which reports the error, knows its cause.
impl From<store::Error> for Error {
    fn from(_: store::Error) -> Self {
        Self::Unavailable
    }
}

impl Bucket for store::Bucket {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(store::Bucket::get(self, name)?)
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<()> {
        Ok(store::Bucket::set(self, name, value)?)
    }

    fn delete(&self, name: &str) -> Result<()> {
        Ok(store::Bucket::delete(self, name)?)
    }

    fn increment(&self, name: &str, delta: u64) -> Result<u64> {
        Ok(atomics::increment(self, name, delta)?)
    }

    fn for_each_name(&self, see: &mut dyn FnMut(&str)) -> Result<()> {
        let mut cursor = None;
        loop {
            let page = self.list_keys(cursor)?;
            page.keys.iter().for_each(|name| see(name));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }
}

impl storage::Guest for Guest {
    fn insert_key(key: KeyRecord, event: EventRecord, request: Option<IdempotentRequest>) -> Result<()> {
        keys::insert_key(bucket()?, &key, &event, request.as_ref())
    }

    fn find_key(id: String, viewer: String) -> Result<KeyRole> {
        keys::find_key(bucket()?, &id, &viewer)
    }

    fn find_key_by_lookup(lookup: String) -> Result<KeyRecord> {
        keys::find_key_by_lookup(bucket()?, &lookup)
    }

    fn find_request(user_id: String, idempotency_key: String, now: i64) -> Result<IdempotentRequest> {
        keys::find_request(bucket()?, &user_id, &idempotency_key, now)
    }

    fn list_keys(filter: KeyFilter) -> Result<Vec<KeyRecord>> {
        keys::list_keys(bucket()?, &filter)
    }

    fn list_events(filter: EventFilter) -> Result<Vec<EventRecord>> {
        keys::list_events(bucket()?, &filter)
    }

    fn update_key(key: KeyRecord, event: EventRecord) -> Result<()> {
        keys::update_key(bucket()?, &key, &event)
    }

    fn rotate_key(
        key: KeyRecord,
        event: EventRecord,
        replacement: KeyRecord,
        replacement_event: EventRecord,
    ) -> Result<()> {
        keys::rotate_key(bucket()?, &key, &event, &replacement, &replacement_event)
    }

    fn replace_secret(key: KeyRecord, event: EventRecord) -> Result<()> {
        keys::replace_secret(bucket()?, &key, &event)
    }

    /// A use that cannot be stored is lost. The key is still valid.
    fn record_use(id: String, at: i64) {
        let _ = bucket().and_then(|bucket| keys::record_use(bucket, &id, at));
    }

    fn find_project(reference: ProjectReference, user_id: String) -> Result<ProjectRole> {
        projects::find_project(bucket()?, &reference, &user_id)
    }
}

// The following functions have no error, so a store that fails ends the call with a trap.

impl limits_types::Guest for Guest {
    fn load(key_id: String) -> i64 {
        bucket().and_then(|bucket| limits::load(bucket, &key_id)).expect("the store must hold the rate limit")
    }

    fn compare_and_store(key_id: String, expected: i64, new: i64) -> bool {
        let stored = bucket().and_then(|bucket| limits::compare_and_store(bucket, &key_id, expected, new));
        stored.expect("the store must hold the rate limit")
    }
}

impl context_types::Guest for Guest {
    fn get_caller() -> Caller {
        bucket().and_then(|bucket| context::caller(bucket)).expect("the bucket must have a readable caller")
    }

    fn get_policy() -> Policy {
        bucket().and_then(|bucket| context::policy(bucket)).expect("the bucket must have a policy.prefix")
    }

    fn report_internal(cause: InternalCause) -> String {
        let cause = match cause {
            InternalCause::Policy => "the policy is invalid: check its prefix, scopes and lives",
            InternalCause::Caller => "the caller's user id is invalid: correct the entry caller.user-id",
            InternalCause::Clock => "the clock is outside the years 1970 to 9999: set the system's time",
            InternalCause::StorageRecord => "a stored record is invalid: check the bucket for damage",
        };
        bucket().and_then(|bucket| (bucket as &dyn Bucket).report(cause)).expect("the store must take an incident")
    }
}
