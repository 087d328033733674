//! `list-api-keys`.

use alloc::vec::Vec;

use super::api_keys::{ApiKeyPage, Error, ListRequest};
use super::context::InternalCause;
use super::fault::Faults;
use super::{caller, find, imports, storage};
use crate::id;
use crate::page;
use crate::project::ProjectReference;
use crate::scopes;
use crate::status::{Status, StatusFilter};
use crate::user::UserId;

pub fn list_api_keys(request: &ListRequest) -> Result<ApiKeyPage, Error> {
    let now = imports::now()?;
    let actor = caller::acting(now, scopes::READ)?;
    let mut faults = Faults::default();
    let status = faults.take("status", StatusFilter::parse(request.status.as_deref()));
    let project =
        faults.take_optional("project_reference", request.project_reference.as_deref(), ProjectReference::parse);
    let owner = faults.take_optional("owner", request.owner.as_deref(), UserId::parse);
    let size = faults.take("limit", page::parse_size(request.limit));
    let before = faults.take_optional("cursor", request.cursor.as_deref(), id::parse_cursor);
    let (Some(status), Some(project), Some(owner), Some(size), Some(before)) = (status, project, owner, size, before)
    else {
        return Err(faults.into());
    };

    let selection = find::filter(&actor, owner, project)?.visible;
    let records = storage::list_keys(&storage::KeyFilter {
        user_id: selection.user_id.clone(),
        project_id: selection.project_id.clone(),
        status: status.into(),
        now: now.millis(),
        before,
        // One more than the page, which shows whether there is a next page.
        limit: size + 1,
    })?;
    // A storage that ignores the filter must not disclose keys.
    if !records.iter().all(|record| selection.has(&record.user_id, record.project_id.as_deref())) {
        return Err(InternalCause::StorageRecord.into());
    }
    let (records, next_cursor) = page::end(records, size, |record| &record.id);
    let mut api_keys = Vec::with_capacity(records.len());
    for record in records {
        api_keys.push(record.details(now)?);
    }
    Ok(ApiKeyPage { next_cursor, api_keys })
}

impl From<StatusFilter> for storage::StatusFilter {
    fn from(filter: StatusFilter) -> Self {
        match filter {
            StatusFilter::All => Self::All,
            StatusFilter::Only(Status::Active) => Self::Active,
            StatusFilter::Only(Status::Expired) => Self::Expired,
            StatusFilter::Only(Status::Revoked) => Self::Revoked,
        }
    }
}
