//! `rotate-api-key`.

use alloc::borrow::ToOwned;

use super::api_keys::{CreatedApiKey, Error};
use super::context::{self, InternalCause};
use super::storage::{self, KeyRecord};
use super::{Faults, change, create, find_project, imports, stored_time};
use crate::access::{self, Caller};
use crate::expiry;
use crate::id::ApiKeyId;
use crate::key::Prefix;
use crate::project::ProjectReference;
use crate::status::Status;

/// How often the record is read again because somebody else has changed it in between.
const ATTEMPTS: usize = 5;

pub fn rotate_api_key(api_key_id: &str, grace_seconds: u32) -> Result<CreatedApiKey, Error> {
    let now = imports::now()?;
    let caller = Caller::acting(now)?;
    let mut faults = Faults::default();
    let Some(id) = faults.take("api_key_id", ApiKeyId::parse(api_key_id)) else {
        return Err(faults.into());
    };
    let prefix = Prefix::parse(&context::get_policy().prefix).ok_or(InternalCause::Policy)?;
    let (record, key) = change::change(&caller, id, ATTEMPTS, |mut old| {
        let expires_at = old.expires_at.map(stored_time).transpose()?;
        if !access::may_hold(&caller, &old.scopes, expires_at) {
            return Err(Error::Forbidden);
        }
        if old.rotated_to.is_some() || old.status(now)? != Status::Active {
            return Err(Error::Conflict);
        }
        // Whoever has left the project makes no more keys for it.
        if let Some(id) = old.project_id.clone() {
            find_project(&caller, ProjectReference::Id(id))?;
        }
        let mut replacement = KeyRecord {
            created_at: now.millis(),
            updated_at: now.millis(),
            last_used_at: None,
            rotated_from: Some(old.id.clone()),
            revision: 0,
            ..old.clone()
        };
        let key = create::mint(&mut replacement, &prefix, now);
        old.expires_at = Some(expiry::after_rotation(expires_at, now, grace_seconds).millis());
        old.rotated_to = Some(replacement.id.to_owned());
        old.updated_at = now.millis();
        Ok(storage::rotate_key(&old, &replacement).map(|()| (replacement, key)))
    })?;
    create::told(record, key)
}
