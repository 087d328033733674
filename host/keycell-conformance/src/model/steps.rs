//! Random steps.

use keycell::{RateLimit, Role};

use super::rules::{ADMIN, PROJECTS, Policy, READ, SCOPES, USERS, VERIFY, WRITE};

/// An index of a user in [`USERS`], of a project in [`PROJECTS`], or of a key.
pub type Index = usize;

/// The caller of a step.
#[derive(Clone, Copy, Debug)]
pub enum Caller {
    Host,
    User { user: Index, operator: bool },
    Bearer { key: Index, presented: Presented },
}

/// The form in which a key is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    AsItIs,
    /// With another last character.
    WithWrongChecksum,
    /// With another secret and the checksum of that.
    WithAnotherSecret,
    /// With the secret that it had before it was issued again, if it was.
    WithVoidSecret,
}

#[derive(Clone, Debug)]
pub struct Issue {
    pub owner: Option<Index>,
    pub project: Option<Index>,
    /// The milliseconds from now to the expiry.
    pub expires_in: Option<i64>,
    pub scopes: Option<Vec<&'static str>>,
    pub metadata: Option<&'static str>,
    pub limit: Option<RateLimit>,
    pub idempotency_key: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub struct Update {
    pub name: Option<&'static str>,
    pub expires_in: Option<i64>,
    /// A JSON text; `null` removes the metadata.
    pub metadata: Option<&'static str>,
    pub limit: Option<Option<RateLimit>>,
    pub revision: Revision,
}

/// The `if_revision` of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    Any,
    Current,
    Other,
}

