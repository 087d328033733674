//! keycell's conformance suite, with a bucket for its storage.

use keycell::{
    Component, KeyFilter, KeyRecord, Project, ProjectReference, ProjectSlug, ProjectStorage, Storage, StorageError,
    conformance,
};
use keycell_keyvalue::{keys, projects, storage};

use crate::bucket::Memory;

struct BucketStorage(Memory);

/// The host and the adapter have each their own types of the same records.
macro_rules! same_fields {
    ($type:path, $from:expr, $($field:ident),*) => {{
        let from = $from;
        $type { $($field: from.$field),* }
    }};
}

macro_rules! same_record {
    ($type:path, $from:expr) => {
        same_fields!(
            $type,
            $from,
            id,
            prefix,
            lookup,
            hash,
            user_id,
            project_id,
            name,
            scopes,
            created_at,
            updated_at,
            expires_at,
            last_used_at,
            revoked_at,
            revocation_reason,
            rotated_from,
            rotated_to,
            revision
        )
    };
}

fn to_adapter(key: KeyRecord) -> storage::KeyRecord {
    same_record!(storage::KeyRecord, key)
}

fn to_host(key: storage::KeyRecord) -> KeyRecord {
    same_record!(KeyRecord, key)
}

fn error(error: storage::Error) -> StorageError {
    match error {
        storage::Error::Conflict => StorageError::Conflict,
        storage::Error::Unavailable => StorageError::Unavailable("the bucket".into()),
        storage::Error::NotFound | storage::Error::Internal(_) => StorageError::Internal("the bucket".into()),
    }
}

/// The host's storages answer an option.
fn found<T>(answer: Result<T, storage::Error>) -> Result<Option<T>, StorageError> {
    match answer {
        Err(storage::Error::NotFound) => Ok(None),
        answer => answer.map(Some).map_err(error),
    }
}

impl Storage for BucketStorage {
    async fn insert_key(&self, key: KeyRecord) -> Result<(), StorageError> {
        keys::insert_key(&self.0, &to_adapter(key)).map_err(error)
    }

    async fn find_key(&self, id: &str) -> Result<Option<KeyRecord>, StorageError> {
        Ok(found(keys::find_key(&self.0, id))?.map(to_host))
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>, StorageError> {
        Ok(found(keys::find_key_by_lookup(&self.0, lookup))?.map(to_host))
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>, StorageError> {
        let filter = same_fields!(
            storage::KeyFilter,
            filter,
            user_id,
            project_id,
            revoked,
            expires_after,
            expires_until,
            before,
            limit
        );
        let listed = keys::list_keys(&self.0, &filter).map_err(error)?;
        Ok(listed.into_iter().map(to_host).collect())
    }

    async fn update_key(&self, key: KeyRecord) -> Result<(), StorageError> {
        keys::update_key(&self.0, &to_adapter(key)).map_err(error)
    }

    async fn rotate_key(&self, key: KeyRecord, replacement: KeyRecord) -> Result<(), StorageError> {
        keys::rotate_key(&self.0, &to_adapter(key), &to_adapter(replacement)).map_err(error)
    }

    fn record_use(&self, id: &str, at: i64) {
        keys::record_use(&self.0, id, at).unwrap();
    }

    async fn find_project(&self, reference: &ProjectReference, user_id: &str) -> Result<Option<String>, StorageError> {
        let reference = match reference.clone() {
            ProjectReference::Id(id) => storage::ProjectReference::Id(id),
            ProjectReference::Slug(slug) => storage::ProjectReference::Slug(slug),
        };
        found(projects::find_project(&self.0, &reference, user_id))
    }
}

/// What the bucket's owner does by hand.
impl ProjectStorage for BucketStorage {
    async fn insert_project(
        &self,
        id: uuid::Uuid,
        slug: ProjectSlug,
        members: Vec<String>,
    ) -> Result<Project, StorageError> {
        let project = Project { id: id.to_string(), slug: slug.into_text() };
        self.0.write(&format!("project.{}", project.id), &members.join("\n"));
        self.0.write(&format!("slug.{}", project.slug), &project.id);
        Ok(project)
    }

    async fn list_projects(&self, _: &str) -> Result<Vec<Project>, StorageError> {
        unreachable!("no case lists projects")
    }
}

#[tokio::test]
async fn every_case_passes_on_a_bucket() {
    let component = Component::built_in().unwrap();
    let cases = conformance::cases().unwrap();
    let mut failed = Vec::new();
    for case in &cases {
        let outcome = conformance::run(case, &component, BucketStorage(Memory::default())).await;
        failed.extend(outcome.result.err().map(|fault| format!("{}: {fault}", outcome.name)));
    }
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
    assert!(cases.len() >= 3666, "only {} cases", cases.len()); // Else some were left out.
}
