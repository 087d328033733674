//! The library's front door.

use std::{sync::Arc, time::SystemTime};

use wasmtime::{Result as WasmResult, Store};

use crate::{
    api_key::{ApiKey, CreateApiKey, CreatedApiKey},
    bindings::{self, exports::keycell::api_keys::api_keys as guest},
    caller::Caller,
    component::{Component, ComponentError},
    error::{Error, Fault},
    imports::{Clock, Random, Shared},
    policy::Policy,
    sandbox::{Sandbox, State},
    storage::Storage,
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
            ("name", &name),
            ("project_reference", project_reference.as_deref().unwrap_or_default()),
            ("expires_at", expires_at.as_deref().unwrap_or_default()),
        ])?;
        self.call("create_api_key", Some(caller), async |store, api_keys| {
            api_keys.call_create_api_key(store, &name, project_reference.as_deref(), expires_at.as_deref()).await
        })
        .await
    }

    /// Gets what is known of a key that the caller may see.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Forbidden` and `Conflict`.
    pub async fn get_api_key(&self, caller: &Caller, api_key_id: &str) -> Result<ApiKey, Error> {
        bounded(&[("api_key_id", api_key_id)])?;
        self.call("get_api_key", Some(caller), async |store, api_keys| {
            api_keys.call_get_api_key(store, api_key_id).await
        })
        .await
    }

    pub(crate) fn sandbox(&self) -> &Sandbox<S> {
        &self.sandbox
    }

    /// One call of the component, with its answer made sense of.
    async fn call<A, T>(
        &self,
        name: &str,
        caller: Option<&Caller>,
        call: impl AsyncFnOnce(&mut Store<State<S>>, &guest::Guest) -> WasmResult<Result<A, guest::Error>>,
    ) -> Result<T, Error>
    where
        T: TryFrom<A, Error: std::fmt::Display>,
    {
        let instance_call = async |store: &mut Store<State<S>>, instance: &bindings::Keycell| {
            call(store, instance.keycell_api_keys_api_keys()).await
        };
        let answer = self.sandbox.call(caller, instance_call).await.map_err(|trap| Error::internal(&trap))?;
        tracing::debug!(user = caller.map(Caller::user_id), succeeded = answer.is_ok(), "{name}");
        T::try_from(answer?).map_err(|nonsense| Error::internal(&nonsense))
    }
}

/// Keeps what no argument needs out of the component's small memory.
fn bounded(arguments: &[(&str, &str)]) -> Result<(), Error> {
    let too_long = arguments.iter().filter(|(_, text)| text.len() > LONGEST_ARGUMENT);
    let faults: Vec<_> =
        too_long.map(|(field, _)| Fault::from((*field, keycell_component::fault::Fault::TooLong))).collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::InvalidInput { faults }) }
}
