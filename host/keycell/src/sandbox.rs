//! One call in its own instance, which is dropped with all it knew when the call is over.

use std::{collections::HashMap, sync::Arc};

use wasmtime::{
    Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline,
    component::{
        ComponentExportIndex, ComponentNamedList, HasSelf, Instance, InstancePre, Lift, Linker, Lower, TypedFunc,
    },
    error::Context as _,
};

use crate::{
    bindings::{self, KeycellPre, exports::keycell::api_keys::api_keys::Error},
    caller::Caller,
    component::{Component, ComponentError},
    imports::{Imports, Shared},
    pool::{self, Pool},
    storage::Storage,
};

/// For how many ticks an instance may compute. Waiting for storage is at most one of them.
const MOST_TICKS: u32 = 100;
/// What the component may hand to the host at a time, in bytes as the host holds them.
const MOST_CROSSING: usize = 768 << 10;

const INTERFACE: &str = "keycell:api-keys/api-keys@0.1.0";
const EXPORTS: [&str; 7] = [
    "create-api-key",
    "get-api-key",
    "verify-api-key",
    "list-api-keys",
    "revoke-api-key",
    "rotate-api-key",
    "update-api-key",
];

/// Those that wait for storage to write.
const WRITING: [&str; 4] = ["create-api-key", "revoke-api-key", "rotate-api-key", "update-api-key"];

/// Where the component has its exports, looked up once.
fn exports(component: &Component) -> wasmtime::Result<HashMap<&'static str, ComponentExportIndex>> {
    let compiled = &component.compiled;
    let interface = compiled.get_export_index(None, INTERFACE).context(INTERFACE)?;
    let index = |name| Ok((name, compiled.get_export_index(Some(&interface), name).context(name)?));
    EXPORTS.into_iter().map(index).collect()
}

/// What one instance's store holds.
pub struct State<S> {
    imports: Imports<S>,
    limits: StoreLimits,
}

/// A component that is linked with the imports of its host.
pub struct Sandbox<S: Storage> {
    pool: &'static Pool,
    pre: InstancePre<State<S>>,
    exports: HashMap<&'static str, ComponentExportIndex>,
    shared: Arc<Shared<S>>,
    reaches_storage: bool,
}

impl<S: Storage> Sandbox<S> {
    /// Links the component; all that can be done before the first call is done here.
    pub fn new(component: &Component, shared: Shared<S>) -> Result<Self, ComponentError> {
        let pool = component.pool;
        let link = || {
            let mut linker = Linker::<State<S>>::new(&pool.engine);
            bindings::Keycell::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| &mut state.imports)?;
            let pre = linker.instantiate_pre(&component.compiled)?;
            // The generated wrapper checks that all exports are there. It is not used for calls,
            // because it would look up each of them for each call.
            KeycellPre::new(pre.clone())?;
            Ok((pre, exports(component)?))
        };
        let (pre, exports) = link().map_err(|error: wasmtime::Error| ComponentError::world(&error))?;
        Ok(Self { pool, pre, exports, shared: Arc::new(shared), reaches_storage: true })
    }

    /// The same, where storage is never available: for what the component says before it asks.
    pub fn without_storage(&self) -> Self {
        Self {
            pool: self.pool,
            pre: self.pre.clone(),
            exports: self.exports.clone(),
            shared: Arc::clone(&self.shared),
            reaches_storage: false,
        }
    }

    /// What the calls of this sandbox share.
    pub fn shared(&self) -> &Shared<S> {
        &self.shared
    }

    /// Calls an export on a fresh instance.
    pub async fn call<P, A>(
        &self,
        export: &str,
        caller: Option<&Caller>,
        params: P,
    ) -> wasmtime::Result<Result<A, Error>>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        Result<A, Error>: Lift + Send + Sync + 'static,
    {
        let _writing = match WRITING.contains(&export) {
            true => Some(self.pool.writing_instances.acquire().await?),
            false => None,
        };
        self.on_fresh_instance(caller, async |mut store, instance| {
            let (answer,) = self.export(&mut store, instance, export)?.call_async(&mut store, params).await?;
            Ok(answer)
        })
        .await
    }

    /// Runs `calls` on a fresh instance.
    pub async fn on_fresh_instance<T>(
        &self,
        caller: Option<&Caller>,
        calls: impl AsyncFnOnce(Store<State<S>>, &Instance) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let _slot = self.pool.instances.acquire().await?;
        let mut store = self.store(caller);
        let instance = self.pre.instantiate_async(&mut store).await?;
        calls(store, &instance).await
    }

    /// An export of an instance, with its type checked.
    pub fn export<P, A>(
        &self,
        store: &mut Store<State<S>>,
        instance: &Instance,
        export: &str,
    ) -> wasmtime::Result<TypedFunc<P, (Result<A, Error>,)>>
    where
        P: ComponentNamedList + Lower,
        Result<A, Error>: Lift + Send + Sync + 'static,
    {
        let index = self.exports.get(export).context("the world has no such export")?;
        instance.get_typed_func(store, index)
    }

    fn store(&self, caller: Option<&Caller>) -> Store<State<S>> {
        let state = State {
            imports: Imports {
                shared: Arc::clone(&self.shared),
                caller: caller.cloned(),
                reaches_storage: self.reaches_storage,
            },
            limits: StoreLimitsBuilder::new().memory_size(pool::MOST_MEMORY).trap_on_grow_failure(true).build(),
        };
        let mut store = Store::new(&self.pool.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(MOST_CROSSING);
        store.set_epoch_deadline(1);
        let mut ticks = 0;
        store.epoch_deadline_callback(move |_| {
            ticks += 1;
            // Others get their turn at each tick, also while this one loops.
            Ok(if ticks < MOST_TICKS { UpdateDeadline::Yield(1) } else { UpdateDeadline::Interrupt })
        });
        store
    }
}
