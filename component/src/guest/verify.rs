//! `verify-api-key`.

use alloc::string::String;

use super::api_keys::{Error, RateLimitState, RateLimited, Refusal, Verification, VerifiedApiKey};
use super::context::InternalCause;
use super::fault::Faults;
use super::record::optional_rfc3339;
use super::storage::KeyRecord;
use super::{caller, imports, limits, presented, storage};
use crate::rate_limit::{Decision, RateLimit};
use crate::scopes::{self, Scope};
use crate::time::Time;

/// The attempts to count one verification while others count theirs.
const MAX_ATTEMPTS: u32 = 1000;

pub fn verify_api_key(key: &str, required: &[String]) -> Result<Verification, Error> {
    let now = imports::now()?;
    caller::verifying(now)?;
    let mut faults = Faults::default();
    let Some(required) = faults.take("scopes", scopes::parse_all(required)) else {
        return Err(faults.into());
    };
    Ok(match verified(key, &required, now)? {
        Ok(key) => Verification::Valid(key),
        Err(refusal) => Verification::Refused(refusal),
    })
}

fn verified(key: &str, required: &[Scope], now: Time) -> Result<Result<VerifiedApiKey, Refusal>, Error> {
    let record = match presented::find(key, now)? {
        Ok(record) => record,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let missing = scopes::missing(required, &record.scopes);
    if !missing.is_empty() {
        return Ok(Err(Refusal::MissingScopes(missing)));
    }
    let rate_limit = match record.rate_limit.map(|limit| count(&record, limit, now)).transpose()?.transpose() {
        Ok(state) => state,
        Err(limited) => return Ok(Err(Refusal::RateLimited(limited))),
    };
    storage::record_use(&record.id, now.millis());
    Ok(Ok(VerifiedApiKey {
        expires_at: optional_rfc3339(record.expires_at)?,
        id: record.id,
        user_id: record.user_id,
        project_id: record.project_id,
        name: record.name,
        rate_limit,
        metadata: record.metadata,
        scopes: record.scopes,
    }))
}

/// Counts a verification of this key.
fn count(
    record: &KeyRecord,
    limit: limits::RateLimit,
    now: Time,
) -> Result<Result<RateLimitState, RateLimited>, Error> {
    let rule = RateLimit::try_from(limit).map_err(|_| InternalCause::StorageRecord)?;
    for _ in 0..MAX_ATTEMPTS {
        let old = limits::load(&record.id);
        match rule.count(old, now) {
            Decision::Refused { retry_after_ms } => return Ok(Err(RateLimited { limit, retry_after_ms })),
            Decision::Admitted { state, remaining, reset_after_ms } => {
                if limits::compare_and_store(&record.id, old, state) {
                    return Ok(Ok(RateLimitState { limit, remaining, reset_after_ms }));
                }
            }
        }
    }
    Err(Error::Unavailable)
}
