//! `revoke-api-key`.

use super::api_keys::{ApiKeyDetails, Error};
use super::fault::Faults;
use super::storage::Action;
use super::{caller, change, find, imports, mint};
use crate::event::Field;
use crate::id::ApiKeyId;
use crate::name::RevocationReason;

/// The attempts to revoke a key. There are many, so that other changes at the same time do not keep
/// the key from being revoked.
const MAX_ATTEMPTS: u32 = 100;

pub fn revoke_api_key(
    api_key_id: &str,
    reason: Option<&str>,
    if_revision: Option<u32>,
) -> Result<ApiKeyDetails, Error> {
    let now = imports::now()?;
    let id = ApiKeyId::parse(api_key_id);
    let actor = caller::revoking(now, id.as_ref().ok().copied())?;
    let mut faults = Faults::default();
    let id = faults.take("api_key_id", id);
    let reason = faults.take_optional("reason", reason, RevocationReason::parse);
    let (Some(id), Some(reason)) = (id, reason) else {
        return Err(faults.into());
    };
    let reason = reason.map(RevocationReason::into_text);
    let revoked = change::retry(MAX_ATTEMPTS, || {
        let mut record = find::key(&actor, id)?.key;
        change::require_revision(&record, if_revision)?;
        if record.revoked_at.is_some() {
            return Ok(Ok(record));
        }
        let fields = [(Field::RevokedAt, true), (Field::RevocationReason, reason.is_some())];
        let event = mint::event(&actor, now, Action::Revoked, &record, &fields);
        record.revoked_at = Some(now.millis());
        record.revocation_reason.clone_from(&reason);
        record.updated_at = now.millis();
        Ok(change::update(record, &event))
    })?;
    revoked.details(now)
}
