//! Errors of a database.

use std::{error::Error, io, sync::Arc};

use keycell::StorageError;
use tokio_postgres::error::SqlState;

/// The reason why a database cannot be opened or used.
///
/// No message holds the URL, a password or a value of a record.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The URL is not one of a database.
    #[error("the database URL is invalid: {0}")]
    Url(&'static str),
    /// The file with passwords that this names cannot be used.
    #[error("the password file in {0} cannot be used ({1}): name a file that this user owns and can read")]
    PasswordFile(&'static str, Arc<io::Error>),
    /// Other users may read the file with passwords that this names.
    #[error("the password file in {0} is readable by other users: make it readable by its owner alone")]
    PasswordFileIsOpen(&'static str),
    /// The file with certificates cannot be used.
    #[error("the certificates in sslrootcert cannot be read: give a PEM file with the authority of the server")]
    Certificates,
    /// TLS could not be established.
    #[error("TLS to the database was refused ({0}): turn TLS on in the server, or correct sslrootcert")]
    Tls(String),
    /// The password is wrong or missing.
    #[error(
        "the database refused the password: give it in PGPASSWORD or PGPASSFILE, and check the user name in the URL"
    )]
    Password,
    /// The role does not exist, or may not log in from here.
    #[error("the database role does not exist or may not log in: create it, or allow it in pg_hba.conf")]
    Role,
    /// The database does not exist.
    #[error("the database server has no database of this name: create it, or correct the URL")]
    NoDatabase,
    /// The role lacks a privilege.
    #[error("the database role lacks a privilege: grant it, or run `keycell migrate` as the owner")]
    Privilege,
    /// The database has no tables of keycell, and none may be created.
    #[error("the database has no keys yet: run `keycell migrate`")]
    Missing,
    /// The schema `keycell` belongs to another program.
    #[error("the schema `keycell` in the database belongs to another program: use another database")]
    Foreign,
    /// The schema was written by a newer version.
    #[error("the database was written by a newer version of keycell: use that version")]
    NewerSchema,
    /// The schema was written by an older version.
    #[error("the database was written by an older version of keycell: run `keycell migrate`")]
    OlderSchema,
    /// The database is read-only or a standby.
    #[error("the database is read-only: give the URL of the primary")]
    ReadOnly,
    /// The server accepts no more connections.
    #[error("the database is out of connections: raise max_connections, or lower pool_max_conns in the URL")]
    OutOfConnections,
    /// The disk of the server is full. The write was undone.
    #[error("the disk of the database is full: free some space")]
    Full,
    /// The server cannot be reached, starts or stops.
    #[error("the database cannot be reached ({0}): check the host and the port in the URL, and that the server runs")]
    Unreachable(String),
    /// The server did not answer in time. A write may have been stored.
    #[error("the database did not answer in time")]
    Timeout,
    /// Every attempt conflicted with other transactions.
    #[error("the database is busy: other transactions were in the way")]
    Busy,
    /// The storage is closed.
    #[error("the storage is closed")]
    Closed,
    /// A stored value cannot be read.
    #[error("the database holds an invalid value in the column `{0}`: restore a backup")]
    Corrupt(&'static str),
    /// A unique value is taken, or the revision is no longer the same.
    #[error("conflict with another write")]
    Conflict,
    /// Any other error of the database. Its message is left out, because it may hold a value.
    #[error("the database failed with SQLSTATE {0}")]
    Failed(String),
    /// The database does not follow the protocol.
    #[error("the database answered with something unexpected: {0}")]
    Protocol(String),
}

/// Whether the connection cannot be used for other calls after an error.
pub fn ends_connection(error: &tokio_postgres::Error) -> bool {
    // After a failover, a server that refuses writes may be a standby.
    error.code().is_none_or(|code| *code == SqlState::READ_ONLY_SQL_TRANSACTION || is_shutdown(code))
}

fn is_shutdown(code: &SqlState) -> bool {
    [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(code)
        || code.code().starts_with("08")
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(code) = error.code().cloned() else {
            return without_code(&error);
        };
        match code {
            SqlState::UNIQUE_VIOLATION => Self::Conflict,
            SqlState::INVALID_PASSWORD => Self::Password,
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Self::Role,
            SqlState::INVALID_CATALOG_NAME => Self::NoDatabase,
            SqlState::INSUFFICIENT_PRIVILEGE => Self::Privilege,
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::ReadOnly,
            SqlState::TOO_MANY_CONNECTIONS => Self::OutOfConnections,
            SqlState::DISK_FULL => Self::Full,
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Self::Busy,
            SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN | SqlState::INVALID_SCHEMA_NAME => Self::Missing,
            code if is_shutdown(&code) => Self::Unreachable(cause(&error)),
            code => Self::Failed(code.code().to_owned()),
        }
    }
}

/// An error that does not come from the database itself. `tokio_postgres` distinguishes the kinds
/// only by their texts.
fn without_code(error: &tokio_postgres::Error) -> PostgresError {
    let (kind, cause) = (error.to_string(), cause(error));
    match kind.as_str() {
        "error performing TLS handshake" => PostgresError::Tls(cause),
        "authentication error" => PostgresError::Password,
        "invalid configuration" if cause == "password missing" => PostgresError::Password,
        "error connecting to server" if cause == "database does not allow writes" => PostgresError::ReadOnly,
        "error connecting to server" | "error communicating with the server" | "connection closed" => {
            PostgresError::Unreachable(cause)
        }
        "timeout waiting for server" => PostgresError::Timeout,
        _ => PostgresError::Protocol(kind),
    }
}

/// The innermost cause, which is the most specific.
fn cause(error: &tokio_postgres::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl From<PostgresError> for StorageError {
    fn from(error: PostgresError) -> Self {
        match error {
            PostgresError::Conflict => Self::Conflict,
            PostgresError::Corrupt(_) | PostgresError::Failed(_) | PostgresError::Protocol(_) => {
                Self::Internal(error.into())
            }
            error => Self::Unavailable(error.into()),
        }
    }
}
