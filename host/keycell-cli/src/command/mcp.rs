//! `keycell mcp`.

use std::sync::Arc;

use clap::Args;

use crate::{core_dumps, error::CommandError, server_options::ToolOptions, settings::Settings, signal};

#[derive(Args)]
#[command(after_help = "Example:
  keycell mcp --user ann

Ends at the end of its input, at SIGTERM or at an interrupt.")]
pub struct Arguments {
    #[command(flatten)]
    tools: ToolOptions,
}

pub async fn run(settings: &Settings, arguments: &Arguments) -> Result<(), CommandError> {
    let stop = signal::stop()?;
    let options = arguments.tools.settings(&settings.config.server).mcp_options();
    let authority = Arc::new(settings.authority_or_new().await?);
    core_dumps::turn_off();
    Ok(keycell_server::serve_stdio(authority, settings.caller(), options, stop).await?)
}
