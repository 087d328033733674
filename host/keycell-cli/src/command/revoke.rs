//! `keycell revoke`.

use clap::Args;

use super::show;
use crate::{error::CommandError, settings::Settings};

#[derive(Args)]
#[command(after_help = "Example:
  keycell revoke 0192f0c1-2345-7abc-8def-0123456789ab --reason 'left in a screenshot'")]
pub struct Arguments {
    /// The id of the key, not the key itself
    #[arg(value_name = "ID")]
    api_key_id: String,
    /// The reason: 1 to 200 characters
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub async fn run(settings: &Settings, arguments: &Arguments) -> Result<(), CommandError> {
    let Arguments { api_key_id, reason } = arguments;
    let revoked =
        settings.authority().await?.revoke_api_key(&settings.caller(), api_key_id, reason.as_deref(), None).await?;
    show::details(settings, &revoked)
}
