//! Calls, and the comparison of their results with the model.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use keycell::{
    ApiKeyDetails, ApiKeyId, Component, CreateApiKey, Error, Event, IssueApiKey, Keycell, ListApiKeys, ListEvents,
    Member, ProjectReference, ProjectSlug, ProjectStorage, Refusal, Scope, Time, UpdateApiKey, Verification,
};
use uuid::Uuid;

use super::{
    rules::{self, Actor, Failure, Filter, Issuing, Key, Model, PROJECTS, Policy, READ, SCOPES, USERS, VERIFY, WRITE},
    steps::{Caller, Index, Issue, Presented, Revision, Step},
};
use crate::checksum::checksum;

type Difference = String;

/// An authority on the storage, and its model.
pub struct Calls<S: ProjectStorage> {
    keycell: Keycell<S>,
    clock: Arc<AtomicI64>,
    project_ids: Vec<String>,
    model: Model,
    has_separate_revocations: bool,
}

impl<S: ProjectStorage> Calls<S> {
    pub async fn new(component: Component, storage: S, policy: Policy, has_separate_revocations: bool) -> Self {
        let model = Model::new(policy);
        let mut project_ids = Vec::new();
        for (project, slug) in PROJECTS.into_iter().enumerate() {
            let members = USERS.into_iter().zip(model.roles[project]);
            let members = members.filter_map(|(user, role)| Some(Member::new(user, role?))).collect();
            let slug = ProjectSlug::parse(slug).expect("the slugs of the model are valid");
            let inserted = storage.insert_project(Uuid::from_u128(project as u128 + 1), slug, members).await;
            project_ids.push(inserted.expect("a new project must be stored").id);
        }
        let clock = Arc::new(AtomicI64::new(model.now));
        let shown = Arc::clone(&clock);
        let keycell = Keycell::builder(storage)
            .component(component)
            .policy(policy_of(&model.policy))
            .clock(Arc::new(move || UNIX_EPOCH + Duration::from_millis(shown.load(Ordering::Relaxed).unsigned_abs())))
            .build()
            .expect("the policy of the model is valid");
        Self { keycell, clock, project_ids, model, has_separate_revocations }
    }

    pub fn number_of_keys(&self) -> usize {
        self.model.keys.len()
    }

