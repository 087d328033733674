//! Every record of a storage, for copies into another one.

use std::future::Future;

use super::{EventRecord, IdempotentRequest, KeyRecord, Member, Project};

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// [`StoredRecord::Project`].
    Project,
    /// [`StoredRecord::Member`].
    Member,
    /// [`StoredRecord::Key`].
    Key,
    /// [`StoredRecord::Request`].
    Request,
    /// [`StoredRecord::Event`].
    Event,
}

impl RecordKind {
    /// Every kind, in an order in which a record refers only to its own kind and to earlier ones.
    pub const ALL: [Self; 5] = [Self::Project, Self::Member, Self::Key, Self::Request, Self::Event];
}

/// A record of any kind, with everything that a storage keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredRecord {
    /// A project.
    Project {
        /// The id and the slug.
        project: Project,
        /// The time at which it was created.
        created_at: i64,
    },
    /// A member of a project.
    Member {
        /// The id of the project.
        project_id: String,
        /// The user and the role.
        member: Member,
    },
    /// A key.
    Key(Box<KeyRecord>),
    /// An issuing that can be repeated.
    Request(IdempotentRequest),
    /// An event.
    Event(EventRecord),
}

impl StoredRecord {
    /// The place of the record in the order of its kind: its id, or the two parts of its id.
    #[must_use]
    pub fn position(&self) -> (&str, &str) {
        match self {
            Self::Project { project, .. } => (&project.id, ""),
            Self::Member { project_id, member } => (&member.user_id, project_id),
            Self::Key(key) => (&key.id, ""),
            Self::Request(request) => (&request.user_id, &request.idempotency_key),
            Self::Event(event) => (&event.id, ""),
        }
    }
}

/// The records of a storage that no host uses meanwhile.
pub trait Records {
    /// The reason why the records cannot be read or written.
    type Error;

    /// Reads up to `limit` records of a kind after a [position](StoredRecord::position), in the
    /// order of their positions, which are compared byte by byte. `("", "")` is before the first one.
    fn read(
        &self,
        kind: RecordKind,
        after: (&str, &str),
        limit: u32,
    ) -> impl Future<Output = Result<Vec<StoredRecord>, Self::Error>>;

    /// Stores new records of one kind, at most 1,000: all of them, or an error and none.
    fn insert(&self, records: Vec<StoredRecord>) -> impl Future<Output = Result<(), Self::Error>>;
}
