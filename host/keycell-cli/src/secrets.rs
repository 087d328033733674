//! The search for API keys in arguments and environment variables, where other users of the machine
//! can see them.

use std::{env, ffi::OsStr, fmt};

use clap::{Command, CommandFactory};
use keycell_component::key::holds_part_of_key;

use crate::command::Cli;

/// The place in which a key was found. It never shows the value.
pub enum Place {
    /// An argument, by its position.
    Argument(usize),
    /// An environment variable, by its name.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(position) => write!(f, "argument {position}"),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// Finds an API key, or the beginning of one, in the arguments or in a variable that the command
/// reads.
pub fn find_key() -> Option<Place> {
    let holds_key = |text: &OsStr| holds_part_of_key(&text.to_string_lossy());
    let argument = env::args_os().skip(1).position(|argument| holds_key(&argument));
    let variable = || {
        let is_set_to_key = |name: &String| env::var_os(name).is_some_and(|value| holds_key(&value));
        variables(&Cli::command()).into_iter().find(is_set_to_key)
    };
    argument.map(|index| Place::Argument(index + 1)).or_else(|| variable().map(Place::Variable))
}

/// The names of the variables that a command and its subcommands read.
fn variables(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env());
    let own = own.map(|name| name.to_string_lossy().into_owned());
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}