    pub async fn take(&mut self, step: &Step) -> Result<(), Difference> {
        match step {
            Step::Issue(caller, issue) => self.issue(*caller, issue).await,
            Step::Create(caller, project) => self.create(*caller, *project).await,
            Step::Verify { caller, key, presented, scope } => self.verify(*caller, *key, *presented, *scope).await,
            Step::Describe(caller, key) => self.describe(*caller, *key).await,
            Step::DescribeCaller(caller) => self.describe_caller(*caller).await,
            Step::Rotate { caller, key, grace_seconds, revision } => {
                self.rotate(*caller, *key, *grace_seconds, *revision).await
            }
            Step::Revoke { caller, key, reason, revision } => self.revoke(*caller, *key, *reason, *revision).await,
            Step::Update(caller, key, update) => self.update(*caller, *key, update).await,
            Step::List { caller, owner, project, status } => {
                self.list(*caller, Filter { owner: *owner, project: *project }, status).await
            }
            Step::Events { caller, key, owner, project } => {
                self.events(*caller, *key, Filter { owner: *owner, project: *project }).await
            }
            Step::SetRole { project, user, role } => self.set_role(*project, *user, *role).await,
            Step::MoveClock { by_ms } => {
                self.model.now += by_ms;
                self.clock.store(self.model.now, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Compares every key and every event.
    pub async fn compare_all(&mut self) -> Result<(), Difference> {
        let operator = Caller::User { user: USERS.len() - 1, operator: true };
        let everything = Filter { owner: None, project: None };
        self.list(operator, everything, "all").await?;
        self.events(operator, None, everything).await
    }

    async fn issue(&mut self, caller: Caller, issue: &Issue) -> Result<(), Difference> {
        let mut request = IssueApiKey::named("k");
        request.owner = issue.owner.map(|owner| USERS[owner].to_owned());
        request.project_reference = issue.project.map(|project| PROJECTS[project].to_owned());
        request.expires_at = self.expiry(issue.expires_in);
        request.scopes = issue.scopes.as_ref().map(|scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect());
        request.metadata = issue.metadata.map(str::to_owned);
        request.rate_limit = issue.limit;
        request.idempotency_key = issue.idempotency_key.map(str::to_owned);
        let result = self.keycell.issue_api_key(&self.caller(caller), request).await;
        let actor = self.acting(caller, WRITE);
        let expected = actor.and_then(|actor| Ok((actor, self.model.issue(actor, issue)?)));
        let Some((issued, (actor, issuing))) = both(result, expected)? else { return Ok(()) };
        let index = match issuing {
            Issuing::New(mut key) => {
                key.id = issued.details.id;
                key.text = issued.key.expose().to_owned();
                self.model.insert(actor, issue, *key);
                self.model.keys.len() - 1
            }
            Issuing::Again(index) => {
                check("id", issued.details.id, self.model.keys[index].id)?;
                if issued.key.expose() == self.model.keys[index].text {
                    return Err("the secret is the same".to_owned());
                }
                self.model.issue_again(actor, index, issued.key.expose().to_owned());
                index
            }
        };
        self.compare(&issued.details, index)
    }

    async fn create(&mut self, caller: Caller, project: Option<Index>) -> Result<(), Difference> {
        let mut request = CreateApiKey::named(" k ");
        request.project_reference = project.map(|project| self.project_ids[project].to_uppercase());
        let result = self.keycell.create_api_key(&self.caller(caller), request).await;
        let issue = Issue {
            owner: None,
            project,
            expires_in: None,
            scopes: None,
            metadata: None,
            limit: None,
            idempotency_key: None,
        };
        let actor = self.acting(caller, WRITE);
        let expected = actor.and_then(|actor| Ok((actor, self.model.issue(actor, &issue)?)));
        let Some((created, (actor, issuing))) = both(result, expected)? else { return Ok(()) };
        let Issuing::New(mut key) = issuing else { return Err("the model is wrong".to_owned()) };
        key.id = created.id;
        key.text = created.key.expose().to_owned();
        check("expires_at", created.expires_at.map(Time::millis), key.expires_at)?;
        check("scopes", &created.scopes, &texts(&key.scopes))?;
        self.model.insert(actor, &issue, *key);
        Ok(())
    }

    async fn verify(
        &mut self,
        caller: Caller,
        index: Index,
        presented: Presented,
        scope: Option<&'static str>,
    ) -> Result<(), Difference> {
        let text = self.text(index, presented);
        let scopes: Vec<_> = scope.into_iter().collect();
        let result = self.keycell.verify_api_key(&self.caller(caller), &text, &scopes).await;
        let authenticated = self.authenticate(caller);
        let expected = authenticated.and_then(|actor| actor.map_or(Ok(()), |actor| self.model.require(actor, VERIFY)));
        let Some((verification, ())) = both(result, expected)? else { return Ok(()) };

        let key = self.model.keys[index].clone();
        let expected = match presented {
            Presented::WithWrongChecksum => Some(Refusal::Malformed),
            Presented::WithAnotherSecret => Some(Refusal::Unknown),
            Presented::WithVoidSecret if key.void_text.is_some() => Some(Refusal::Unknown),
            _ => match key.status(self.model.now) {
                keycell::KeyStatus::Revoked => Some(Refusal::Revoked),
                keycell::KeyStatus::Expired => Some(Refusal::Expired),
                _ => scope
                    .filter(|scope| !key.scopes.contains(scope))
                    .map(|scope| Refusal::MissingScopes(vec![scope.to_owned()])),
            },
        };
        let expected = match expected {
            Some(refusal) => Err(refusal),
            None => self.model.count(index).map_err(|retry_after_ms| Refusal::RateLimited {
                limit: key.limit.unwrap_or_default(),
                retry_after: Duration::from_millis(retry_after_ms),
            }),
        };
        match (verification, expected) {
            (Verification::Refused(refusal), Err(expected)) => check("refusal", refusal, expected),
            (Verification::Valid(valid), Ok(remaining)) => {
                self.model.used(index);
                check("id", valid.id, key.id)?;
                check("remaining", valid.rate_limit.map(|state| state.remaining), remaining)?;
                check("user_id", valid.user_id.as_str(), USERS[key.owner])?;
                check("project_id", valid.project_id, self.project_id(key.project))?;
                check("scopes", &valid.scopes, &texts(&key.scopes))?;
                check("metadata", valid.metadata.as_ref().map(keycell::Metadata::as_str), key.metadata.as_deref())
            }
            (verification, expected) => Err(format!("{verification:?} instead of {expected:?}")),
        }
    }

    async fn describe(&mut self, caller: Caller, index: Index) -> Result<(), Difference> {
        let id = self.id(index);
        let result = self.keycell.describe_api_key(&self.caller(caller), &id).await;
        let expected = self.acting(caller, READ).and_then(|actor| self.model.find(actor, index).map(|_| ()));
        let Some((details, ())) = both(result, expected)? else { return Ok(()) };
        self.compare(&details, index)
    }

    async fn describe_caller(&mut self, caller: Caller) -> Result<(), Difference> {
        let result = self.keycell.describe_caller(&self.caller(caller)).await;
        let expected = self.authenticate(caller).and_then(|actor| actor.ok_or(Failure::Forbidden));
        let Some((details, actor)) = both(result, expected)? else { return Ok(()) };
        check("user_id", details.user_id.as_str(), USERS[actor.user])?;
        check("operator", details.operator, actor.operator)?;
        check("api_key_id", details.api_key_id, actor.key.map(|key| self.model.keys[key].id))?;
        check("grantable_scopes", &details.grantable_scopes, &texts(&self.model.grantable(actor)))
    }

    async fn rotate(
        &mut self,
        caller: Caller,
        index: Index,
        grace_seconds: u32,
        revision: Revision,
    ) -> Result<(), Difference> {
        let (id, revision) = (self.id(index), self.revision(index, revision));
        let grace = Duration::from_secs(grace_seconds.into());
        let result = self.keycell.rotate_api_key(&self.caller(caller), &id, grace, revision).await;
        let actor = self.acting(caller, WRITE);
        let expected = actor.and_then(|actor| self.model.rotate(actor, index, grace_seconds, revision));
        let Some((created, new)) = both(result, expected)? else { return Ok(()) };
        let key = &mut self.model.keys[new];
        key.id = created.id;
        key.text = created.key.expose().to_owned();
        check("expires_at", created.expires_at.map(Time::millis), key.expires_at)
    }

    async fn revoke(
        &mut self,
        caller: Caller,
        index: Index,
        reason: Option<&str>,
        revision: Revision,
    ) -> Result<(), Difference> {
        let (id, revision) = (self.id(index), self.revision(index, revision));
        let result = self.keycell.revoke_api_key(&self.caller(caller), &id, reason, revision).await;
        let mut actor = self.authenticate(caller).and_then(|actor| actor.ok_or(Failure::Forbidden));
        // A key may revoke itself without a scope.
        if !matches!(caller, Caller::Bearer { key, .. } if key == index) {
            actor = actor.and_then(|actor| self.model.require(actor, WRITE).map(|()| actor));
        }
        let expected = actor.and_then(|actor| self.model.revoke(actor, index, reason, revision));
        let Some((details, ())) = both(result, expected)? else { return Ok(()) };
        self.compare(&details, index)
    }

    async fn update(&mut self, caller: Caller, index: Index, update: &super::steps::Update) -> Result<(), Difference> {
        let (id, revision) = (self.id(index), self.revision(index, update.revision));
        let mut changes = UpdateApiKey::default();
        changes.name = update.name.map(str::to_owned);
        changes.expires_at = self.expiry(update.expires_in);
        changes.metadata = update.metadata.map(str::to_owned);
        changes.rate_limit = update.limit;
        changes.if_revision = revision;
        let result = self.keycell.update_api_key(&self.caller(caller), &id, changes).await;
        let actor = self.acting(caller, WRITE);
        let expected = actor.and_then(|actor| self.model.update(actor, index, update, revision));
        let Some((details, ())) = both(result, expected)? else { return Ok(()) };
        self.compare(&details, index)
    }

    async fn list(&mut self, caller: Caller, asked: Filter, status: &str) -> Result<(), Difference> {
        let mut request = ListApiKeys::default();
        request.status = Some(status.to_owned());
        request.owner = asked.owner.map(|owner| USERS[owner].to_owned());
        request.project_reference = asked.project.map(|project| PROJECTS[project].to_owned());
        request.limit = Some(7);
        let mut listed: Vec<ApiKeyDetails> = Vec::new();
        loop {
            let result = self.keycell.list_api_keys(&self.caller(caller), request.clone()).await;
            let actor = self.acting(caller, READ);
            let expected = actor.and_then(|actor| self.model.select(actor, asked));
            let Some((page, filter)) = both(result, expected)? else { return Ok(()) };
            listed.extend(page.api_keys);
            request.cursor = page.next_cursor;
            if request.cursor.is_none() {
                return self.compare_list(&listed, filter, status);
            }
        }
    }

    fn compare_list(&self, listed: &[ApiKeyDetails], filter: Filter, status: &str) -> Result<(), Difference> {
        let is_listed = |index: &Index| {
            let key_status = format!("{:?}", self.model.keys[*index].status(self.model.now)).to_lowercase();
            self.model.is_selected(filter, *index) && (status == "all" || status == key_status)
        };
        let mut expected: Vec<_> = (0..self.model.keys.len()).filter(is_listed).collect();
        expected.sort_by_key(|index| std::cmp::Reverse(self.model.keys[*index].id));
        let ids: Vec<_> = listed.iter().map(|key| key.id).collect();
        check("ids", &ids, &expected.iter().map(|index| self.model.keys[*index].id).collect::<Vec<_>>())?;
        listed.iter().zip(expected).try_for_each(|(details, index)| self.compare(details, index))
    }

    async fn events(&mut self, caller: Caller, key: Option<Index>, asked: Filter) -> Result<(), Difference> {
        let mut request = ListEvents::default();
        request.api_key_id = key.map(|key| self.id(key));
        request.owner = asked.owner.map(|owner| USERS[owner].to_owned());
        request.project_reference = asked.project.map(|project| PROJECTS[project].to_owned());
        request.limit = Some(50);
        let mut listed: Vec<Event> = Vec::new();
        loop {
            let result = self.keycell.list_events(&self.caller(caller), request.clone()).await;
            let actor = self.acting(caller, READ);
            let expected = actor.and_then(|actor| {
                let filter = self.model.select(actor, asked)?;
                match key {
                    Some(key) => self.model.find(actor, key).map(|_| asked),
                    None => Ok(filter),
                }
            });
            let Some((page, filter)) = both(result, expected)? else { return Ok(()) };
            listed.extend(page.events);
            request.cursor = page.next_cursor;
            if request.cursor.is_none() {
                return self.compare_events(&listed, key, filter);
            }
        }
    }

    fn compare_events(&self, listed: &[Event], key: Option<Index>, filter: Filter) -> Result<(), Difference> {
        if !listed.is_sorted_by(|newer, older| newer.id > older.id) {
            return Err("the events are not sorted, or one is listed twice".to_owned());
        }
        let indexes: HashMap<ApiKeyId, Index> =
            self.model.keys.iter().enumerate().map(|(index, key)| (key.id, index)).collect();
        let index = |id: &ApiKeyId| indexes.get(id).copied().ok_or("an event of an unknown key");
        let mut events = Vec::new();
        for event in listed {
            let key = index(&event.api_key_id)?;
            check("user_id", event.user_id.as_str(), USERS[self.model.keys[key].owner])?;
            check("project_id", event.project_id.clone(), self.project_id(self.model.keys[key].project))?;
            events.push((
                event.time.millis(),
                event.action.as_str(),
                key,
                event.actor_user_id.as_str(),
                event.actor_api_key_id.as_ref().map(index).transpose()?,
                event.fields.iter().map(String::as_str).collect::<Vec<_>>(),
            ));
        }
        let is_listed =
            |event: &&rules::Event| key.is_none_or(|key| event.key == key) && self.model.is_selected(filter, event.key);
        let mut expected: Vec<_> = self
            .model
            .events
            .iter()
            .filter(is_listed)
            .map(|event| {
                (event.time, event.action, event.key, USERS[event.actor], event.acting_key, event.fields.clone())
            })
            .collect();
        // The order of the events of one millisecond is not defined.
        events.sort();
        expected.sort();
        check("events", &events, &expected)
    }

    async fn set_role(&mut self, project: Index, user: Index, role: Option<keycell::Role>) -> Result<(), Difference> {
        let reference = ProjectReference::Slug(PROJECTS[project].to_owned());
        let storage = self.keycell.storage();
        let before = std::mem::replace(&mut self.model.roles[project][user], role);
        let (changed, expected) = match role {
            Some(role) => (storage.put_member(&reference, Member::new(USERS[user], role)).await, true),
            None => (storage.remove_member(&reference, USERS[user]).await, before.is_some()),
        };
        check("changed", changed.map_err(|error| error.to_string())?, expected)
    }

    /// Authenticates the caller in the model. `None` is the host.
    fn authenticate(&mut self, caller: Caller) -> Result<Option<Actor>, Failure> {
        match caller {
            Caller::Host => Ok(None),
            Caller::User { user, operator } => Ok(Some(Actor { user, operator, key: None })),
            Caller::Bearer { key: index, presented } => {
                let key = &self.model.keys[index];
                let is_good = match presented {
                    Presented::AsItIs => true,
                    Presented::WithVoidSecret => key.void_text.is_none(),
                    Presented::WithWrongChecksum | Presented::WithAnotherSecret => false,
                };
                if !is_good || key.status(self.model.now) != keycell::KeyStatus::Active {
                    return Err(Failure::Unauthenticated);
                }
                let actor = Actor { user: key.owner, operator: key.scopes.contains(rules::ADMIN), key: Some(index) };
                self.model.used(index);
                Ok(Some(actor))
            }
        }
    }

    fn acting(&mut self, caller: Caller, scope: &'static str) -> Result<Actor, Failure> {
        let actor = self.authenticate(caller)?.ok_or(Failure::Forbidden)?;
        self.model.require(actor, scope)?;
        Ok(actor)
    }

    fn caller(&self, caller: Caller) -> keycell::Caller {
        match caller {
            Caller::Host => keycell::Caller::host(),
            Caller::User { user, operator } => {
                let user = keycell::Caller::user(USERS[user]).with_scopes(rules::scopes_of_user(user));
                if operator { user.as_operator() } else { user }
            }
            Caller::Bearer { key, presented } => keycell::Caller::bearer(self.text(key, presented)),
        }
    }

    fn text(&self, index: Index, presented: Presented) -> String {
        let key = &self.model.keys[index];
        match presented {
            Presented::AsItIs => key.text.clone(),
            Presented::WithVoidSecret => key.void_text.as_ref().unwrap_or(&key.text).clone(),
            Presented::WithWrongChecksum => {
                let (body, last) = key.text.split_at(key.text.len() - 1);
                format!("{body}{}", if last == "0" { "1" } else { "0" })
            }
            Presented::WithAnotherSecret => {
                let body = format!("{}_{}", key.text.rsplit_once('_').map_or("", |(prefix, _)| prefix), "7".repeat(43));
                format!("{body}{}", checksum(&body))
            }
        }
    }

    fn id(&self, key: Index) -> String {
        self.model.keys[key].id.to_string()
    }

    fn revision(&self, key: Index, revision: Revision) -> Option<u32> {
        let current = self.model.keys[key].revision;
        match revision {
            Revision::Any => None,
            Revision::Current => Some(current),
            Revision::Other => Some(current + 1),
        }
    }

    fn expiry(&self, expires_in: Option<i64>) -> Option<String> {
        Time::from_millis(self.model.now + expires_in?).map(Time::to_rfc3339)
    }

    fn project_id(&self, project: Option<Index>) -> Option<String> {
        project.map(|project| self.project_ids[project].clone())
    }

    fn compare(&self, details: &ApiKeyDetails, index: Index) -> Result<(), Difference> {
        let key: &Key = &self.model.keys[index];
        let ids = |index: Option<Index>| index.map(|index| self.model.keys[index].id);
        check("id", details.id, key.id)?;
        check("user_id", details.user_id.as_str(), USERS[key.owner])?;
        check("project_id", details.project_id.clone(), self.project_id(key.project))?;
        check("name", &details.name, &key.name)?;
        check("key_prefix", details.key_prefix.as_str(), key.text.rsplit_once('_').map_or("", |(prefix, _)| prefix))?;
        check("status", details.status, key.status(self.model.now))?;
        check("revision", details.revision, key.revision)?;
        check("rate_limit", details.rate_limit, key.limit)?;
        check("last_used_at", details.last_used_at.map(Time::millis), key.last_used_at)?;
        check("expires_at", details.expires_at.map(Time::millis), key.expires_at)?;
        check("created_at", details.created_at.millis(), key.created_at)?;
        let updated_at = details.updated_at.millis();
        if !(self.has_separate_revocations && key.revoked_at.is_some() && updated_at > key.updated_at) {
            check("updated_at", updated_at, key.updated_at)?;
        }
        check("revoked_at", details.revoked_at.map(Time::millis), key.revoked_at)?;
        check("revocation_reason", &details.revocation_reason, &key.reason)?;
        check("rotated_from", details.rotated_from, ids(key.rotated_from))?;
        check("rotated_to", details.rotated_to, ids(key.rotated_to))?;
        check("metadata", details.metadata.as_ref().map(keycell::Metadata::as_str), key.metadata.as_deref())?;
        check("scopes", &details.scopes, &texts(&key.scopes))
    }
}

fn policy_of(policy: &Policy) -> keycell::Policy {
    let scope = |scope: &&str| Scope::parse(scope).expect("the scopes of the model are valid");
    let mut result = keycell::Policy::default()
        .with_default_scopes(policy.default_scopes.iter().map(scope))
        .with_grantable_scopes(SCOPES.iter().map(scope));
    let life = |millis: i64| Duration::from_millis(millis.unsigned_abs());
    result.longest_life = policy.longest_life.map(life);
    result.default_life = policy.default_life.map(life);
    result
}

fn texts(scopes: &rules::Scopes) -> Vec<String> {
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}

/// Compares a result with the expected one. Returns both values if the call succeeds, and `None` if
/// it fails with the expected error.
fn both<T, E>(result: Result<T, Error>, expected: Result<E, Failure>) -> Result<Option<(T, E)>, Difference> {
    match (result, expected) {
        (Ok(result), Ok(expected)) => Ok(Some((result, expected))),
        (Err(error), Err(expected)) if is_failure(&error, &expected) => Ok(None),
        (Ok(_), Err(expected)) => Err(format!("succeeded instead of failing with {expected:?}")),
        (Err(error), Ok(_)) => Err(format!("failed with {error:?}")),
        (Err(error), Err(expected)) => Err(format!("failed with {error:?} instead of {expected:?}")),
    }
}

fn is_failure(error: &Error, expected: &Failure) -> bool {
    match (error, expected) {
        (Error::InvalidInput { .. }, Failure::InvalidInput)
        | (Error::Unauthenticated, Failure::Unauthenticated)
        | (Error::Forbidden, Failure::Forbidden)
        | (Error::Conflict, Failure::Conflict)
        | (Error::NotActive, Failure::NotActive) => true,
        (Error::InsufficientScope { scope }, Failure::InsufficientScope(expected)) => scope == expected,
        (Error::NotFound { subject }, Failure::NotFound(expected)) => subject == expected,
        _ => false,
    }
}

fn check<T: PartialEq + Debug>(field: &str, actual: T, expected: T) -> Result<(), Difference> {
    if actual == expected { Ok(()) } else { Err(format!("`{field}` is {actual:?} instead of {expected:?}")) }
}
