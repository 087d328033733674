//! The library's front door.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use keycell_component::fault;
use wasmtime::component::{ComponentNamedList, Lift, Lower};

use crate::{
    answer::Answer,
    api_key::{ApiKey, CreateApiKey, CreatedApiKey},
    bindings::exports::keycell::api_keys::api_keys as guest,
    caller::Caller,
    component::{Component, ComponentError},
    error::{Error, Fault},
    imports::{Clock, Random, Shared},
    lifecycle::{ApiKeyPage, ListApiKeys, ListedApiKey, UpdateApiKey},
    policy::Policy,
    sandbox::Sandbox,
    storage::Storage,
    verification::Verification,
};

/// The longest text that is passed to the component, in bytes.
const LONGEST_ARGUMENT: usize = 64 << 10;

/// The authority: a component, and the storage that it works on.
pub struct Keycell<S: Storage> {
    sandbox: Sandbox<S>,
}

/// What a [`Keycell`] is built from.
pub struct Builder<S> {
    shared: Shared<S>,
    component: Option<Component>,
}

impl<S: Storage> Builder<S> {
    /// Sets the issuer's policy. By default: prefix `keycell`, no scopes, unlimited life.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.shared.policy = policy;
        self
    }

    /// Sets the clock. By default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.shared.clock = clock;
        self
    }

    /// Sets the source of random bytes. By default: the system's. Keys are as unguessable as
    /// these bytes are.
    #[must_use]
    pub fn random(mut self, random: Random) -> Self {
        self.shared.random = random;
        self
    }

    /// Sets the component. By default: the built-in one.
    #[must_use]
    pub fn component(mut self, component: Component) -> Self {
        self.component = Some(component);
        self
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// The component is not of the world `keycell`, or the sandbox can't be set up.
    pub fn build(self) -> Result<Keycell<S>, ComponentError> {
        let component = self.component.map_or_else(Component::built_in, Ok)?;
        Ok(Keycell { sandbox: Sandbox::new(&component, self.shared)? })
    }
}

impl<S: Storage> Keycell<S> {
    /// The built-in component on this storage, with the system's clock and random numbers.
    ///
    /// # Errors
    ///
    /// The sandbox can't be set up.
    pub fn new(storage: S) -> Result<Self, ComponentError> {
        Self::builder(storage).build()
    }

    /// Begins to build one on this storage.
    pub fn builder(storage: S) -> Builder<S> {
        let shared = Shared {
            storage,
            policy: Policy::default(),
            clock: Arc::new(SystemTime::now),
            random: Arc::new(|bytes| getrandom::fill(bytes).map_err(std::io::Error::from)),
        };
        Builder { shared, component: None }
    }

    /// The storage.
    pub fn storage(&self) -> &S {
        &self.sandbox.shared().storage
    }

    /// Creates a key for the caller or for a project of theirs. The key itself is told this once.
    ///
    /// # Errors
    ///
    /// Each of [`Error`].
    pub async fn create_api_key(&self, caller: &Caller, request: CreateApiKey) -> Result<CreatedApiKey, Error> {
        let CreateApiKey { name, project_reference, expires_at } = request;
        bounded(&[
            ("name", name.len()),
            ("project_reference", length(project_reference.as_deref())),
            ("expires_at", length(expires_at.as_deref())),
        ])?;
        let params = (name.as_str(), project_reference.as_deref(), expires_at.as_deref());
        self.call("create-api-key", Some(caller), params).await
    }

    /// Gets what is known of a key that the caller may see.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Conflict`.
    pub async fn get_api_key(&self, caller: &Caller, api_key_id: &str) -> Result<ApiKey, Error> {
        bounded(&[("api_key_id", api_key_id.len())])?;
        self.call("get-api-key", Some(caller), (api_key_id,)).await
    }

    /// Tells who a presented key is, if it is good and has all of these scopes. Nothing is written:
    /// the use of a good key is noted, and stored later.
    ///
    /// # Errors
    ///
    /// A scope is none, or storage or the component fails. A refused key is no error.
    pub async fn verify_api_key(&self, key: &str, scopes: &[&str]) -> Result<Verification, Error> {
        // No key is that long, and its length is all that is wrong with it.
        let key = if key.len() > LONGEST_ARGUMENT { "" } else { key };
        let scopes: Vec<_> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        // Each takes its place in the list, too, so that many empty ones are too many.
        let places = scopes.len() * size_of::<u64>();
        bounded(&[("scopes", places + scopes.iter().map(String::len).sum::<usize>())])?;
        self.call("verify-api-key", None, (key, scopes.as_slice())).await
    }

