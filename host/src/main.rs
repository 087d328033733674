//! The command `keycell`.

#![forbid(unsafe_code)]

mod command;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match command::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return command::wrong_usage(&error),
    };
    command::log_to_stderr(&cli);
    match command::run(cli) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("{}error:{} {error}", command::ERROR.render(), command::ERROR.render_reset());
            ExitCode::FAILURE
        }
    }
}
