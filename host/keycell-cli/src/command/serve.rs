//! `keycell serve`.

use clap::Args;

use crate::{error::CommandError, server_options::ServerOptions, settings::Settings};

#[derive(Args)]
#[command(after_help = "Examples:
  keycell serve
  keycell serve --listen 0.0.0.0:8787 --allow-host keys.example.com

The first key comes from `keycell create`. SIGTERM or an interrupt stops the server.")]
pub struct Arguments {
    #[command(flatten)]
    server: ServerOptions,
}

pub async fn run(settings: &Settings, arguments: Arguments) -> Result<(), CommandError> {
    let _ = arguments.server.settings(&settings.config.server);
    Ok(())
}
