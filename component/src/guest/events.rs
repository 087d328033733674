//! `list-events`.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::api_keys::{Error, Event, EventPage, EventRequest};
use super::context::InternalCause;
use super::fault::Faults;
use super::record::rfc3339;
use super::storage::{self, Action, EventRecord};
use super::{caller, find, imports};
use crate::id::{self, ApiKeyId};
use crate::page;
use crate::project::ProjectReference;
use crate::scopes;
use crate::time;
use crate::user::UserId;

pub fn list_events(request: &EventRequest) -> Result<EventPage, Error> {
    let actor = caller::acting(imports::now()?, scopes::READ)?;
    let mut faults = Faults::default();
    let key_id = faults.take_optional("api_key_id", request.api_key_id.as_deref(), ApiKeyId::parse);
    let project =
        faults.take_optional("project_reference", request.project_reference.as_deref(), ProjectReference::parse);
    let owner = faults.take_optional("owner", request.owner.as_deref(), UserId::parse);
    let since = faults.take_optional("since", request.since.as_deref(), time::parse);
    let until = faults.take_optional("until", request.until.as_deref(), time::parse);
    let size = faults.take("limit", page::parse_size(request.limit));
    let cursor = faults.take_optional("cursor", request.cursor.as_deref(), id::parse_cursor);
    let (Some(key_id), Some(project), Some(owner), Some(since), Some(until), Some(size), Some(cursor)) =
        (key_id, project, owner, since, until, size, cursor)
    else {
        return Err(faults.into());
    };

    let find::Filter { asked, visible } = find::filter(&actor, owner, project)?;
    // Callers who may see a key may list all of its events.
    let selection = match key_id {
        Some(id) => find::key(&actor, id).map(|_| asked)?,
        None => visible,
    };
    let key_id = key_id.map(|id| id.to_text());
    let records = storage::list_events(&storage::EventFilter {
        key_id: key_id.clone(),
        user_id: selection.user_id.clone(),
        project_id: selection.project_id.clone(),
        since: since.map(id::first_at),
        before: match (until.map(id::first_at), cursor) {
            (Some(until), Some(cursor)) => Some(until.min(cursor)),
            (until, cursor) => until.or(cursor),
        },
        // One more than the page, which shows whether there is a next page.
        limit: size + 1,
    })?;
    // A storage that ignores the filter must not disclose events.
    let is_selected = |event: &EventRecord| {
        selection.has(&event.user_id, event.project_id.as_deref())
            && key_id.as_ref().is_none_or(|id| *id == event.key_id)
    };
    if !records.iter().all(is_selected) {
        return Err(InternalCause::StorageRecord.into());
    }
    let (records, next_cursor) = page::end(records, size, |record| &record.id);
    let mut events = Vec::with_capacity(records.len());
    for record in records {
        events.push(record.returned()?);
    }
    Ok(EventPage { next_cursor, events })
}

impl EventRecord {
    fn returned(self) -> Result<Event, Error> {
        let action = match self.action {
            Action::Created => "created",
            Action::IssuedAgain => "issued-again",
            Action::Updated => "updated",
            Action::Rotated => "rotated",
            Action::Revoked => "revoked",
        };
        Ok(Event {
            id: self.id,
            time: rfc3339(self.time)?,
            action: action.to_owned(),
            api_key_id: self.key_id,
            user_id: self.user_id,
            project_id: self.project_id,
            actor_user_id: self.actor_user_id,
            actor_api_key_id: self.actor_key_id,
            fields: self.fields,
        })
    }
}
