//! The command `keycell`.

#![deny(unsafe_code)]

mod arguments;
mod cache_lease;
mod closed_output;
mod command;
mod config;
mod core_dumps;
mod error;
mod listing;
mod log;
mod output;
mod secrets;
mod server_options;
mod settings;
mod signal;
mod storage;
mod table;
mod time;
mod usage;
mod zeroing_allocator;

use std::process::ExitCode;

use clap::Parser;

use crate::{command::Cli, zeroing_allocator::ZeroingAllocator};

#[global_allocator]
static ALLOCATOR: ZeroingAllocator = ZeroingAllocator;

fn main() -> ExitCode {
    if let Some(place) = secrets::find_key() {
        return usage::refuse_key(&place);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error),
    };
    let _log = cli.start_log();
    match cli.run() {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}
