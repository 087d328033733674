//! The API-key authority: one component on one storage.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use wasmtime::component::{ComponentNamedList, Lift, Lower};

use crate::{
    api_key::{
        ApiKey, ApiKeyDetails, ApiKeyPage, CreateApiKey, CreatedApiKey, IssueApiKey, IssuedApiKey, ListApiKeys,
        UpdateApiKey,
    },
    arguments::{cut, cut_list},
    bindings::exports::keycell::api_keys::api_keys as guest,
    caller::Caller,
    caller_details::CallerDetails,
    component::{Component, ComponentError},
    error::{Error, Fault},
    event::{EventPage, ListEvents},
    imports::{Clock, Random, Shared},
    limits::Limits,
    policy::Policy,
    response::Response,
    sandbox::{Export, Sandbox},
    storage::Storage,
    verification::Verification,
};

/// The API-key authority: a component and its storage.
///
/// Each call runs in a fresh instance of the component. Share it by reference or in an
/// [`Arc`]: calls run at the same time. A process has one pool of instances, however many
/// authorities it has.
pub struct Keycell<S: Storage> {
    sandbox: Sandbox<S>,
}

/// Builder for [`Keycell`].
pub struct Builder<S> {
    shared: Shared<S>,
    component: Option<Component>,
}

impl<S: Storage> Builder<S> {
    /// Sets the issuer's policy. Default: prefix `keycell`, no default scopes, unlimited life.
    ///
    /// The component checks the policy, when a call needs it. If the default life is longer than
    /// the longest, or a default scope is not grantable, each of these calls is
    /// [`Error::Internal`], and the log says that the policy is invalid.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.shared.policy = policy;
        self
    }

    /// Sets the clock. Default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.shared.clock = clock;
        self
    }

    /// Sets the source of random bytes. Default: the system's. Keys are as hard to guess as these
    /// bytes.
    #[must_use]
    pub fn random(mut self, random: Random) -> Self {
        self.shared.random = random;
        self
    }

    /// Sets the component. Default: the built-in one.
    #[must_use]
    pub fn component(mut self, component: Component) -> Self {
        self.component = Some(component);
        self
    }

    /// Builds the authority.
    ///
    /// # Errors
    ///
    /// The component is not of the world `keycell`, or the sandbox cannot be set up.
    pub fn build(self) -> Result<Keycell<S>, ComponentError> {
        let component = self.component.map_or_else(Component::built_in, Ok)?;
        Ok(Keycell { sandbox: Sandbox::new(&component, self.shared)? })
    }
}

impl<S: Storage> Keycell<S> {
    /// Creates an authority with the built-in component, the default policy and the system's clock
    /// and random numbers.
    ///
    /// # Errors
    ///
    /// The sandbox cannot be set up.
    pub fn new(storage: S) -> Result<Self, ComponentError> {
        Self::builder(storage).build()
    }

    /// Creates a builder for an authority on this storage.
    pub fn builder(storage: S) -> Builder<S> {
        let shared = Shared {
            storage,
            policy: Policy::default(),
            limits: Limits::default(),
            clock: Arc::new(SystemTime::now),
            random: Arc::new(|bytes| getrandom::fill(bytes).map_err(std::io::Error::from)),
        };
        Builder { shared, component: None }
    }

    /// The storage.
    pub fn storage(&self) -> &S {
        &self.sandbox.shared().storage
    }

    /// The issuer's policy.
    pub fn policy(&self) -> &Policy {
        &self.sandbox.shared().policy
    }

    /// The number of instances of the component that calls hold now, in the whole process. At most
    /// 64; further calls wait.
    pub fn instances_in_use(&self) -> usize {
        self.sandbox.instances_in_use()
    }

    /// Authenticates the caller and returns what it may do.
    ///
    /// # Errors
    ///
    /// [`Error::Unauthenticated`] for a bearer whose key is not valid, [`Error::Forbidden`] for the
    /// host; storage or the component fails.
    pub async fn describe_caller(&self, caller: &Caller) -> Result<CallerDetails, Error> {
        self.call(Export::DescribeCaller, caller, ()).await
    }

    /// Creates a key for the caller or for a project. The key itself is returned only now.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `NotActive`.
    pub async fn create_api_key(&self, caller: &Caller, request: CreateApiKey) -> Result<CreatedApiKey, Error> {
        let CreateApiKey { name, project_reference, expires_at } = request;
        let params = (cut(&name), project_reference.as_deref().map(cut), expires_at.as_deref().map(cut));
        self.call(Export::CreateApiKey, caller, params).await
    }

    /// Creates a key with all options. The key itself is returned only now. With an idempotency
    /// key, the call can be repeated for 24 hours: the newest answer has the secret that is valid.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `NotActive`; `Conflict` if the idempotency key was used with other
    /// arguments, or the key that it issued has been used, revoked or rotated.
    pub async fn issue_api_key(&self, caller: &Caller, request: IssueApiKey) -> Result<IssuedApiKey, Error> {
        self.call(Export::IssueApiKey, caller, (guest::IssueRequest::from(request),)).await
    }