    /// Lists the caller's keys, newest first.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Conflict`.
    pub async fn list_api_keys(&self, caller: &Caller, request: ListApiKeys) -> Result<ApiKeyPage, Error> {
        let ListApiKeys { status, project_reference, limit, cursor } = request;
        let (status, project_reference, cursor) = (status.as_deref(), project_reference.as_deref(), cursor.as_deref());
        bounded(&[
            ("status", length(status)),
            ("project_reference", length(project_reference)),
            ("cursor", length(cursor)),
        ])?;
        self.call("list-api-keys", Some(caller), (status, project_reference, limit, cursor)).await
    }

    /// Revokes a key, at once and for good. One that was revoked before stays as it was.
    ///
    /// # Errors
    ///
    /// Each of [`Error`].
    pub async fn revoke_api_key(
        &self,
        caller: &Caller,
        api_key_id: &str,
        reason: Option<&str>,
    ) -> Result<ListedApiKey, Error> {
        bounded(&[("api_key_id", api_key_id.len()), ("reason", length(reason))])?;
        self.call("revoke-api-key", Some(caller), (api_key_id, reason)).await
    }

    /// Replaces a key by a new one of the same name, project, scopes and expiry. The old one expires
    /// after the grace period, rounded up to a second, and never later than it did anyway.
    ///
    /// # Errors
    ///
    /// Each of [`Error`]: `Conflict` if the key is no longer active or was rotated before.
    pub async fn rotate_api_key(
        &self,
        caller: &Caller,
        api_key_id: &str,
        grace: Duration,
    ) -> Result<CreatedApiKey, Error> {
        bounded(&[("api_key_id", api_key_id.len())])?;
        let seconds = grace.as_secs().saturating_add(u64::from(grace.subsec_nanos() > 0));
        let grace_seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.call("rotate-api-key", Some(caller), (api_key_id, Some(grace_seconds))).await
    }

    /// Changes a key's name, or lets it expire earlier.
    ///
    /// # Errors
    ///
    /// Each of [`Error`].
    pub async fn update_api_key(
        &self,
        caller: &Caller,
        api_key_id: &str,
        changes: UpdateApiKey,
    ) -> Result<ListedApiKey, Error> {
        let (name, expires_at) = (changes.name.as_deref(), changes.expires_at.as_deref());
        bounded(&[("api_key_id", api_key_id.len()), ("name", length(name)), ("expires_at", length(expires_at))])?;
        self.call("update-api-key", Some(caller), (api_key_id, name, expires_at)).await
    }

    /// The same, where storage is never available: no call changes or reads anything.
    #[cfg(feature = "tools")]
    pub(crate) fn without_storage(&self) -> Self {
        Self { sandbox: self.sandbox.without_storage() }
    }

    pub(crate) fn sandbox(&self) -> &Sandbox<S> {
        &self.sandbox
    }

    /// One call of the component, with its answer made sense of.
    async fn call<P, A>(&self, export: &str, caller: Option<&Caller>, params: P) -> Result<A, Error>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        A: Answer,
        Result<A::Guest, guest::Error>: Lift + Send + Sync + 'static,
    {
        let answer = self.sandbox.call(export, caller, params).await.map_err(|trap| Error::internal(&trap))?;
        tracing::debug!(user = caller.map(Caller::user_id), succeeded = answer.is_ok(), "{export}");
        A::read(answer?).map_err(|nonsense| Error::internal(&nonsense))
    }
}

/// Keeps what no argument needs out of the component's small memory.
fn bounded(arguments: &[(&str, usize)]) -> Result<(), Error> {
    let too_long = arguments.iter().filter(|&&(_, length)| length > LONGEST_ARGUMENT);
    let faults: Vec<_> = too_long.map(|&(field, _)| Fault::from((field, fault::Fault::TooLong))).collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::InvalidInput { faults }) }
}

fn length(text: Option<&str>) -> usize {
    text.map_or(0, str::len)
}
