//! The settings of every command: from options, the environment, the configuration file and
//! defaults, in this order.

use std::{path::PathBuf, sync::OnceLock};

use clap::Args;
use keycell::{AnyStorage, Caller, Keycell, Policy, Scope, Storage};
use keycell_component::scopes;
use serde::Serialize;

use crate::{
    arguments::user_id,
    cache_lease::CacheLease,
    config::{Config, Parsed},
    error::CommandError,
    output,
    storage::{Database, DatabaseError, Location},
    time::Form,
};

/// The authority of a command.
pub type Authority = Keycell<AnyStorage>;

/// The heading of the options of every command in help.
const GLOBAL: &str = "Global options";
const DEFAULT_USER: &str = "local";
/// The scopes of a key that is created without scopes, unless the file sets others.
const DEFAULT_SCOPES: [&str; 2] = [scopes::READ, scopes::WRITE];

/// The options of every command.
#[derive(Args)]
pub struct Options {
    /// The SQLite file or the URL of a PostgreSQL database [default: keycell/keycell.db in the user's data directory]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "PATH|URL", env = "KEYCELL_DATABASE", hide_env_values = true)]
    database: Option<PathBuf>,
    /// The configuration file [default: keycell/keycell.toml in the user's configuration directory]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "PATH", env = "KEYCELL_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// The user for whom the command acts [default: local]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "ID", env = "KEYCELL_USER", hide_env_values = true, value_parser = user_id)]
    user: Option<String>,
    /// Acts as an operator, who may see and change every key
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL,
        env = "KEYCELL_OPERATOR",
        hide_env_values = true,
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    operator: bool,
    /// Prints JSON, which is the default unless standard output is a terminal
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// Prints exact times instead of relative ones
    #[arg(long, global = true, help_heading = GLOBAL)]
    exact: bool,
}

/// The origin of a setting.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// An option or its environment variable.
    Option,
    /// The configuration file.
    File,
    Default,
}

impl Origin {
    /// The first value that is set, with its origin.
    pub fn first<T>(option: Option<T>, file: Option<T>, default: impl FnOnce() -> T) -> (T, Self) {
        match (option, file) {
            (Some(value), _) => (value, Self::Option),
            (None, Some(value)) => (value, Self::File),
            (None, None) => (default(), Self::Default),
        }
    }
}

/// The settings of a command.
pub struct Settings {
    pub json: bool,
    pub is_for_people: bool,
    pub times: Form,
    pub is_operator: bool,
    pub user: (String, Origin),
    pub database: Database,
    /// The storage that the command has opened.
    opened: OnceLock<AnyStorage>,
    pub config_file: Option<PathBuf>,
    pub config: Config,
    pub policy: Policy,
}

impl Options {
    /// Reads the configuration file and combines it with the options.
    pub fn settings(&self) -> Result<Settings, CommandError> {
        let config_file = self.config.clone().or_else(Config::default_path);
        let read = |path| Config::read(path, self.config.is_some());
        let config = config_file.as_deref().map(read).transpose()?.unwrap_or_default();
        let option = self.database.clone().map(Location::parse).transpose().map_err(DatabaseError::Url)?;
        let in_file = config.database.as_ref().zip(config_file.as_deref());
        let database = match (option, in_file) {
            (Some(location), _) => Database { location, origin: Origin::Option },
            (None, Some((location, file))) => Database { location: location.beside(file), origin: Origin::File },
            (None, None) => Database::default_location()?,
        };
        let user_in_file = config.user.as_ref().map(|Parsed(user)| user.as_str().to_owned());
        let user = Origin::first(self.user.clone(), user_in_file, || DEFAULT_USER.to_owned());
        Ok(Settings {
            json: self.json,
            is_for_people: output::is_for_people(self.json),
            times: Form::new(self.exact),
            is_operator: self.operator,
            user,
            database,
            opened: OnceLock::new(),
            config_file,
            policy: policy(&config),
            config,
        })
    }
}

impl Settings {
    /// The user of the command line, who may grant every scope of the policy.
    pub fn caller(&self) -> Caller {
        let grantable = self.policy.grantable_scopes.iter().flatten().map(Scope::as_str);
        let user = Caller::user(&self.user.0).with_scopes(grantable);
        if self.is_operator { user.as_operator() } else { user }
    }

    /// The authority on the existing database. A command calls this or
    /// [`authority_or_new`](Self::authority_or_new) once.
    pub async fn authority(&self) -> Result<Authority, CommandError> {
        self.authority_on(self.database.open().await?)
    }

    /// The authority on the database, which is created if there is none.
    pub async fn authority_or_new(&self) -> Result<Authority, CommandError> {
        self.cached_authority_or_new(CacheLease::OFF).await
    }

    /// The same, with a cache.
    pub async fn cached_authority_or_new(&self, lease: CacheLease) -> Result<Authority, CommandError> {
        let (storage, _) = self.database.open_or_create(lease).await?;
        self.authority_on(storage)
    }

    /// Closes the storage that the command has opened.
    pub async fn close(&self) {
        if let Some(storage) = self.opened.get() {
            storage.close().await;
        }
    }

    fn authority_on(&self, storage: AnyStorage) -> Result<Authority, CommandError> {
        let storage = self.opened.get_or_init(|| storage).clone();
        Ok(Keycell::builder(storage).policy(self.policy.clone()).build()?)
    }
}

fn policy(config: &Config) -> Policy {
    let scopes = |scopes: &Vec<Parsed<Scope>>| scopes.iter().map(|Parsed(scope)| scope.clone()).collect::<Vec<_>>();
    let configured = config.grantable_scopes.as_ref().map(scopes);
    let default_scopes = config.default_scopes.as_ref().map(scopes).unwrap_or_else(|| {
        let is_grantable = |scope: &Scope| configured.as_ref().is_none_or(|grantable| grantable.contains(scope));
        DEFAULT_SCOPES.iter().filter_map(|scope| Scope::parse(scope)).filter(is_grantable).collect()
    });
    let grantable_scopes = configured.unwrap_or_else(|| {
        let mut scopes = [default_scopes.clone(), scopes::own()].concat();
        scopes.sort();
        scopes.dedup();
        scopes
    });
    let mut policy = Policy::default().with_default_scopes(default_scopes).with_grantable_scopes(grantable_scopes);
    policy.longest_life = config.longest_life.as_ref().map(|life| life.0);
    policy.default_life = config.default_life.as_ref().map(|life| life.0);
    if let Some(Parsed(prefix)) = &config.prefix {
        policy.prefix = prefix.clone();
    }
    policy
}
