//! The contract as a model: every rule in its simplest form.

use std::collections::{BTreeSet, HashMap};

use keycell::{Action, ApiKeyId, KeyStatus, RateLimit, Role, Subject};

use super::steps::{Index, Issue, Update};

pub const READ: &str = "api-keys:read";
pub const WRITE: &str = "api-keys:write";
pub const VERIFY: &str = "api-keys:verify";
pub const ADMIN: &str = "api-keys:admin";

/// Every scope that can be granted.
pub const SCOPES: [&str; 6] = [ADMIN, READ, VERIFY, WRITE, "mail:read", "mail:send"];
pub const USERS: [&str; 4] = ["ann", "bob", "pia", "root"];
pub const PROJECTS: [&str; 2] = ["ops", "web"];

/// The id of a key before its call returns.
const NO_ID: &str = "00000000-0000-0000-0000-000000000000";
/// The lifetime of an idempotency key in milliseconds.
const REPEAT_WINDOW: i64 = 24 * 60 * 60 * 1000;

pub type Scopes = BTreeSet<&'static str>;

pub struct Policy {
    pub longest_life: Option<i64>,
    pub default_life: Option<i64>,
    pub default_scopes: &'static [&'static str],
}

/// The scopes that a user may grant.
pub fn scopes_of_user(user: Index) -> Scopes {
    match user {
        0 => Scopes::from([READ, VERIFY, WRITE, "mail:read"]),
        1 => Scopes::from(["mail:read", "mail:send"]),
        _ => Scopes::new(),
    }
}

/// The reason why a call must fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    InvalidInput,
    Unauthenticated,
    InsufficientScope(&'static str),
    NotFound(Subject),
    Forbidden,
    Conflict,
    NotActive,
}

use Failure::{Conflict, Forbidden, InsufficientScope, InvalidInput, NotActive, NotFound};

#[derive(Clone, Debug)]
pub struct Key {
    pub id: ApiKeyId,
    pub text: String,
    /// The text before the key was issued again.
    pub void_text: Option<String>,
    pub owner: Index,
    pub project: Option<Index>,
    pub name: String,
    pub scopes: Scopes,
    pub metadata: Option<String>,
    pub limit: Option<RateLimit>,
    pub created_at: i64,
    pub updated_at: i64,
    pub expires_at: Option<i64>,
    pub last_used_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub reason: Option<String>,
    pub rotated_from: Option<Index>,
    pub rotated_to: Option<Index>,
    pub revision: u32,
    /// The time in microseconds at which the whole limit is available again.
    pub limit_free_at: i64,
}

impl Key {
    pub fn status(&self, now: i64) -> KeyStatus {
        match self.expires_at {
            _ if self.revoked_at.is_some() => KeyStatus::Revoked,
            Some(expires_at) if expires_at <= now => KeyStatus::Expired,
            _ => KeyStatus::Active,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    pub time: i64,
    pub action: &'static str,
    pub key: Index,
    pub actor: Index,
    pub acting_key: Option<Index>,
    pub fields: Vec<&'static str>,
}

/// An authenticated caller other than the host.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    pub user: Index,
    pub operator: bool,
    pub key: Option<Index>,
}

/// The effect of an issuing: a new key, or a new secret for an earlier one.
pub enum Issuing {
    New(Box<Key>),
    Again(Index),
}

/// The filter of a list: an owner, a project, or both.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    pub owner: Option<Index>,
    pub project: Option<Index>,
}

struct Request {
    key: Index,
    arguments: String,
    expires_at: i64,
}

pub struct Model {
    pub now: i64,
    pub policy: Policy,
    pub keys: Vec<Key>,
    pub events: Vec<Event>,
    /// By project and user.
    pub roles: [[Option<Role>; USERS.len()]; PROJECTS.len()],
    requests: HashMap<(Index, &'static str), Request>,
}

impl Model {
    pub fn new(policy: Policy) -> Self {
        let mut roles = [[None; USERS.len()]; PROJECTS.len()];
        roles[1] = [Some(Role::Member), Some(Role::Member), Some(Role::Admin), None];
        Self { now: 1_900_000_000_000, policy, keys: Vec::new(), events: Vec::new(), roles, requests: HashMap::new() }
    }

    pub fn scopes(&self, actor: Actor) -> Scopes {
        actor.key.map_or_else(|| scopes_of_user(actor.user), |key| self.keys[key].scopes.clone())
    }

