//! `keycell console`.

use std::{
    io::{IsTerminal, stdin},
    net::{Ipv4Addr, SocketAddr},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use clap::Args;
use keycell::IssueApiKey;
use keycell_component::scopes;
use keycell_server::{McpOptions, Server, SignIn};
use serde_json::json;

use super::serve::listen;
use crate::{arguments::duration, core_dumps, error::CommandError, output, settings::Settings, signal};

const KEY_NAME: &str = "console";
const REVOCATION_REASON: &str = "the console was closed";

#[derive(Args)]
#[command(after_help = "Examples:
  keycell console
  keycell console --no-open --listen 127.0.0.1:8788

The address that is opened signs in once, within 60 seconds. The key of the console is revoked when the \
command ends. Keys that the console makes live no longer than its own: see --life.")]
pub struct Arguments {
    /// The loopback address on which the console listens; port 0 is a free one
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), value_parser = loopback)]
    listen: SocketAddr,
    /// The life of the console's key: a duration, or unlimited
    #[arg(long, value_name = "DURATION", default_value = "8h", value_parser = life)]
    life: Life,
    /// Shows the address, and opens no browser
    #[arg(long)]
    no_open: bool,
}

/// The life of a key; `None`: as long as the policy allows.
#[derive(Clone, Copy)]
struct Life(Option<Duration>);

fn life(text: &str) -> Result<Life, &'static str> {
    match text {
        "unlimited" => Ok(Life(None)),
        text => duration(text).map(|life| Life(Some(life))),
    }
}

fn loopback(text: &str) -> Result<SocketAddr, &'static str> {
    let address = text.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback());
    address.ok_or("must be a loopback address and a port, such as 127.0.0.1:8788")
}

pub async fn run(settings: &Settings, arguments: &Arguments) -> Result<(), CommandError> {
    let (stop, hangup) = (signal::stop()?, signal::hangup()?);
    let authority = Arc::new(settings.authority_or_new().await?);
    core_dumps::turn_off();
    let listener = listen(arguments.listen).await?;
    let address = listener.local_addr()?;

    let operator = settings.caller().as_operator();
    let issued =
        authority.issue_api_key(&operator, request(settings, arguments.life)).await.map_err(|error| match error {
            error @ keycell::Error::InvalidInput { .. } => CommandError::ConsoleKey(error),
            error => error.into(),
        })?;
    let sign_in = SignIn::new(issued.key);
    let serve = async {
        show(settings, arguments, address, &sign_in)?;
        let stop = async {
            tokio::select! {
                () = stop => {}
                () = hangup => {}
            }
        };
        let options = McpOptions::default().with_all_tools(true);
        let server = Server::new(Arc::clone(&authority)).mcp_options(options).sign_in(sign_in.clone());
        Ok(server.serve(listener, stop).await?)
    };
    let served: Result<(), CommandError> = serve.await;
    let id = issued.details.id.to_string();
    let revoked = authority.revoke_api_key(&operator, &id, Some(REVOCATION_REASON), None).await;
    served.and(revoked.map(drop).map_err(CommandError::from))
}

/// The request for the key of the console.
fn request(settings: &Settings, life: Life) -> IssueApiKey {
    let request = IssueApiKey::named(KEY_NAME).with_scopes([scopes::ADMIN]);
    // A longer life than the policy's would be refused.
    match life.0.map(|life| settings.policy.longest_life.map_or(life, |longest| life.min(longest))) {
        Some(life) => request.with_expiry(humantime::format_rfc3339_millis(SystemTime::now() + life).to_string()),
        None => request,
    }
}

/// Shows the address that signs in, and opens it. In a terminal, each Enter makes a new one.
fn show(settings: &Settings, arguments: &Arguments, address: SocketAddr, sign_in: &SignIn) -> Result<(), CommandError> {
    let new_url = {
        let sign_in = sign_in.clone();
        move || format!("http://{address}/console#code={}", sign_in.new_code())
    };
    let url = new_url();
    if !arguments.no_open {
        open(&url);
    }
    if !settings.is_for_people {
        return output::json(&json!({ "url": url }));
    }
    output::line(&url)?;
    output::label("Valid once, for 60 seconds. Enter makes a new one, and Ctrl-C ends the console and its key.")?;
    if stdin().is_terminal() {
        // The thread waits for a line until the process ends.
        thread::Builder::new().name("keycell-console".to_owned()).spawn(move || {
            for _ in stdin().lines().map_while(Result::ok) {
                if output::line(&new_url()).is_err() {
                    break;
                }
            }
        })?;
    }
    Ok(())
}

/// Asks the system to open an address in the browser. A failure is not an error, because the
/// address is shown in any case.
fn open(url: &str) {
    let mut command = if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        // `start` is a command of the shell, which would interpret the address.
        Command::new("explorer")
    } else {
        Command::new("xdg-open")
    };
    let spawned = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Err(error) = spawned {
        tracing::debug!("no browser was opened: {error}");
    }
}
