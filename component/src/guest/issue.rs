//! `create-api-key` and `issue-api-key`.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::api_keys::{CreatedApiKey, Error, IssueRequest, IssuedApiKey};
use super::context::InternalCause;
use super::fault::Faults;
use super::record::stored_optional_time;
use super::storage::{self, Action, IdempotentRequest, KeyRecord};
use super::{caller, change, find, imports, limits, mint, policy};
use crate::access::Actor;
use crate::event::Field;
use crate::expiry::{ExpiresAt, Limits};
use crate::fault::Fault;
use crate::idempotency::{self, Arguments, IdempotencyKey};
use crate::key::Key;
use crate::metadata::Metadata;
use crate::name::KeyName;
use crate::policy::Policy;
use crate::project::ProjectReference;
use crate::rate_limit::RateLimit;
use crate::scopes;
use crate::status::Status;
use crate::time::Time;
use crate::user::UserId;

/// The attempts to store a new key. A second one is needed about once in 10^21 keys, and a third
/// one only if the random numbers are not random.
const MAX_ATTEMPTS: u32 = 3;
/// The attempts to store a key that is issued with an idempotency key. There are many, because
/// repeats at the same moment conflict with each other.
const MAX_IDEMPOTENT_ATTEMPTS: u32 = 100;

pub fn create_api_key(
    name: String,
    project_reference: Option<String>,
    expires_at: Option<String>,
) -> Result<CreatedApiKey, Error> {
    let request = IssueRequest {
        name,
        owner: None,
        project_reference,
        expires_at,
        rate_limit: None,
        metadata: None,
        idempotency_key: None,
        scopes: None,
    };
    let (record, key) = issue(request, imports::now()?)?;
    record.created(key)
}

pub fn issue_api_key(request: IssueRequest) -> Result<IssuedApiKey, Error> {
    let now = imports::now()?;
    let (record, key) = issue(request, now)?;
    Ok(IssuedApiKey { details: record.details(now)?, key: key.into_text() })
}

fn issue(request: IssueRequest, now: Time) -> Result<(KeyRecord, Key), Error> {
    let actor = caller::acting(now, scopes::WRITE)?;
    let policy = policy::current()?;
    let limits = Limits {
        longest_life: policy.longest_life(),
        default_life: policy.default_life(),
        callers_expiry: actor.expires_at(),
    };
    let may_grant = |scope: &str| policy.is_grantable(scope) && actor.may_grant(scope);

    let mut faults = Faults::default();
    let name = faults.take("name", KeyName::parse(&request.name));
    let owner = faults.take_optional("owner", request.owner.as_deref(), UserId::parse);
    let project =
        faults.take_optional("project_reference", request.project_reference.as_deref(), ProjectReference::parse);
    let expires_at = faults.take("expires_at", ExpiresAt::parse(request.expires_at.as_deref(), now, limits));
    let rate_limit = faults.take("rate_limit", request.rate_limit.map(RateLimit::try_from).transpose());
    let metadata = faults.take_optional("metadata", request.metadata.as_deref(), Metadata::parse);
    let idempotency_key =
        faults.take_optional("idempotency_key", request.idempotency_key.as_deref(), IdempotencyKey::parse);
    let scopes = match &request.scopes {
        Some(scopes) => scopes::parse_granted(scopes, may_grant),
        None => Ok(scopes::grantable(policy.default_scopes(), may_grant)),
    };
    let scopes = faults.take("scopes", scopes);
    let (
        Some(name),
        Some(owner),
        Some(project),
        Some(expires_at),
        Some(rate_limit),
        Some(metadata),
        Some(idempotency_key),
        Some(scopes),
    ) = (name, owner, project, expires_at, rate_limit, metadata, idempotency_key, scopes)
    else {
        return Err(faults.into());
    };

    let owner = owner.map_or_else(|| actor.user_id().to_owned(), UserId::into_text);
    if !actor.acts_for(&owner) || !actor.may_issue(project.is_some()) {
        return Err(Error::Forbidden);
    }
    let project = project.map(|reference| find::project(&actor, reference)).transpose()?;
    let mut record = KeyRecord {
        id: String::new(),
        prefix: String::new(),
        lookup: String::new(),
        user_id: owner,
        project_id: project.map(|(id, _)| id),
        name: name.into_text(),
        created_at: now.millis(),
        updated_at: now.millis(),
        expires_at: expires_at.time().map(Time::millis),
        last_used_at: None,
        revoked_at: None,
        revocation_reason: None,
        rotated_from: None,
        rotated_to: None,
        revision: 0,
        rate_limit: rate_limit.map(Into::into),
        metadata: metadata.map(Metadata::into_text),
        hash: Vec::new(),
        scopes,
    };
    let Some(idempotency_key) = idempotency_key else {
        return change::retry(MAX_ATTEMPTS, || Ok(insert(&actor, &mut record, &policy, now, None)));
    };

    let arguments = Arguments {
        name: &record.name,
        owner: &record.user_id,
        project_id: record.project_id.as_deref(),
        expires_at: request.expires_at.and_then(|_| expires_at.time()),
        scopes: &record.scopes,
        metadata: record.metadata.as_deref(),
        rate_limit,
    };
    let mut request = IdempotentRequest {
        user_id: actor.user_id().to_owned(),
        idempotency_key: idempotency_key.into_text(),
        key_id: String::new(),
        expires_at: now.plus(idempotency::WINDOW).millis(),
        digest: arguments.digest().to_vec(),
    };
    change::retry(MAX_IDEMPOTENT_ATTEMPTS, || {
        match storage::find_request(&request.user_id, &request.idempotency_key, now.millis()) {
            Ok(first) if first.digest == request.digest => issue_again(&actor, &first.key_id, &policy, now),
            Ok(_) => Err(Error::Conflict),
            Err(storage::Error::NotFound) => Ok(insert(&actor, &mut record, &policy, now, Some(&mut request))),
            Err(error) => Err(error.into()),
        }
    })
}

