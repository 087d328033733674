//! Storage in memory, for tests and trials.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use keycell_component::project::ProjectSlug;
use uuid::Uuid;

use super::{
    ChangeFeed, Changes, EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, Member,
    Project, ProjectReference, ProjectStorage, ProjectWithRole, Role, Storage, StorageError,
};

/// Storage in memory, which ends with the process.
#[derive(Default)]
pub struct MemoryStorage {
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    keys: BTreeMap<String, KeyRecord>,
    id_by_lookup: HashMap<String, String>,
    events: BTreeMap<String, EventRecord>,
    /// The ids of changed keys, in the order of the changes.
    changes: Vec<String>,
    /// By user and idempotency key.
    requests: HashMap<(String, String), IdempotentRequest>,
    projects: BTreeMap<String, Project>,
    /// By project and user.
    roles: BTreeMap<(String, String), Role>,
}

impl MemoryStorage {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No function below leaves the tables half-changed, so they are usable after a panic.
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
    fn current_revision(&mut self, key: &KeyRecord) -> Result<&mut KeyRecord, StorageError> {
        self.keys.get_mut(&key.id).filter(|stored| stored.revision == key.revision).ok_or(StorageError::Conflict)
    }

    fn update_key(&mut self, key: KeyRecord) -> Result<(), StorageError> {
        let id = key.id.clone();
        self.current_revision(&key)?.update(key);
        self.changes.push(id);
        Ok(())
    }

    /// Fails before anything is written, so that a write and its event are atomic.
    fn check_event(&self, event: &EventRecord) -> Result<(), StorageError> {
        if self.events.contains_key(&event.id) { Err(StorageError::Conflict) } else { Ok(()) }
    }

    fn insert_event(&mut self, event: EventRecord) {
        self.events.insert(event.id.clone(), event);
    }

    fn project(&self, reference: &ProjectReference) -> Option<&Project> {
        match reference {
            ProjectReference::Id(id) => self.projects.get(id),
            ProjectReference::Slug(slug) => self.projects.values().find(|project| project.slug == *slug),
        }
    }

    fn role(&self, project_id: &str, user_id: &str) -> Option<Role> {
        self.roles.get(&(project_id.to_owned(), user_id.to_owned())).copied()
    }
}

impl Storage for MemoryStorage {
    async fn insert_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        request: Option<IdempotentRequest>,
    ) -> Result<(), StorageError> {
        let mut tables = self.tables();
        tables.check_event(&event)?;
        let request = request.map(|request| ((request.user_id.clone(), request.idempotency_key.clone()), request));
        if let Some((place, _)) = &request
            && tables.requests.get(place).is_some_and(|taken| taken.expires_at > key.created_at)
        {
            return Err(StorageError::Conflict);
        }
        tables.insert_key(key)?;
        tables.requests.extend(request);
        tables.insert_event(event);
        Ok(())
    }

    async fn find_key(&self, id: &str, viewer: &str) -> Result<Option<KeyWithRole>, StorageError> {
        let tables = self.tables();
        Ok(tables.keys.get(id).map(|key| {
            let role = key.project_id.as_ref().and_then(|project_id| tables.role(project_id, viewer));
            KeyWithRole::new(key.clone(), role)
        }))
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>, StorageError> {
        let tables = self.tables();
        Ok(tables.id_by_lookup.get(lookup).and_then(|id| tables.keys.get(id)).cloned())
    }

    async fn find_request(
        &self,
        user_id: &str,
        idempotency_key: &str,
        now: i64,
    ) -> Result<Option<IdempotentRequest>, StorageError> {
        let place = (user_id.to_owned(), idempotency_key.to_owned());
        Ok(self.tables().requests.get(&place).filter(|request| request.expires_at > now).cloned())
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>, StorageError> {
        let tables = self.tables();
        let keys = tables.keys.values().rev().filter(|key| filter.passes(key));
        Ok(keys.take(filter.limit as usize).cloned().collect())
    }

    async fn list_events(&self, filter: EventFilter) -> Result<Vec<EventRecord>, StorageError> {
        let tables = self.tables();
        let events = tables.events.values().rev().filter(|event| filter.passes(event));
        Ok(events.take(filter.limit as usize).cloned().collect())
    }

    async fn update_key(&self, key: KeyRecord, event: EventRecord) -> Result<(), StorageError> {
        let mut tables = self.tables();
        tables.check_event(&event)?;
        tables.update_key(key)?;
        tables.insert_event(event);
        Ok(())
    }

    async fn rotate_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        replacement: KeyRecord,
        replacement_event: EventRecord,
    ) -> Result<(), StorageError> {
        let mut tables = self.tables();
        tables.check_event(&event)?;
        tables.check_event(&replacement_event)?;
        tables.current_revision(&key)?;
        tables.insert_key(replacement)?;
        tables.update_key(key)?;
        tables.insert_event(event);
        tables.insert_event(replacement_event);
        Ok(())
    }

    async fn replace_secret(&self, key: KeyRecord, event: EventRecord) -> Result<(), StorageError> {
        let mut tables = self.tables();
        tables.check_event(&event)?;
        if tables.id_by_lookup.contains_key(&key.lookup) || tables.current_revision(&key)?.last_used_at.is_some() {
            return Err(StorageError::Conflict);
        }
        let (id, lookup) = (key.id.clone(), key.lookup.clone());
        let stored = tables.current_revision(&key)?;
        let void = stored.lookup.clone();
        stored.replace_secret(key);
        tables.id_by_lookup.remove(&void);
        tables.id_by_lookup.insert(lookup, id.clone());
        tables.changes.push(id);
        tables.insert_event(event);
        Ok(())
    }

    fn record_use(&self, id: &str, at: i64) {
        if let Some(key) = self.tables().keys.get_mut(id) {
            key.last_used_at = key.last_used_at.max(Some(at));
        }
    }

    async fn find_project(
        &self,
        reference: &ProjectReference,
        user_id: &str,
    ) -> Result<Option<ProjectWithRole>, StorageError> {
        let tables = self.tables();
        Ok(tables
            .project(reference)
            .map(|project| ProjectWithRole::new(project.id.as_str(), tables.role(&project.id, user_id))))
    }

    fn reads_at_once(&self) -> bool {
        true
    }
}

