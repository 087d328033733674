//! `keycell init`.

use serde_json::json;

use crate::{error::CommandError, output, settings::Settings};

pub fn run(settings: &Settings) -> Result<(), CommandError> {
    let database = &settings.database.0;
    if database.path.exists() {
        return Err(CommandError::DatabaseExists(database.clone()));
    }
    settings.storage_or_new()?;
    if settings.is_for_people {
        output::line("Create the first key with: keycell create --name NAME")
    } else {
        output::json(&json!({ "created": true }))
    }
}
