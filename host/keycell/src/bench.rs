//! Parts of a call, with which the benchmarks measure what each costs.

use crate::{
    Caller, CreateApiKey, Error, Keycell, Storage, bindings::exports::keycell::api_keys::api_keys as guest,
    sandbox::Export,
};

/// The number of calls that one instance serves before its memory is used up. It never frees memory.
pub const CALLS_OF_ONE_INSTANCE: u64 = 100;

/// Makes an instance as a read does, and drops it without a call.
///
/// # Errors
///
/// The sandbox fails.
pub async fn instantiate<S: Storage>(keycell: &Keycell<S>, caller: &Caller) -> Result<(), Error> {
    keycell.sandbox().instantiate_at_once(caller).map(drop).map_err(|trap| Error::internal(&trap))
}

/// Reads keys through one instance.
///
/// # Errors
///
/// The sandbox or the component fails.
pub async fn get_on_one_instance<S: Storage>(
    keycell: &Keycell<S>,
    caller: &Caller,
    ids: impl IntoIterator<Item = &str>,
) -> Result<(), Error> {
    let sandbox = keycell.sandbox();
    let calls = sandbox.on_fresh_instance(caller, async |mut store, instance| {
        let get = sandbox.export::<(&str,), guest::ApiKey>(&mut store, instance, Export::GetApiKey)?;
        for id in ids {
            if let (Err(error),) = get.call_async(&mut store, (id,)).await? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    });
    Ok(calls.await.map_err(|trap| Error::internal(&trap))??)
}

/// Creates keys through one instance.
///
/// # Errors
///
/// The sandbox or the component fails.
pub async fn create_on_one_instance<S: Storage>(
    keycell: &Keycell<S>,
    caller: &Caller,
    request: &CreateApiKey,
    times: u64,
) -> Result<(), Error> {
    let sandbox = keycell.sandbox();
    let calls = sandbox.on_fresh_instance(caller, async |mut store, instance| {
        type Params<'a> = (&'a str, Option<&'a str>, Option<&'a str>);
        let create = sandbox.export::<Params<'_>, guest::CreatedApiKey>(&mut store, instance, Export::CreateApiKey)?;
        for _ in 0..times {
            if let (Err(error),) = create.call_async(&mut store, (request.name.as_str(), None, None)).await? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    });
    Ok(calls.await.map_err(|trap| Error::internal(&trap))??)
}
