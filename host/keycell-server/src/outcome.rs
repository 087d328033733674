//! The outcome of authentication, derived from the result of a call.

use keycell::Error;

/// The outcome of a bearer's authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key is valid.
    Valid,
    /// The key is valid, but lacks this scope.
    LacksScope(String),
    /// The key is not valid.
    Invalid,
    /// The call failed, and the error does not show whether the key is valid.
    Unknown(Error),
}

impl<T> From<&Result<T, Error>> for Outcome {
    fn from(result: &Result<T, Error>) -> Self {
        match result {
            Err(Error::Unauthenticated) => Self::Invalid,
            Err(Error::InsufficientScope { scope }) => Self::LacksScope(scope.clone()),
            Err(error @ (Error::Unavailable | Error::Internal { .. })) => Self::Unknown(error.clone()),
            // The component authenticates the caller before everything else.
            Ok(_) | Err(_) => Self::Valid,
        }
    }
}
