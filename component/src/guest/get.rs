//! `get-api-key`.

use super::api_keys::{ApiKey, Error, Subject};
use super::{Faults, storage};
use crate::access::{self, Caller};
use crate::id::ApiKeyId;

pub fn get_api_key(api_key_id: &str) -> Result<ApiKey, Error> {
    let mut faults = Faults::default();
    let Some(id) = faults.take("api_key_id", ApiKeyId::parse(api_key_id)) else {
        return Err(faults.into());
    };
    let caller = Caller::current()?;
    // The same path for a key that is missing and for one that is not the caller's.
    storage::find_key(&id.to_text())?
        .filter(|record| access::may_see(&caller, &record.user_id, record.project_id.as_deref()))
        .ok_or(Error::NotFound(Subject::ApiKey))?
        .try_into()
}
