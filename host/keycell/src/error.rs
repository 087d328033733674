//! The reason why a call failed.

use std::fmt;

use keycell_component::fault;
use serde::Serialize;

use crate::{bindings::exports::keycell::api_keys::api_keys as guest, storage::StorageError};

/// A fault of one argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fault {
    /// The argument, by its name in the tool's input schema.
    pub field: String,
    /// The fault, for programs: a fixed code such as `too-long`.
    pub code: String,
    /// The fault, for people. It never repeats the value.
    pub message: String,
}

impl Fault {
    /// A fault of an argument. No part of it may repeat the argument's value.
    #[must_use]
    pub fn new(field: impl Into<String>, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.into(), message: message.into() }
    }
}

impl From<(&str, fault::Fault)> for Fault {
    fn from((field, fault): (&str, fault::Fault)) -> Self {
        Self::new(field, fault.code(), fault.message())
    }
}

/// The kind of record that was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Subject {
    /// An API key.
    ApiKey,
    /// A project.
    Project,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiKey => "API key",
            Self::Project => "project",
        })
    }
}

/// The reason why a call failed. In JSON it is an object whose `kind` is the variant's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Error {
    /// The arguments are invalid.
    #[error("{}", sentence(faults))]
    InvalidInput {
        /// Every fault.
        faults: Vec<Fault>,
    },
    /// The bearer's key is not valid. The reason is not given.
    #[error("the presented API key is not valid")]
    Unauthenticated,
    /// The bearer's key lacks a scope.
    #[error("the presented API key lacks the scope {scope}")]
    InsufficientScope {
        /// The scope that the call needs.
        scope: String,
    },
    /// The record does not exist, or the caller may not see it.
    #[error("no such {subject}")]
    NotFound {
        /// The kind of record.
        subject: Subject,
    },
    /// The caller may not do this.
    #[error("the caller may not do this")]
    Forbidden,
    /// The record was changed by another call, or an idempotency key was used for another call.
    #[error(
        "the key was changed by another call, or the idempotency key was used before: read the key and retry, or use another idempotency key"
    )]
    Conflict,
    /// The key is revoked, expired or already rotated, so it cannot be rotated.
    #[error("the key is revoked, expired or already rotated: create a new key instead")]
    NotActive,
    /// Storage is down or busy. The same call may succeed later.
    #[error("storage is not available: retry later")]
    Unavailable,
    /// The caller is not at fault. The log has the cause.
    #[error("internal error: see the log entry {correlation_id}")]
    Internal {
        /// The id of the log entry.
        correlation_id: String,
    },
}

fn sentence(faults: &[Fault]) -> String {
    let parts: Vec<_> = faults.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect();
    parts.join("; ")
}

impl Error {
    /// Logs the cause and returns an internal error with its correlation id.
    pub(crate) fn internal(cause: &(impl fmt::Display + ?Sized)) -> Self {
        Self::Internal { correlation_id: log_cause(cause) }
    }
}

/// Logs the cause of an internal error and returns the correlation id of the log entry.
pub(crate) fn log_cause(cause: &(impl fmt::Display + ?Sized)) -> String {
    let correlation_id = uuid::Uuid::new_v4().to_string();
    tracing::error!(correlation_id, "{cause:#}");
    correlation_id
}

impl From<StorageError> for Error {
    /// The cause goes to the log.
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Conflict => Self::Conflict,
            StorageError::Unavailable(cause) => {
                tracing::warn!("storage is not available: {cause:#}");
                Self::Unavailable
            }
            StorageError::Internal(cause) => Self::internal(&*cause),
        }
    }
}

impl From<guest::Error> for Error {
    fn from(error: guest::Error) -> Self {
        match error {
            guest::Error::InvalidInput(faults) => Self::InvalidInput {
                faults: faults
                    .into_iter()
                    .map(|guest::Fault { field, code, message }| Fault { field, code, message })
                    .collect(),
            },
            guest::Error::Unauthenticated => Self::Unauthenticated,
            guest::Error::InsufficientScope(scope) => Self::InsufficientScope { scope },
            guest::Error::NotFound(guest::Subject::ApiKey) => Self::NotFound { subject: Subject::ApiKey },
            guest::Error::NotFound(guest::Subject::Project) => Self::NotFound { subject: Subject::Project },
            guest::Error::Forbidden => Self::Forbidden,
            guest::Error::Conflict => Self::Conflict,
            guest::Error::NotActive => Self::NotActive,
            guest::Error::Unavailable => Self::Unavailable,
            guest::Error::Internal(correlation_id) => Self::Internal { correlation_id },
        }
    }
}
