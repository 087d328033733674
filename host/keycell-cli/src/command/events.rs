//! `keycell events`.

use clap::Args;
use keycell::{Event, ListEvents};

use crate::{
    error::CommandError,
    listing::{Listing, Page, Paging},
    settings::Settings,
    table::Column,
};

#[derive(Args)]
#[command(after_help = "Examples:
  keycell events
  keycell events --key 0192f0c1-2345-7abc-8def-0123456789ab
  keycell events --operator --since 2026-01-01 --until 2026-02-01 --all --json")]
pub struct Arguments {
    /// Events of this key only
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Events of keys of this project only, by id or slug
    #[arg(long, value_name = "REF")]
    project: Option<String>,
    /// Events of keys of this user only; another user needs --operator or an admin's --project
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// The earliest time: an RFC 3339 time with an offset, or a date
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// The time before which the events happened: an RFC 3339 time with an offset, or a date
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

pub async fn run(settings: &Settings, arguments: Arguments) -> Result<(), CommandError> {
    let (authority, caller) = (settings.authority().await?, settings.caller());
    let Arguments { key, project, owner, since, until, paging } = arguments;
    let mut request = ListEvents::default();
    request.api_key_id = key;
    request.project_reference = project;
    request.owner = owner;
    request.since = since;
    request.until = until;
    request.limit = paging.page_size();

    let columns = columns(settings);
    let listing = Listing { name: "events", columns: &columns, hint: "No events match.", paging };
    let fetch = async |cursor| {
        request.cursor = cursor;
        let page = authority.list_events(&caller, request.clone()).await?;
        Ok(Page { items: page.events, next_cursor: page.next_cursor })
    };
    let printed = listing.print(settings, fetch, |event| row(settings, event)).await;
    printed.map_err(|error| error.or_if_forbidden(CommandError::OtherOwnerOfList))
}

/// The columns: at most 100 characters with relative times.
fn columns(settings: &Settings) -> Vec<Column> {
    vec![
        Column::new("TIME", settings.times.width()),
        Column::new("ACTION", 12),
        Column::new("KEY", 36),
        Column::new("BY", 12),
        Column::new("FIELDS", 18),
    ]
}

fn row(settings: &Settings, event: &Event) -> Vec<String> {
    vec![
        settings.times.short(event.time),
        event.action.as_str().to_owned(),
        event.api_key_id.to_string(),
        event.actor_user_id.clone(),
        event.fields.join(", "),
    ]
}
