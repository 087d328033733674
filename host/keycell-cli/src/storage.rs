//! The database file.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use keycell_sqlite::{SqliteError, SqliteStorage};

use crate::{error::CommandError, settings::Origin};

/// The location of the database.
#[derive(Clone, Debug)]
pub struct Database {
    pub path: PathBuf,
    pub origin: Origin,
}

impl fmt::Display for Database {
    /// Shows the path, unless it is the value of an option, which no message repeats.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Option => f.write_str("the path in --database or KEYCELL_DATABASE"),
            Origin::File | Origin::Default => write!(f, "{}", self.path.display()),
        }
    }
}

impl Database {
    /// The default location: `keycell/keycell.db` in the user's data directory.
    pub fn default_location() -> Result<Self, CommandError> {
        let base = etcetera::choose_base_strategy().map_err(|_| CommandError::NoDataDirectory)?;
        Ok(Self { path: base.data_dir().join("keycell").join("keycell.db"), origin: Origin::Default })
    }

    /// Opens the database, and creates nothing.
    pub fn open(&self) -> Result<SqliteStorage, CommandError> {
        SqliteStorage::options().create(false).open(&self.path).map_err(|error| self.error(error))
    }

    /// Opens the database, and creates it if there is none, which the storage logs.
    pub fn open_or_create(&self) -> Result<SqliteStorage, CommandError> {
        if let (Origin::Default, Some(directory)) = (self.origin, self.path.parent()) {
            create_private(directory).map_err(|error| self.error(error.into()))?;
        }
        SqliteStorage::options().create(true).open(&self.path).map_err(|error| self.error(error))
    }

    /// Adds the location to an error of the storage.
    pub fn error(&self, source: SqliteError) -> CommandError {
        match source {
            SqliteError::Missing => CommandError::NoDatabase(self.clone()),
            source => CommandError::Database { database: self.clone(), source },
        }
    }
}

/// Creates a directory for its user alone.
fn create_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}
