//! Reads whose storage answers at once: synchronous calls, without a fiber.
//!
//! A read is tried here first. If the attempt fails for any reason, also because storage has to
//! wait, its instance is dropped and the call is repeated on the asynchronous path, which decides
//! the answer. A read can be repeated: recorded uses only move forward, and a verification that has
//! been counted is not given up.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use wasmtime::{
    Engine, Result, StoreContextMut, UpdateDeadline, bail,
    component::{Component, HasSelf, InstancePre, Linker},
};

use crate::{
    bindings::{
        keycell::api_keys::{context, limits, storage as wit, storage::Host as _},
        wasi::{clocks::wall_clock, random::random},
    },
    sandbox::{self, State},
    storage::Storage,
};

/// The number of epoch ticks after which an attempt is given up, because it blocks its thread. A busy
/// system may suspend a thread for several ticks.
const MAX_TICKS: u32 = 10;

/// Links the imports as functions that never wait. Those of storage that no read calls are traps.
pub fn link<S: Storage>(engine: &Engine, component: &Component) -> Result<InstancePre<State<S>>> {
    let mut linker = Linker::<State<S>>::new(engine);
    context::add_to_linker::<_, HasSelf<_>>(&mut linker, State::imports)?;
    limits::add_to_linker::<_, HasSelf<_>>(&mut linker, State::imports)?;
    wall_clock::add_to_linker::<_, HasSelf<_>>(&mut linker, State::imports)?;
    random::add_to_linker::<_, HasSelf<_>>(&mut linker, State::imports)?;
    let mut storage = linker.instance("keycell:api-keys/storage@0.2.0")?;
    storage.func_wrap("find-key", |mut store: Store<'_, S>, (id, viewer): (String, String)| {
        answered(store.data_mut().imports().find_key(id, viewer))
    })?;
    storage.func_wrap("find-key-by-lookup", |mut store: Store<'_, S>, (lookup,): (String,)| {
        answered(store.data_mut().imports().find_key_by_lookup(lookup))
    })?;
    storage.func_wrap(
        "find-project",
        |mut store: Store<'_, S>, (reference, user_id): (wit::ProjectReference, String)| {
            answered(store.data_mut().imports().find_project(reference, user_id))
        },
    )?;
    storage.func_wrap("record-use", |mut store: Store<'_, S>, (id, at): (String, i64)| {
        store.data_mut().imports().shared.storage.record_use(&id, at);
        Ok(())
    })?;
    linker.define_unknown_imports_as_traps(component)?;
    linker.instantiate_pre(component)
}

type Store<'a, S> = StoreContextMut<'a, State<S>>;

/// The output of a future that is ready when it is first polled.
fn answered<T>(future: impl Future<Output = Result<T>>) -> Result<(T,)> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok((output?,)),
        Poll::Pending => bail!("storage did not answer at once"),
    }
}

/// Lets an attempt compute for [`MAX_TICKS`], and longer once it has counted a verification.
pub fn on_tick<S>(ticks: u32, state: &mut State<S>) -> Result<UpdateDeadline> {
    let may_continue = ticks < MAX_TICKS || state.imports().has_counted && ticks < sandbox::MAX_TICKS;
    Ok(if may_continue { UpdateDeadline::Continue(1) } else { UpdateDeadline::Interrupt })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Caller, CreateApiKey, Keycell, MemoryStorage, bindings::exports::keycell::api_keys::api_keys as guest,
        sandbox::Export,
    };

    fn keycell() -> Keycell<MemoryStorage> {
        Keycell::new(MemoryStorage::default()).unwrap()
    }

    #[tokio::test]
    async fn each_read_is_answered_at_once() {
        let keycell = keycell();
        let ann = Caller::user("ann");
        let created = keycell.create_api_key(&ann, CreateApiKey::named("a")).await.unwrap();
        let (id, key) = (created.id.to_string(), created.key.expose());
        let sandbox = keycell.sandbox();
        let get = sandbox.call_at_once::<_, guest::ApiKey>(Export::GetApiKey, &ann, (id.as_str(),));
        assert_eq!(get.unwrap().unwrap().id, id);
        let describe = sandbox.call_at_once::<_, guest::ApiKeyDetails>(Export::DescribeApiKey, &ann, (id.as_str(),));
        assert_eq!(describe.unwrap().unwrap().id, id);
        let params = (key, [].as_slice() as &[String]);
        let verify = sandbox.call_at_once::<_, guest::Verification>(Export::VerifyApiKey, &Caller::host(), params);
        assert!(matches!(verify.unwrap().unwrap(), guest::Verification::Valid(valid) if valid.id == id));
        let bearer = sandbox.call_at_once::<_, guest::CallerDetails>(Export::DescribeCaller, &Caller::bearer(key), ());
        assert_eq!(bearer.unwrap().unwrap().api_key_id, Some(id));
        let params = (guest::ProjectAction::See, Some("p"));
        let authorize = sandbox.call_at_once::<_, guest::ProjectAccess>(Export::AuthorizeProject, &ann, params);
        assert!(matches!(authorize.unwrap(), Err(guest::Error::NotFound(guest::Subject::Project))));
    }

    #[test]
    fn an_attempt_is_given_up_after_ten_ticks_unless_it_has_counted_a_verification() {
        let (mut store, _) = keycell().sandbox().instantiate_at_once(&Caller::host()).unwrap();
        let state = store.data_mut();
        let mut gives_up = |ticks, has_counted| {
            state.imports().has_counted = has_counted;
            matches!(on_tick(ticks, state).unwrap(), UpdateDeadline::Interrupt)
        };
        assert_eq!([9, 10].map(|ticks| gives_up(ticks, false)), [false, true]);
        assert_eq!([10, 99, 100].map(|ticks| gives_up(ticks, true)), [false, false, true]);
    }
}
