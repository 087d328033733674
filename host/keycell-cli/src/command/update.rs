//! `keycell update`.

use clap::Args;
use keycell::{RateLimit, UpdateApiKey};

use super::show;
use crate::{
    arguments::{metadata, rate_limit},
    error::CommandError,
    settings::Settings,
};

#[derive(Args)]
#[command(after_help = "Examples:
  keycell update 0192f0c1-2345-7abc-8def-0123456789ab --name deploy-2 --expires-at 2030-12-31
  keycell update 0192f0c1-2345-7abc-8def-0123456789ab --metadata @plan.json --no-limit")]
pub struct Arguments {
    /// The id of the key, not the key itself
    #[arg(value_name = "ID")]
    api_key_id: String,
    #[command(flatten)]
    changes: Changes,
}

#[derive(Args)]
#[group(required = true, multiple = true)]
struct Changes {
    /// The new name
    #[arg(long)]
    name: Option<String>,
    /// An earlier expiry: an RFC 3339 time with an offset, or a date
    #[arg(long, value_name = "WHEN")]
    expires_at: Option<String>,
    /// The new metadata: a JSON object of at most 4 KiB, or @ and the name of a file with one
    #[arg(long, value_name = "JSON|@FILE", conflicts_with = "no_metadata")]
    metadata: Option<String>,
    /// Removes the metadata
    #[arg(long)]
    no_metadata: bool,
    /// The new limit of successful verifications, such as 100/60s
    #[arg(long, value_name = "REQUESTS/WINDOW", value_parser = rate_limit, conflicts_with = "no_limit")]
    limit: Option<RateLimit>,
    /// Removes the limit
    #[arg(long)]
    no_limit: bool,
}

pub async fn run(settings: &Settings, arguments: Arguments) -> Result<(), CommandError> {
    let Arguments { api_key_id, changes } = arguments;
    let mut update = UpdateApiKey::default();
    update.name = changes.name;
    update.expires_at = changes.expires_at;
    update.metadata = match changes.metadata {
        Some(argument) => Some(metadata(argument)?),
        None => changes.no_metadata.then(|| "null".to_owned()),
    };
    update.rate_limit = match changes.limit {
        Some(limit) => Some(Some(limit)),
        None => changes.no_limit.then_some(None),
    };
    let updated = settings.authority().await?.update_api_key(&settings.caller(), &api_key_id, update).await?;
    show::details(settings, &updated)
}
