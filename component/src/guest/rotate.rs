//! `rotate-api-key`.

use super::api_keys::{CreatedApiKey, Error};
use super::fault::Faults;
use super::record::stored_optional_time;
use super::storage::{self, Action};
use super::{caller, change, find, imports, mint, policy};
use crate::event::Field;
use crate::expiry;
use crate::id::ApiKeyId;
use crate::scopes;
use crate::status::Status;
use crate::time::Time;

/// The attempts to rotate a key.
const MAX_ATTEMPTS: u32 = 5;

pub fn rotate_api_key(api_key_id: &str, grace_seconds: u32, if_revision: Option<u32>) -> Result<CreatedApiKey, Error> {
    let now = imports::now()?;
    let actor = caller::acting(now, scopes::WRITE)?;
    let policy = policy::current()?;
    let mut faults = Faults::default();
    let Some(id) = faults.take("api_key_id", ApiKeyId::parse(api_key_id)) else {
        return Err(faults.into());
    };
    let (record, key) = change::retry(MAX_ATTEMPTS, || {
        let storage::KeyRole { key: mut old, role } = find::key(&actor, id)?;
        let expires_at = stored_optional_time(old.expires_at)?;
        if !actor.acts_for(&old.user_id) || !actor.may_hold(&old.scopes, expires_at) {
            return Err(Error::Forbidden);
        }
        if let Some(project_id) = &old.project_id {
            find::enter(&actor, project_id.clone(), role)?;
        }
        change::require_revision(&old, if_revision)?;
        if old.rotated_to.is_some() || old.status(now)? != Status::Active {
            return Err(Error::NotActive);
        }

        let mut replacement = old.clone();
        replacement.created_at = now.millis();
        replacement.updated_at = now.millis();
        replacement.expires_at = expiry::of_replacement(expires_at, now, policy.longest_life()).map(Time::millis);
        replacement.last_used_at = None;
        replacement.rotated_from = Some(old.id.clone());
        replacement.revision = 0;
        let key = mint::key(&mut replacement, policy.prefix(), now);
        old.expires_at = Some(expiry::after_rotation(expires_at, now, grace_seconds).millis());
        old.rotated_to = Some(replacement.id.clone());
        old.updated_at = now.millis();

        let fields = [(Field::ExpiresAt, true), (Field::RotatedTo, true)];
        let rotated = mint::event(&actor, now, Action::Rotated, &old, &fields);
        let created = mint::created_event(&actor, now, &replacement);
        Ok(storage::rotate_key(&old, &rotated, &replacement, &created).map(|()| (replacement, key)))
    })?;
    record.created(key)
}
