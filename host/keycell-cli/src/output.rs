//! Standard output, as text for people or JSON for programs, and standard error.

use std::{
    fmt,
    io::{IsTerminal, Write, stdout},
};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::{closed_output, error::CommandError};

/// The style of a failure.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// The style of a success.
pub const SUCCESS: Style = AnsiColor::Green.on_default().bold();
const LABEL: Style = Style::new().dimmed();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Whether standard output is read by a person rather than by a program.
pub fn is_for_people(json: bool) -> bool {
    !json && stdout().is_terminal()
}

/// Prints one JSON value.
pub fn json(value: &impl Serialize) -> Result<(), CommandError> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Prints a line, in colour if the terminal has colours.
pub fn line(line: &str) -> Result<(), CommandError> {
    text(&format!("{line}\n"))
}

/// Prints a text, in colour if the terminal has colours.
pub fn text(text: &str) -> Result<(), CommandError> {
    let mut stdout = anstream::stdout();
    let written = closed_output::check().and_then(|()| stdout.write_all(text.as_bytes()));
    written.and_then(|()| stdout.flush()).map_err(CommandError::Output)
}

/// Prints a line of labels.
pub fn label(text: &str) -> Result<(), CommandError> {
    line(&format!("{LABEL}{text}{LABEL:#}"))
}

/// Prints labels and values, one pair a line.
pub fn fields(rows: &[(&str, String)]) -> Result<(), CommandError> {
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    rows.iter().try_for_each(|(label, value)| line(&format!("{LABEL}{label:width$}{LABEL:#}  {value}")))
}

/// Prints a warning on standard error.
pub fn warn(text: &str) {
    anstream::eprintln!("\n{WARNING}{text}{WARNING:#}");
}

/// Prints an error on standard error.
pub fn error(error: &impl fmt::Display) {
    anstream::eprintln!("{ERROR}error:{ERROR:#} {error}");
}
