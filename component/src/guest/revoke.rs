//! `revoke-api-key`.

use super::api_keys::{Error, ListedApiKey};
use super::storage::KeyRecord;
use super::{Faults, change, imports};
use crate::access::Caller;
use crate::id::ApiKeyId;
use crate::name::RevocationReason;

/// So many that whoever changes the key all the time does not keep it from being revoked.
const ATTEMPTS: usize = 100;

pub fn revoke_api_key(api_key_id: &str, reason: Option<&str>) -> Result<ListedApiKey, Error> {
    let now = imports::now()?;
    let caller = Caller::acting(now)?;
    let mut faults = Faults::default();
    let id = faults.take("api_key_id", ApiKeyId::parse(api_key_id));
    let reason = faults.take("reason", reason.map(RevocationReason::parse).transpose());
    let (Some(id), Some(reason)) = (id, reason) else {
        return Err(faults.into());
    };
    let reason = reason.map(RevocationReason::into_text);
    let revoked = change::change(&caller, id, ATTEMPTS, |record| {
        if record.revoked_at.is_some() {
            return Ok(Ok(record));
        }
        let millis = now.millis();
        let revocation_reason = reason.clone();
        Ok(change::update(KeyRecord { revoked_at: Some(millis), revocation_reason, updated_at: millis, ..record }))
    })?;
    revoked.listed(now)
}
