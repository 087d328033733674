//! The changes of keys.

use keycell_component::{id::ApiKeyId, time::Time};
use serde::{Deserialize, Serialize};

use crate::{
    arguments::cut_owned,
    bindings::exports::keycell::api_keys::api_keys as guest,
    response::{InvalidResponse, Response, as_id, as_optional_id, as_time, id, optional_id, time},
    storage::Action,
};

/// The arguments of [`list_events`](crate::Keycell::list_events).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ListEvents {
    /// The id of a key; `None`: every key whose events the caller may list.
    pub api_key_id: Option<String>,
    /// The id or slug of a project; `None`: any project, and user-level keys.
    pub project_reference: Option<String>,
    /// The id of the user who owns the keys; `None`: every owner whose keys the caller may list.
    pub owner: Option<String>,
    /// The earliest time: RFC 3339 with an offset, or a date.
    pub since: Option<String>,
    /// The time before which the events happened: RFC 3339 with an offset, or a date.
    pub until: Option<String>,
    /// The page size, 1 to 100; `None`: 20.
    pub limit: Option<u32>,
    /// The cursor of the previous page.
    pub cursor: Option<String>,
}

/// A change of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// The id.
    #[serde(serialize_with = "as_id")]
    pub id: ApiKeyId,
    /// The time of the change.
    #[serde(serialize_with = "as_time")]
    pub time: Time,
    /// The kind of the change.
    pub action: Action,
    /// The id of the key that was changed.
    #[serde(serialize_with = "as_id")]
    pub api_key_id: ApiKeyId,
    /// The id of the user who owns the key.
    pub user_id: String,
    /// The id of the key's project; `None` for a user-level key.
    pub project_id: Option<String>,
    /// The id of the user who made the change.
    pub actor_user_id: String,
    /// The id of the key that made the change; `None`: the user made it directly.
    #[serde(serialize_with = "as_optional_id")]
    pub actor_api_key_id: Option<ApiKeyId>,
    /// The names of the fields that changed, sorted. Values are never recorded.
    pub fields: Vec<String>,
}

/// One page of a list of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EventPage {
    /// The events, newest first.
    pub events: Vec<Event>,
    /// The cursor of the next page; `None`: this is the last page.
    pub next_cursor: Option<String>,
}

impl From<ListEvents> for guest::EventRequest {
    fn from(request: ListEvents) -> Self {
        Self {
            api_key_id: request.api_key_id.map(cut_owned),
            project_reference: request.project_reference.map(cut_owned),
            owner: request.owner.map(cut_owned),
            since: request.since.map(cut_owned),
            until: request.until.map(cut_owned),
            limit: request.limit,
            cursor: request.cursor.map(cut_owned),
        }
    }
}

impl Response for Event {
    type Guest = guest::Event;

    fn parse(response: guest::Event) -> Result<Self, InvalidResponse> {
        Ok(Self {
            id: id("id", &response.id)?,
            time: time("time", &response.time)?,
            action: Action::parse(&response.action).ok_or(InvalidResponse("action"))?,
            api_key_id: id("api_key_id", &response.api_key_id)?,
            user_id: response.user_id,
            project_id: response.project_id,
            actor_user_id: response.actor_user_id,
            actor_api_key_id: optional_id("actor_api_key_id", response.actor_api_key_id)?,
            fields: response.fields,
        })
    }
}

impl Response for EventPage {
    type Guest = guest::EventPage;

    fn parse(response: guest::EventPage) -> Result<Self, InvalidResponse> {
        let events = response.events.into_iter().map(Event::parse).collect::<Result<_, _>>()?;
        Ok(Self { events, next_cursor: response.next_cursor })
    }
}
