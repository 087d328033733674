//! `keycell completions`.

use std::io::{Write, stdout};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use crate::error::CommandError;

#[derive(Args)]
#[command(after_help = "Example:
  keycell completions bash > ~/.local/share/bash-completion/completions/keycell")]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "keycell", &mut script);
    stdout().write_all(&script).and_then(|()| stdout().flush()).map_err(CommandError::Output)
}
