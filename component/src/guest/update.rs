//! `update-api-key`.

use super::api_keys::{ApiKeyChanges, ApiKeyDetails, Error, RateLimitChange};
use super::fault::Faults;
use super::record::stored_optional_time;
use super::storage::Action;
use super::{caller, change, find, imports, mint};
use crate::event::{self, Field};
use crate::expiry::{self, ExpiresAt, Limits};
use crate::id::ApiKeyId;
use crate::metadata::Metadata;
use crate::name::KeyName;
use crate::rate_limit::RateLimit;
use crate::scopes;

/// The attempts to update a key.
const MAX_ATTEMPTS: u32 = 5;

pub fn update_api_key(api_key_id: &str, changes: &ApiKeyChanges) -> Result<ApiKeyDetails, Error> {
    let now = imports::now()?;
    let actor = caller::acting(now, scopes::WRITE)?;
    let mut faults = Faults::default();
    let id = faults.take("api_key_id", ApiKeyId::parse(api_key_id));
    let name = faults.take_optional("name", changes.name.as_deref(), KeyName::parse);
    let expires_at = changes.expires_at.as_deref();
    let wanted = expires_at.map(|text| ExpiresAt::parse(Some(text), now, Limits::default())).transpose();
    let wanted = faults.take("expires_at", wanted);
    let metadata = faults.take_optional("metadata", changes.metadata.as_deref(), Metadata::parse_nullable);
    let rate_limit = match changes.rate_limit {
        RateLimitChange::Keep => Ok(None),
        RateLimitChange::Remove => Ok(Some(None)),
        RateLimitChange::Set(limit) => RateLimit::try_from(limit).map(|limit| Some(Some(limit.into()))),
    };
    let rate_limit = faults.take("rate_limit", rate_limit);
    let (Some(id), Some(name), Some(wanted), Some(metadata), Some(rate_limit)) =
        (id, name, wanted, metadata, rate_limit)
    else {
        return Err(faults.into());
    };
    let (name, wanted) = (name.map(KeyName::into_text), wanted.and_then(ExpiresAt::time));
    let metadata = metadata.map(|metadata| metadata.map(Metadata::into_text));

    let updated = change::retry(MAX_ATTEMPTS, || {
        let before = find::key(&actor, id)?.key;
        if !actor.acts_for(&before.user_id) {
            return Err(Error::Forbidden);
        }
        change::require_revision(&before, changes.if_revision)?;

        let mut record = before.clone();
        if let Some(name) = &name {
            record.name.clone_from(name);
        }
        if let Some(wanted) = wanted {
            let current = stored_optional_time(record.expires_at)?;
            let mut faults = Faults::default();
            let Some(expiry) = faults.take("expires_at", expiry::earlier(wanted, current)) else {
                return Err(faults.into());
            };
            record.expires_at = Some(expiry.millis());
        }
        if let Some(metadata) = &metadata {
            record.metadata.clone_from(metadata);
        }
        if let Some(rate_limit) = rate_limit {
            record.rate_limit = rate_limit;
        }

        let fields = [
            (Field::Name, record.name != before.name),
            (Field::ExpiresAt, record.expires_at != before.expires_at),
            (Field::Metadata, record.metadata != before.metadata),
            (Field::RateLimit, record.rate_limit != before.rate_limit),
        ];
        if event::changed(&fields).is_empty() {
            return Ok(Ok(before));
        }
        let event = mint::event(&actor, now, Action::Updated, &record, &fields);
        record.updated_at = now.millis();
        Ok(change::update(record, &event))
    })?;
    updated.details(now)
}
