//! What can be said on the command line.

mod component;
mod conformance;
mod error;
mod keys;
mod lifecycle;
mod log;
mod mcp;
mod output;
mod project;
mod settings;
mod signal;
mod verify;

use std::{ffi::OsString, io::Write, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anstyle::{AnsiColor, Style};
use clap::{CommandFactory, Parser, Subcommand};
use tracing::level_filters::LevelFilter;

use keycell::{ListApiKeys, UpdateApiKey, holds_form_of_key};

use self::{error::CommandError, log::Form, settings::Settings};
use crate::mcp::Options;

/// How long what is left of a command may take when its work is done.
const ENDED_WITHIN: Duration = Duration::from_secs(1);

/// How an error is marked on a terminal.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();

/// API keys, decided by a sandboxed WebAssembly component.
#[derive(Parser)]
#[command(
    name = "keycell",
    version,
    max_term_width = 100,
    after_help = "Examples:
  keycell project create web
  keycell create --name deploy --project web --expires-at 2031-01-31
  keycell get 0192f0c1-2345-7abc-8def-0123456789ab --json

Exit codes: 0 done, 1 refused or failed, 2 wrong usage."
)]
pub struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Creates an API key and shows it this once
    #[command(after_help = "Examples:
  keycell create --name laptop
  keycell create --name deploy --project web --expires-at 2031-01-31T18:00:00+01:00
  KEY=$(keycell create --name ci --json | jq -r .key)")]
    Create {
        /// What people call the key: 1 to 100 characters
        #[arg(long)]
        name: String,
        /// The project that it is for, by id or slug; without it, the key is the user's own
        #[arg(long, value_name = "REF")]
        project: Option<String>,
        /// From when on it is expired: an RFC 3339 time with an offset, or a date
        #[arg(long, value_name = "WHEN")]
        expires_at: Option<String>,
    },
    /// Shows what is known of an API key
    #[command(after_help = "Example:
  keycell get 0192f0c1-2345-7abc-8def-0123456789ab")]
    Get {
        /// The key's id, and not the key itself
        #[arg(value_name = "ID")]
        api_key_id: String,
    },
    /// Tells whether a key is good; reads it from standard input, or asks for it
    #[command(after_help = "Examples:
  keycell verify
  keycell verify --scope api-keys:read < key.txt

The key is never an argument: those are seen by everybody on the machine.
Exit codes: 0 the key is good, 1 it is refused.")]
    Verify {
        /// A scope that the key must have; may be given several times
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
    /// Lists the user's keys, newest first
    #[command(after_help = "Examples:
  keycell list
  keycell list --status all --project web --limit 100")]
    List {
        /// Which keys: active, expired, revoked or all [default: active]
        #[arg(long)]
        status: Option<String>,
        /// Keys of this project alone, by id or slug
        #[arg(long, value_name = "REF")]
        project: Option<String>,
        /// How many at a time: 1 to 100 [default: 20]
        #[arg(long)]
        limit: Option<u32>,
        /// The page after the one that ended with this key
        #[arg(long, value_name = "ID", conflicts_with = "all")]
        cursor: Option<String>,
        /// All pages
        #[arg(long)]
        all: bool,
    },
    /// Revokes a key, at once and for good
    #[command(after_help = "Example:
  keycell revoke 0192f0c1-2345-7abc-8def-0123456789ab --reason 'left in a screenshot'")]
    Revoke {
        /// The key's id, and not the key itself
        #[arg(value_name = "ID")]
        api_key_id: String,
        /// Why: 1 to 200 characters
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Replaces a key by a new one and shows that this once
    #[command(after_help = "Examples:
  keycell rotate 0192f0c1-2345-7abc-8def-0123456789ab
  keycell rotate 0192f0c1-2345-7abc-8def-0123456789ab --grace 2h")]
    Rotate {
        /// The key's id, and not the key itself
        #[arg(value_name = "ID")]
        api_key_id: String,
        /// For how long the old key stays good, such as 90s, 15m or 2h; without it, not at all
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "0s", hide_default_value = true)]
        grace: Duration,
    },
    /// Renames a key, or lets it expire earlier
    #[command(after_help = "Example:
  keycell update 0192f0c1-2345-7abc-8def-0123456789ab --name deploy-2 --expires-at 2030-12-31")]
    Update {
        /// The key's id, and not the key itself
        #[arg(value_name = "ID")]
        api_key_id: String,
        /// What people call it from now on
        #[arg(long, required_unless_present = "expires_at")]
        name: Option<String>,
        /// From when on it is expired: earlier than it is now
        #[arg(long, value_name = "WHEN")]
        expires_at: Option<String>,
    },
    /// Creates and lists projects
    #[command(subcommand)]
    Project(Project),
    /// Serves the tools over MCP on standard input and output, for the user
    #[command(after_help = "Example:
  keycell mcp --user ann")]
    Mcp {
        #[command(flatten)]
        options: Options,
    },
    /// Serves the tools over MCP on HTTP, to those who bear a key
    #[command(after_help = "Examples:
  keycell serve
  keycell serve --listen 0.0.0.0:8787 --allow-host keys.example.com

