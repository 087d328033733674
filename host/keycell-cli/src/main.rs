//! The command `keycell`.

#![forbid(unsafe_code)]

mod command;
mod http;
mod mcp;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match command::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return command::wrong_usage(&error),
    };
    let _log = cli.begin_log();
    match command::run(cli) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("{}error:{} {error}", command::ERROR.render(), command::ERROR.render_reset());
            ExitCode::FAILURE
        }
    }
}
