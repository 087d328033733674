//! The world `keycell`: what is imported, what is exported, and the way between it and the rules.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

mod create;
mod get;
mod imports;

#[allow(missing_docs, unsafe_code, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        world: "keycell",
        path: "../wit",
        generate_all,
    });
    use super::Guest;
    export!(Guest);
}

use bindings::exports::keycell::api_keys::api_keys::{self, ApiKey, CreatedApiKey, Error};
use bindings::keycell::api_keys::{context, storage};

use crate::{access, fault, key, time::Time};

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// There is nowhere to tell why: the host sees a trap.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct Guest;

impl api_keys::Guest for Guest {
    fn create_api_key(
        name: String,
        project_reference: Option<String>,
        expires_at: Option<String>,
    ) -> Result<CreatedApiKey, Error> {
        create::create_api_key(&name, project_reference.as_deref(), expires_at.as_deref())
    }

    fn get_api_key(api_key_id: String) -> Result<ApiKey, Error> {
        get::get_api_key(&api_key_id)
    }
}

/// Faults by the argument that has them, gathered until all arguments are read.
#[derive(Default)]
struct Faults(Vec<api_keys::Fault>);

impl Faults {
    /// The value, or nothing but a note of what is wrong with `field`.
    fn take<T, E: IntoIterator<Item = fault::Fault>>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        parsed
            .map_err(|faults| {
                self.0.extend(faults.into_iter().map(|fault| api_keys::Fault {
                    field: field.to_owned(),
                    code: fault.code().to_owned(),
                    message: fault.message().to_owned(),
                }));
            })
            .ok()
    }
}

impl From<Faults> for Error {
    fn from(faults: Faults) -> Self {
        Self::InvalidInput(faults.0)
    }
}

impl IntoIterator for fault::Fault {
    type Item = Self;
    type IntoIter = core::iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        core::iter::once(self)
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        match error {
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

/// A stored time.
fn stored_time(millis: i64) -> Result<Time, Error> {
    Time::from_millis(millis).ok_or_else(|| context::InternalCause::StorageRecord.into())
}

impl TryFrom<storage::KeyRecord> for ApiKey {
    type Error = Error;

    fn try_from(record: storage::KeyRecord) -> Result<Self, Error> {
        let text = |millis| stored_time(millis).map(Time::to_text);
        Ok(Self {
            last_used_at: record.last_used_at.map(text).transpose()?,
            expires_at: record.expires_at.map(text).transpose()?,
            created_at: text(record.created_at)?,
            updated_at: text(record.updated_at)?,
            key_prefix: key::key_prefix(&record.prefix, &record.lookup),
            id: record.id,
            project_id: record.project_id,
            user_id: record.user_id,
            name: record.name,
            scopes: record.scopes,
        })
    }
}

impl access::Caller {
    /// Who is calling.
    fn current() -> Result<Self, Error> {
        let caller = context::get_caller();
        Ok(Self {
            user_id: caller.user_id,
            project_id: caller.project_id,
            expires_at: caller.expires_at.map(stored_time).transpose()?,
            scopes: caller.scopes,
        })
    }
}
