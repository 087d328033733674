//! The storage of keys: a SQLite file, or a PostgreSQL database by its URL. No other module depends
//! on the kind of storage.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use keycell::{AnyStorage, RecordKind, Records, StoredRecord};
use keycell_cache::LeasedCache;
use keycell_postgres::{PostgresError, PostgresRecords, PostgresStorage, PostgresUrl};
use keycell_sqlite::{Problem, Report, SqliteError, SqliteRecords, SqliteStorage};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{cache_lease::CacheLease, settings::Origin};

/// The reason why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("there is no database at {0}: create one with `keycell init`, or correct the path")]
    Missing(Database),
    #[error("there is a database at {0} already")]
    Exists(Database),
    #[error("{database}: {source}")]
    Failed { database: Database, source: StorageError },
    #[error("--database or KEYCELL_DATABASE: {0}")]
    Url(PostgresError),
    #[error("there is no home directory for the database: give its path in --database")]
    NoDataDirectory,
    #[error("the backup failed: {0}")]
    Backup(SqliteError),
    #[error("`keycell check` and `keycell backup` are for SQLite files: use pg_amcheck and pg_dump")]
    NotAFile,
}

/// The reason why a storage of either kind cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum StorageError {
    Sqlite(#[from] SqliteError),
    Postgres(#[from] PostgresError),
}

/// The location of a database.
#[derive(Clone, Debug)]
pub enum Location {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<PostgresUrl>),
}

impl Location {
    /// Parses a path or a URL. Each text with a scheme is a URL.
    pub fn parse(text: PathBuf) -> Result<Self, PostgresError> {
        match text.to_str() {
            Some(url) if url.contains("://") => Ok(Self::Postgres(Box::new(url.parse()?))),
            _ => Ok(Self::File(text)),
        }
    }

    /// Resolves a location in a file: a path is relative to the directory of the file.
    pub fn beside(&self, file: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(file.parent().unwrap_or(Path::new("")).join(path)),
            Self::Postgres(_) => self.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for Location {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?.into()).map_err(D::Error::custom)
    }
}

impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Location {
    /// Shows the path or the URL, which holds no password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// The database of a command.
#[derive(Clone, Debug)]
pub struct Database {
    pub location: Location,
    pub origin: Origin,
}

impl fmt::Display for Database {
    /// Shows the location, unless it is the value of an option, which no message repeats.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.origin, &self.location) {
            (Origin::Option, Location::File(_)) => f.write_str("the path in --database or KEYCELL_DATABASE"),
            (Origin::Option, Location::Postgres(_)) => f.write_str("the URL in --database or KEYCELL_DATABASE"),
            (Origin::File | Origin::Default, location) => location.fmt(f),
        }
    }
}

impl Database {
    /// The default location: `keycell/keycell.db` in the user's data directory.
    pub fn default_location() -> Result<Self, DatabaseError> {
        let base = etcetera::choose_base_strategy().map_err(|_| DatabaseError::NoDataDirectory)?;
        let path = base.data_dir().join("keycell").join("keycell.db");
        Ok(Self { location: Location::File(path), origin: Origin::Default })
    }

    /// Opens the database, and creates nothing.
    pub async fn open(&self) -> Result<AnyStorage, DatabaseError> {
        let opened = match &self.location {
            Location::File(path) => {
                SqliteStorage::options().create(false).open(path).map(AnyStorage::new).map_err(StorageError::from)
            }
            Location::Postgres(url) => {
                let opened = PostgresStorage::options().migrate(false).open(url).await;
                opened.map(AnyStorage::new).map_err(StorageError::from)
            }
        };
        opened.map_err(|error| self.error(error))
    }

    /// Opens the database, and creates it if there is none, which the storage logs. Returns whether
    /// it is new. A SQLite file has no cache.
    pub async fn open_or_create(&self, lease: CacheLease) -> Result<(AnyStorage, bool), DatabaseError> {
        match &self.location {
            Location::File(path) => {
                if let (Origin::Default, Some(directory)) = (self.origin, path.parent()) {
                    create_private(directory).map_err(|error| self.error(SqliteError::from(error)))?;
                }
                let opened = SqliteStorage::options().create(true).open(path).map_err(|error| self.error(error))?;
                let is_new = opened.is_new();
                Ok((AnyStorage::new(opened), is_new))
            }
            Location::Postgres(url) => {
                let opened = PostgresStorage::options().open(url).await.map_err(|error| self.error(error))?;
                let is_new = opened.is_new();
                let storage = match lease {
                    CacheLease(Some(lease)) => AnyStorage::new(LeasedCache::new(opened, lease)),
                    CacheLease(None) => AnyStorage::new(opened),
                };
                Ok((storage, is_new))
            }
        }
    }

    /// Checks the database and every record in it.
    pub fn check(&self) -> Result<Report, DatabaseError> {
        keycell_sqlite::check(self.file()?).map_err(|error| self.error(error))
    }

    /// Checks the structure of the database, and returns the first problem.
    pub fn quick_check(&self) -> Result<Option<Problem>, DatabaseError> {
        keycell_sqlite::quick_check(self.file()?).map_err(|error| self.error(error))
    }

    /// Copies the database to a new file.
    pub fn back_up(&self, file: &Path) -> Result<(), DatabaseError> {
        keycell_sqlite::backup(self.file()?, file).map_err(|error| match error {
            SqliteError::Missing => self.error(error),
            error => DatabaseError::Backup(error),
        })
    }

    /// The path of a SQLite file.
    pub fn file(&self) -> Result<&Path, DatabaseError> {
        match &self.location {
            Location::File(path) => Ok(path),
            Location::Postgres(_) => Err(DatabaseError::NotAFile),
        }
    }

    /// Adds the location to an error of the storage.
    fn error(&self, source: impl Into<StorageError>) -> DatabaseError {
        match source.into() {
            StorageError::Sqlite(SqliteError::Missing) => DatabaseError::Missing(self.clone()),
            source => DatabaseError::Failed { database: self.clone(), source },
        }
    }
}

/// The records of a database.
pub enum AnyRecords {
    Sqlite(SqliteRecords),
    Postgres(PostgresRecords),
}

impl AnyRecords {
    /// Opens an existing database.
    pub async fn open(location: &Location) -> Result<Self, StorageError> {
        Ok(match location {
            Location::File(path) => Self::Sqlite(SqliteRecords::open(path)?),
            Location::Postgres(url) => Self::Postgres(PostgresRecords::open(url).await?),
        })
    }

    /// Opens a database, and creates it if there is none.
    pub async fn create(location: &Location) -> Result<Self, StorageError> {
        Ok(match location {
            Location::File(path) => Self::Sqlite(SqliteRecords::create(path)?),
            Location::Postgres(url) => Self::Postgres(PostgresRecords::create(url).await?),
        })
    }
}

impl Records for AnyRecords {
    type Error = StorageError;

    async fn read(&self, kind: RecordKind, after: (&str, &str), limit: u32) -> Result<Vec<StoredRecord>, StorageError> {
        Ok(match self {
            Self::Sqlite(records) => records.read(kind, after, limit).await?,
            Self::Postgres(records) => records.read(kind, after, limit).await?,
        })
    }

    async fn insert(&self, records: Vec<StoredRecord>) -> Result<(), StorageError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.insert(records).await?,
            Self::Postgres(postgres) => postgres.insert(records).await?,
        }
        Ok(())
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