impl ProjectStorage for MemoryStorage {
    async fn insert_project(&self, id: Uuid, slug: ProjectSlug, members: Vec<Member>) -> Result<Project, StorageError> {
        let project = Project::new(id.to_string(), slug.into_text());
        let mut tables = self.tables();
        if tables.projects.values().any(|other| other.id == project.id || other.slug == project.slug) {
            return Err(StorageError::Conflict);
        }
        tables.roles.extend(members.into_iter().map(|member| ((project.id.clone(), member.user_id), member.role)));
        tables.projects.insert(project.id.clone(), project.clone());
        Ok(project)
    }

    async fn list_projects(&self, user_id: Option<&str>) -> Result<Vec<Project>, StorageError> {
        let tables = self.tables();
        let is_listed = |project: &&Project| user_id.is_none_or(|user_id| tables.role(&project.id, user_id).is_some());
        let mut projects: Vec<_> = tables.projects.values().filter(is_listed).cloned().collect();
        projects.sort_by(|a, b| a.slug.cmp(&b.slug));
        Ok(projects)
    }

    async fn put_member(&self, project: &ProjectReference, member: Member) -> Result<bool, StorageError> {
        let mut tables = self.tables();
        let Some(project_id) = tables.project(project).map(|project| project.id.clone()) else {
            return Ok(false);
        };
        tables.roles.insert((project_id, member.user_id), member.role);
        Ok(true)
    }

    async fn remove_member(&self, project: &ProjectReference, user_id: &str) -> Result<bool, StorageError> {
        let mut tables = self.tables();
        let Some(project_id) = tables.project(project).map(|project| project.id.clone()) else {
            return Ok(false);
        };
        Ok(tables.roles.remove(&(project_id, user_id.to_owned())).is_some())
    }

    async fn list_members(&self, project: &ProjectReference) -> Result<Option<Vec<Member>>, StorageError> {
        let tables = self.tables();
        Ok(tables.project(project).map(|project| {
            let members = tables.roles.iter().filter(|((project_id, _), _)| *project_id == project.id);
            members.map(|((_, user_id), role)| Member::new(user_id, *role)).collect()
        }))
    }

    async fn check_ready(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

impl ChangeFeed for MemoryStorage {
    type Position = usize;

    async fn read_changes(&self, after: Option<&usize>) -> Result<(usize, Changes), StorageError> {
        let tables = self.tables();
        let changes = after.and_then(|after| tables.changes.get(*after..));
        Ok((tables.changes.len(), changes.map_or(Changes::Unknown, |ids| Changes::Keys(ids.to_vec()))))
    }
}
