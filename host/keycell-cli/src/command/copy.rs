//! `keycell copy`.

use std::path::PathBuf;

use clap::Args;
use keycell::{RecordKind, Records};
use serde_json::{Map, Value};

use crate::{
    error::CommandError,
    output,
    settings::Settings,
    storage::{AnyRecords, Location, StorageError},
};

/// The number of records that are read, compared or stored together.
const PAGE: u32 = 500;

const FROM: &str = "--from";
const TO: &str = "--to";

#[derive(Args)]
#[command(after_help = "Example:
  keycell copy --from keycell.db --to postgres://owner@db.example.com/keycell

Stop the hosts of both databases first. Repeat the command after an interruption: it continues. At the \
end, every record has been compared.")]
pub struct Arguments {
    /// The SQLite file or the URL of the database to read
    #[arg(long, value_name = "PATH|URL")]
    from: PathBuf,
    /// The SQLite file or the URL of the database to write, which is created if there is none
    #[arg(long, value_name = "PATH|URL")]
    to: PathBuf,
}

pub async fn run(settings: &Settings, arguments: Arguments) -> Result<(), CommandError> {
    let copy = Copy::open(arguments).await?;
    // The target must hold a part of the source and nothing else. It is read before it is written.
    let mut shared = Vec::new();
    for kind in RecordKind::ALL {
        shared.push((kind, copy.shared(kind).await?.ok_or(CommandError::OtherRecords)?));
    }
    let mut copied = 0;
    for (kind, shared) in shared {
        copied += copy.rest(kind, shared).await?;
    }
    let mut counts = Map::new();
    for kind in RecordKind::ALL {
        let shared = copy.shared(kind).await?.filter(|shared| shared.is_all).ok_or(CommandError::SourceChanged)?;
        counts.insert(plural(kind).to_owned(), shared.count.into());
    }
    if settings.is_for_people {
        let counts: Vec<_> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        return output::line(&format!("{copied} records were copied. Both databases have {}.", counts.join(", ")));
    }
    counts.insert("copied".to_owned(), copied.into());
    output::json(&Value::from(counts))
}

fn plural(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Project => "projects",
        RecordKind::Member => "members",
        RecordKind::Key => "keys",
        RecordKind::Request => "requests",
        RecordKind::Event => "events",
    }
}

struct Copy {
    from: AnyRecords,
    to: AnyRecords,
}

/// The records of one kind that the target has. They are the first ones of the source.
struct Shared {
    count: u64,
    last: (String, String),
    is_all: bool,
}

impl Copy {
    async fn open(arguments: Arguments) -> Result<Self, CommandError> {
        let location = |text, option| Location::parse(text).map_err(|source| failed(option)(source.into()));
        let (from, to) = (location(arguments.from, FROM)?, location(arguments.to, TO)?);
        let from = AnyRecords::open(&from).await.map_err(failed(FROM))?;
        Ok(Self { from, to: AnyRecords::create(&to).await.map_err(failed(TO))? })
    }

    /// Compares what the target has with the source; `None`: the target has something else.
    async fn shared(&self, kind: RecordKind) -> Result<Option<Shared>, CommandError> {
        let (mut count, mut last) = (0, (String::new(), String::new()));
        loop {
            let after = (last.0.as_str(), last.1.as_str());
            let theirs = self.from.read(kind, after, PAGE).await.map_err(failed(FROM))?;
            let ours = self.to.read(kind, after, PAGE).await.map_err(failed(TO))?;
            if !theirs.starts_with(&ours) {
                return Ok(None);
            }
            let is_all = ours.len() == theirs.len();
            count += ours.len() as u64;
            match ours.last() {
                Some(record) => last = owned(record.position()),
                None => return Ok(Some(Shared { count, last, is_all })),
            }
            if !is_all {
                return Ok(Some(Shared { count, last, is_all }));
            }
        }
    }

    /// Copies the records of one kind after those that the target has. Returns their number.
    async fn rest(&self, kind: RecordKind, Shared { mut last, .. }: Shared) -> Result<u64, CommandError> {
        let mut copied = 0;
        loop {
            let records = self.from.read(kind, (&last.0, &last.1), PAGE).await.map_err(failed(FROM))?;
            let Some(record) = records.last() else {
                return Ok(copied);
            };
            last = owned(record.position());
            copied += records.len() as u64;
            self.to.insert(records).await.map_err(failed(TO))?;
        }
    }
}

fn owned((first, second): (&str, &str)) -> (String, String) {
    (first.to_owned(), second.to_owned())
}

/// Adds the option of a database to its error.
fn failed(option: &'static str) -> impl Fn(StorageError) -> CommandError {
    move |source| CommandError::Copy { option, source }
}
