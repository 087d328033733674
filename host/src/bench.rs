//! What the benchmarks see of the inside, to tell what the fresh instance costs.

use wasmtime::Store;

use crate::{
    Caller, CreateApiKey, Error, Keycell, Storage,
    bindings::{Keycell as Instance, exports::keycell::api_keys::api_keys as guest},
};

/// Reads a key so many times through one instance.
///
/// # Errors
///
/// The sandbox fails, or the component does.
pub async fn get_on_one_instance<S: Storage>(
    keycell: &Keycell<S>,
    caller: &Caller,
    id: &str,
    times: u64,
) -> Result<(), Error> {
    let calls = async |store: &mut Store<_>, instance: &Instance| {
        let api_keys = instance.keycell_api_keys_api_keys();
        for _ in 0..times {
            if let Err(error) = api_keys.call_get_api_key(&mut *store, id).await? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    };
    on_one_instance(keycell, caller, calls).await
}

/// Creates so many keys through one instance.
///
/// # Errors
///
/// The sandbox fails, or the component does.
pub async fn create_on_one_instance<S: Storage>(
    keycell: &Keycell<S>,
    caller: &Caller,
    request: &CreateApiKey,
    times: u64,
) -> Result<(), Error> {
    let calls = async |store: &mut Store<_>, instance: &Instance| {
        let api_keys = instance.keycell_api_keys_api_keys();
        for _ in 0..times {
            if let Err(error) = api_keys.call_create_api_key(&mut *store, &request.name, None, None).await? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    };
    on_one_instance(keycell, caller, calls).await
}

async fn on_one_instance<S: Storage>(
    keycell: &Keycell<S>,
    caller: &Caller,
    calls: impl AsyncFnOnce(&mut Store<crate::sandbox::State<S>>, &Instance) -> wasmtime::Result<Result<(), guest::Error>>,
) -> Result<(), Error> {
    let answer = keycell.sandbox().call(Some(caller), calls).await.map_err(|trap| Error::internal(&trap))?;
    Ok(answer?)
}
