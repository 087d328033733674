//! The storage matrix of keycell, on a bucket.

use keycell::{
    Action, EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, Member, Project,
    ProjectReference, ProjectSlug, ProjectStorage, ProjectWithRole, RateLimit, Role, StatusFilter, Storage,
    StorageError,
};
use keycell_keyvalue::{keys, projects, storage as wit};

use crate::bucket::Memory;

/// The cases that a bucket cannot pass. The README has the reasons.
const EXCEPTIONS: [&str; 9] = [
    // A replacement is visible once the key that it replaced names it.
    "a_key_comes_back_as_it_was_stored",
    // A revocation is never removed.
    "an_update_sets_and_removes_each_optional_field",
    // The ids of events are random, and a bucket does not check that they differ.
    "a_taken_event_id_is_a_conflict_and_changes_nothing",
    // A use is written without a look at the key.
    "a_use_of_a_missing_key_is_ignored",
    // Projects are written by the owner of the bucket.
    "a_taken_slug_or_id_is_a_conflict_and_adds_no_member",
    "projects_are_listed_by_slug",
    "a_member_is_added_changed_and_removed",
    "a_missing_project_has_no_members",
    "an_open_storage_is_ready",
];

#[test]
fn a_bucket_gives_every_guarantee_but_the_exceptions() {
    let cases = keycell_conformance::storage::CASES;
    for exception in EXCEPTIONS {
        assert!(cases.iter().any(|case| case.name() == exception), "there is no case {exception}");
    }
    for case in cases.iter().filter(|case| !EXCEPTIONS.contains(&case.name())) {
        keycell_conformance::storage::test(case.name(), async || ((), BucketStorage::default()));
    }
}

/// The adapter as a storage of keycell's own host.
#[derive(Default)]
pub struct BucketStorage(Memory);

type Result<T> = std::result::Result<T, StorageError>;

impl Storage for BucketStorage {
    async fn insert_key(&self, key: KeyRecord, event: EventRecord, request: Option<IdempotentRequest>) -> Result<()> {
        let request = request.map(from_request);
        keys::insert_key(&self.0, &from_key(key), &from_event(event), request.as_ref()).map_err(error)
    }

    async fn find_key(&self, id: &str, viewer: &str) -> Result<Option<KeyWithRole>> {
        found(keys::find_key(&self.0, id, viewer), |found| KeyWithRole::new(to_key(found.key), found.role.map(to_role)))
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>> {
        found(keys::find_key_by_lookup(&self.0, lookup), to_key)
    }

    async fn find_request(&self, user: &str, idempotency_key: &str, now: i64) -> Result<Option<IdempotentRequest>> {
        found(keys::find_request(&self.0, user, idempotency_key, now), to_request)
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>> {
        let KeyFilter { user_id, project_id, now, before, limit, .. } = filter;
        let status = match filter.status {
            StatusFilter::All => wit::StatusFilter::All,
            StatusFilter::Active => wit::StatusFilter::Active,
            StatusFilter::Expired => wit::StatusFilter::Expired,
            StatusFilter::Revoked => wit::StatusFilter::Revoked,
        };
        let filter = wit::KeyFilter { user_id, project_id, status, now, before, limit };
        Ok(keys::list_keys(&self.0, &filter).map_err(error)?.into_iter().map(to_key).collect())
    }

    async fn list_events(&self, filter: EventFilter) -> Result<Vec<EventRecord>> {
        let EventFilter { key_id, user_id, project_id, since, before, limit, .. } = filter;
        let filter = wit::EventFilter { key_id, user_id, project_id, since, before, limit };
        Ok(keys::list_events(&self.0, &filter).map_err(error)?.into_iter().map(to_event).collect())
    }

    async fn update_key(&self, key: KeyRecord, event: EventRecord) -> Result<()> {
        keys::update_key(&self.0, &from_key(key), &from_event(event)).map_err(error)
    }

    async fn rotate_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        replacement: KeyRecord,
        replacement_event: EventRecord,
    ) -> Result<()> {
        let (key, replacement) = (from_key(key), from_key(replacement));
        keys::rotate_key(&self.0, &key, &from_event(event), &replacement, &from_event(replacement_event)).map_err(error)
    }

    async fn replace_secret(&self, key: KeyRecord, event: EventRecord) -> Result<()> {
        keys::replace_secret(&self.0, &from_key(key), &from_event(event)).map_err(error)
    }

    fn record_use(&self, id: &str, at: i64) {
        keys::record_use(&self.0, id, at).unwrap();
    }

    async fn find_project(&self, reference: &ProjectReference, user_id: &str) -> Result<Option<ProjectWithRole>> {
        found(projects::find_project(&self.0, &from_reference(reference), user_id), |found| {
            ProjectWithRole::new(found.project_id, found.role.map(to_role))
        })
    }
}

/// The owner of the bucket.
impl ProjectStorage for BucketStorage {
    async fn insert_project(&self, id: uuid::Uuid, slug: ProjectSlug, members: Vec<Member>) -> Result<Project> {
        let project = Project::new(id.to_string(), slug.into_text());
        self.0.write(&format!("slug.{}", project.slug), &project.id);
        self.write_members(&project.id, &members);
        Ok(project)
    }

    async fn put_member(&self, project: &ProjectReference, member: Member) -> Result<bool> {
        let Some((id, mut members)) = self.members(project) else { return Ok(false) };
        members.retain(|other| other.user_id != member.user_id);
        members.push(member);
        self.write_members(&id, &members);
        Ok(true)
    }

