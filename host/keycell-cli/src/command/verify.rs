//! `keycell verify`.

use std::{
    io::{IsTerminal, Read, stdin},
    process::ExitCode,
};

use anstyle::{AnsiColor, Style};
use keycell::Verification;

use super::{error::CommandError, output, settings::Settings};

const GOOD: Style = AnsiColor::Green.on_default().bold();
/// No key is this long; what is longer is not read to its end.
const MOST_READ: u64 = 4096;

pub async fn run(settings: &Settings, scopes: &[String]) -> Result<ExitCode, CommandError> {
    let key = read_key()?;
    let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
    let verification = settings.keycell()?.verify_api_key(&key, &scopes).await?;
    let (style, word, code) = match &verification {
        Verification::Valid(_) => (GOOD, "valid".to_owned(), ExitCode::SUCCESS),
        Verification::Refused(refusal) => (super::ERROR, refusal.to_string(), ExitCode::FAILURE),
    };
    if settings.json {
        output::json(&verification)?;
    } else {
        output::line(&format!("{style}{word}{style:#}"))?;
    }
    Ok(code)
}

/// The key from standard input, without the end of its line; asked for, and not shown, on
/// a terminal.
fn read_key() -> Result<String, CommandError> {
    if stdin().is_terminal() {
        return Ok(rpassword::prompt_password("key: ")?);
    }
    let mut bytes = Vec::new();
    stdin().take(MOST_READ).read_to_end(&mut bytes)?;
    // What is no text is no key.
    let key = String::from_utf8_lossy(&bytes);
    let line = key.strip_suffix('\n').unwrap_or(&key);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
