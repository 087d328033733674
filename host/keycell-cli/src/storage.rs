//! The storage of keys: a SQLite database. No other module depends on the kind of storage.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use keycell::AnyStorage;
use keycell_sqlite::{Problem, Report, SqliteError, SqliteOptions, SqliteStorage};

use crate::settings::Origin;

/// The reason why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("there is no database at {0}: create one with `keycell init`, or correct the path")]
    Missing(Database),
    #[error("there is a database at {0} already")]
    Exists(Database),
    #[error("{database}: {source}")]
    Failed { database: Database, source: SqliteError },
    #[error("there is no home directory for the database: give its path in --database")]
    NoDataDirectory,
    #[error("the backup failed: {0}")]
    Backup(SqliteError),
}

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
    pub fn default_location() -> Result<Self, DatabaseError> {
        let base = etcetera::choose_base_strategy().map_err(|_| DatabaseError::NoDataDirectory)?;
        Ok(Self { path: base.data_dir().join("keycell").join("keycell.db"), origin: Origin::Default })
    }

    /// Opens the database, and creates nothing.
    pub fn open(&self) -> Result<AnyStorage, DatabaseError> {
        Ok(AnyStorage::new(self.open_with(&SqliteStorage::options().create(false))?))
    }

    /// Opens the database, and creates it if there is none, which the storage logs.
    pub fn open_or_create(&self) -> Result<AnyStorage, DatabaseError> {
        Ok(AnyStorage::new(self.open_or_create_sqlite()?))
    }

    /// Creates the database.
    pub fn create(&self) -> Result<(), DatabaseError> {
        if self.open_or_create_sqlite()?.is_new() { Ok(()) } else { Err(DatabaseError::Exists(self.clone())) }
    }

    /// Checks the database and every record in it.
    pub fn check(&self) -> Result<Report, DatabaseError> {
        keycell_sqlite::check(&self.path).map_err(|error| self.error(error))
    }

    /// Checks the structure of the database, and returns the first problem.
    pub fn quick_check(&self) -> Result<Option<Problem>, DatabaseError> {
        keycell_sqlite::quick_check(&self.path).map_err(|error| self.error(error))
    }

    /// Copies the database to a new file.
    pub fn back_up(&self, file: &Path) -> Result<(), DatabaseError> {
        keycell_sqlite::backup(&self.path, file).map_err(|error| match error {
            SqliteError::Missing => self.error(error),
            error => DatabaseError::Backup(error),
        })
    }

    fn open_or_create_sqlite(&self) -> Result<SqliteStorage, DatabaseError> {
        if let (Origin::Default, Some(directory)) = (self.origin, self.path.parent()) {
            create_private(directory).map_err(|error| self.error(error.into()))?;
        }
        self.open_with(&SqliteStorage::options().create(true))
    }

    fn open_with(&self, options: &SqliteOptions) -> Result<SqliteStorage, DatabaseError> {
        options.open(&self.path).map_err(|error| self.error(error))
    }

    /// Adds the location to an error of the storage.
    fn error(&self, source: SqliteError) -> DatabaseError {
        match source {
            SqliteError::Missing => DatabaseError::Missing(self.clone()),
            source => DatabaseError::Failed { database: self.clone(), source },
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
