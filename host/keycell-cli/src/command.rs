//! The commands.

mod backup;
mod check;
mod completions;
mod component;
mod config;
mod conformance;
#[cfg(feature = "pages")]
mod console;
mod copy;
mod create;
mod events;
mod get;
mod init;
mod list;
mod mcp;
mod member;
mod migrate;
mod project;
mod revoke;
mod rotate;
mod serve;
mod show;
mod update;
mod verify;

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

use crate::{
    error::CommandError,
    log::{self, Form},
    settings::{Options, Settings},
};

/// The timeout for background threads after a command.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Issues, verifies and revokes API keys. A sandboxed WebAssembly component applies every rule
#[derive(Parser)]
#[command(
    name = "keycell",
    version,
    max_term_width = 100,
    after_help = "Examples:
  keycell init
  keycell project create web
  keycell create --name deploy --project web --expires-at 2031-01-31
  keycell list

Exit codes: 0 success, 1 refused or failed, 2 wrong usage."
)]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    WithSettings(WithSettings),
    /// Runs the conformance suite against a component
    Conformance(conformance::Arguments),
    /// Describes the built-in component, or writes it to a file
    Component(component::Arguments),
    /// Prints a completion script for a shell
    Completions(completions::Arguments),
}

/// The commands that use the settings, most of them for the database.
#[derive(Subcommand)]
enum WithSettings {
    /// Creates the database
    Init,
    /// Creates the tables of the database, or brings them to this version
    #[command(after_help = "Example:
  keycell migrate --database postgres://owner@db.example.com/keycell

For a PostgreSQL database whose hosts may not change tables. Other databases need no such step.")]
    Migrate,
    /// Creates an API key and shows it once
    Create(create::Arguments),
    /// Shows an API key; as JSON, its basic fields
    #[command(after_help = "Example:
  keycell get 0192f0c1-2345-7abc-8def-0123456789ab")]
    Get(get::Arguments),
    /// Shows all fields of an API key
    #[command(after_help = "Example:
  keycell describe 0192f0c1-2345-7abc-8def-0123456789ab")]
    Describe(get::Arguments),
    /// Verifies a key from standard input or from a hidden prompt
    Verify(verify::Arguments),
    /// Lists API keys, newest first
    List(list::Arguments),
    /// Revokes an API key at once and permanently
    Revoke(revoke::Arguments),
    /// Replaces an API key by a new one and shows it once
    Rotate(rotate::Arguments),
    /// Changes the name, metadata or rate limit of an API key, or moves its expiry to an earlier time
    Update(update::Arguments),
    /// Lists the changes of API keys, newest first
    Events(events::Arguments),
    /// Manages projects and their members
    #[command(subcommand)]
    Project(project::Command),
    /// Serves MCP on standard input and output, for the user
    Mcp(mcp::Arguments),
    /// Serves HTTP, including MCP, for the holders of API keys
    Serve(serve::Arguments),
    /// Opens the console for keys in a browser, for the user as an operator
    #[cfg(feature = "pages")]
    Console(console::Arguments),
    /// Checks a SQLite database and every record in it
    #[command(after_help = "Example:
  keycell check --database /var/lib/keycell/keycell.db

Exit codes: 0 no problems, 1 problems, or the database cannot be read.")]
    Check,
    /// Writes a copy of a SQLite database to a new file, also while a server uses the database
    Backup(backup::Arguments),
    /// Copies every record of a database into an empty one, such as from SQLite to PostgreSQL
    Copy(copy::Arguments),
    /// Checks and shows the configuration
    #[command(subcommand)]
    Config(config::Command),
}

impl Cli {
    /// Starts the log in the form that fits the command. Keep the guard until the end.
    pub fn start_log(&self) -> tracing_appender::non_blocking::WorkerGuard {
        log::to_stderr(&match self.command {
            // The cases make storage fail on purpose.
            Command::Conformance(_) => Form::Off,
            Command::WithSettings(WithSettings::Serve(_)) => Form::Json,
            _ => Form::Text,
        })
    }

    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, CommandError> {
        let mut runtime = match self.command {
            Command::WithSettings(WithSettings::Serve(_)) => tokio::runtime::Builder::new_multi_thread(),
            _ => tokio::runtime::Builder::new_current_thread(),
        };
        let runtime = runtime.enable_all().build()?;
        let result = runtime.block_on(self.dispatch());
        // A thread may still wait for standard input.
        runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        result
    }

    async fn dispatch(self) -> Result<ExitCode, CommandError> {
        let Self { options, command } = self;
        match command {
            Command::WithSettings(command) => {
                let settings = options.settings()?;
                let result = command.run(&settings).await;
                settings.close().await;
                return result;
            }
            Command::Conformance(arguments) => return conformance::run(options.json, &arguments).await,
            Command::Component(arguments) => component::run(options.json, &arguments)?,
            Command::Completions(arguments) => completions::run(&arguments)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl WithSettings {
    async fn run(self, settings: &Settings) -> Result<ExitCode, CommandError> {
        match self {
            Self::Init => init::run(settings).await?,
            Self::Migrate => migrate::run(settings).await?,
            Self::Create(arguments) => create::run(settings, arguments).await?,
            Self::Get(arguments) => get::run(settings, &arguments, get::Fields::Basic).await?,
            Self::Describe(arguments) => get::run(settings, &arguments, get::Fields::All).await?,
            Self::Verify(arguments) => return verify::run(settings, &arguments).await,
            Self::List(arguments) => list::run(settings, arguments).await?,
            Self::Revoke(arguments) => revoke::run(settings, &arguments).await?,
            Self::Rotate(arguments) => rotate::run(settings, &arguments).await?,
            Self::Update(arguments) => update::run(settings, arguments).await?,
            Self::Events(arguments) => events::run(settings, arguments).await?,
            Self::Project(command) => project::run(settings, command).await?,
            Self::Mcp(arguments) => mcp::run(settings, &arguments).await?,
            Self::Serve(arguments) => serve::run(settings, arguments).await?,
            #[cfg(feature = "pages")]
            Self::Console(arguments) => console::run(settings, &arguments).await?,
            Self::Check => return check::run(settings),
            Self::Backup(arguments) => backup::run(settings, &arguments)?,
            Self::Copy(arguments) => copy::run(settings, arguments).await?,
            Self::Config(command) => config::run(settings, command)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
