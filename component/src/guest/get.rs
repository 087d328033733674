//! `get-api-key` and `describe-api-key`.

use super::api_keys::{ApiKey, ApiKeyDetails, Error};
use super::fault::Faults;
use super::storage::KeyRecord;
use super::{caller, find, imports};
use crate::id::ApiKeyId;
use crate::scopes;
use crate::time::Time;

pub fn get_api_key(api_key_id: &str) -> Result<ApiKey, Error> {
    found(api_key_id, imports::now()?)?.basic()
}

pub fn describe_api_key(api_key_id: &str) -> Result<ApiKeyDetails, Error> {
    let now = imports::now()?;
    found(api_key_id, now)?.details(now)
}

fn found(api_key_id: &str, now: Time) -> Result<KeyRecord, Error> {
    let actor = caller::acting(now, scopes::READ)?;
    let mut faults = Faults::default();
    let Some(id) = faults.take("api_key_id", ApiKeyId::parse(api_key_id)) else {
        return Err(faults.into());
    };
    Ok(find::key(&actor, id)?.key)
}