#[derive(Clone, Debug)]
pub enum Step {
    Issue(Caller, Issue),
    Create(Caller, Option<Index>),
    Verify { caller: Caller, key: Index, presented: Presented, scope: Option<&'static str> },
    Describe(Caller, Index),
    DescribeCaller(Caller),
    Rotate { caller: Caller, key: Index, grace_seconds: u32, revision: Revision },
    Revoke { caller: Caller, key: Index, reason: Option<&'static str>, revision: Revision },
    Update(Caller, Index, Update),
    List { caller: Caller, owner: Option<Index>, project: Option<Index>, status: &'static str },
    Events { caller: Caller, key: Option<Index>, owner: Option<Index>, project: Option<Index> },
    SetRole { project: Index, user: Index, role: Option<Role> },
    MoveClock { by_ms: i64 },
}

/// A source of random steps.
pub struct Source {
    /// The state of SplitMix64.
    state: u64,
    last: Option<Step>,
}

impl Source {
    pub fn new(seed: u64) -> Self {
        Self { state: seed, last: None }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// `None` in one of `n` cases.
    fn maybe<T>(&mut self, n: usize, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.one_in(n) { None } else { Some(value(self)) }
    }

    pub fn policy(&mut self) -> Policy {
        Policy {
            longest_life: self.pick(&[None, Some(60_000)]),
            default_life: self.pick(&[None, Some(10_000)]),
            default_scopes: self.pick(&[&["mail:read"][..], &["mail:read", READ, WRITE]]),
        }
    }

    pub fn step(&mut self, keys: usize) -> Step {
        // Limits, repeated issuing and changes without effect need equal calls.
        let is_repeated = self.one_in(3);
        let step = match &self.last {
            Some(last) if is_repeated => last.clone(),
            _ => self.new_step(keys),
        };
        self.last = Some(step.clone());
        step
    }

    fn new_step(&mut self, keys: usize) -> Step {
        let caller = self.caller(keys);
        if keys == 0 {
            return Step::Issue(caller, self.issue());
        }
        let key = self.key(keys);
        match self.below(30) {
            0..7 => Step::Issue(caller, self.issue()),
            7 => Step::Create(caller, self.maybe(2, |source| source.below(PROJECTS.len()))),
            8..14 => Step::Verify {
                caller: if self.one_in(2) { Caller::Host } else { caller },
                key,
                presented: self.presented(),
                scope: self.maybe(2, |source| source.pick(&SCOPES)),
            },
            14 => Step::Describe(caller, key),
            15 => Step::DescribeCaller(caller),
            16..19 => Step::Rotate { caller, key, grace_seconds: self.pick(&[0, 1, 3]), revision: self.revision() },
            19 => Step::Revoke { caller, key, reason: self.pick(&[None, Some("lost")]), revision: self.revision() },
            20..23 => Step::Update(caller, key, self.update()),
            23 => Step::List {
                caller,
                owner: self.owner(),
                project: self.maybe(2, |source| source.below(PROJECTS.len())),
                status: self.pick(&["all", "active", "expired", "revoked"]),
            },
            24 => Step::Events {
                caller,
                key: self.maybe(2, |_| key),
                owner: self.owner(),
                project: self.maybe(2, |source| source.below(PROJECTS.len())),
            },
            25 => Step::SetRole {
                project: self.below(PROJECTS.len()),
                user: self.below(USERS.len()),
                role: self.pick(&[None, Some(Role::Member), Some(Role::Member), Some(Role::Admin)]),
            },
            _ => Step::MoveClock { by_ms: self.clock() },
        }
    }

    /// Picks a key, newer ones more often.
    fn key(&mut self, keys: usize) -> Index {
        if self.one_in(2) { self.below(keys) } else { keys - 1 - self.below(keys.min(6)) }
    }

    fn caller(&mut self, keys: usize) -> Caller {
        match self.below(20) {
            0 => Caller::Host,
            1..11 => Caller::User { user: self.below(USERS.len()), operator: self.one_in(5) },
            _ if keys == 0 => Caller::User { user: self.below(USERS.len()), operator: true },
            _ => Caller::Bearer { key: self.key(keys), presented: self.presented() },
        }
    }

    fn presented(&mut self) -> Presented {
        use Presented::{AsItIs, WithAnotherSecret, WithVoidSecret, WithWrongChecksum};
        self.pick(&[
            AsItIs,
            AsItIs,
            AsItIs,
            AsItIs,
            AsItIs,
            AsItIs,
            AsItIs,
            WithWrongChecksum,
            WithAnotherSecret,
            WithVoidSecret,
        ])
    }

    fn owner(&mut self) -> Option<Index> {
        self.maybe(2, |source| source.below(USERS.len()))
    }

    fn limit(&mut self) -> RateLimit {
        self.pick(&[
            RateLimit { requests: 1, window_seconds: 2 },
            RateLimit { requests: 3, window_seconds: 1 },
            RateLimit { requests: 7, window_seconds: 60 },
        ])
    }

    fn issue(&mut self) -> Issue {
        Issue {
            owner: if self.one_in(3) { Some(self.below(USERS.len())) } else { None },
            project: self.maybe(2, |source| source.below(PROJECTS.len())),
            expires_in: if self.one_in(3) { Some(self.pick(&[-1, 0, 1, 900, 5_000, 60_000, 60_001])) } else { None },
            scopes: self.maybe(2, Self::scopes),
            metadata: self.pick(&[None, None, Some("{}"), Some(r#"{"a":1}"#)]),
            limit: if self.one_in(3) { Some(self.limit()) } else { None },
            idempotency_key: self.pick(&[None, None, Some("one"), Some("two")]),
        }
    }

    fn scopes(&mut self) -> Vec<&'static str> {
        let mut scopes =
            self.pick(&[&[READ, VERIFY, WRITE][..], &["mail:read"], &[WRITE, "mail:read"], &[ADMIN], &[]]).to_vec();
        if self.one_in(6) {
            scopes.push(self.pick(&["mail:send", "unknown"]));
        }
        scopes
    }

    fn update(&mut self) -> Update {
        Update {
            name: self.pick(&[None, Some("new"), Some("k")]),
            expires_in: if self.one_in(4) { Some(self.pick(&[-1, 0, 1, 900, 4_000])) } else { None },
            metadata: self.pick(&[None, None, Some("null"), Some("{}"), Some(r#"{"b":[2]}"#)]),
            limit: if self.one_in(3) { Some(self.maybe(3, Self::limit)) } else { None },
            revision: self.revision(),
        }
    }

    fn revision(&mut self) -> Revision {
        self.pick(&[Revision::Any, Revision::Any, Revision::Any, Revision::Current, Revision::Other])
    }

    fn clock(&mut self) -> i64 {
        match self.below(40) {
            // Past the lifetime of an idempotency key.
            0 => 25 * 60 * 60 * 1000,
            1..8 => -(self.below(500) as i64),
            _ => self.below(2_500) as i64,
        }
    }
}