/// Stores the record as a new key, with the request that makes it repeatable.
fn insert(
    actor: &Actor,
    record: &mut KeyRecord,
    policy: &Policy,
    now: Time,
    request: Option<&mut IdempotentRequest>,
) -> Result<(KeyRecord, Key), storage::Error> {
    let key = mint::key(record, policy.prefix(), now);
    let event = mint::created_event(actor, now, record);
    let request = request.map(|request| {
        request.key_id.clone_from(&record.id);
        &*request
    });
    storage::insert_key(record, &event, request)?;
    Ok((record.clone(), key))
}

/// Gives an issued key a new secret. The first answer may have been lost only if the key was never
/// used and is still active.
fn issue_again(
    actor: &Actor,
    key_id: &str,
    policy: &Policy,
    now: Time,
) -> Result<Result<(KeyRecord, Key), storage::Error>, Error> {
    let mut record = match storage::find_key(key_id, actor.user_id()) {
        Ok(found) => found.key,
        Err(storage::Error::NotFound) => return Err(InternalCause::StorageRecord.into()),
        Err(error) => return Err(error.into()),
    };
    if !actor.may_hold(&record.scopes, stored_optional_time(record.expires_at)?) {
        return Err(Error::Forbidden);
    }
    let is_fresh = record.last_used_at.is_none() && record.rotated_to.is_none();
    if !is_fresh || record.status(now)? != Status::Active {
        return Err(Error::Conflict);
    }
    let key = mint::secret(&mut record, policy.prefix());
    record.updated_at = now.millis();
    let event = mint::event(actor, now, Action::IssuedAgain, &record, &[(Field::Key, true)]);
    let replaced = storage::replace_secret(&record, &event);
    record.revision += 1;
    Ok(replaced.map(|()| (record, key)))
}

impl TryFrom<limits::RateLimit> for RateLimit {
    type Error = Fault;

    fn try_from(limit: limits::RateLimit) -> Result<Self, Fault> {
        Self::parse(limit.requests, limit.window_seconds)
    }
}

impl From<RateLimit> for limits::RateLimit {
    fn from(limit: RateLimit) -> Self {
        Self { requests: limit.requests(), window_seconds: limit.window_seconds() }
    }
}
