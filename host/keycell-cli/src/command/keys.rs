//! `keycell create`, `rotate` and `get`.

use std::time::Duration;

use keycell::{CreateApiKey, CreatedApiKey, Time};

use super::{
    error::CommandError,
    output::{self, or_none, words},
    settings::Settings,
};

pub async fn create(
    settings: &Settings,
    name: String,
    project_reference: Option<String>,
    expires_at: Option<String>,
) -> Result<(), CommandError> {
    let request = CreateApiKey { name, project_reference, expires_at };
    let created = settings.keycell()?.create_api_key(&settings.caller()?, request).await?;
    show_once(settings, created)
}

pub async fn rotate(settings: &Settings, api_key_id: &str, grace: Duration) -> Result<(), CommandError> {
    let created = settings.keycell()?.rotate_api_key(&settings.caller()?, api_key_id, grace).await?;
    show_once(settings, created)
}

/// A new key, which nobody can show again.
fn show_once(settings: &Settings, created: CreatedApiKey) -> Result<(), CommandError> {
    if !output::is_for_people(settings) {
        return output::json(&created);
    }
    output::fields(&[
        ("key", created.key.expose().to_owned()),
        ("id", created.id.to_text()),
        ("name", created.name),
        ("project", or_none(created.project_id, "none: a key of the user's own")),
        ("expires", or_none(created.expires_at.map(Time::to_text), "never")),
        ("scopes", words(&created.scopes)),
    ])?;
    output::warn("Keep the key now: it is stored nowhere and is not shown again.");
    Ok(())
}

pub async fn get(settings: &Settings, api_key_id: &str) -> Result<(), CommandError> {
    let key = settings.keycell()?.get_api_key(&settings.caller()?, api_key_id).await?;
    if !output::is_for_people(settings) {
        return output::json(&key);
    }
    output::fields(&[
        ("id", key.id.to_text()),
        ("name", key.name),
        ("prefix", key.key_prefix),
        ("user", key.user_id),
        ("project", or_none(key.project_id, "none: a key of the user's own")),
        ("created", key.created_at.to_text()),
        ("updated", key.updated_at.to_text()),
        ("last used", or_none(key.last_used_at.map(Time::to_text), "never")),
        ("expires", or_none(key.expires_at.map(Time::to_text), "never")),
        ("scopes", words(&key.scopes)),
    ])
}
