//! The reason why a command failed.

use std::{io, net::SocketAddr};

use keycell::{ApiKeyId, ComponentError};
use keycell_conformance::CasesError;
use keycell_server::{ServerError, StdioError};

use crate::{
    config::ConfigError,
    storage::{DatabaseError, StorageError},
};

/// The rule of the setting `server.cache_lease`, after its name.
pub const CACHE_OF_FILE: &str =
    "is for a PostgreSQL database, and the database is a SQLite file: leave it out, or set it to off";

/// The reason why a command failed, for standard error. No message repeats the value of an argument,
/// which may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Refused(#[from] keycell::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("{option}: {source}")]
    Copy { option: &'static str, source: StorageError },
    #[error("the database in --to has records that are not in --from: copy into an empty database")]
    OtherRecords,
    #[error("the database in --from has changed during the copy: stop its hosts, and copy into an empty database")]
    SourceChanged,
    #[error("--cache-lease (KEYCELL_CACHE_LEASE) {CACHE_OF_FILE}")]
    CacheOfFile,
    #[error("the file in --metadata cannot be read: {0}")]
    Metadata(io::Error),
    #[error("a slug must be 1 to 63 of a-z, 0-9 and inner hyphens, and not a UUID")]
    Slug,
    #[error("a project with this slug exists already: choose another slug")]
    SlugTaken,
    #[error("the user is not a member of the project: see `keycell project member list`")]
    NoMember,
    #[error("only an operator may name another owner: use --operator")]
    OtherOwner,
    #[error("only an operator may name another owner: use --operator, or name a project that you administer")]
    OtherOwnerOfList,
    #[error("only an admin of the project may list and change its members: ask an admin, or use --operator")]
    NotAdmin,
    #[error("the component: {0}")]
    Component(#[from] ComponentError),
    #[error("the component file cannot be read: {0}")]
    ReadComponent(io::Error),
    #[error("the component cannot be written to the file in --output: {0}")]
    WriteComponent(io::Error),
    #[error("the server cannot listen on {listen}: {source}")]
    Listen { listen: SocketAddr, source: io::Error },
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Stdio(#[from] StdioError),
    #[error("standard output: {0}")]
    Output(io::Error),
    #[error("standard input: {0}")]
    Input(io::Error),
    #[error("the new key {id} could not be shown and was revoked: {source}")]
    NotShown { id: ApiKeyId, source: Box<CommandError> },
    #[error("the key {id} could not be shown ({source}): repeat the command with the same idempotency key")]
    NotShownButRepeatable { id: ApiKeyId, source: Box<CommandError> },
    #[error("the new key {id} could not be shown ({source}) and could not be revoked ({error}): revoke it")]
    NotShownNorRevoked { id: ApiKeyId, source: Box<CommandError>, error: keycell::Error },
    #[cfg(feature = "pages")]
    #[error("the console needs a key with the scope api-keys:admin, which grantable_scopes must have: {0}")]
    ConsoleKey(keycell::Error),
    #[error(transparent)]
    Cases(#[from] CasesError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl CommandError {
    /// Replaces `forbidden` by an error that names the remedy.
    pub fn or_if_forbidden(self, remedy: Self) -> Self {
        match self {
            Self::Refused(keycell::Error::Forbidden) => remedy,
            error => error,
        }
    }
}
