//! Runs a case against a component.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use jsonschema::Validator;
use keycell::{
    Caller, Component, Error, IssueApiKey, Keycell, Member, Policy, Prefix, ProjectAction, ProjectReference,
    ProjectSlug, ProjectStorage, Random, Role, Scope, UpdateApiKey, time,
    tools::{self, TOOLS, ToolError},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    case::{CallStep, CallerSetUp, Case, MemberSetUp, PolicySetUp, SetUp, Step},
    expect::{check, compare, expand, hex, substitute},
    recorder::Recorder,
};

/// The arguments of `authorize_project`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectArguments {
    action: ProjectAction,
    project_reference: Option<String>,
}

/// The number of characters of a key's secret, which its checksum follows.
const SECRET_LEN: usize = 43;

/// The outcome of a case.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The name of the case.
    pub name: String,
    /// The first difference from what the case expects, without values that may be secrets.
    pub result: Result<(), String>,
}

/// Runs a case against a component, on an empty storage.
pub async fn run<S: ProjectStorage>(case: &Case, component: &Component, storage: S) -> Outcome {
    Outcome { name: case.name.clone(), result: try_run(case, component, storage).await }
}

async fn try_run<S: ProjectStorage>(case: &Case, component: &Component, storage: S) -> Result<(), String> {
    let mut world = World::new(&case.set_up, component, storage).await?;
    for (step, number) in case.steps.iter().zip(1..) {
        world.step(step).await.map_err(|difference| format!("step {number}: {difference}"))?;
    }
    Ok(())
}

/// A host with the clock and the random bytes of the case.
struct World<'a, S: ProjectStorage> {
    component: &'a Component,
    storage: Recorder<S>,
    clock: Arc<AtomicI64>,
    random: Random,
    keycell: Keycell<Recorder<S>>,
    saved: BTreeMap<String, Value>,
    /// The secrets that were returned. They must neither be returned again nor be stored.
    secrets: Vec<String>,
}

