//! `keycell list`, `revoke` and `update`.

use keycell::{KeyStatus, ListApiKeys, ListedApiKey, Time, UpdateApiKey};

use super::{
    error::CommandError,
    output::{self, or_none, words},
    settings::Settings,
};

pub async fn list(settings: &Settings, mut request: ListApiKeys, all: bool) -> Result<(), CommandError> {
    let (keycell, caller) = (settings.keycell()?, settings.caller()?);
    let mut page = keycell.list_api_keys(&caller, request.clone()).await?;
    while all && page.next_cursor.is_some() {
        request.cursor = page.next_cursor.take();
        let next = keycell.list_api_keys(&caller, request.clone()).await?;
        page.api_keys.extend(next.api_keys);
        page.next_cursor = next.next_cursor;
    }
    if !output::is_for_people(settings) {
        return output::json(&page);
    }
    output::table(
        &["ID", "NAME", "STATUS", "PREFIX", "CREATED", "EXPIRES", "LAST USED"],
        page.api_keys.into_iter().map(|key| {
            vec![
                key.id.to_text(),
                key.name,
                status(key.status).to_owned(),
                key.key_prefix,
                key.created_at.to_text(),
                or_none(key.expires_at.map(Time::to_text), "never"),
                or_none(key.last_used_at.map(Time::to_text), "never"),
            ]
        }),
    )?;
    if let Some(cursor) = page.next_cursor {
        output::warn(&format!("There are more: --cursor {cursor}, or --all."));
    }
    Ok(())
}

pub async fn revoke(settings: &Settings, api_key_id: &str, reason: Option<&str>) -> Result<(), CommandError> {
    let revoked = settings.keycell()?.revoke_api_key(&settings.caller()?, api_key_id, reason).await?;
    show(settings, revoked)
}

pub async fn update(settings: &Settings, api_key_id: &str, changes: UpdateApiKey) -> Result<(), CommandError> {
    let updated = settings.keycell()?.update_api_key(&settings.caller()?, api_key_id, changes).await?;
    show(settings, updated)
}

fn show(settings: &Settings, key: ListedApiKey) -> Result<(), CommandError> {
    if !output::is_for_people(settings) {
        return output::json(&key);
    }
    let mut rows = vec![
        ("id", key.id.to_text()),
        ("name", key.name),
        ("status", status(key.status).to_owned()),
        ("prefix", key.key_prefix),
        ("expires", or_none(key.expires_at.map(Time::to_text), "never")),
        ("scopes", words(&key.scopes)),
    ];
    rows.extend(key.revoked_at.map(|time| ("revoked", time.to_text())));
    rows.extend(key.revocation_reason.map(|reason| ("reason", reason)));
    rows.extend(key.rotated_from.map(|id| ("replaces", id)));
    rows.extend(key.rotated_to.map(|id| ("replaced by", id)));
    output::fields(&rows)
}

fn status(status: KeyStatus) -> &'static str {
    match status {
        KeyStatus::Active => "active",
        KeyStatus::Expired => "expired",
        KeyStatus::Revoked => "revoked",
    }
}
