//! The sandbox: one fresh instance of the component for each call.

use std::{collections::HashMap, sync::Arc};

use wasmtime::{
    Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline,
    component::{
        ComponentExportIndex, ComponentNamedList, HasSelf, Instance, InstancePre, Lift, Linker, Lower, TypedFunc,
    },
    error::Context as _,
};

use crate::{
    ahead::Ahead,
    at_once,
    bindings::{self, KeycellPre, exports::keycell::api_keys::api_keys::Error},
    caller::Caller,
    component::{Component, ComponentError},
    imports::{Imports, Shared},
    pool::{self, Pool},
    storage::Storage,
};

/// The maximum number of epoch ticks of one call. A wait for storage counts as at most one.
pub const MAX_TICKS: u32 = 100;
/// The maximum size of the values that the component passes to the host in one call, in bytes.
const MAX_LIFTED: usize = 1 << 20;

const INTERFACE: &str = "keycell:api-keys/api-keys@0.2.0";

/// An export of the component.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Export {
    DescribeCaller,
    CreateApiKey,
    IssueApiKey,
    GetApiKey,
    DescribeApiKey,
    VerifyApiKey,
    ListApiKeys,
    RevokeApiKey,
    RotateApiKey,
    UpdateApiKey,
    ListEvents,
    AuthorizeProject,
}

impl Export {
    const ALL: [Self; 12] = [
        Self::DescribeCaller,
        Self::CreateApiKey,
        Self::IssueApiKey,
        Self::GetApiKey,
        Self::DescribeApiKey,
        Self::VerifyApiKey,
        Self::ListApiKeys,
        Self::RevokeApiKey,
        Self::RotateApiKey,
        Self::UpdateApiKey,
        Self::ListEvents,
        Self::AuthorizeProject,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::DescribeCaller => "describe-caller",
            Self::CreateApiKey => "create-api-key",
            Self::IssueApiKey => "issue-api-key",
            Self::GetApiKey => "get-api-key",
            Self::DescribeApiKey => "describe-api-key",
            Self::VerifyApiKey => "verify-api-key",
            Self::ListApiKeys => "list-api-keys",
            Self::RevokeApiKey => "revoke-api-key",
            Self::RotateApiKey => "rotate-api-key",
            Self::UpdateApiKey => "update-api-key",
            Self::ListEvents => "list-events",
            Self::AuthorizeProject => "authorize-project",
        }
    }

    /// The class of a call, which decides how many calls of its kind may run at the same time.
    fn class(self) -> Class {
        match self {
            Self::CreateApiKey | Self::IssueApiKey | Self::RevokeApiKey | Self::RotateApiKey | Self::UpdateApiKey => {
                Class::Write
            }
            Self::ListApiKeys | Self::ListEvents => Class::List,
            Self::DescribeCaller
            | Self::GetApiKey
            | Self::DescribeApiKey
            | Self::VerifyApiKey
            | Self::AuthorizeProject => Class::Read,
        }
    }
}

/// The class of a call. Reads may use every slot of the pool.
enum Class {
    Read,
    List,
    Write,
}

/// Looks up the exports, once for all calls.
fn exports(component: &Component) -> wasmtime::Result<HashMap<Export, ComponentExportIndex>> {
    let compiled = &component.compiled;
    let interface = compiled.get_export_index(None, INTERFACE).context(INTERFACE)?;
    let index = |export: Export| {
        let name = export.name();
        Ok((export, compiled.get_export_index(Some(&interface), name).context(name)?))
    };
    Export::ALL.into_iter().map(index).collect()
}

/// The state of one instance's store.
pub struct State<S> {
    imports: Imports<S>,
    limits: StoreLimits,
}

impl<S> State<S> {
    pub(crate) fn imports(&mut self) -> &mut Imports<S> {
        &mut self.imports
    }
}

/// An instance that has served no call.
pub struct Fresh<S: 'static> {
    store: Store<State<S>>,
    instance: Instance,
}

/// Decides at an epoch tick, given its number, whether a call goes on.
type OnTick<S> = fn(u32, &mut State<S>) -> wasmtime::Result<UpdateDeadline>;

/// A component that is linked with its imports.
pub struct Sandbox<S: Storage> {
    pool: &'static Pool,
    pre: InstancePre<State<S>>,
    pre_at_once: InstancePre<State<S>>,
    exports: HashMap<Export, ComponentExportIndex>,
    shared: Arc<Shared<S>>,
    ahead: Ahead<S>,
}

impl<S: Storage> Sandbox<S> {
    /// Links the component, and does all other work that can be done once.
    pub fn new(component: &Component, shared: Shared<S>) -> Result<Self, ComponentError> {
        let pool = component.pool;
        let link = || {
            let mut linker = Linker::<State<S>>::new(&pool.engine);
            bindings::Keycell::add_to_linker::<_, HasSelf<_>>(&mut linker, State::imports)?;
            let pre = linker.instantiate_pre(&component.compiled)?;
            // The generated wrapper checks that all exports exist. Calls do not use it, because it
            // would look up each export for each call.
            KeycellPre::new(pre.clone())?;
            Ok((pre, at_once::link(&pool.engine, &component.compiled)?, exports(component)?))
        };
        let (pre, pre_at_once, exports) = link().map_err(|error: wasmtime::Error| ComponentError::world(&error))?;
        let ahead = Ahead::new(&pool.ahead);
        Ok(Self { pool, pre, pre_at_once, exports, shared: Arc::new(shared), ahead })
    }

