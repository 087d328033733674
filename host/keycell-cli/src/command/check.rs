//! `keycell check`.

use std::process::ExitCode;

use serde_json::json;

use crate::{error::CommandError, output, settings::Settings};

pub fn run(settings: &Settings) -> Result<ExitCode, CommandError> {
    let database = &settings.database.0;
    if !database.path.exists() {
        return Err(CommandError::NoDatabase(database.clone()));
    }
    let checked = keycell_sqlite::check(&database.path);
    let problems = checked.map_err(|source| CommandError::Database { database: database.clone(), source })?;
    if !settings.is_for_people {
        output::json(&json!({ "problems": problems }))?;
    } else if problems.is_empty() {
        output::line("The database has no problems.")?;
    } else {
        output::line(&problems.join("\n"))?;
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
