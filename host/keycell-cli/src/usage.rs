//! Messages about wrong usage. They name arguments and never repeat a value, which may be a secret.

use std::process::ExitCode;

use clap::{
    CommandFactory,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{command::Cli, output::ERROR, secrets::Place};

/// The exit code of wrong usage.
const WRONG_USAGE: u8 = 2;

/// Refuses a command line or an environment that holds a key.
pub fn refuse_key(place: &Place) -> ExitCode {
    let message = format!(
        "{place} holds an API key or a part of one, where other users of this machine can see it: revoke the key, \
         and name it by its id"
    );
    refuse(&message, &Cli::command().render_usage().ansi().to_string())
}

/// Prints the requested help, or describes the mistake in the command line.
pub fn report(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return match error.print() {
            Ok(()) => u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
            Err(_) => ExitCode::FAILURE,
        };
    }
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.ansi().to_string(),
        _ => Cli::command().render_usage().ansi().to_string(),
    };
    refuse(&message(error), &usage)
}

fn refuse(message: &str, usage: &str) -> ExitCode {
    anstream::eprintln!("{ERROR}error:{ERROR:#} {message}\n\n{usage}\n\nFor more information, try '--help'.");
    ExitCode::from(WRONG_USAGE)
}

/// Describes the mistake. The context of an error has the names of known arguments under
/// `InvalidArg`, except for unknown arguments, whose text is the user's.
fn message(error: &clap::Error) -> String {
    let argument = || text(error, ContextKind::InvalidArg).unwrap_or_else(|| "an argument".to_owned());
    let suggestion = |kind| text(error, kind).map(|known| format!(": did you mean '{known}'?")).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => {
            format!("an argument is not known{}", suggestion(ContextKind::SuggestedArg))
        }
        ErrorKind::InvalidSubcommand => {
            format!("there is no such command{}", suggestion(ContextKind::SuggestedSubcommand))
        }
        ErrorKind::MissingSubcommand => "a command must be given".to_owned(),
        ErrorKind::MissingRequiredArgument => format!("these arguments must be given: {}", argument()),
        ErrorKind::ValueValidation => match std::error::Error::source(error) {
            Some(reason) => format!("'{}' {reason}", argument()),
            None => format!("'{}' has an invalid value", argument()),
        },
        ErrorKind::InvalidValue => match text(error, ContextKind::ValidValue) {
            Some(values) => format!("'{}' must be one of: {values}", argument()),
            None => format!("'{}' needs a value", argument()),
        },
        ErrorKind::ArgumentConflict => match text(error, ContextKind::PriorArg) {
            Some(other) if other != argument() => format!("'{}' cannot be used with '{other}'", argument()),
            _ => format!("'{}' can be used only once", argument()),
        },
        ErrorKind::InvalidUtf8 => "an argument is not valid UTF-8".to_owned(),
        _ => format!("'{}' has the wrong number of values", argument()),
    }
}

/// The text of one piece of an error's context.
fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) if !text.is_empty() => Some(text.clone()),
        ContextValue::Strings(texts) if !texts.is_empty() => Some(texts.join(", ")),
        _ => None,
    }
}
