//! What a call shows about the presented key.

use keycell::Error;

/// What a call of the component shows about the bearer's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key is valid.
    Valid,
    /// The key is valid, but lacks this scope.
    LacksScope(String),
    /// The key is not valid.
    Invalid,
    /// The call failed before or after the key was authenticated.
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
