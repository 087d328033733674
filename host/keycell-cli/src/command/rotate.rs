//! `keycell rotate`.

use std::time::Duration;

use clap::Args;

use super::show;
use crate::{arguments::duration, error::CommandError, settings::Settings};

#[derive(Args)]
#[command(after_help = "Examples:
  keycell rotate 0192f0c1-2345-7abc-8def-0123456789ab
  keycell rotate 0192f0c1-2345-7abc-8def-0123456789ab --grace 2h

If the new key cannot be written to standard output, it is revoked.")]
pub struct Arguments {
    /// The id of the key, not the key itself
    #[arg(value_name = "ID")]
    api_key_id: String,
    /// The time for which the old key stays valid, such as 90s, 15m or 2h
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0s")]
    grace: Duration,
}

pub async fn run(settings: &Settings, arguments: &Arguments) -> Result<(), CommandError> {
    let Arguments { api_key_id, grace } = arguments;
    let authority = settings.authority().await?;
    let created = authority.rotate_api_key(&settings.caller(), api_key_id, *grace, None).await?;
    show::created(settings, &authority, &created).await
}
