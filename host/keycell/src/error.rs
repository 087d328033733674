//! Why a call failed: the contract's one variant.

use std::fmt;

use keycell_component::fault;
use serde::Serialize;

use crate::bindings::exports::keycell::api_keys::api_keys as guest;

/// One thing that is wrong with an argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The argument, by its name in the tool's input schema.
    pub field: String,
    /// What is wrong, for programs.
    pub code: String,
    /// What is wrong, for people.
    pub message: String,
}

impl From<(&str, fault::Fault)> for Fault {
    fn from((field, fault): (&str, fault::Fault)) -> Self {
        Self { field: field.to_owned(), code: fault.code().to_owned(), message: fault.message().to_owned() }
    }
}

/// The kind of thing that was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
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

/// Why a call failed. In JSON it is an object whose `kind` is the variant's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Error {
    /// The arguments are wrong: all that is wrong with them.
    #[error("{}", sentence(faults))]
    InvalidInput {
        /// What is wrong, argument by argument.
        faults: Vec<Fault>,
    },
    /// There is no such thing, or none that the caller may see.
    #[error("no such {subject}")]
    NotFound {
        /// What was looked for.
        subject: Subject,
    },
    /// The caller may not do this.
    #[error("not allowed")]
    Forbidden,
    /// Somebody else was first.
    #[error("somebody else changed this at the same moment: look again, then try again")]
    Conflict,
    /// Storage is down or busy. The same call may succeed later.
    #[error("storage is not available right now: try again later")]
    Unavailable,
    /// Not the caller's fault. The log has the cause.
    #[error("internal error: the log has its cause under {correlation_id}")]
    Internal {
        /// Under what the log has it.
        correlation_id: String,
    },
}

fn sentence(faults: &[Fault]) -> String {
    let parts: Vec<_> = faults.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect();
    parts.join("; ")
}

impl Error {
    /// Logs the cause of an internal error under a new correlation id.
    pub(crate) fn internal(cause: &(impl fmt::Display + ?Sized)) -> Self {
        Self::Internal { correlation_id: log_cause(cause) }
    }
}

/// Logs what went wrong inside; gives the correlation id of that entry.
pub(crate) fn log_cause(cause: &(impl fmt::Display + ?Sized)) -> String {
    let correlation_id = uuid::Uuid::new_v4().to_string();
    tracing::error!(correlation_id, "{cause:#}");
    correlation_id
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
            guest::Error::NotFound(guest::Subject::ApiKey) => Self::NotFound { subject: Subject::ApiKey },
            guest::Error::NotFound(guest::Subject::Project) => Self::NotFound { subject: Subject::Project },
            guest::Error::Forbidden => Self::Forbidden,
            guest::Error::Conflict => Self::Conflict,
            guest::Error::Unavailable => Self::Unavailable,
            guest::Error::Internal(correlation_id) => Self::Internal { correlation_id },
        }
    }
}
