//! `keycell get` and `keycell describe`.

use clap::Args;

use super::show;
use crate::{error::CommandError, output, settings::Settings};

#[derive(Args)]
pub struct Arguments {
    /// The id of the key, not the key itself
    #[arg(value_name = "ID")]
    api_key_id: String,
}

/// The fields that the JSON has.
pub enum Fields {
    Basic,
    All,
}

pub async fn run(settings: &Settings, arguments: &Arguments, fields: Fields) -> Result<(), CommandError> {
    let (authority, caller) = (settings.authority().await?, settings.caller());
    match fields {
        Fields::Basic if !settings.is_for_people => {
            output::json(&authority.get_api_key(&caller, &arguments.api_key_id).await?)
        }
        _ => show::details(settings, &authority.describe_api_key(&caller, &arguments.api_key_id).await?),
    }
}