impl<'a, S: ProjectStorage> World<'a, S> {
    async fn new(set_up: &SetUp, component: &'a Component, storage: S) -> Result<Self, String> {
        for project in &set_up.projects {
            let slug = ProjectSlug::parse(&project.slug).ok_or("the case has an invalid slug")?;
            let members = project.members.iter().map(member).collect();
            let inserted = storage.insert_project(project.id, slug, members).await;
            inserted.map_err(|error| format!("the projects of the case: {error}"))?;
        }
        let storage = Recorder::new(storage, set_up.storage_fails.clone());
        let clock = Arc::new(AtomicI64::new(millis(&set_up.now)?));
        let random = xorshift32(set_up.random_seed);
        let keycell = keycell(component, &storage, &clock, &random, &set_up.policy)?;
        Ok(Self { component, storage, clock, random, keycell, saved: BTreeMap::new(), secrets: Vec::new() })
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Clock { now } => self.clock.store(millis(now)?, Ordering::Relaxed),
            Step::Role { project, user, role } => self.set_role(project, user, *role).await?,
            Step::Policy { policy } => {
                self.keycell = keycell(self.component, &self.storage, &self.clock, &self.random, policy)?;
            }
            Step::Call(call) => self.call(call).await?,
        }
        Ok(())
    }

    async fn set_role(&self, slug: &str, user: &str, role: Option<Role>) -> Result<(), String> {
        let project = ProjectReference::Slug(slug.to_owned());
        let storage = self.storage.storage();
        let changed = match role {
            Some(role) => storage.put_member(&project, Member::new(user, role)).await,
            None => storage.remove_member(&project, user).await,
        };
        let is_changed = changed.map_err(|error| format!("the roles of the case: {error}"))?;
        check(is_changed, || "the case has no such project or member".to_owned())
    }

    async fn call(&mut self, step: &CallStep) -> Result<(), String> {
        let caller = self.caller(step.caller.as_ref())?;
        let arguments = expand(substitute(&step.arguments, &self.saved));
        self.storage.begin_step();

        let result = self.make_call(step, &caller, arguments).await?;
        let (result, expected) = match (result, &step.returns, &step.fails) {
            (Ok(result), Some(expected), None) => (result, expected),
            (Err(error), None, Some(expected)) => (json(&error)?, expected),
            (Ok(_), None, Some(expected)) => return Err(format!("succeeded instead of failing with {expected}")),
            (Err(error), ..) => return Err(format!("failed: {error}")),
            (Ok(_), ..) => return Err("the case must have either `returns` or `fails`".to_owned()),
        };
        compare("result", &substitute(expected, &self.saved), &result)?;

        if let Some(expected) = &step.storage_calls {
            let calls = self.storage.calls();
            check(calls == *expected, || format!("called {calls:?} of storage instead of {expected:?}"))?;
        }
        for (name, pointer) in &step.save {
            let part = result.pointer(pointer).ok_or_else(|| format!("the result has no {pointer} to save"))?;
            self.saved.insert(name.clone(), part.clone());
        }
        for (name, expected, actual) in [
            ("stored", &step.stored, self.storage.last_key()),
            ("stored_events", &step.stored_events, Some(self.storage.events())),
            ("stored_request", &step.stored_request, self.storage.last_request()),
        ] {
            if let Some(expected) = expected {
                let actual = actual.ok_or_else(|| format!("storage has received nothing for `{name}`"))?;
                compare(name, &substitute(expected, &self.saved), &actual)?;
            }
        }
        self.look_for_secrets(&result)
    }

    fn caller(&self, caller: Option<&Value>) -> Result<Caller, String> {
        let Some(caller) = caller else { return Ok(Caller::host()) };
        let set_up = serde_json::from_value(expand(substitute(caller, &self.saved)));
        Ok(match set_up.map_err(|_| "the case has an invalid `as`")? {
            CallerSetUp::Host { .. } => Caller::host(),
            CallerSetUp::Bearer { bearer } => Caller::bearer(bearer),
            CallerSetUp::User { user, scopes, operator } => {
                let user = Caller::user(user).with_scopes(scopes);
                if operator { user.as_operator() } else { user }
            }
        })
    }

    /// Makes the call. The outer error is an error of the case or of a schema.
    async fn make_call(
        &self,
        step: &CallStep,
        caller: &Caller,
        mut arguments: Value,
    ) -> Result<Result<Value, Error>, String> {
        if step.call == "describe_caller" {
            return as_json(self.keycell.describe_caller(caller).await);
        }
        if step.call == "authorize_project" {
            let ProjectArguments { action, project_reference } =
                serde_json::from_value(arguments).map_err(|_| "the case has invalid arguments")?;
            return as_json(self.keycell.authorize_project(caller, action, project_reference.as_deref()).await);
        }
        let tool = TOOLS.iter().find(|tool| tool.name == step.call).ok_or("the case calls no tool")?;
        let metadata = take_metadata_text(&mut arguments);
        validate("the arguments", tool.input_schema, &arguments)?;
        let result = match metadata {
            Some(metadata) => self.with_metadata(tool.name, caller, arguments, metadata).await?,
            None => match tools::call(&self.keycell, caller, tool.name, arguments).await {
                Ok(result) => Ok(result),
                Err(ToolError::Failed(error)) => Err(error),
                Err(error) => return Err(error.to_string()),
            },
        };
        if let Ok(result) = &result {
            validate("the result", tool.output_schema, result)?;
        }
        Ok(result)
    }

    /// Calls one of the two tools that have metadata with this text, which need not be JSON.
    async fn with_metadata(
        &self,
        tool: &str,
        caller: &Caller,
        arguments: Value,
        metadata: String,
    ) -> Result<Result<Value, Error>, String> {
        let invalid = |_| "the case has invalid arguments".to_owned();
        if tool == "issue_api_key" {
            let mut request: IssueApiKey = serde_json::from_value(arguments).map_err(invalid)?;
            request.metadata = Some(metadata);
            return as_json(self.keycell.issue_api_key(caller, request).await);
        }
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut changes = UpdateApiKey::default();
        changes.metadata = Some(metadata);
        changes.name = text("name");
        changes.expires_at = text("expires_at");
        changes.rate_limit =
            arguments.get("rate_limit").cloned().map(serde_json::from_value).transpose().map_err(invalid)?;
        let revision = arguments.get("if_revision").cloned().map(serde_json::from_value).transpose();
        changes.if_revision = revision.map_err(invalid)?;
        let id = text("api_key_id").unwrap_or_default();
        as_json(self.keycell.update_api_key(caller, &id, changes).await)
    }

    /// Checks that no secret is stored, and that none is returned a second time.
    fn look_for_secrets(&mut self, result: &Value) -> Result<(), String> {
        let text = result.to_string();
        let is_repeated = self.secrets.iter().any(|secret| text.contains(secret));
        check(!is_repeated, || "the result holds the secret of an earlier key".to_owned())?;
        if let Some(key) = result.get("key").and_then(Value::as_str) {
            self.secrets.push(key.rsplit('_').next().unwrap_or_default().chars().take(SECRET_LEN).collect());
        }
        let is_stored =
            |secret: &String| self.storage.has_received(secret) || self.storage.has_received(&hex(secret.as_bytes()));
        check(!self.secrets.iter().any(is_stored), || "storage has received a secret".to_owned())
    }
}

