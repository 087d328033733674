//! The world `keycell`: what is imported, what is exported, and the way between it and the rules.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

mod allocator;
mod change;
mod create;
mod get;
mod imports;
mod list;
mod revoke;
mod rotate;
mod update;
mod verify;

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

use bindings::exports::keycell::api_keys::api_keys::{
    self, ApiKey, ApiKeyPage, CreatedApiKey, Error, KeyStatus, ListedApiKey, Subject, Verification,
};
use bindings::keycell::api_keys::{context, storage};

use crate::{access, fault, id::ApiKeyId, key, project::ProjectReference, status::Status, time::Time};

#[global_allocator]
static ALLOCATOR: allocator::Bump = allocator::Bump::new();

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

    fn verify_api_key(key: String, scopes: Vec<String>) -> Result<Verification, Error> {
        verify::verify_api_key(&key, &scopes)
    }

    fn list_api_keys(
        status: Option<String>,
        project_reference: Option<String>,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<ApiKeyPage, Error> {
        list::list_api_keys(status.as_deref(), project_reference.as_deref(), limit, cursor.as_deref())
    }

    fn revoke_api_key(api_key_id: String, reason: Option<String>) -> Result<ListedApiKey, Error> {
        revoke::revoke_api_key(&api_key_id, reason.as_deref())
    }

    fn rotate_api_key(api_key_id: String, grace_seconds: Option<u32>) -> Result<CreatedApiKey, Error> {
        rotate::rotate_api_key(&api_key_id, grace_seconds.unwrap_or(0))
    }

    fn update_api_key(
        api_key_id: String,
        name: Option<String>,
        expires_at: Option<String>,
    ) -> Result<ListedApiKey, Error> {
        update::update_api_key(&api_key_id, name.as_deref(), expires_at.as_deref())
    }
}

/// Faults by the argument that has them, gathered until all arguments are read.
#[derive(Default)]
struct Faults(Vec<api_keys::Fault>);

impl Faults {
    /// The value, or nothing but a note of what is wrong with `field`.
    fn take<T, E: IntoIterator<Item = fault::Fault>>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(faults) => {
                faults.into_iter().for_each(|fault| self.note(field, fault));
                None
            }
        }
    }

    fn note(&mut self, field: &str, fault: fault::Fault) {
        let [field, code, message] = [field, fault.code(), fault.message()].map(str::to_owned);
        self.0.push(api_keys::Fault { field, code, message });
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

/// A stored time.
fn stored_time(millis: i64) -> Result<Time, Error> {
    Time::from_millis(millis).ok_or_else(|| context::InternalCause::StorageRecord.into())
}

/// A time as it is told.
fn told_time(millis: i64) -> Result<String, Error> {
    stored_time(millis).map(Time::to_text)
}

fn told_optional_time(millis: Option<i64>) -> Result<Option<String>, Error> {
    millis.map(told_time).transpose()
}

impl TryFrom<storage::KeyRecord> for ApiKey {
    type Error = Error;

    fn try_from(record: storage::KeyRecord) -> Result<Self, Error> {
        Ok(Self {
            last_used_at: told_optional_time(record.last_used_at)?,
            expires_at: told_optional_time(record.expires_at)?,
            created_at: told_time(record.created_at)?,
            updated_at: told_time(record.updated_at)?,
            key_prefix: key::key_prefix(&record.prefix, &record.lookup),
            id: record.id,
            project_id: record.project_id,
            user_id: record.user_id,
            name: record.name,
            scopes: record.scopes,
        })
    }
}

impl storage::KeyRecord {
    fn status(&self, now: Time) -> Result<Status, Error> {
        let expires_at = self.expires_at.map(stored_time).transpose()?;
        Ok(Status::of(self.revoked_at.is_some(), expires_at, now))
    }

    /// The key as a list shows it at `now`.
    fn listed(self, now: Time) -> Result<ListedApiKey, Error> {
        let status = match self.status(now)? {
            Status::Active => KeyStatus::Active,
            Status::Expired => KeyStatus::Expired,
            Status::Revoked => KeyStatus::Revoked,
        };
        let (revoked_at, revocation_reason) = (told_optional_time(self.revoked_at)?, self.revocation_reason.clone());
        let (rotated_from, rotated_to) = (self.rotated_from.clone(), self.rotated_to.clone());
        let ApiKey {
            id,
            project_id,
            user_id,
            name,
            key_prefix,
            last_used_at,
            expires_at,
            created_at,
            updated_at,
            scopes,
        } = self.try_into()?;
        Ok(ListedApiKey {
            id,
            project_id,
            user_id,
            name,
            key_prefix,
            status,
            last_used_at,
            expires_at,
            created_at,
            updated_at,
            revoked_at,
            revocation_reason,
            rotated_from,
            rotated_to,
            scopes,
        })
    }
}

/// The key of this id, if the caller may see it. The path is the same for a key that is missing
/// and for one that is not the caller's.
fn find_key(caller: &access::Caller, id: ApiKeyId) -> Result<storage::KeyRecord, Error> {
    let record = storage::find_key(&id.to_text())?;
    if !access::may_see(caller, &record.user_id, record.project_id.as_deref()) {
        return Err(storage::Error::NotFound.into());
    }
    Ok(record)
}

/// The id of the project that the caller means, if they may act for it.
fn find_project(caller: &access::Caller, reference: ProjectReference) -> Result<String, Error> {
    let reference = match reference {
        ProjectReference::Id(id) => storage::ProjectReference::Id(id),
        ProjectReference::Slug(slug) => storage::ProjectReference::Slug(slug.into_text()),
    };
    match storage::find_project(&reference, &caller.user_id) {
        Ok(project_id) if access::may_act_for(caller, &project_id) => Ok(project_id),
        Ok(_) | Err(storage::Error::NotFound) => Err(Error::NotFound(Subject::Project)),
        Err(error) => Err(error.into()),
    }
}

impl access::Caller {
    fn current() -> Result<Self, Error> {
        let caller = context::get_caller();
        Ok(Self {
            user_id: caller.user_id,
            project_id: caller.project_id,
            expires_at: caller
                .expires_at
                .map(|millis| Time::from_millis(millis).ok_or(context::InternalCause::Caller))
                .transpose()?,
            scopes: caller.scopes,
        })
    }

    /// Who is calling, if they may act at this time.
    fn acting(now: Time) -> Result<Self, Error> {
        Self::current()
            .and_then(|caller| if access::may_act(&caller, now) { Ok(caller) } else { Err(Error::Forbidden) })
    }
}
