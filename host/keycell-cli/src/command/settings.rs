//! What holds for every command: the database, the user, the form of the output.

use std::{fs, io, path::PathBuf};

use clap::Args;
use etcetera::BaseStrategy;
use keycell::{
    Caller, Keycell, Policy, Scope, SqliteStorage,
    tools::{READ, WRITE},
};

use super::error::CommandError;

/// What a key that is made on the command line may do by default, and what the command line's
/// user holds.
const SCOPES: [&str; 2] = [READ, WRITE];

#[derive(Args)]
pub struct Settings {
    /// The database [default: a file in the user's data directory]
    #[arg(long, global = true, value_name = "PATH", env = "KEYCELL_DATABASE", hide_env_values = true)]
    database: Option<PathBuf>,
    /// For whom the command acts
    #[arg(
        long,
        global = true,
        value_name = "ID",
        env = "KEYCELL_USER",
        hide_env_values = true,
        default_value = "local"
    )]
    user: String,
    /// Prints JSON, as it does when standard output is no terminal
    #[arg(long, global = true)]
    pub json: bool,
}

impl Settings {
    /// The user of the command line.
    pub fn caller(&self) -> Result<Caller, CommandError> {
        Ok(Caller::user(&self.user)?.with_scopes(SCOPES))
    }

    /// Opens the database, and creates it where there is none.
    pub fn storage(&self) -> Result<SqliteStorage, CommandError> {
        let path = match &self.database {
            Some(path) => path.clone(),
            None => default_database()?,
        };
        SqliteStorage::open(&path).map_err(|source| CommandError::Database { path, source })
    }

    /// The authority on that database.
    pub fn keycell(&self) -> Result<Keycell<SqliteStorage>, CommandError> {
        let default_scopes = SCOPES.iter().filter_map(|scope| Scope::parse(scope)).collect();
        let policy = Policy { default_scopes, ..Policy::default() };
        Ok(Keycell::builder(self.storage()?).policy(policy).build()?)
    }
}

/// `keycell/keycell.db` in the user's data directory, which is made if need be.
fn default_database() -> Result<PathBuf, CommandError> {
    let base = etcetera::choose_base_strategy().map_err(|_| CommandError::NoDataDirectory)?;
    let dir = base.data_dir().join("keycell");
    create_private(&dir)?;
    Ok(dir.join("keycell.db"))
}

fn create_private(dir: &std::path::Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}
