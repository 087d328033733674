//! Storage in memory, for tests and trials.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use keycell_component::project::ProjectSlug;

use super::{KeyFilter, KeyRecord, Project, ProjectReference, ProjectStorage, Storage, StorageError};

/// Storage that is gone with the process.
#[derive(Default)]
pub struct MemoryStorage {
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    keys: BTreeMap<String, KeyRecord>,
    id_by_lookup: HashMap<String, String>,
    projects: BTreeMap<String, Project>,
    members: HashSet<(String, String)>,
}

impl MemoryStorage {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No function below leaves the tables half-changed, so a panic elsewhere is no reason
        // to stop.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn insert_key(&mut self, key: KeyRecord) -> Result<(), StorageError> {
        if self.keys.contains_key(&key.id) {
            return Err(StorageError::Conflict);
        }
        match self.id_by_lookup.entry(key.lookup.clone()) {
            Entry::Occupied(_) => return Err(StorageError::Conflict),
            Entry::Vacant(place) => place.insert(key.id.clone()),
        };
        self.keys.insert(key.id.clone(), key);
        Ok(())
    }

    /// The stored record that `key` may change.
    fn stored_of_revision(&mut self, key: &KeyRecord) -> Result<&mut KeyRecord, StorageError> {
        self.keys.get_mut(&key.id).filter(|stored| stored.revision == key.revision).ok_or(StorageError::Conflict)
    }

    fn update_key(&mut self, key: KeyRecord) -> Result<(), StorageError> {
        let stored = self.stored_of_revision(&key)?;
        stored.name = key.name;
        stored.updated_at = key.updated_at;
        stored.expires_at = key.expires_at;
        stored.revoked_at = key.revoked_at;
        stored.revocation_reason = key.revocation_reason;
        stored.rotated_to = key.rotated_to;
        stored.revision += 1;
        Ok(())
    }
}

impl Storage for MemoryStorage {
    async fn insert_key(&self, key: KeyRecord) -> Result<(), StorageError> {
        self.tables().insert_key(key)
    }

    async fn find_key(&self, id: &str) -> Result<Option<KeyRecord>, StorageError> {
        Ok(self.tables().keys.get(id).cloned())
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>, StorageError> {
        let tables = self.tables();
        Ok(tables.id_by_lookup.get(lookup).and_then(|id| tables.keys.get(id)).cloned())
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>, StorageError> {
        let tables = self.tables();
        let keys = tables.keys.values().rev().filter(|key| filter.passes(key));
        Ok(keys.take(filter.limit as usize).cloned().collect())
    }

    async fn update_key(&self, key: KeyRecord) -> Result<(), StorageError> {
        self.tables().update_key(key)
    }

    async fn rotate_key(&self, key: KeyRecord, replacement: KeyRecord) -> Result<(), StorageError> {
        let mut tables = self.tables();
        tables.stored_of_revision(&key)?;
        tables.insert_key(replacement)?;
        tables.update_key(key)
    }

    fn record_use(&self, id: &str, at: i64) {
        if let Some(key) = self.tables().keys.get_mut(id) {
            key.last_used_at = key.last_used_at.max(Some(at));
        }
    }

    async fn find_project(&self, reference: &ProjectReference, user_id: &str) -> Result<Option<String>, StorageError> {
        let tables = self.tables();
        let project = match reference {
            ProjectReference::Id(id) => tables.projects.get(id),
            ProjectReference::Slug(slug) => tables.projects.values().find(|project| project.slug == *slug),
        };
        Ok(project
            .filter(|project| tables.members.contains(&(project.id.clone(), user_id.to_owned())))
            .map(|project| project.id.clone()))
    }
}

impl ProjectStorage for MemoryStorage {
    async fn insert_project(
        &self,
        id: uuid::Uuid,
        slug: ProjectSlug,
        members: Vec<String>,
    ) -> Result<Project, StorageError> {
        let project = Project { id: id.to_string(), slug: slug.into_text() };
        let mut tables = self.tables();
        if tables.projects.values().any(|other| other.id == project.id || other.slug == project.slug) {
            return Err(StorageError::Conflict);
        }
        tables.members.extend(members.into_iter().map(|user_id| (project.id.clone(), user_id)));
        tables.projects.insert(project.id.clone(), project.clone());
        Ok(project)
    }

    async fn list_projects(&self, user_id: &str) -> Result<Vec<Project>, StorageError> {
        let tables = self.tables();
        let is_member = |project: &&Project| tables.members.contains(&(project.id.clone(), user_id.to_owned()));
        let mut projects: Vec<_> = tables.projects.values().filter(is_member).cloned().collect();
        projects.sort_by(|a, b| a.slug.cmp(&b.slug));
        Ok(projects)
    }
}
