//! Runs cases against a component.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use keycell_component::{key::Prefix, project::ProjectSlug, scopes::Scope, time};
use serde_json::Value;

use super::{
    case::{CallStep, CallerSetUp, Case, PolicySetUp, SetUp, Step},
    expect::{check, compare, substitute},
    recorder::Recorder,
};
use crate::{
    Caller, Component, Error, Keycell, Policy, Random, Time,
    hex::hex,
    storage::ProjectStorage,
    tools::{self, TOOLS, ToolError},
};

/// How one case went.
#[derive(Debug)]
pub struct Outcome {
    /// The case.
    pub name: String,
    /// What went otherwise than it must, if anything did.
    pub result: Result<(), String>,
}

/// Runs one case against the component, on storage that is empty.
pub async fn run<S: ProjectStorage>(case: &Case, component: &Component, storage: S) -> Outcome {
    Outcome { name: case.name.clone(), result: try_run(case, component, storage).await }
}

async fn try_run<S: ProjectStorage>(case: &Case, component: &Component, storage: S) -> Result<(), String> {
    let mut world = World::new(&case.set_up, component, storage).await?;
    for (index, step) in case.steps.iter().enumerate() {
        let in_step = |fault: String| format!("step {}: {fault}", index + 1);
        match step {
            Step::Clock { now } => world.clock.store(millis(now)?, Ordering::Relaxed),
            Step::Call(call) => world.call(call).await.map_err(in_step)?,
        }
    }
    Ok(())
}

/// A host whose clock and random bytes are the case's.
struct World<S: ProjectStorage> {
    keycell: Keycell<Recorder<S>>,
    clock: Arc<AtomicI64>,
    saved: BTreeMap<String, Value>,
    /// The secrets that were told so far. They must not be told again, nor be stored.
    secrets: Vec<String>,
}

impl<S: ProjectStorage> World<S> {
    async fn new(set_up: &SetUp, component: &Component, storage: S) -> Result<Self, String> {
        for project in &set_up.projects {
            let slug = ProjectSlug::parse(&project.slug).ok_or("the case has a wrong slug")?;
            let inserted = storage.insert_project(project.id, slug, project.members.clone()).await;
            inserted.map_err(|error| format!("the case's projects: {error}"))?;
        }
        let clock = Arc::new(AtomicI64::new(millis(&set_up.now)?));
        let shown = Arc::clone(&clock);
        let keycell = Keycell::builder(Recorder::new(storage, set_up.storage_fails.clone()))
            .policy(policy(&set_up.policy)?)
            .clock(Arc::new(move || UNIX_EPOCH + Duration::from_millis(shown.load(Ordering::Relaxed).unsigned_abs())))
            .random(xorshift32(set_up.random_seed))
            .component(component.clone())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { keycell, clock, saved: BTreeMap::new(), secrets: Vec::new() })
    }

    async fn call(&mut self, step: &CallStep) -> Result<(), String> {
        let caller = caller(&step.caller)?;
        let arguments = substitute(&step.arguments, &self.saved);
        let tool = TOOLS.iter().find(|tool| tool.name == step.call).ok_or("the case calls no tool")?;
        validate("the arguments", tool.input_schema, &arguments)?;
        self.keycell.storage().take_calls();

        let answer = tools::call(&self.keycell, &caller, tool.name, arguments).await;
        let (answer, expected) = match (answer, &step.returns, &step.fails) {
            (Ok(output), Some(expected), None) => {
                validate("the output", tool.output_schema, &output)?;
                (output, expected)
            }
            (Err(ToolError::Failed(error)), None, Some(expected)) => (error_value(&error)?, expected),
            (Ok(_), None, Some(expected)) => {
                return Err(format!("succeeded, and must fail with {expected}"));
            }
            (Err(error), ..) => return Err(format!("failed: {error}")),
            (Ok(_), ..) => {
                return Err("the case must say either what returns or what fails".to_owned());
            }
        };
        compare("answer", &substitute(expected, &self.saved), &answer)?;

        if let Some(expected) = &step.storage_calls {
            let calls = self.keycell.storage().take_calls();
            check(calls == *expected, || format!("called {calls:?} of storage, and not {expected:?}"))?;
        }
        for (name, pointer) in &step.save {
            let part = answer.pointer(pointer).ok_or_else(|| format!("there is no {pointer} to save"))?;
            self.saved.insert(name.clone(), part.clone());
        }
        if let Some(expected) = &step.stored {
            let written = self.keycell.storage().written();
            let newest = written.last().ok_or("nothing was stored")?;
            compare("stored", &substitute(expected, &self.saved), newest)?;
        }
        self.look_for_secrets(&answer)
    }

    /// No secret is in storage, and none is told a second time.
    fn look_for_secrets(&mut self, answer: &Value) -> Result<(), String> {
        let holds_secret = |text: &str| self.secrets.iter().any(|secret| text.contains(secret));
        check(!holds_secret(&answer.to_string()), || "the answer tells an earlier key's secret".to_owned())?;
        if let Some(key) = answer.get("key").and_then(Value::as_str) {
            // Without the checksum, which may be made again.
            let secret: String = key.rsplit('_').next().unwrap_or_default().chars().take(43).collect();
            self.secrets.push(secret);
        }
        let written = Value::from(self.keycell.storage().written()).to_string();
        let holds_secret =
            |secret: &String| written.contains(secret.as_str()) || written.contains(&hex(secret.as_bytes()));
        check(!self.secrets.iter().any(holds_secret), || "storage was handed a secret".to_owned())
    }
}

fn error_value(error: &Error) -> Result<Value, String> {
    serde_json::to_value(error).map_err(|error| error.to_string())
}

fn validate(what: &str, schema: &str, instance: &Value) -> Result<(), String> {
    let schema = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
    // The validator's own message repeats the instance, which may be a secret.
    match validator.iter_errors(instance).next() {
        Some(error) => Err(format!("{what} break the tool's schema at {:?}", error.instance_path().to_string())),
        None => Ok(()),
    }
}

fn millis(text: &str) -> Result<i64, String> {
    time::parse(text).map_err(|_| format!("the case has a wrong time: {text}"))
}

fn policy(set_up: &PolicySetUp) -> Result<Policy, String> {
    let scopes: Option<_> = set_up.default_scopes.iter().map(|scope| Scope::parse(scope)).collect();
    Ok(Policy {
        prefix: Prefix::parse(&set_up.prefix).ok_or("the case has a wrong prefix")?,
        default_scopes: scopes.ok_or("the case has a wrong scope")?,
        longest_life: set_up.longest_life_ms.map(Duration::from_millis),
    })
}

fn caller(set_up: &CallerSetUp) -> Result<Caller, String> {
    let mut caller = Caller::user(&set_up.user).map_err(|error| error.to_string())?.with_scopes(&set_up.scopes);
    if let Some(project_id) = &set_up.project_id {
        caller = caller.with_project(project_id);
    }
    if let Some(expires_at) = &set_up.expires_at {
        caller = caller.with_expiry(Time::from_millis(millis(expires_at)?).ok_or("the case has a wrong time")?);
    }
    Ok(caller)
}

/// A stream of bytes that every language can make: xorshift32, the low byte of each state.
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
