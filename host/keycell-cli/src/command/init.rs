//! `keycell init`.

use serde_json::json;

use crate::{error::CommandError, output, settings::Settings};

pub fn run(settings: &Settings) -> Result<(), CommandError> {
    let database = &settings.database;
    database.create()?;
    if settings.is_for_people {
        output::line(&format!(
            "Created a database at {database}. Create the first key with `keycell create --name NAME`."
        ))
    } else {
        output::json(&json!({ "created": true }))
    }
}
