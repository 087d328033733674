//! Storage in memory, for tests and trials.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use keycell_component::project::ProjectSlug;

use super::{KeyRecord, Project, ProjectReference, ProjectStorage, Storage, StorageError};

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
}

impl Storage for MemoryStorage {
    async fn insert_key(&self, key: KeyRecord) -> Result<(), StorageError> {
        self.tables().insert_key(key)
    }

    async fn find_key(&self, id: &str) -> Result<Option<KeyRecord>, StorageError> {
        Ok(self.tables().keys.get(id).cloned())
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