    pub fn grantable(&self, actor: Actor) -> Scopes {
        let held = self.scopes(actor);
        let may_grant = |scope: &str| match (scope == ADMIN, actor.operator) {
            (true, operator) => operator && actor.key.is_none(),
            (false, operator) => operator || held.contains(scope),
        };
        SCOPES.into_iter().filter(|scope| may_grant(scope)).collect()
    }

    pub fn require(&self, actor: Actor, scope: &'static str) -> Result<(), Failure> {
        let held = self.scopes(actor);
        let may_call = actor.key.is_none() || held.contains(ADMIN) || held.contains(scope);
        if may_call { Ok(()) } else { Err(InsufficientScope(scope)) }
    }

    fn bound_project(&self, actor: Actor) -> Option<Index> {
        self.keys[actor.key?].project
    }

    fn expiry(&self, actor: Actor) -> Option<i64> {
        self.keys[actor.key?].expires_at
    }

    fn role(&self, actor: Actor, project: Option<Index>) -> Option<Role> {
        self.roles[project?][actor.user]
    }

    fn is_project_admin(&self, actor: Actor, project: Option<Index>) -> bool {
        self.bound_project(actor).is_none() && self.role(actor, project) == Some(Role::Admin)
    }

    pub fn find(&self, actor: Actor, key: Index) -> Result<&Key, Failure> {
        let found = &self.keys[key];
        let is_within = self.bound_project(actor).is_none_or(|bound| found.project == Some(bound));
        let is_seen = actor.operator || found.owner == actor.user || self.is_project_admin(actor, found.project);
        if is_within && is_seen { Ok(found) } else { Err(NotFound(Subject::ApiKey)) }
    }

    fn enter(&self, actor: Actor, project: Option<Index>) -> Result<(), Failure> {
        let Some(project) = project else { return Ok(()) };
        let is_within = self.bound_project(actor).is_none_or(|bound| bound == project);
        let is_open = actor.operator || self.role(actor, Some(project)).is_some();
        if is_within && is_open { Ok(()) } else { Err(NotFound(Subject::Project)) }
    }

    fn acts_for(actor: Actor, owner: Index) -> bool {
        actor.operator || actor.user == owner
    }

