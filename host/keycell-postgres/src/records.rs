//! Every record of a database, for copies.

use keycell::{IdempotentRequest, Member, Project, RecordKind, Records, StoredRecord};
use tokio_postgres::Row;

use crate::{
    PostgresUrl,
    connections::{Connections, Parameter},
    error::PostgresError,
    rows::{self, EventRow, KeyRow, column, event_record, key_record, number, request_record, role, text},
    schema, sql,
};

type Result<T> = std::result::Result<T, PostgresError>;

/// The records of a database that no host uses meanwhile.
pub struct PostgresRecords {
    connections: Connections,
}

impl PostgresRecords {
    /// Connects to a database of this version to read its records.
    ///
    /// # Errors
    ///
    /// The database cannot be reached, refuses the role, or has no tables of this version.
    pub async fn open(url: &PostgresUrl) -> Result<Self> {
        let connections = Connections::new(url)?;
        schema::require_latest(&connections).await?;
        Ok(Self { connections })
    }

    /// Connects to a database to insert records, and creates its tables if there are none.
    ///
    /// # Errors
    ///
    /// Those of [`PostgresOptions::open`](crate::PostgresOptions::open).
    pub async fn create(url: &PostgresUrl) -> Result<Self> {
        let connections = Connections::new(url)?;
        schema::migrate(&connections).await?;
        Ok(Self { connections })
    }
}

impl Records for PostgresRecords {
    type Error = PostgresError;

    async fn read(&self, kind: RecordKind, after: (&str, &str), limit: u32) -> Result<Vec<StoredRecord>> {
        let limit = i64::from(limit);
        let after_id = [text(&after.0), number(&limit)];
        let after_pair = [text(&after.0), text(&after.1), number(&limit)];
        let (sql, parameters, record): (_, &[_], fn(&Row) -> Result<StoredRecord>) = match kind {
            RecordKind::Project => (sql::READ_PROJECTS, &after_id, project_record),
            RecordKind::Member => (sql::READ_MEMBERS, &after_pair, member_record),
            RecordKind::Key => (sql::READ_KEYS, &after_id, |row| Ok(StoredRecord::Key(Box::new(key_record(row)?)))),
            RecordKind::Request => {
                (sql::READ_REQUESTS, &after_pair, |row| Ok(StoredRecord::Request(request_record(row)?)))
            }
            RecordKind::Event => (sql::READ_EVENTS, &after_id, |row| Ok(StoredRecord::Event(event_record(row)?))),
        };
        self.connections.query(sql, parameters).await?.iter().map(record).collect()
    }

    /// One statement for all records.
    async fn insert(&self, records: Vec<StoredRecord>) -> Result<()> {
        let rows: Vec<_> = records.into_iter().map(NewRow::new).collect();
        let Some(first) = rows.first() else {
            return Ok(());
        };
        let sql = sql::with_rows(first.sql(), rows.len(), first.parameters().len());
        let parameters: Vec<_> = rows.iter().flat_map(NewRow::parameters).collect();
        self.connections.query(&sql, &parameters).await?;
        Ok(())
    }
}

fn project_record(row: &Row) -> Result<StoredRecord> {
    let project = Project::new(column::<String>(row, 0, "id")?, column::<String>(row, 1, "slug")?);
    Ok(StoredRecord::Project { project, created_at: column(row, 2, "created_at")? })
}

fn member_record(row: &Row) -> Result<StoredRecord> {
    let role = role(row, 2)?.ok_or(PostgresError::Corrupt("role"))?;
    let member = Member::new(column::<String>(row, 0, "user_id")?, role);
    Ok(StoredRecord::Member { project_id: column(row, 1, "project_id")?, member })
}

/// A record to be inserted, with the fields that columns store in another form.
enum NewRow {
    Project { project: Project, created_at: i64 },
    Member { project_id: String, user_id: String, role: &'static str },
    Key(Box<KeyRow>),
    Request(IdempotentRequest),
    Event(EventRow),
}

impl NewRow {
    fn new(record: StoredRecord) -> Self {
        match record {
            StoredRecord::Project { project, created_at } => Self::Project { project, created_at },
            StoredRecord::Member { project_id, member } => {
                Self::Member { project_id, user_id: member.user_id, role: member.role.as_str() }
            }
            StoredRecord::Key(key) => Self::Key(Box::new(KeyRow::new(*key))),
            StoredRecord::Request(request) => Self::Request(request),
            StoredRecord::Event(event) => Self::Event(EventRow::new(event)),
        }
    }

    /// The beginning of the statement.
    fn sql(&self) -> &'static str {
        match self {
            Self::Project { .. } => sql::INSERT_PROJECTS,
            Self::Member { .. } => sql::INSERT_MEMBERS,
            Self::Key(_) => sql::INSERT_KEYS,
            Self::Request(_) => sql::INSERT_REQUESTS,
            Self::Event(_) => sql::INSERT_EVENTS,
        }
    }

    fn parameters(&self) -> Vec<Parameter<'_>> {
        match self {
            Self::Project { project, created_at } => vec![text(&project.id), text(&project.slug), number(created_at)],
            Self::Member { project_id, user_id, role } => vec![text(user_id), text(project_id), text(role)],
            Self::Key(key) => key.insert(),
            Self::Request(request) => rows::request(request),
            Self::Event(event) => event.insert(),
        }
    }
}
