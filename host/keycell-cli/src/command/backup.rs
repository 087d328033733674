//! `keycell backup`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{error::CommandError, output, settings::Settings};

#[derive(Args)]
#[command(after_help = "Example:
  keycell backup keycell-2026-01-31.db

To restore, stop every process that uses the database, and put the copy in its place.")]
pub struct Arguments {
    /// The new file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub fn run(settings: &Settings, arguments: &Arguments) -> Result<(), CommandError> {
    settings.database.back_up(&arguments.file)?;
    if settings.is_for_people {
        output::line("The backup is complete.")
    } else {
        output::json(&json!({ "complete": true }))
    }
}
