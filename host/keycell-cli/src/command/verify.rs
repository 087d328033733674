//! `keycell verify`.

use std::{
    io::{IsTerminal, Read, stdin},
    process::ExitCode,
};

use clap::Args;
use keycell::{Caller, SecretKey, Verification};

use crate::{
    error::CommandError,
    output::{self, ERROR, SUCCESS},
    settings::Settings,
};

/// The maximum number of bytes that are read. Every key is shorter.
const MAX_INPUT: u64 = 4096;

#[derive(Args)]
#[command(after_help = "Examples:
  keycell verify
  keycell verify --scope api-keys:read < key.txt

The key is never an argument, because other users of the machine can see arguments.
Exit codes: 0 valid, 1 refused.")]
pub struct Arguments {
    /// A scope that the key must have; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
}

pub async fn run(settings: &Settings, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let authority = settings.authority().await?;
    let key = read_key()?;
    let scopes: Vec<_> = arguments.scopes.iter().map(String::as_str).collect();
    let verification = authority.verify_api_key(&Caller::host(), key.expose(), &scopes).await?;
    let (style, word, code) = match &verification {
        Verification::Refused(refusal) => (ERROR, refusal.to_string(), ExitCode::FAILURE),
        _ => (SUCCESS, "valid".to_owned(), ExitCode::SUCCESS),
    };
    if settings.json {
        output::json(&verification)?;
    } else {
        output::line(&format!("{style}{word}{style:#}"))?;
    }
    Ok(code)
}

/// Reads the key without its line ending from standard input, or from a hidden prompt on a terminal.
fn read_key() -> Result<SecretKey, CommandError> {
    if stdin().is_terminal() {
        return Ok(rpassword::prompt_password("key: ").map_err(CommandError::Input)?.into());
    }
    let mut bytes = Vec::new();
    stdin().take(MAX_INPUT).read_to_end(&mut bytes).map_err(CommandError::Input)?;
    // A key is ASCII, so invalid UTF-8 stays malformed.
    let key = String::from_utf8_lossy(&bytes);
    let line = key.strip_suffix('\n').unwrap_or(&key);
    Ok(line.strip_suffix('\r').unwrap_or(line).into())
}
