//! A table for people, JSON for programs.

use std::io::{IsTerminal, Write, stdout};

use anstyle::{AnsiColor, Style};
use comfy_table::{Table, TableStyle};
use serde::Serialize;

use super::{error::CommandError, settings::Settings};

const LABEL: Style = Style::new().dimmed();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Whether a person reads standard output.
pub fn is_for_people(settings: &Settings) -> bool {
    !settings.json && stdout().is_terminal()
}

/// One JSON value on standard output.
pub fn json(value: &impl Serialize) -> Result<(), CommandError> {
    line(&serde_json::to_string_pretty(value)?)
}

/// A line on standard output, in colour where that is wanted.
pub fn line(text: &str) -> Result<(), CommandError> {
    Ok(writeln!(anstream::stdout(), "{text}")?)
}

/// Labels and what they stand for, line by line.
pub fn fields(rows: &[(&str, String)]) -> Result<(), CommandError> {
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    rows.iter().try_for_each(|(label, value)| line(&format!("{LABEL}{label:width$}{LABEL:#}  {value}")))
}

/// Columns under their headings.
pub fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<(), CommandError> {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(headings);
    for row in rows {
        table.add_row(row);
    }
    line(&table.trim_fmt())
}

/// A line that must not be overlooked.
pub fn warn(text: &str) {
    anstream::eprintln!("\n{WARNING}{text}{WARNING:#}");
}

/// A value that may be missing.
pub fn or_none(value: Option<String>, none: &str) -> String {
    value.unwrap_or_else(|| none.to_owned())
}

/// A list on one line.
pub fn words(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(" ") }
}
