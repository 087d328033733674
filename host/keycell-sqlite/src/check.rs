//! Integrity checks.

use std::{fmt, path::Path};

use keycell::Project;
use rusqlite::{Connection, Row};

use crate::{
    error::SqliteError,
    file::{self, absolute},
    keys::{self, select_key},
    lists, projects, requests,
};

type Result<T> = std::result::Result<T, SqliteError>;

/// The maximum number of problems in a report.
const MAX_PROBLEMS: usize = 100;

/// The result of a [`check`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The number of keys that were read.
    pub keys: u64,
    /// The number of events that were read.
    pub events: u64,
    /// The first 100 problems.
    pub problems: Vec<Problem>,
    /// The number of problems.
    pub problem_count: u64,
}

/// A problem in the database. It contains no value of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// SQLite found a damaged page or index, or a violated constraint.
    File {
        /// SQLite's message.
        message: String,
    },
    /// A record cannot be read, or a field breaks a rule.
    Record {
        /// The table.
        table: &'static str,
        /// The position of the record in the table, from 1.
        position: u64,
        /// The name of the field; `None`: the record cannot be read.
        field: Option<&'static str>,
    },
}

impl Report {
    fn add(&mut self, problem: Problem) {
        self.problem_count += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn add_messages(&mut self, connection: &Connection, sql: &str) -> Result<()> {
        for message in messages(connection, sql)? {
            self.add(Problem::File { message });
        }
        Ok(())
    }

    /// Reads each record of a query and collects the invalid fields. Returns the number of records.
    fn add_records(
        &mut self,
        connection: &Connection,
        table: &'static str,
        sql: &str,
        invalid_fields: impl Fn(&Row<'_>) -> rusqlite::Result<Vec<&'static str>>,
    ) -> Result<u64> {
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query(())?;
        for position in 1.. {
            match rows.next() {
                Ok(None) => return Ok(position - 1),
                Ok(Some(row)) => match invalid_fields(row) {
                    Ok(fields) => {
                        let problem = |field| Problem::Record { table, position, field: Some(field) };
                        fields.into_iter().map(problem).for_each(|problem| self.add(problem));
                    }
                    Err(_) => self.add(Problem::Record { table, position, field: None }),
                },
                Err(error) => match error.into() {
                    // The rest of the table cannot be read.
                    SqliteError::Corrupt => {
                        self.add(Problem::Record { table, position, field: None });
                        return Ok(position - 1);
                    }
                    error => return Err(error),
                },
            }
        }
        Ok(0)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { message } => write!(f, "file: {message}"),
            Self::Record { table, position, field: Some(field) } => {
                write!(f, "{table}: record {position}: `{field}` is invalid")
            }
            Self::Record { table, position, field: None } => write!(f, "{table}: record {position} cannot be read"),
        }
    }
}

/// Reads the whole database: SQLite's own check, references between records, and the rules of
/// every record. Other connections can read and write meanwhile.
///
/// # Errors
///
/// The file is not a database of this version of keycell, or cannot be read. Damage is not an
/// error, unless the database cannot be opened because of it.
pub fn check(path: impl AsRef<Path>) -> Result<Report> {
    let connection = open(path.as_ref())?;
    // All queries read one snapshot.
    let snapshot = connection.unchecked_transaction()?;
    let mut report = Report::default();
    report.add_messages(&snapshot, "PRAGMA integrity_check")?;
    report.add_messages(
        &snapshot,
        "SELECT \"table\" || ': a record refers to a missing one' FROM pragma_foreign_key_check",
    )?;
    report.keys = report.add_records(&snapshot, "api_keys", select_key!(" FROM api_keys ORDER BY rowid"), |row| {
        Ok(keys::key_record(row)?.invalid_fields())
    })?;
    report.events = report.add_records(&snapshot, "events", lists::EVERY_EVENT, |row| {
        let event = lists::event_record(row)?;
        let mut fields = event.invalid_fields();
        // The owner and the project of the key.
        if event.user_id != row.get::<_, String>(9)? {
            fields.push("user_id");
        }
        if event.project_id != row.get::<_, Option<String>>(10)? {
            fields.push("project_id");
        }
        Ok(fields)
    })?;
    let every_request = "SELECT user_id, idempotency_key, key_id, expires_at, digest FROM idempotent_requests";
    report.add_records(&snapshot, "idempotent_requests", every_request, |row| {
        Ok(requests::request_record(row)?.invalid_fields())
    })?;
    report.add_records(&snapshot, "projects", "SELECT id, slug FROM projects", |row| {
        Ok(Project::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?).invalid_fields())
    })?;
    report.add_records(&snapshot, "project_members", "SELECT user_id, role FROM project_members", |row| {
        Ok(projects::member(row)?.invalid_fields())
    })?;
    Ok(report)
}

/// Checks the structure of the file, without its indexes and the rules of records: much faster than
/// [`check`]. Returns the first problem.
///
/// # Errors
///
/// Those of [`check`].
pub fn quick_check(path: impl AsRef<Path>) -> Result<Option<Problem>> {
    let connection = open(path.as_ref())?;
    let message = messages(&connection, "PRAGMA quick_check(1)")?.into_iter().next();
    Ok(message.map(|message| Problem::File { message }))
}

fn open(path: &Path) -> Result<Connection> {
    let (connection, contents) = file::open_to_read(&absolute(path)?)?;
    contents.require_latest()?;
    Ok(connection)
}

/// Returns the messages of one of SQLite's checks; none without damage.
fn messages(connection: &Connection, sql: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare(sql)?;
    let messages = statement.query_map((), |row| row.get(0))?;
    let messages = messages.filter(|message| !matches!(message, Ok(text) if text == "ok"));
    match messages.collect::<rusqlite::Result<Vec<String>>>().map_err(SqliteError::from) {
        // With severe damage, the check itself fails.
        Err(SqliteError::Corrupt) => Ok(vec![SqliteError::Corrupt.to_string()]),
        result => result,
    }
}
