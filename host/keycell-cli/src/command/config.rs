//! `keycell config`.

use std::time::Duration;

use clap::{Args, Subcommand};
use keycell::Scope;
use serde_json::{Value, json};

use crate::{
    cache_lease::CacheLease,
    error::CommandError,
    output,
    server_options::{ServerOptions, ServerSettings},
    settings::{Origin, Settings},
};

#[derive(Subcommand)]
pub enum Command {
    /// Checks the configuration file: reports a mistake with its line and exits with 1
    Check,
    /// Shows every setting and its origin
    Show(Show),
}

#[derive(Args)]
#[command(after_help = "Example:
  keycell config show --json

The order is: option, environment variable, configuration file, default.")]
pub struct Show {
    #[command(flatten)]
    server: ServerOptions,
}

/// Runs a command. A mistake in the file was reported when the settings were read.
pub fn run(settings: &Settings, command: Command) -> Result<(), CommandError> {
    let file = settings.config_file.as_ref();
    if let Command::Check = command {
        CacheLease::first(None, settings)?;
    }
    match command {
        Command::Check if !settings.is_for_people => output::json(&json!({ "valid": true, "file": file })),
        Command::Check => output::line(&match file {
            Some(path) => format!("{} is valid", path.display()),
            None => "There is no configuration file: the defaults apply.".to_owned(),
        }),
        Command::Show(Show { server }) => show(settings, &server),
    }
}

fn show(settings: &Settings, server: &ServerOptions) -> Result<(), CommandError> {
    let rows = rows(settings, &server.settings(settings)?);
    if !settings.is_for_people {
        let row = |(name, value, origin): &Row| json!({ "name": name, "value": value, "origin": origin });
        let rows: Vec<_> = rows.iter().map(row).collect();
        return output::json(&json!({ "file": settings.config_file, "settings": rows }));
    }
    let origin = |origin: &Origin| match origin {
        Origin::Option => "option or environment",
        Origin::File => "file",
        Origin::Default => "default",
    };
    let field = |(name, value, from): &Row| (*name, format!("{} ({})", text(value), origin(from)));
    output::fields(&rows.iter().map(field).collect::<Vec<_>>())
}

/// The name, the value and the origin of a setting.
type Row = (&'static str, Value, Origin);

fn rows(settings: &Settings, server: &ServerSettings) -> Vec<Row> {
    let Settings { config, policy, .. } = settings;
    let in_file = |is_set: bool| if is_set { Origin::File } else { Origin::Default };
    let life = |life: Option<Duration>| json!(life.map(|life| humantime::format_duration(life).to_string()));
    let scopes = |scopes: &[Scope]| json!(scopes.iter().map(Scope::as_str).collect::<Vec<_>>());
    let proxies: Vec<_> = server.trusted_proxies.0.iter().map(ToString::to_string).collect();
    vec![
        ("prefix", json!(policy.prefix.as_str()), in_file(config.prefix.is_some())),
        ("default_scopes", scopes(&policy.default_scopes), in_file(config.default_scopes.is_some())),
        (
            "grantable_scopes",
            scopes(policy.grantable_scopes.as_deref().unwrap_or_default()),
            in_file(config.grantable_scopes.is_some()),
        ),
        ("longest_life", life(policy.longest_life), in_file(config.longest_life.is_some())),
        ("default_life", life(policy.default_life), in_file(config.default_life.is_some())),
        ("database", json!(settings.database.location), settings.database.origin),
        ("user", json!(settings.user.0), settings.user.1),
        ("server.listen", json!(server.listen.0), server.listen.1),
        ("server.metrics_listen", json!(server.metrics_listen.0), server.metrics_listen.1),
        ("server.allowed_hosts", json!(server.allowed_hosts.0), server.allowed_hosts.1),
        ("server.trusted_proxies", json!(proxies), server.trusted_proxies.1),
        ("server.cache_lease", json!(server.cache_lease.0.to_string()), server.cache_lease.1),
        ("server.pages", json!(server.pages.0), server.pages.1),
        ("server.all_tools", json!(server.tools.all_tools.0), server.tools.all_tools.1),
        ("server.redact_text", json!(server.tools.redact_text.0), server.tools.redact_text.1),
    ]
}

/// Formats a value for people: a text without quotes, a list on one line.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "none".to_owned(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(" "),
        value => value.to_string(),
    }
}