The first key comes from `keycell create`. Stops at SIGTERM or an interrupt.")]
    Serve {
        /// Where to listen
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
        listen: SocketAddr,
        /// A name, besides localhost and the address, by which clients may call the server; may be given several times
        #[arg(long = "allow-host", value_name = "HOST")]
        hosts: Vec<String>,
        #[command(flatten)]
        options: Options,
    },
    /// Runs the conformance suite against a component
    #[command(after_help = "Examples:
  keycell conformance
  keycell conformance other.wasm")]
    Conformance {
        /// The component; without it, the built-in one
        #[arg(value_name = "COMPONENT")]
        component: Option<PathBuf>,
    },
    /// Describes the built-in component, or writes it to a file
    #[command(after_help = "Example:
  keycell component --output keycell.wasm")]
    Component {
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Prints a completion script for a shell
    #[command(after_help = "Example:
  keycell completions bash > ~/.local/share/bash-completion/completions/keycell")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
enum Project {
    /// Creates a project with the user as its member
    #[command(after_help = "Example:
  keycell project create web")]
    Create {
        /// What people call it: 1 to 63 of a-z, 0-9 and inner hyphens
        slug: String,
    },
    /// Lists the projects that the user is a member of
    List,
}

impl Cli {
    /// Begins to log, in the way that fits the command.
    ///
    /// What it gives must live as long as there is something to log.
    pub fn begin_log(&self) -> tracing_appender::non_blocking::WorkerGuard {
        log::to_stderr(&match self.command {
            // The cases make storage fail on purpose.
            Command::Conformance { .. } => Form::Text(LevelFilter::OFF),
            Command::Serve { .. } => Form::Json,
            _ => Form::Text(LevelFilter::WARN),
        })
    }
}

/// Says what is wrong with the command line, or what was asked about it. A key among the arguments
/// is not repeated.
pub fn wrong_usage(error: &clap::Error) -> ExitCode {
    let holds_key = |argument: OsString| holds_form_of_key(&argument.to_string_lossy());
    if error.use_stderr() && std::env::args_os().any(holds_key) {
        anstream::eprintln!(
            "{ERROR}error:{ERROR:#} there is an API key among the arguments, where others can see it: revoke it\n\n{}",
            Cli::command().render_usage()
        );
    } else if error.print().is_err() {
        return ExitCode::FAILURE;
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Does what was said.
pub fn run(cli: Cli) -> Result<ExitCode, CommandError> {
    let Cli { settings, command } = cli;
    let mut runtime = match command {
        Command::Serve { .. } => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    let done = runtime.block_on(async {
        match command {
            Command::Create { name, project, expires_at } => keys::create(&settings, name, project, expires_at).await?,
            Command::Get { api_key_id } => keys::get(&settings, &api_key_id).await?,
            Command::Verify { scopes } => return verify::run(&settings, &scopes).await,
            Command::List { status, project: project_reference, limit, cursor, all } => {
                let request = ListApiKeys { status, project_reference, limit, cursor };
                lifecycle::list(&settings, request, all).await?;
            }
            Command::Revoke { api_key_id, reason } => {
                lifecycle::revoke(&settings, &api_key_id, reason.as_deref()).await?;
            }
            Command::Rotate { api_key_id, grace } => keys::rotate(&settings, &api_key_id, grace).await?,
            Command::Update { api_key_id, name, expires_at } => {
                lifecycle::update(&settings, &api_key_id, UpdateApiKey { name, expires_at }).await?;
            }
            Command::Project(Project::Create { slug }) => project::create(&settings, &slug).await?,
            Command::Project(Project::List) => project::list(&settings).await?,
            Command::Mcp { options } => mcp::stdio(&settings, options).await?,
            Command::Serve { listen, hosts, options } => mcp::serve(&settings, options, listen, hosts).await?,
            Command::Conformance { component } => {
                return conformance::run(&settings, component.as_deref()).await;
            }
            Command::Component { output } => component::describe(&settings, output.as_deref())?,
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "keycell", &mut script);
                std::io::stdout().write_all(&script)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    });
    // A thread may be waiting for standard input still.
    runtime.shutdown_timeout(ENDED_WITHIN);
    done
}
