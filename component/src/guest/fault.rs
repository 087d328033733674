//! Faults and errors, as the component returns them.

use alloc::{borrow::ToOwned, vec::Vec};

use super::api_keys::{self, Error, Subject};
use super::{context, storage};
use crate::fault::Fault;

/// The faults of all arguments, collected until each argument is parsed.
#[derive(Default)]
pub struct Faults(Vec<api_keys::Fault>);

impl Faults {
    /// Returns the value, or adds the faults of `field`.
    pub fn take<T, E: IntoIterator<Item = Fault>>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        let add = |fault: Fault| {
            let [field, code, message] = [field, fault.code(), fault.message()].map(str::to_owned);
            self.0.push(api_keys::Fault { field, code, message });
        };
        parsed.map_err(|faults| faults.into_iter().for_each(add)).ok()
    }
}

impl From<Faults> for Error {
    fn from(faults: Faults) -> Self {
        Self::InvalidInput(faults.0)
    }
}

impl IntoIterator for Fault {
    type Item = Self;
    type IntoIter = core::iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        core::iter::once(self)
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::NotFound => Self::NotFound(Subject::ApiKey),
            storage::Error::Conflict => Self::Conflict,
            storage::Error::Unavailable => Self::Unavailable,
            storage::Error::Internal(correlation_id) => Self::Internal(correlation_id),
        }
    }
}

impl From<context::InternalCause> for Error {
    fn from(cause: context::InternalCause) -> Self {
        Self::Internal(context::report_internal(cause))
    }
}
