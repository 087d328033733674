//! The world `keyvalue`: the bucket of the host, and what is exported.

use std::sync::OnceLock;

use crate::{
    bindings::wasi::keyvalue::{atomics, store},
    bucket::Bucket,
    context,
    context_types::{self, Caller, InternalCause, Policy},
    incident, keys, projects,
    storage::{self, Error, KeyFilter, KeyRecord, ProjectReference},
};

/// The bucket's name, and the name where a host has one bucket only, without a name.
const IDENTIFIERS: [&str; 2] = ["keycell", ""];

struct Guest;

#[allow(unsafe_code, reason = "generated")]
mod export {
    crate::bindings::export!(Guest with_types_in crate::bindings);
    use super::Guest;
}

/// The bucket, opened once: there are hosts that open a copy, in which what is written stays as long
/// as it is open.
fn bucket() -> Result<&'static store::Bucket, Error> {
    static BUCKET: OnceLock<store::Bucket> = OnceLock::new();
    if let Some(bucket) = BUCKET.get() {
        return Ok(bucket);
    }
    let [name, unnamed] = IDENTIFIERS;
    let opened = match store::open(name) {
        Err(store::Error::NoSuchStore) => store::open(unnamed),
        opened => opened,
    }?;
    Ok(BUCKET.get_or_init(|| opened))
}

/// Whatever the store says went wrong, the host has heard of it: it is the host that said so.
impl From<store::Error> for Error {
    fn from(_: store::Error) -> Self {
        Self::Unavailable
    }
}

impl Bucket for store::Bucket {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(store::Bucket::get(self, name)?)
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), Error> {
        Ok(store::Bucket::set(self, name, value)?)
    }

    fn delete(&self, name: &str) -> Result<(), Error> {
        Ok(store::Bucket::delete(self, name)?)
    }

    fn increment(&self, name: &str) -> Result<u64, Error> {
        Ok(atomics::increment(self, name, 1)?)
    }

    fn for_each_name(&self, see: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let mut cursor = None;
        loop {
            let page = self.list_keys(cursor)?;
            page.keys.iter().for_each(|name| see(name));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }
}

impl storage::Guest for Guest {
    fn insert_key(key: KeyRecord) -> Result<(), Error> {
        keys::insert_key(bucket()?, &key)
    }

    fn find_key(id: String) -> Result<KeyRecord, Error> {
        keys::find_key(bucket()?, &id)
    }

    fn find_key_by_lookup(lookup: String) -> Result<KeyRecord, Error> {
        keys::find_key_by_lookup(bucket()?, &lookup)
    }

    fn list_keys(filter: KeyFilter) -> Result<Vec<KeyRecord>, Error> {
        keys::list_keys(bucket()?, &filter)
    }

    fn update_key(key: KeyRecord) -> Result<(), Error> {
        keys::update_key(bucket()?, &key)
    }

    fn rotate_key(key: KeyRecord, replacement: KeyRecord) -> Result<(), Error> {
        keys::rotate_key(bucket()?, &key, &replacement)
    }

    /// Nobody hears of a use that could not be stored: the key is good all the same.
    fn record_use(id: String, at: i64) {
        let _ = bucket().and_then(|bucket| keys::record_use(bucket, &id, at));
    }

    fn find_project(reference: ProjectReference, user_id: String) -> Result<String, Error> {
        projects::find_project(bucket()?, &reference, &user_id)
    }
}

/// These can't answer an error: where there is no caller or no policy, the call ends with a trap.
impl context_types::Guest for Guest {
    fn get_caller() -> Caller {
        bucket().and_then(|bucket| context::caller(bucket)).expect("a caller")
    }

    fn get_policy() -> Policy {
        bucket().and_then(|bucket| context::policy(bucket)).expect("a policy")
    }

    fn report_internal(cause: InternalCause) -> String {
        let cause = match cause {
            InternalCause::Policy => "the policy breaks its own rules",
            InternalCause::Caller => "the caller expires outside the years 1970 to 9999",
            InternalCause::Clock => "the clock is outside the years 1970 to 9999",
            InternalCause::StorageRecord => "a stored record breaks the rules by which records are written",
        };
        bucket().and_then(|bucket| incident::report(bucket, cause)).expect("a log")
    }
}
