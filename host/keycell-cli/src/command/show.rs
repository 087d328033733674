//! The output of one key.

use keycell::{ApiKeyDetails, ApiKeyId, CreatedApiKey, IssuedApiKey, RateLimit, SecretKey};
use serde::Serialize;

use crate::{
    error::CommandError,
    output,
    settings::{Authority, Settings},
};

const NO_PROJECT: &str = "none (a user-level key)";
const REVOCATION_REASON: &str = "could not be shown when it was created";

/// The way to replace a key that could not be shown.
enum Recovery {
    /// The key is revoked if the record still has this revision, and the user creates another one.
    Revoke { revision: u32 },
    /// The user repeats the command, which gives the key another secret. The key is not revoked: a
    /// repeat may have shown it already.
    Repeat,
}

/// Shows a new key once.
pub async fn created(settings: &Settings, authority: &Authority, key: &CreatedApiKey) -> Result<(), CommandError> {
    let rows = || {
        let expires = key.expires_at.map_or("never".to_owned(), |time| settings.times.long(time));
        vec![
            ("id", key.id.to_string()),
            ("name", key.name.clone()),
            ("project", key.project_id.clone().unwrap_or(NO_PROJECT.to_owned())),
            ("expires", expires),
            ("scopes", scopes(&key.scopes)),
        ]
    };
    // A new record has revision 0.
    once(settings, authority, key, key.id, &key.key, Recovery::Revoke { revision: 0 }, rows).await
}

/// Shows an issued key once. With an idempotency key, the command is repeatable.
pub async fn issued(
    settings: &Settings,
    authority: &Authority,
    key: &IssuedApiKey,
    is_repeatable: bool,
) -> Result<(), CommandError> {
    let IssuedApiKey { details, key: secret, .. } = key;
    let recovery = if is_repeatable { Recovery::Repeat } else { Recovery::Revoke { revision: details.revision } };
    once(settings, authority, key, details.id, secret, recovery, || rows(settings, details)).await
}

/// Shows all fields of a key.
pub fn details(settings: &Settings, key: &ApiKeyDetails) -> Result<(), CommandError> {
    if settings.is_for_people { output::fields(&rows(settings, key)) } else { output::json(key) }
}

/// Shows a new key. If that fails, its secret is lost, or in a file that was written in part, and the
/// key is replaced.
async fn once(
    settings: &Settings,
    authority: &Authority,
    json: &impl Serialize,
    id: ApiKeyId,
    key: &SecretKey,
    recovery: Recovery,
    rows: impl FnOnce() -> Vec<(&'static str, String)>,
) -> Result<(), CommandError> {
    let shown = if settings.is_for_people {
        let mut rows = rows();
        rows.insert(0, ("key", key.expose().to_owned()));
        output::fields(&rows)
    } else {
        output::json(json)
    };
    match shown {
        Ok(()) => {
            if settings.is_for_people {
                output::warn("Store the key now: it is not stored by keycell and cannot be shown again.");
            }
            Ok(())
        }
        Err(source) => Err(recover(settings, authority, id, recovery, source.into()).await),
    }
}

async fn recover(
    settings: &Settings,
    authority: &Authority,
    id: ApiKeyId,
    recovery: Recovery,
    source: Box<CommandError>,
) -> CommandError {
    let Recovery::Revoke { revision } = recovery else {
        return CommandError::NotShownButRepeatable { id, source };
    };
    let (caller, text) = (settings.caller(), id.to_string());
    match authority.revoke_api_key(&caller, &text, Some(REVOCATION_REASON), Some(revision)).await {
        Ok(_) => CommandError::NotShown { id, source },
        Err(error) => CommandError::NotShownNorRevoked { id, source, error },
    }
}

/// The labels and values of a key. Fields that are rarely set are shown only if they are set.
fn rows(settings: &Settings, key: &ApiKeyDetails) -> Vec<(&'static str, String)> {
    let time = |time| settings.times.long(time);
    let mut rows = vec![
        ("id", key.id.to_string()),
        ("name", key.name.clone()),
        ("status", key.status.as_str().to_owned()),
        ("prefix", key.key_prefix.clone()),
        ("user", key.user_id.clone()),
        ("project", key.project_id.clone().unwrap_or(NO_PROJECT.to_owned())),
        ("scopes", scopes(&key.scopes)),
        ("limit", key.rate_limit.map_or("none".to_owned(), limit)),
        ("created", time(key.created_at)),
        ("updated", time(key.updated_at)),
        ("last used", key.last_used_at.map_or("never".to_owned(), time)),
        ("expires", key.expires_at.map_or("never".to_owned(), time)),
    ];
    rows.extend(key.revoked_at.map(|revoked_at| ("revoked", time(revoked_at))));
    rows.extend(key.revocation_reason.clone().map(|reason| ("reason", reason)));
    rows.extend(key.rotated_from.map(|id| ("replaces", id.to_string())));
    rows.extend(key.rotated_to.map(|id| ("replaced by", id.to_string())));
    rows.extend(key.metadata.as_ref().map(|metadata| ("metadata", metadata.as_str().to_owned())));
    rows
}

fn scopes(scopes: &[String]) -> String {
    if scopes.is_empty() { "none".to_owned() } else { scopes.join(" ") }
}

fn limit(limit: RateLimit) -> String {
    format!("{} requests in {} s", limit.requests, limit.window_seconds)
}
