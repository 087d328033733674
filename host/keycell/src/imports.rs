//! The imports of the component: storage, caller and policy, rate limits, clock and random numbers.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use wasmtime::{Result, bail, error::Context as _};

use crate::{
    bindings::{
        keycell::api_keys::{context, limits, storage as wit},
        wasi::{clocks::wall_clock, random::random},
    },
    caller::Caller,
    error::log_cause,
    limits::Limits,
    policy::Policy,
    storage::{Storage, StorageError},
};

/// The source of the component's time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The source of the component's random bytes. It fills its argument, or fails as a whole.
pub type Random = Arc<dyn Fn(&mut [u8]) -> std::io::Result<()> + Send + Sync>;

/// The maximum number of random bytes of one host call.
const MAX_RANDOM_BYTES: u64 = 4096;

/// The state that all calls share.
pub(crate) struct Shared<S> {
    pub storage: S,
    pub policy: Policy,
    pub limits: Limits,
    pub clock: Clock,
    pub random: Random,
}

/// The imports of one call's instance.
pub(crate) struct Imports<S> {
    pub shared: Arc<Shared<S>>,
    /// The caller; `None` until a call begins.
    pub caller: Option<Caller>,
    /// Whether the call has counted a verification for a rate limit.
    pub has_counted: bool,
}

type Answer<T> = Result<std::result::Result<T, wit::Error>>;

/// Maps a storage error to the component's; the cause goes to the log.
fn storage_error(error: StorageError) -> wit::Error {
    match error {
        StorageError::Conflict => wit::Error::Conflict,
        StorageError::Unavailable(cause) => {
            tracing::warn!("storage is not available: {cause:#}");
            wit::Error::Unavailable
        }
        StorageError::Internal(cause) => wit::Error::Internal(log_cause(&*cause)),
    }
}

fn done(result: std::result::Result<(), StorageError>) -> Answer<()> {
    Ok(result.map_err(storage_error))
}

fn found<T, U: From<T>>(result: std::result::Result<Option<T>, StorageError>) -> Answer<U> {
    Ok(result.map_err(storage_error).and_then(|found| found.map(U::from).ok_or(wit::Error::NotFound)))
}

fn listed<T, U: From<T>>(result: std::result::Result<Vec<T>, StorageError>) -> Answer<Vec<U>> {
    Ok(result.map_err(storage_error).map(|records| records.into_iter().map(U::from).collect()))
}

impl<S: Storage> wit::Host for Imports<S> {
    async fn insert_key(
        &mut self,
        key: wit::KeyRecord,
        event: wit::EventRecord,
        request: Option<wit::IdempotentRequest>,
    ) -> Answer<()> {
        done(self.shared.storage.insert_key(key.into(), event.into(), request.map(Into::into)).await)
    }

    async fn find_key(&mut self, id: String, viewer: String) -> Answer<wit::KeyRole> {
        found(self.shared.storage.find_key(&id, &viewer).await)
    }

    async fn find_key_by_lookup(&mut self, lookup: String) -> Answer<wit::KeyRecord> {
        found(self.shared.storage.find_key_by_lookup(&lookup).await)
    }

    async fn find_request(
        &mut self,
        user_id: String,
        idempotency_key: String,
        now: i64,
    ) -> Answer<wit::IdempotentRequest> {
        found(self.shared.storage.find_request(&user_id, &idempotency_key, now).await)
    }

    async fn list_keys(&mut self, filter: wit::KeyFilter) -> Answer<Vec<wit::KeyRecord>> {
        listed(self.shared.storage.list_keys(filter.into()).await)
    }

    async fn list_events(&mut self, filter: wit::EventFilter) -> Answer<Vec<wit::EventRecord>> {
        listed(self.shared.storage.list_events(filter.into()).await)
    }

    async fn update_key(&mut self, key: wit::KeyRecord, event: wit::EventRecord) -> Answer<()> {
        done(self.shared.storage.update_key(key.into(), event.into()).await)
    }

    async fn rotate_key(
        &mut self,
        key: wit::KeyRecord,
        event: wit::EventRecord,
        replacement: wit::KeyRecord,
        replacement_event: wit::EventRecord,
    ) -> Answer<()> {
        let storage = &self.shared.storage;
        done(storage.rotate_key(key.into(), event.into(), replacement.into(), replacement_event.into()).await)
    }

    async fn replace_secret(&mut self, key: wit::KeyRecord, event: wit::EventRecord) -> Answer<()> {
        done(self.shared.storage.replace_secret(key.into(), event.into()).await)
    }

    async fn record_use(&mut self, id: String, at: i64) -> Result<()> {
        self.shared.storage.record_use(&id, at);
        Ok(())
    }

    async fn find_project(&mut self, reference: wit::ProjectReference, user_id: String) -> Answer<wit::ProjectRole> {
        found(self.shared.storage.find_project(&reference.into(), &user_id).await)
    }
}

impl<S: Storage> context::Host for Imports<S> {
    fn get_caller(&mut self) -> Result<context::Caller> {
        Ok(self.caller.as_ref().context("no call has begun")?.into())
    }

    fn get_policy(&mut self) -> Result<context::Policy> {
        Ok((&self.shared.policy).into())
    }

    fn report_internal(&mut self, cause: context::InternalCause) -> Result<String> {
        Ok(log_cause(match cause {
            context::InternalCause::Policy => "the policy is invalid: check its prefix, scopes and lives",
            context::InternalCause::Caller => {
                "the caller's user id is invalid: it must have 1 to 255 bytes, no control characters and no API key in it"
            }
            context::InternalCause::Clock => "the clock is outside the years 1970 to 9999: set the system's time",
            context::InternalCause::StorageRecord => "a stored record is invalid: check the storage for damage",
        }))
    }
}

impl<S: Storage> limits::Host for Imports<S> {
    fn load(&mut self, key_id: String) -> Result<i64> {
        Ok(self.shared.limits.load(&key_id))
    }

    fn compare_and_store(&mut self, key_id: String, expected: i64, new: i64) -> Result<bool> {
        let now = (self.shared.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let is_stored = self.shared.limits.compare_and_store(&key_id, expected, new, now);
        self.has_counted |= is_stored;
        Ok(is_stored)
    }
}

impl<S: Storage> wall_clock::Host for Imports<S> {
    fn now(&mut self) -> Result<wall_clock::Datetime> {
        let now = (self.shared.clock)().duration_since(UNIX_EPOCH)?;
        Ok(wall_clock::Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() })
    }

    fn resolution(&mut self) -> Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime { seconds: 0, nanoseconds: 1_000_000 })
    }
}

impl<S: Storage> random::Host for Imports<S> {
    fn get_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        if len > MAX_RANDOM_BYTES {
            bail!("the component asked for {len} random bytes at once, more than {MAX_RANDOM_BYTES}");
        }
        let mut bytes = vec![0; usize::try_from(len)?];
        (self.shared.random)(&mut bytes)?;
        Ok(bytes)
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        (self.shared.random)(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}
