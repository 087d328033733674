//! What the component can reach: storage, caller and policy, clock and random numbers.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use wasmtime::{Result, bail};

use crate::{
    bindings::{
        keycell::api_keys::{context, storage as wit},
        wasi::{clocks::wall_clock, random::random},
    },
    caller::Caller,
    error::log_cause,
    policy::Policy,
    storage::{Storage, StorageError},
};

/// Where the component's time comes from.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Where the component's random bytes come from: fills its argument, or fails whole.
pub type Random = Arc<dyn Fn(&mut [u8]) -> std::io::Result<()> + Send + Sync>;

/// The most random bytes that one host call gives.
const MOST_RANDOM_BYTES: u64 = 4096;

/// What stays the same from call to call.
pub(crate) struct Shared<S> {
    pub storage: S,
    pub policy: Policy,
    pub clock: Clock,
    pub random: Random,
}

/// What one call's instance reaches through its imports.
pub(crate) struct Imports<S> {
    pub shared: Arc<Shared<S>>,
    pub caller: Option<Caller>,
    /// Whether storage is reached, or is never available.
    pub reaches_storage: bool,
}

impl<S> Imports<S> {
    fn storage(&self) -> std::result::Result<&S, wit::Error> {
        if self.reaches_storage { Ok(&self.shared.storage) } else { Err(wit::Error::Unavailable) }
    }
}

/// A storage error as the component is told of it; the cause goes to the log.
fn told(error: StorageError) -> wit::Error {
    match error {
        StorageError::Conflict => wit::Error::Conflict,
        StorageError::Unavailable(cause) => {
            tracing::warn!("storage is unavailable: {cause:#}");
            wit::Error::Unavailable
        }
        StorageError::Internal(cause) => wit::Error::Internal(log_cause(&*cause)),
    }
}

/// What was looked for, as the component is told of it.
fn found<T>(answer: Result<Option<T>, StorageError>) -> Result<T, wit::Error> {
    answer.map_err(told)?.ok_or(wit::Error::NotFound)
}

impl<S: Storage> wit::Host for Imports<S> {
    async fn insert_key(&mut self, key: wit::KeyRecord) -> Result<Result<(), wit::Error>> {
        Ok(async { self.storage()?.insert_key(key).await.map_err(told) }.await)
    }

    async fn find_key(&mut self, id: String) -> Result<Result<wit::KeyRecord, wit::Error>> {
        Ok(async { found(self.storage()?.find_key(&id).await) }.await)
    }

    async fn find_key_by_lookup(&mut self, lookup: String) -> Result<Result<wit::KeyRecord, wit::Error>> {
        Ok(async { found(self.storage()?.find_key_by_lookup(&lookup).await) }.await)
    }

    async fn list_keys(&mut self, filter: wit::KeyFilter) -> Result<Result<Vec<wit::KeyRecord>, wit::Error>> {
        Ok(async { self.storage()?.list_keys(filter).await.map_err(told) }.await)
    }

    async fn update_key(&mut self, key: wit::KeyRecord) -> Result<Result<(), wit::Error>> {
        Ok(async { self.storage()?.update_key(key).await.map_err(told) }.await)
    }

    async fn rotate_key(&mut self, key: wit::KeyRecord, replacement: wit::KeyRecord) -> Result<Result<(), wit::Error>> {
        Ok(async { self.storage()?.rotate_key(key, replacement).await.map_err(told) }.await)
    }

    async fn record_use(&mut self, id: String, at: i64) -> Result<()> {
        if let Ok(storage) = self.storage() {
            storage.record_use(&id, at);
        }
        Ok(())
    }

    async fn find_project(
        &mut self,
        reference: wit::ProjectReference,
        user_id: String,
    ) -> Result<Result<String, wit::Error>> {
        Ok(async { found(self.storage()?.find_project(&reference, &user_id).await) }.await)
    }
}

impl<S: Storage> context::Host for Imports<S> {
    fn get_caller(&mut self) -> Result<context::Caller> {
        match &self.caller {
            Some(caller) => Ok(caller.into()),
            None => bail!("the component asked for the caller of a call that has none"),
        }
    }

    fn get_policy(&mut self) -> Result<context::Policy> {
        Ok((&self.shared.policy).into())
    }

    fn report_internal(&mut self, cause: context::InternalCause) -> Result<String> {
        Ok(log_cause(match cause {
            context::InternalCause::Policy => "the policy breaks its own rules",
            context::InternalCause::Caller => "the caller expires at a time outside the years 1970 to 9999",
            context::InternalCause::Clock => "the clock shows a time outside the years 1970 to 9999",
            context::InternalCause::StorageRecord => "a stored record breaks the rules of records",
        }))
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
        if len > MOST_RANDOM_BYTES {
            bail!("the component asked for {len} random bytes at once");
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
