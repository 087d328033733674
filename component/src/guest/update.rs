//! `update-api-key`.

use super::api_keys::{Error, ListedApiKey};
use super::{Faults, change, imports, stored_time};
use crate::access::Caller;
use crate::expiry::{self, ExpiresAt, Limits};
use crate::id::ApiKeyId;
use crate::name::KeyName;

/// How often the record is read again because somebody else has changed it in between.
const ATTEMPTS: usize = 5;

pub fn update_api_key(api_key_id: &str, name: Option<&str>, expires_at: Option<&str>) -> Result<ListedApiKey, Error> {
    let now = imports::now()?;
    let caller = Caller::acting(now)?;
    let mut faults = Faults::default();
    let id = faults.take("api_key_id", ApiKeyId::parse(api_key_id));
    let name = faults.take("name", name.map(KeyName::parse).transpose());
    // All that can be told of the expiry before it is known which key it is for.
    let wanted = expires_at.map(|text| ExpiresAt::parse(Some(text), now, Limits::default())).transpose();
    let wanted = faults.take("expires_at", wanted);
    let (Some(id), Some(name), Some(wanted)) = (id, name, wanted) else {
        return Err(faults.into());
    };
    let (name, wanted) = (name.map(KeyName::into_text), wanted.and_then(ExpiresAt::time));
    let updated = change::change(&caller, id, ATTEMPTS, |mut record| {
        if let Some(name) = &name {
            record.name.clone_from(name);
        }
        if let Some(wanted) = wanted {
            let current = record.expires_at.map(stored_time).transpose()?;
            let mut faults = Faults::default();
            let Some(expiry) = faults.take("expires_at", expiry::earlier(wanted, current)) else {
                return Err(faults.into());
            };
            record.expires_at = Some(expiry.millis());
        }
        if name.is_none() && wanted.is_none() {
            return Ok(Ok(record));
        }
        record.updated_at = now.millis();
        Ok(change::update(record))
    })?;
    updated.listed(now)
}
