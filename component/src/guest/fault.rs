//! Faults and errors, as the component returns them.

use alloc::{borrow::ToOwned, vec, vec::Vec};

use super::api_keys::{self, Error, Subject};
use super::{context, storage};
use crate::fault::Fault;

/// The faults of all arguments, collected until each argument is parsed.
#[derive(Default)]
pub struct Faults(Vec<(&'static str, Fault)>);

impl Faults {
    /// Returns the value, or adds the faults of `field`.
    pub fn take<T, E: Into<Vec<Fault>>>(&mut self, field: &'static str, parsed: Result<T, E>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(faults) => {
                self.add(field, &faults.into());
                None
            }
        }
    }

    /// Parses an argument that may be left out. Returns the value, or adds the faults of `field`.
    pub fn take_optional<T, E: Into<Vec<Fault>>>(
        &mut self,
        field: &'static str,
        text: Option<&str>,
        parse: fn(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        match text {
            Some(text) => self.take(field, parse(text)).map(Some),
            None => Some(None),
        }
    }

    fn add(&mut self, field: &'static str, faults: &[Fault]) {
        for &fault in faults {
            self.0.push((field, fault));
        }
    }
}

impl From<Faults> for Error {
    fn from(faults: Faults) -> Self {
        let mut returned = Vec::with_capacity(faults.0.len());
        for (field, fault) in faults.0 {
            returned.push(api_keys::Fault {
                field: field.to_owned(),
                code: fault.code().to_owned(),
                message: fault.message().to_owned(),
            });
        }
        Self::InvalidInput(returned)
    }
}

impl From<Fault> for Vec<Fault> {
    fn from(fault: Fault) -> Self {
        vec![fault]
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
