//! `keycell mcp`.

use clap::Args;

use crate::{error::CommandError, server_options::ToolOptions, settings::Settings};

#[derive(Args)]
#[command(after_help = "Example:
  keycell mcp --user ann")]
pub struct Arguments {
    #[command(flatten)]
    tools: ToolOptions,
}

pub async fn run(settings: &Settings, arguments: &Arguments) -> Result<(), CommandError> {
    let _ = arguments.tools.settings(&settings.config.server);
    Ok(())
}
