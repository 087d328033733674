//! One call in its own instance, which is dropped with all it knew when the call is over.

use std::sync::Arc;

use wasmtime::{
    Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline,
    component::{HasSelf, Linker},
};

use crate::{
    bindings::{self, KeycellPre},
    caller::Caller,
    component::{Component, ComponentError},
    imports::{Imports, Shared},
    pool::{self, Pool},
    storage::Storage,
};

/// For how many ticks an instance may compute. Waiting for storage is at most one of them.
const MOST_TICKS: u32 = 100;
/// What may cross from the component to the host in one direction of one call, in bytes.
const MOST_CROSSING: usize = 256 << 10;

/// What one instance's store holds.
pub struct State<S> {
    imports: Imports<S>,
    limits: StoreLimits,
}

/// A component that is linked with the imports of its host.
pub struct Sandbox<S: Storage> {
    pool: &'static Pool,
    pre: KeycellPre<State<S>>,
    shared: Arc<Shared<S>>,
}

impl<S: Storage> Sandbox<S> {
    /// Links the component; all that can be done before the first call is done here.
    pub fn new(component: &Component, shared: Shared<S>) -> Result<Self, ComponentError> {
        let pool = component.pool;
        let link = || {
            let mut linker = Linker::<State<S>>::new(&pool.engine);
            bindings::Keycell::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| &mut state.imports)?;
            KeycellPre::new(linker.instantiate_pre(&component.compiled)?)
        };
        let pre = link().map_err(|error| ComponentError::world(&error))?;
        Ok(Self { pool, pre, shared: Arc::new(shared) })
    }

    /// What the calls of this sandbox share.
    pub fn shared(&self) -> &Shared<S> {
        &self.shared
    }

    /// Runs `call` on a fresh instance.
    pub async fn call<T>(
        &self,
        caller: Option<&Caller>,
        call: impl AsyncFnOnce(&mut Store<State<S>>, &bindings::Keycell) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let _slot = self.pool.instances.acquire().await?;
        let mut store = self.store(caller);
        let instance = self.pre.instantiate_async(&mut store).await?;
        call(&mut store, &instance).await
    }

    fn store(&self, caller: Option<&Caller>) -> Store<State<S>> {
        let state = State {
            imports: Imports { shared: Arc::clone(&self.shared), caller: caller.cloned() },
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