    /// The state that all calls share.
    pub fn shared(&self) -> &Shared<S> {
        &self.shared
    }

    /// The number of instances that calls of this process hold now.
    pub fn instances_in_use(&self) -> usize {
        self.pool.in_use()
    }

    /// Calls an export on a fresh instance.
    pub async fn call<P, A>(&self, export: Export, caller: &Caller, params: P) -> wasmtime::Result<Result<A, Error>>
    where
        P: ComponentNamedList + Lower + Clone + Send + Sync,
        Result<A, Error>: Lift + Send + Sync + 'static,
    {
        let _class_permit = match export.class() {
            Class::Read => None,
            Class::List => Some(self.pool.lists.acquire().await?),
            Class::Write => Some(self.pool.writes.acquire().await?),
        };
        if matches!(export.class(), Class::Read) && self.shared.storage.reads_at_once() {
            let _instance_permit = self.pool.instances.acquire().await?;
            match self.call_at_once(export, caller, params.clone()) {
                Ok(answer) => return Ok(answer),
                Err(reason) => tracing::debug!("{} is repeated: {reason:#}", export.name()),
            }
        }
        self.on_fresh_instance(caller, async |mut store, instance| {
            let (answer,) = self.export(&mut store, instance, export)?.call_async(&mut store, params).await?;
            Ok(answer)
        })
        .await
    }

    /// Calls an export on a fresh instance. Fails if storage does not answer at once.
    pub fn call_at_once<P, A>(&self, export: Export, caller: &Caller, params: P) -> wasmtime::Result<Result<A, Error>>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        Result<A, Error>: Lift + Send + Sync + 'static,
    {
        let (mut store, instance) = self.instantiate_at_once(caller)?;
        let (answer,) = self.export(&mut store, &instance, export)?.call(&mut store, params)?;
        Ok(answer)
    }

    /// Makes a fresh instance whose calls do not wait for storage.
    pub fn instantiate_at_once(&self, caller: &Caller) -> wasmtime::Result<(Store<State<S>>, Instance)> {
        let mut store = self.store(at_once::on_tick);
        store.data_mut().imports.caller = Some(caller.clone());
        let instance = self.pre_at_once.instantiate(&mut store)?;
        Ok((store, instance))
    }

    /// Runs `calls` on a fresh instance.
    pub async fn on_fresh_instance<T>(
        &self,
        caller: &Caller,
        calls: impl AsyncFnOnce(Store<State<S>>, &Instance) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let _instance_permit = self.pool.instances.acquire().await?;
        let Fresh { mut store, instance } = match self.ahead.take() {
            Some(fresh) => fresh,
            None => self.instantiate().await?,
        };
        store.set_epoch_deadline(1);
        store.data_mut().imports.caller = Some(caller.clone());
        self.ahead.during(calls(store, &instance), || self.instantiate()).await
    }

    /// Makes a fresh instance.
    pub async fn instantiate(&self) -> wasmtime::Result<Fresh<S>> {
        let mut store = self.store(on_tick);
        let instance = self.pre.instantiate_async(&mut store).await?;
        Ok(Fresh { store, instance })
    }

    /// An export of an instance, with its type checked.
    pub fn export<P, A>(
        &self,
        store: &mut Store<State<S>>,
        instance: &Instance,
        export: Export,
    ) -> wasmtime::Result<TypedFunc<P, (Result<A, Error>,)>>
    where
        P: ComponentNamedList + Lower,
        Result<A, Error>: Lift + Send + Sync + 'static,
    {
        let index = self.exports.get(&export).context(export.name())?;
        instance.get_typed_func(store, index)
    }

    fn store(&self, on_tick: OnTick<S>) -> Store<State<S>> {
        let state = State {
            imports: Imports { shared: Arc::clone(&self.shared), caller: None, has_counted: false },
            limits: StoreLimitsBuilder::new().memory_size(pool::MAX_MEMORY).trap_on_grow_failure(true).build(),
        };
        let mut store = Store::new(&self.pool.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(MAX_LIFTED);
        store.set_epoch_deadline(1);
        let mut ticks = 0;
        store.epoch_deadline_callback(move |mut store| {
            ticks += 1;
            on_tick(ticks, store.data_mut())
        });
        store
    }
}

/// Lets a call compute for [`MAX_TICKS`]. It yields to others at each tick, even if it loops.
fn on_tick<S>(ticks: u32, _: &mut State<S>) -> wasmtime::Result<UpdateDeadline> {
    Ok(if ticks < MAX_TICKS { UpdateDeadline::Yield(1) } else { UpdateDeadline::Interrupt })
}
