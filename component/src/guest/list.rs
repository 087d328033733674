//! `list-api-keys`.

use alloc::vec::Vec;

use super::api_keys::{ApiKeyPage, Error, ListedApiKey};
use super::context::InternalCause;
use super::{Faults, find_project, imports, storage};
use crate::access::{self, Caller};
use crate::id::ApiKeyId;
use crate::project::ProjectReference;
use crate::status::{self, StatusFilter};
use crate::time::Time;

pub fn list_api_keys(
    status: Option<&str>,
    project_reference: Option<&str>,
    limit: Option<u32>,
    cursor: Option<&str>,
) -> Result<ApiKeyPage, Error> {
    let now = imports::now()?;
    let caller = Caller::acting(now)?;
    let mut faults = Faults::default();
    let status = faults.take("status", StatusFilter::parse(status, now));
    let project = faults.take("project_reference", project_reference.map(ProjectReference::parse).transpose());
    let limit = faults.take("limit", status::page_size(limit));
    let cursor = faults.take("cursor", cursor.map(ApiKeyId::parse).transpose());
    let (Some(status), Some(project), Some(limit), Some(cursor)) = (status, project, limit, cursor) else {
        return Err(faults.into());
    };
    let project_id = match project {
        Some(reference) => Some(find_project(&caller, reference)?),
        None => caller.project_id.clone(),
    };
    let mut records = storage::list_keys(&storage::KeyFilter {
        user_id: caller.user_id.clone(),
        project_id,
        revoked: status.revoked,
        expires_after: status.expires_after.map(Time::millis),
        expires_until: status.expires_until.map(Time::millis),
        before: cursor.map(ApiKeyId::to_text),
        // One more tells whether there is a next page.
        limit: limit + 1,
    })?;
    // Storage was told whose keys to give. It is not trusted with it.
    if !records.iter().all(|record| access::may_see(&caller, &record.user_id, record.project_id.as_deref())) {
        return Err(InternalCause::StorageRecord.into());
    }
    let is_last = records.len() <= limit as usize;
    records.truncate(limit as usize);
    let next_cursor = records.last().filter(|_| !is_last).map(|record| record.id.clone());
    let api_keys = records.into_iter().map(|record| record.listed(now)).collect::<Result<Vec<ListedApiKey>, _>>()?;
    Ok(ApiKeyPage { api_keys, next_cursor })
}
