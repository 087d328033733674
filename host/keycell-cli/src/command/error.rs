//! Why a command failed.

use std::{io, net::SocketAddr, path::PathBuf};

use keycell::{CallerError, ComponentError, SqliteError, StorageError, conformance::CasesError};

/// Why a command failed; printed on standard error.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Refused(#[from] keycell::Error),
    #[error("{path}: {source}", path = path.display())]
    Database { path: PathBuf, source: SqliteError },
    #[error("there is no home directory to keep a database in: say --database PATH")]
    NoDataDirectory,
    #[error("--user: {0}")]
    User(#[from] CallerError),
    #[error("a slug has 1 to 63 characters a-z, 0-9 and inner hyphens, and is no UUID")]
    Slug,
    #[error("there is a project of this slug already")]
    SlugTaken,
    #[error("storage: {}", cause(.0))]
    Storage(StorageError),
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error("{listen}: {source}")]
    Listen { listen: SocketAddr, source: io::Error },
    // What it did say is not repeated: it may be a key.
    #[error("the client did not begin as MCP's clients begin")]
    NoHandshake,
    #[error(transparent)]
    Cases(#[from] CasesError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

fn cause(error: &StorageError) -> String {
    match error {
        StorageError::Conflict => error.to_string(),
        StorageError::Unavailable(cause) | StorageError::Internal(cause) => cause.to_string(),
    }
}
