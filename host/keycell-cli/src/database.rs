//! The database file.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use keycell_sqlite::SqliteStorage;

use crate::error::CommandError;

/// The location of the database.
#[derive(Clone, Debug)]
pub struct Database {
    pub path: PathBuf,
    /// Whether the path is the value of an argument, which no message repeats.
    pub is_argument: bool,
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_argument {
            f.write_str("the path in --database or KEYCELL_DATABASE")
        } else {
            write!(f, "{}", self.path.display())
        }
    }
}

impl Database {
    /// `keycell/keycell.db` in the user's data directory.
    pub fn default_path() -> Result<PathBuf, CommandError> {
        let base = etcetera::choose_base_strategy().map_err(|_| CommandError::NoDataDirectory)?;
        Ok(base.data_dir().join("keycell").join("keycell.db"))
    }

    /// Opens the database.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be opened.
    pub fn open(&self) -> Result<SqliteStorage, CommandError> {
        if !self.path.exists() {
            return Err(CommandError::NoDatabase(self.clone()));
        }
        let opened = SqliteStorage::options().create(false).open(&self.path);
        opened.map_err(|source| CommandError::Database { database: self.clone(), source })
    }

    /// Opens the database, and creates it and logs that if there is none.
    pub fn open_or_create(&self) -> Result<SqliteStorage, CommandError> {
        let is_new = !self.path.exists();
        if is_new
            && !self.is_argument
            && let Some(directory) = self.path.parent()
        {
            create_private(directory)?;
        }
        let opened = SqliteStorage::options().create(true).open(&self.path);
        let storage = opened.map_err(|source| CommandError::Database { database: self.clone(), source })?;
        if is_new {
            tracing::info!("created a new database at {self}");
        }
        Ok(storage)
    }
}

/// Creates a directory that only its user can open.
fn create_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}
