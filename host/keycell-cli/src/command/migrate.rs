//! `keycell migrate`.

use keycell::Storage;
use serde_json::json;

use crate::{cache_lease::CacheLease, error::CommandError, output, settings::Settings};

pub async fn run(settings: &Settings) -> Result<(), CommandError> {
    let (storage, is_new) = settings.database.open_or_create(CacheLease::OFF).await?;
    storage.close().await;
    if settings.is_for_people {
        output::line("The tables of the database are those of this version.")
    } else {
        output::json(&json!({ "created": is_new }))
    }
}
