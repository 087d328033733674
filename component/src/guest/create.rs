//! `create-api-key`.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use super::api_keys::{CreatedApiKey, Error};
use super::context::{self, InternalCause};
use super::storage::{self, KeyRecord};
use super::{Faults, find_project, imports, told_optional_time, told_time};
use crate::access::{self, Caller};
use crate::expiry::{ExpiresAt, Limits};
use crate::id::ApiKeyId;
use crate::key::{self, Key, Prefix};
use crate::name::KeyName;
use crate::project::ProjectReference;
use crate::scopes::{self, Scope};
use crate::time::Time;

/// How many ids and lookups are tried before a conflict is told. A second is needed about once
/// in 10^21 keys; a third means that the random numbers are none.
const ATTEMPTS: usize = 3;

pub fn create_api_key(
    name: &str,
    project_reference: Option<&str>,
    expires_at: Option<&str>,
) -> Result<CreatedApiKey, Error> {
    let now = imports::now()?;
    let caller = Caller::acting(now)?;
    let policy = context::get_policy();
    if policy.longest_life.is_some_and(|life| life <= 0) || policy.default_scopes.len() > scopes::MOST {
        return Err(InternalCause::Policy.into());
    }
    let limits = Limits { longest_life: policy.longest_life, callers_expiry: caller.expires_at };

    let mut faults = Faults::default();
    let name = faults.take("name", KeyName::parse(name));
    let project = faults.take("project_reference", project_reference.map(ProjectReference::parse).transpose());
    let expires_at = faults.take("expires_at", ExpiresAt::parse(expires_at, now, limits));
    let (Some(name), Some(project), Some(expires_at)) = (name, project, expires_at) else {
        return Err(faults.into());
    };

    if !access::may_create(&caller, project.as_ref()) {
        return Err(Error::Forbidden);
    }
    let project_id = project.map(|reference| find_project(&caller, reference)).transpose()?;

    let prefix = Prefix::parse(&policy.prefix).ok_or(InternalCause::Policy)?;
    let defaults: Option<_> = policy.default_scopes.iter().map(|scope| Scope::parse(scope)).collect();
    let mut record = KeyRecord {
        id: String::new(),
        prefix: String::new(),
        lookup: String::new(),
        hash: Vec::new(),
        user_id: caller.user_id,
        project_id,
        name: name.into_text(),
        scopes: scopes::granted(defaults.ok_or(InternalCause::Policy)?, &caller.scopes),
        created_at: now.millis(),
        updated_at: now.millis(),
        expires_at: expires_at.time().map(Time::millis),
        last_used_at: None,
        revoked_at: None,
        revocation_reason: None,
        rotated_from: None,
        rotated_to: None,
        revision: 0,
    };
    let key = insert(&mut record, &prefix, now)?;
    told(record, key)
}

/// Stores the record with a key that is new, and gives that key.
fn insert(record: &mut KeyRecord, prefix: &Prefix, now: Time) -> Result<Key, Error> {
    for _ in 0..ATTEMPTS {
        let key = mint(record, prefix, now);
        match storage::insert_key(record) {
            Ok(()) => return Ok(key),
            Err(storage::Error::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}

/// Makes a key, and makes the record its own.
pub fn mint(record: &mut KeyRecord, prefix: &Prefix, now: Time) -> Key {
    let id = ApiKeyId::mint(now.millis().unsigned_abs(), &mut imports::fill_random);
    let key = Key::mint(prefix, &mut imports::fill_random);
    record.id = id.to_text();
    record.prefix = prefix.as_str().to_owned();
    record.lookup = key.lookup().to_owned();
    record.hash = key.hash().as_bytes().to_vec();
    key
}

/// A new key, as its maker is told of it.
pub fn told(record: KeyRecord, key: Key) -> Result<CreatedApiKey, Error> {
    Ok(CreatedApiKey {
        key_prefix: key::key_prefix(&record.prefix, &record.lookup),
        expires_at: told_optional_time(record.expires_at)?,
        created_at: told_time(record.created_at)?,
        id: record.id,
        project_id: record.project_id,
        user_id: record.user_id,
        name: record.name,
        key: key.into_text(),
        scopes: record.scopes,
    })
}