    /// Checks that a bearer's new key has no rights that the bearer's key does not have.
    fn may_hold(&self, actor: Actor, scopes: &Scopes, expires_at: Option<i64>) -> bool {
        let lives_no_longer = match (self.expiry(actor), expires_at) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(limit), Some(expires_at)) => expires_at <= limit,
        };
        lives_no_longer && scopes.is_subset(&self.grantable(actor))
    }

    pub fn issue(&self, actor: Actor, issue: &Issue) -> Result<Issuing, Failure> {
        let latest = [self.policy.longest_life.map(|life| self.now + life), self.expiry(actor)];
        let latest = latest.into_iter().flatten().min();
        let expires_at = match issue.expires_in {
            Some(lives) if lives <= 0 || latest.is_some_and(|latest| self.now + lives > latest) => {
                return Err(InvalidInput);
            }
            Some(lives) => Some(self.now + lives),
            None => latest.into_iter().chain(self.policy.default_life.map(|life| self.now + life)).min(),
        };
        let grantable = self.grantable(actor);
        let scopes = match &issue.scopes {
            Some(scopes) if scopes.iter().all(|scope| grantable.contains(scope)) => scopes.iter().copied().collect(),
            Some(_) => return Err(InvalidInput),
            None => self.policy.default_scopes.iter().copied().filter(|scope| grantable.contains(scope)).collect(),
        };
        let owner = issue.owner.unwrap_or(actor.user);
        let has_project = issue.project.is_some() || self.bound_project(actor).is_none();
        if !Self::acts_for(actor, owner) || !has_project {
            return Err(Forbidden);
        }
        self.enter(actor, issue.project)?;

        let arguments = Self::arguments(issue, owner, self.now, &scopes);
        if let Some(first) = self.request(actor, issue) {
            if first.arguments != arguments {
                return Err(Conflict);
            }
            let key = &self.keys[first.key];
            if !self.may_hold(actor, &key.scopes, key.expires_at) {
                return Err(Forbidden);
            }
            let is_fresh = key.last_used_at.is_none() && key.rotated_to.is_none();
            let is_active = key.status(self.now) == KeyStatus::Active;
            return if is_fresh && is_active { Ok(Issuing::Again(first.key)) } else { Err(Conflict) };
        }
        Ok(Issuing::New(Box::new(Key {
            id: ApiKeyId::parse(NO_ID).expect("a UUID is an id"),
            text: String::new(),
            void_text: None,
            owner,
            project: issue.project,
            name: "k".to_owned(),
            scopes,
            metadata: issue.metadata.map(str::to_owned),
            limit: issue.limit,
            created_at: self.now,
            updated_at: self.now,
            expires_at,
            last_used_at: None,
            revoked_at: None,
            reason: None,
            rotated_from: None,
            rotated_to: None,
            revision: 0,
            limit_free_at: 0,
        })))
    }

    fn arguments(issue: &Issue, owner: Index, now: i64, scopes: &Scopes) -> String {
        let expires_at = issue.expires_in.map(|lives| now + lives);
        format!("{owner} {:?} {expires_at:?} {scopes:?} {:?} {:?}", issue.project, issue.metadata, issue.limit)
    }

    fn request(&self, actor: Actor, issue: &Issue) -> Option<&Request> {
        let request = self.requests.get(&(actor.user, issue.idempotency_key?))?;
        (request.expires_at > self.now).then_some(request)
    }

    /// Stores a new key, with the request that issued it.
    pub fn insert(&mut self, actor: Actor, issue: &Issue, key: Key) {
        let index = self.keys.len();
        if let Some(idempotency_key) = issue.idempotency_key {
            let arguments = Self::arguments(issue, key.owner, self.now, &key.scopes);
            let request = Request { key: index, arguments, expires_at: self.now + REPEAT_WINDOW };
            self.requests.insert((actor.user, idempotency_key), request);
        }
        self.keys.push(key);
        self.created(actor, index);
    }

    fn created(&mut self, actor: Actor, index: Index) {
        let key = &self.keys[index];
        let fields = [
            ("expires_at", key.expires_at.is_some()),
            ("metadata", key.metadata.is_some()),
            ("name", true),
            ("project_id", key.project.is_some()),
            ("rate_limit", key.limit.is_some()),
            ("scopes", !key.scopes.is_empty()),
        ];
        self.event(actor, Action::Created, index, &fields);
    }

    pub fn issue_again(&mut self, actor: Actor, index: Index, text: String) {
        let now = self.now;
        let key = &mut self.keys[index];
        key.void_text = Some(std::mem::replace(&mut key.text, text));
        key.revision += 1;
        key.updated_at = now;
        self.event(actor, Action::IssuedAgain, index, &[("key", true)]);
    }

    fn event(&mut self, actor: Actor, action: Action, key: Index, fields: &[(&'static str, bool)]) {
        let fields = fields.iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| *name).collect();
        let action = action.as_str();
        self.events.push(Event { time: self.now, action, key, actor: actor.user, acting_key: actor.key, fields });
    }

    fn check_revision(key: &Key, revision: Option<u32>) -> Result<(), Failure> {
        if revision.is_none_or(|revision| revision == key.revision) { Ok(()) } else { Err(Conflict) }
    }

    /// Rotates a key. The new key has no id and no text yet.
    pub fn rotate(
        &mut self,
        actor: Actor,
        index: Index,
        grace_seconds: u32,
        revision: Option<u32>,
    ) -> Result<Index, Failure> {
        let old = self.find(actor, index)?;
        if !Self::acts_for(actor, old.owner) || !self.may_hold(actor, &old.scopes, old.expires_at) {
            return Err(Forbidden);
        }
        self.enter(actor, old.project)?;
        Self::check_revision(old, revision)?;
        if old.rotated_to.is_some() || old.status(self.now) != KeyStatus::Active {
            return Err(NotActive);
        }
        let latest = self.policy.longest_life.map(|life| self.now + life);
        let new = Key {
            created_at: self.now,
            updated_at: self.now,
            expires_at: old.expires_at.into_iter().chain(latest).min(),
            last_used_at: None,
            rotated_from: Some(index),
            revision: 0,
            limit_free_at: 0,
            void_text: None,
            ..old.clone()
        };
        let (now, new_index) = (self.now, self.keys.len());
        let end_of_grace = now + i64::from(grace_seconds) * 1000;
        let old = &mut self.keys[index];
        old.expires_at = Some(old.expires_at.map_or(end_of_grace, |expires_at| expires_at.min(end_of_grace)));
        old.rotated_to = Some(new_index);
        old.updated_at = now;
        old.revision += 1;
        self.event(actor, Action::Rotated, index, &[("expires_at", true), ("rotated_to", true)]);
        self.keys.push(new);
        self.created(actor, new_index);
        Ok(new_index)
    }

    pub fn revoke(
        &mut self,
        actor: Actor,
        index: Index,
        reason: Option<&str>,
        revision: Option<u32>,
    ) -> Result<(), Failure> {
        Self::check_revision(self.find(actor, index)?, revision)?;
        let now = self.now;
        let key = &mut self.keys[index];
        if key.revoked_at.is_none() {
            key.revoked_at = Some(now);
            key.reason = reason.map(str::to_owned);
            key.updated_at = now;
            key.revision += 1;
            let fields = [("revocation_reason", reason.is_some()), ("revoked_at", true)];
            self.event(actor, Action::Revoked, index, &fields);
        }
        Ok(())
    }

    pub fn update(
        &mut self,
        actor: Actor,
        index: Index,
        update: &Update,
        revision: Option<u32>,
    ) -> Result<(), Failure> {
        if update.expires_in.is_some_and(|lives| lives <= 0) {
            return Err(InvalidInput);
        }
        let before = self.find(actor, index)?.clone();
        if !Self::acts_for(actor, before.owner) {
            return Err(Forbidden);
        }
        Self::check_revision(&before, revision)?;
        let mut after = before.clone();
        if let Some(name) = update.name {
            after.name = name.to_owned();
        }
        if let Some(lives) = update.expires_in {
            if before.expires_at.is_some_and(|current| self.now + lives >= current) {
                return Err(InvalidInput);
            }
            after.expires_at = Some(self.now + lives);
        }
        if let Some(metadata) = update.metadata {
            after.metadata = Some(metadata.to_owned()).filter(|metadata| metadata != "null");
        }
        if let Some(limit) = update.limit {
            after.limit = limit;
        }
        let fields = [
            ("expires_at", after.expires_at != before.expires_at),
            ("metadata", after.metadata != before.metadata),
            ("name", after.name != before.name),
            ("rate_limit", after.limit != before.limit),
        ];
        if fields.iter().any(|(_, is_changed)| *is_changed) {
            after.updated_at = self.now;
            after.revision += 1;
            self.keys[index] = after;
            self.event(actor, Action::Updated, index, &fields);
        }
        Ok(())
    }

    /// The filter of a list without a key.
    pub fn select(&self, actor: Actor, asked: Filter) -> Result<Filter, Failure> {
        self.enter(actor, asked.project)?;
        let sees_everyone = actor.operator || self.is_project_admin(actor, asked.project);
        let owner = match asked.owner {
            Some(owner) if owner != actor.user && !sees_everyone => return Err(Forbidden),
            None if !sees_everyone => Some(actor.user),
            owner => owner,
        };
        Ok(Filter { owner, project: asked.project.or(self.bound_project(actor)) })
    }

    pub fn is_selected(&self, filter: Filter, key: Index) -> bool {
        let key = &self.keys[key];
        filter.owner.is_none_or(|owner| key.owner == owner)
            && (filter.project.is_none() || key.project == filter.project)
    }

    pub fn used(&mut self, key: Index) {
        let now = self.now;
        let key = &mut self.keys[key];
        key.last_used_at = key.last_used_at.max(Some(now));
    }

    /// Counts a verification. Returns the number that would still succeed, or the milliseconds
    /// after which one succeeds.
    pub fn count(&mut self, key: Index) -> Result<Option<u32>, u64> {
        let now = self.now * 1000;
        let key = &mut self.keys[key];
        let Some(limit) = key.limit else { return Ok(None) };
        let interval =
            (i64::from(limit.window_seconds) * 1_000_000 + i64::from(limit.requests) - 1) / i64::from(limit.requests);
        let burst = interval * i64::from(limit.requests);
        let free_at = key.limit_free_at.max(now).min(now + burst) + interval;
        if free_at > now + burst {
            let wait = free_at - now - burst;
            return Err((wait + 999) as u64 / 1000);
        }
        key.limit_free_at = free_at;
        Ok(Some(((now + burst - free_at) / interval) as u32))
    }
}