    async fn remove_member(&self, project: &ProjectReference, user_id: &str) -> Result<bool> {
        let Some((id, mut members)) = self.members(project) else { return Ok(false) };
        let Some(index) = members.iter().position(|member| member.user_id == user_id) else { return Ok(false) };
        members.remove(index);
        self.write_members(&id, &members);
        Ok(true)
    }

    async fn list_projects(&self, _: Option<&str>) -> Result<Vec<Project>> {
        unimplemented!("the owner of a bucket knows the projects")
    }

    async fn list_members(&self, _: &ProjectReference) -> Result<Option<Vec<Member>>> {
        unimplemented!("the owner of a bucket knows the members")
    }

    async fn check_ready(&self) -> Result<()> {
        unimplemented!("no server uses a bucket")
    }
}

impl BucketStorage {
    fn members(&self, project: &ProjectReference) -> Option<(String, Vec<Member>)> {
        let id = projects::find_project(&self.0, &from_reference(project), "").ok()?.project_id;
        let role = |user: &str| projects::role(&self.0, &id, user).unwrap().map(to_role).unwrap();
        let members = self.0.text(&format!("project.{id}")).unwrap();
        let members = members.lines().map(|user| Member::new(user, role(user))).collect();
        Some((id, members))
    }

    fn write_members(&self, id: &str, members: &[Member]) {
        let lines = |is_listed: &dyn Fn(&Member) -> bool| {
            let users: Vec<_> = members.iter().filter(|it| is_listed(it)).map(|it| it.user_id.as_str()).collect();
            users.join("\n")
        };
        self.0.write(&format!("project.{id}"), &lines(&|_| true));
        self.0.write(&format!("admins.{id}"), &lines(&|member| member.role == Role::Admin));
    }
}

fn error(error: wit::Error) -> StorageError {
    match error {
        wit::Error::Conflict => StorageError::Conflict,
        wit::Error::Unavailable => StorageError::Unavailable("the bucket".into()),
        wit::Error::NotFound | wit::Error::Internal(_) => StorageError::Internal("the bucket".into()),
    }
}

fn found<T, U>(answer: std::result::Result<T, wit::Error>, convert: impl FnOnce(T) -> U) -> Result<Option<U>> {
    match answer {
        Err(wit::Error::NotFound) => Ok(None),
        answer => answer.map(|found| Some(convert(found))).map_err(error),
    }
}

/// Copies fields of the same name and type.
macro_rules! copy {
    ($from:ident => $to:ident, $($field:ident)*) => { $($to.$field = $from.$field;)* };
}

fn from_key(key: KeyRecord) -> wit::KeyRecord {
    let limit = key.rate_limit.map(|it| wit::RateLimit { requests: it.requests, window_seconds: it.window_seconds });
    let mut to = crate::records::record(0);
    copy!(key => to, id prefix lookup hash user_id project_id name scopes created_at updated_at expires_at last_used_at
        revoked_at revocation_reason rotated_from rotated_to revision metadata);
    wit::KeyRecord { rate_limit: limit, ..to }
}

fn to_key(key: wit::KeyRecord) -> KeyRecord {
    let mut to = KeyRecord::default();
    to.rate_limit = key.rate_limit.map(|it| RateLimit { requests: it.requests, window_seconds: it.window_seconds });
    copy!(key => to, id prefix lookup hash user_id project_id name scopes created_at updated_at expires_at last_used_at
        revoked_at revocation_reason rotated_from rotated_to revision metadata);
    to
}

const ACTIONS: [(Action, wit::Action); 5] = [
    (Action::Created, wit::Action::Created),
    (Action::IssuedAgain, wit::Action::IssuedAgain),
    (Action::Updated, wit::Action::Updated),
    (Action::Rotated, wit::Action::Rotated),
    (Action::Revoked, wit::Action::Revoked),
];

fn from_event(event: EventRecord) -> wit::EventRecord {
    let action = ACTIONS.iter().find(|(action, _)| *action == event.action).unwrap().1;
    let mut to = crate::records::event(0, action, &crate::records::record(0));
    copy!(event => to, id time key_id user_id project_id actor_user_id actor_key_id fields);
    to
}

fn to_event(event: wit::EventRecord) -> EventRecord {
    let mut to = EventRecord::new(ACTIONS.iter().find(|(_, action)| *action == event.action).unwrap().0);
    copy!(event => to, id time key_id user_id project_id actor_user_id actor_key_id fields);
    to
}

fn from_request(request: IdempotentRequest) -> wit::IdempotentRequest {
    let mut to = crate::records::request(&crate::records::record(0));
    copy!(request => to, user_id idempotency_key key_id expires_at digest);
    to
}

fn to_request(request: wit::IdempotentRequest) -> IdempotentRequest {
    let mut to = IdempotentRequest::default();
    copy!(request => to, user_id idempotency_key key_id expires_at digest);
    to
}

fn to_role(role: wit::Role) -> Role {
    match role {
        wit::Role::Member => Role::Member,
        wit::Role::Admin => Role::Admin,
    }
}

fn from_reference(reference: &ProjectReference) -> wit::ProjectReference {
    match reference.clone() {
        ProjectReference::Id(id) => wit::ProjectReference::Id(id),
        ProjectReference::Slug(slug) => wit::ProjectReference::Slug(slug),
    }
}