    /// Gets the basic fields of a key.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Conflict` and `NotActive`.
    pub async fn get_api_key(&self, caller: &Caller, api_key_id: &str) -> Result<ApiKey, Error> {
        self.call(Export::GetApiKey, caller, (cut(api_key_id),)).await
    }

    /// Gets all fields of a key.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Conflict` and `NotActive`.
    pub async fn describe_api_key(&self, caller: &Caller, api_key_id: &str) -> Result<ApiKeyDetails, Error> {
        self.call(Export::DescribeApiKey, caller, (cut(api_key_id),)).await
    }

    /// Verifies a presented key and the scopes that it must have. The use of a valid key is
    /// recorded in memory and stored later.
    ///
    /// # Errors
    ///
    /// A scope is invalid, the caller is a bearer whose key is not valid or lacks
    /// `api-keys:verify`, or storage or the component fails. A refused key is not an error.
    pub async fn verify_api_key(&self, caller: &Caller, key: &str, scopes: &[&str]) -> Result<Verification, Error> {
        let scopes = cut_list(scopes.iter().map(|&scope| scope.to_owned()));
        self.call(Export::VerifyApiKey, caller, (cut(key), scopes.as_slice())).await
    }

    /// Lists keys, newest first.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Conflict` and `NotActive`.
    pub async fn list_api_keys(&self, caller: &Caller, request: ListApiKeys) -> Result<ApiKeyPage, Error> {
        self.call(Export::ListApiKeys, caller, (guest::ListRequest::from(request),)).await
    }

    /// Revokes a key at once and permanently. A revoked key stays as it is.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `NotActive`; `Conflict` if `if_revision` is not the record's.
    pub async fn revoke_api_key(
        &self,
        caller: &Caller,
        api_key_id: &str,
        reason: Option<&str>,
        if_revision: Option<u32>,
    ) -> Result<ApiKeyDetails, Error> {
        self.call(Export::RevokeApiKey, caller, (cut(api_key_id), reason.map(cut), if_revision)).await
    }

    /// Replaces a key by a new one with the same name, project, scopes, metadata, limit and expiry.
    /// The old key expires after the grace period, rounded up to a second, and never later than
    /// before.
    ///
    /// # Errors
    ///
    /// Each of [`Error`]; `Conflict` if `if_revision` is not the record's.
    pub async fn rotate_api_key(
        &self,
        caller: &Caller,
        api_key_id: &str,
        grace: Duration,
        if_revision: Option<u32>,
    ) -> Result<CreatedApiKey, Error> {
        let seconds = grace.as_secs().saturating_add(u64::from(grace.subsec_nanos() > 0));
        let grace_seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.call(Export::RotateApiKey, caller, (cut(api_key_id), Some(grace_seconds), if_revision)).await
    }

    /// Changes a key's name, metadata or rate limit, or moves its expiry to an earlier time.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `NotActive`; `Conflict` if `if_revision` is not the record's.
    pub async fn update_api_key(
        &self,
        caller: &Caller,
        api_key_id: &str,
        changes: UpdateApiKey,
    ) -> Result<ApiKeyDetails, Error> {
        self.call(Export::UpdateApiKey, caller, (cut(api_key_id), guest::ApiKeyChanges::from(changes))).await
    }

    /// Lists the changes of keys, newest first.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Conflict` and `NotActive`.
    pub async fn list_events(&self, caller: &Caller, request: ListEvents) -> Result<EventPage, Error> {
        self.call(Export::ListEvents, caller, (guest::EventRequest::from(request),)).await
    }

    /// The error for faults that the host has found. The component authenticates the caller before
    /// it checks arguments, and so does this.
    pub(crate) async fn invalid_input(&self, caller: &Caller, faults: Vec<Fault>) -> Error {
        match self.describe_caller(caller).await {
            Err(error) if !caller.is_host() => error,
            _ => Error::InvalidInput { faults },
        }
    }

    pub(crate) fn sandbox(&self) -> &Sandbox<S> {
        &self.sandbox
    }

    /// Calls the component and parses its response.
    pub(crate) async fn call<P, R>(&self, export: Export, caller: &Caller, params: P) -> Result<R, Error>
    where
        P: ComponentNamedList + Lower + Clone + Send + Sync,
        R: Response,
        Result<R::Guest, guest::Error>: Lift + Send + Sync + 'static,
    {
        let response = self.sandbox.call(export, caller, params).await.map_err(|trap| Error::internal(&trap))?;
        tracing::debug!(user = caller.user_id(), succeeded = response.is_ok(), "{}", export.name());
        R::parse(response?).map_err(|invalid| Error::internal(&invalid))
    }
}
