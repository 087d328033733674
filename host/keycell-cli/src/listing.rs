//! Lists that are fetched and printed page by page, so that a long list takes little memory.

use clap::Args;
use keycell::Error;
use serde::Serialize;

use crate::{
    arguments::number,
    error::CommandError,
    output,
    settings::Settings,
    table::{Column, Table},
};

/// The default page size with `--all`: the maximum.
const MAX_PAGE_SIZE: u32 = 100;

/// The options of a list that choose its pages.
#[derive(Args)]
pub struct Paging {
    /// The page size: 1 to 100 [default: 20, or 100 with --all]
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    limit: Option<u32>,
    /// The cursor of the previous page
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    cursor: Option<String>,
    /// All pages
    #[arg(long)]
    all: bool,
}

impl Paging {
    /// The page size; `None`: the component's default.
    pub fn page_size(&self) -> Option<u32> {
        self.limit.or(self.all.then_some(MAX_PAGE_SIZE))
    }
}

/// A page of a list.
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

/// A list.
pub struct Listing<'a> {
    /// The name of the items in JSON.
    pub name: &'static str,
    /// The columns for people.
    pub columns: &'a [Column],
    /// The hint for people if there are no items.
    pub hint: &'static str,
    /// The first page, and whether every page is printed.
    pub paging: Paging,
}

impl Listing<'_> {
    /// Fetches and prints one page or all pages: a table for people, or one JSON object with the items
    /// and the cursor of the next page.
    pub async fn print<T: Serialize>(
        self,
        settings: &Settings,
        mut fetch: impl AsyncFnMut(Option<String>) -> Result<Page<T>, Error>,
        row: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), CommandError> {
        let page = fetch(self.paging.cursor.clone()).await?;
        if settings.is_for_people { self.table(page, fetch, row).await } else { self.json(page, fetch).await }
    }

    async fn table<T>(
        self,
        mut page: Page<T>,
        mut fetch: impl AsyncFnMut(Option<String>) -> Result<Page<T>, Error>,
        row: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), CommandError> {
        if page.items.is_empty() {
            return output::line(self.hint);
        }
        let mut table = Table::new(self.columns);
        loop {
            let rows: Vec<_> = page.items.iter().map(&row).collect();
            table.print(&rows, self.paging.all && page.next_cursor.is_some())?;
            match page.next_cursor {
                Some(cursor) if self.paging.all => page = fetch(Some(cursor)).await?,
                Some(cursor) => {
                    output::warn(&format!("There are more: use --cursor {cursor}, or --all."));
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    async fn json<T: Serialize>(
        self,
        mut page: Page<T>,
        mut fetch: impl AsyncFnMut(Option<String>) -> Result<Page<T>, Error>,
    ) -> Result<(), CommandError> {
        output::text(&format!("{{\n\"{}\": [", self.name))?;
        let mut separator = "\n";
        loop {
            let mut text = String::new();
            for item in &page.items {
                text.push_str(separator);
                text.push_str(&serde_json::to_string(item)?);
                separator = ",\n";
            }
            output::text(&text)?;
            match page.next_cursor {
                Some(cursor) if self.paging.all => page = fetch(Some(cursor)).await?,
                next_cursor => {
                    let next_cursor = serde_json::to_string(&next_cursor)?;
                    return output::text(&format!("\n],\n\"next_cursor\": {next_cursor}\n}}\n"));
                }
            }
        }
    }
}
