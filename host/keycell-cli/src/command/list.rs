//! `keycell list`.

use clap::Args;
use keycell::{ApiKeyDetails, ListApiKeys, Time};

use crate::{
    error::CommandError,
    listing::{Listing, Page, Paging},
    settings::Settings,
    table::Column,
};

#[derive(Args)]
#[command(after_help = "Examples:
  keycell list
  keycell list --status all --project web --limit 100
  keycell list --operator --owner ann --all --json")]
pub struct Arguments {
    /// The status: active, expired, revoked or all [default: active]
    #[arg(long)]
    status: Option<String>,
    /// Keys of this project only, by id or slug
    #[arg(long, value_name = "REF")]
    project: Option<String>,
    /// Keys of this user only; another user needs --operator or an admin's --project
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

pub async fn run(settings: &Settings, arguments: Arguments) -> Result<(), CommandError> {
    let (authority, caller) = (settings.authority().await?, settings.caller());
    let Arguments { status, project, owner, paging } = arguments;
    let hint = if status.is_none() && project.is_none() && owner.is_none() {
        "There are no active keys. Create one with `keycell create --name NAME`, or list the others with `keycell \
         list --status all`."
    } else {
        "No keys match."
    };
    let has_many_owners = settings.is_operator || project.is_some();
    let mut request = ListApiKeys::default();
    request.status = status;
    request.project_reference = project;
    request.owner = owner;
    request.limit = paging.page_size();

    let columns = columns(settings, has_many_owners);
    let listing = Listing { name: "api_keys", columns: &columns, hint, paging };
    let fetch = async |cursor| {
        request.cursor = cursor;
        let page = authority.list_api_keys(&caller, request.clone()).await?;
        Ok(Page { items: page.api_keys, next_cursor: page.next_cursor })
    };
    let printed = listing.print(settings, fetch, |key| row(settings, key, has_many_owners)).await;
    printed.map_err(|error| error.or_if_forbidden(CommandError::OtherOwnerOfList))
}

/// The columns: at most 100 characters with relative times.
fn columns(settings: &Settings, has_many_owners: bool) -> Vec<Column> {
    let time = settings.times.width();
    let third = if has_many_owners { Column::new("USER", 15) } else { Column::new("LAST USED", time) };
    vec![Column::new("ID", 36), Column::new("NAME", 20), third, Column::new("STATUS", 7), Column::new("EXPIRES", time)]
}

fn row(settings: &Settings, key: &ApiKeyDetails, has_many_owners: bool) -> Vec<String> {
    let time = |time: Option<Time>| time.map_or("never".to_owned(), |time| settings.times.short(time));
    let third = if has_many_owners { key.user_id.clone() } else { time(key.last_used_at) };
    vec![key.id.to_string(), key.name.clone(), third, key.status.as_str().to_owned(), time(key.expires_at)]
}
