//! `keycell init`.

use keycell::Storage;
use serde_json::json;

use crate::{cache_lease::CacheLease, error::CommandError, output, settings::Settings, storage::DatabaseError};

pub async fn run(settings: &Settings) -> Result<(), CommandError> {
    let database = &settings.database;
    let (storage, is_new) = database.open_or_create(CacheLease::OFF).await?;
    storage.close().await;
    if !is_new {
        return Err(DatabaseError::Exists(database.clone()).into());
    }
    if settings.is_for_people {
        output::line(&format!(
            "Created a database at {database}. Create the first key with `keycell create --name NAME`."
        ))
    } else {
        output::json(&json!({ "created": true }))
    }
}
