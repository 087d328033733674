//! `get-api-key`.

use super::api_keys::{ApiKey, Error};
use super::{Faults, find_key, imports};
use crate::access::Caller;
use crate::id::ApiKeyId;

pub fn get_api_key(api_key_id: &str) -> Result<ApiKey, Error> {
    let caller = Caller::acting(imports::now()?)?;
    let mut faults = Faults::default();
    let Some(id) = faults.take("api_key_id", ApiKeyId::parse(api_key_id)) else {
        return Err(faults.into());
    };
    find_key(&caller, id)?.try_into()
}