/// Converts a call's result to JSON. The outer error is an error of the conversion.
fn as_json<T: Serialize>(result: Result<T, Error>) -> Result<Result<Value, Error>, String> {
    match result {
        Ok(result) => json(&result).map(Ok),
        Err(error) => Ok(Err(error)),
    }
}

fn keycell<S: ProjectStorage>(
    component: &Component,
    storage: &Recorder<S>,
    clock: &Arc<AtomicI64>,
    random: &Random,
    policy: &PolicySetUp,
) -> Result<Keycell<Recorder<S>>, String> {
    let clock = Arc::clone(clock);
    Keycell::builder(storage.clone())
        .policy(parse_policy(policy)?)
        .clock(Arc::new(move || UNIX_EPOCH + Duration::from_millis(clock.load(Ordering::Relaxed).unsigned_abs())))
        .random(Arc::clone(random))
        .component(component.clone())
        .build()
        .map_err(|error| error.to_string())
}

fn member(set_up: &MemberSetUp) -> Member {
    match set_up {
        MemberSetUp::Member(user) => Member::new(user, Role::Member),
        MemberSetUp::WithRole { user, role } => Member::new(user, *role),
    }
}

/// Takes the text of metadata that is given as `{"$text": T}`.
fn take_metadata_text(arguments: &mut Value) -> Option<String> {
    let text = arguments.get("metadata")?.get("$text")?.as_str()?.to_owned();
    arguments.as_object_mut()?.remove("metadata");
    Some(text)
}

fn json(value: &impl Serialize) -> Result<Value, String> {
    serde_json::to_value(value).map_err(|error| error.to_string())
}

fn validate(what: &str, schema: &'static str, instance: &Value) -> Result<(), String> {
    let validator = validator(schema)?;
    // The validator's own message repeats the instance, which may be a secret.
    match validator.iter_errors(instance).next() {
        Some(error) => Err(format!("{what} do not match the tool's schema at `{}`", error.instance_path())),
        None => Ok(()),
    }
}

/// The validator of a schema. It is kept, because its compilation takes longer than most calls.
fn validator(schema: &'static str) -> Result<Arc<Validator>, String> {
    static VALIDATORS: Mutex<BTreeMap<&str, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(validator) = validators.get(schema) {
        return Ok(Arc::clone(validator));
    }
    let parsed = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    let validator = Arc::new(jsonschema::validator_for(&parsed).map_err(|error| error.to_string())?);
    validators.insert(schema, Arc::clone(&validator));
    Ok(validator)
}

fn millis(text: &str) -> Result<i64, String> {
    time::parse(text).map_err(|_| format!("the case has an invalid time: {text}"))
}

fn parse_policy(set_up: &PolicySetUp) -> Result<Policy, String> {
    let parse_all = |scopes: &[String]| {
        let scopes: Option<Vec<_>> = scopes.iter().map(|scope| Scope::parse(scope)).collect();
        scopes.ok_or("the case has an invalid scope")
    };
    let mut policy = Policy::default();
    policy.prefix = Prefix::parse(&set_up.prefix).ok_or("the case has an invalid prefix")?;
    policy.default_scopes = parse_all(&set_up.default_scopes)?;
    policy.grantable_scopes = set_up.grantable_scopes.as_deref().map(parse_all).transpose()?;
    policy.longest_life = set_up.longest_life_ms.map(Duration::from_millis);
    policy.default_life = set_up.default_life_ms.map(Duration::from_millis);
    Ok(policy)
}

/// A stream of bytes that is simple to make in each language: xorshift32, the low byte of each
/// state.
fn xorshift32(seed: u32) -> Random {
    let state = AtomicU32::new(seed);
    Arc::new(move |bytes| {
        let mut x = state.load(Ordering::Relaxed);
        for byte in bytes {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            *byte = x.to_le_bytes()[0];
        }
        state.store(x, Ordering::Relaxed);
        Ok(())
    })
}
