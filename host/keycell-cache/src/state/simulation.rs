//! A simulation of hosts with their caches on one database: random calls, whose queries take their
//! snapshot and return at random times, up to seconds late. Equal seeds make equal runs.

use std::collections::BTreeMap;

use super::*;

const LEASE: Duration = Duration::from_secs(2);
const HOSTS: usize = 4;
const KEYS: usize = 6;

/// A record of the database, and when its changes were acknowledged.
struct Key {
    revision: u32,
    /// The number of times that the secret was replaced.
    secrets: u32,
    lookup_since: Duration,
    acknowledged: Vec<(Duration, u32)>,
}

#[derive(Default)]
struct Host {
    /// The revision of each key that this host has acknowledged, or returned.
    seen: [u32; KEYS],
    /// The revision of each key that this host has acknowledged.
    written: [u32; KEYS],
    position: Option<usize>,
}

/// What happens at a time.
#[expect(clippy::large_enum_variant, reason = "a simulation has few steps at a time")]
enum Step {
    Find { host: usize },
    FindById { host: usize },
    Observe { host: usize, key: usize, revision: u32 },
    Snapshot { host: usize, lookup: String, read: Read },
    Keep { host: usize, lookup: String, read: Read, found: Option<KeyRecord> },
    ReadFeed { host: usize },
    FeedSnapshot { host: usize, began: Duration },
    Apply { host: usize, began: Duration, read: Option<(usize, Changes)> },
    Change { host: usize },
    Commit { host: usize, key: usize },
    Acknowledge { host: usize, key: usize, revision: u32 },
}

struct Simulation {
    random: u64,
    now: Duration,
    /// By time, with a number for equal times.
    steps: BTreeMap<(Duration, u64), Step>,
    count: u64,
    keys: Vec<Key>,
    /// The numbers of changed keys, in the order of the commits.
    feed: Vec<usize>,
    hosts: Vec<Host>,
    states: Vec<State>,
    hits: u32,
}

fn id(key: usize) -> String {
    format!("id {key}")
}

fn lookup(key: usize, secrets: u32) -> String {
    format!("{key} {secrets}")
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let key = || Key { revision: 0, secrets: 0, lookup_since: Duration::ZERO, acknowledged: Vec::new() };
        let mut simulation = Self {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            now: Duration::ZERO,
            steps: BTreeMap::new(),
            count: 0,
            keys: (0..KEYS).map(|_| key()).collect(),
            feed: Vec::new(),
            hosts: (0..HOSTS).map(|_| Host::default()).collect(),
            states: (0..HOSTS).map(|_| State::new()).collect(),
            hits: 0,
        };
        for host in 0..HOSTS {
            for step in [Step::ReadFeed { host }, Step::Find { host }, Step::Find { host }, Step::Change { host }] {
                simulation.later(step);
            }
            simulation.later(Step::FindById { host });
        }
        simulation
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn random_index(&mut self, below: usize) -> usize {
        usize::try_from(self.random(below as u64)).unwrap()
    }

    /// Takes a step after a random time: mostly milliseconds, and sometimes seconds.
    fn later(&mut self, step: Step) {
        let limit = [2, 40, 40, 40, 400, 5_000][self.random_index(6)];
        let delay = Duration::from_millis(self.random(limit));
        self.at(self.now + delay, step);
    }

    fn at(&mut self, time: Duration, step: Step) {
        self.count += 1;
        self.steps.insert((time, self.count), step);
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            let ((now, _), step) = self.steps.pop_first().unwrap();
            self.now = now;
            self.take(step);
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Find { host } => {
                let key = self.random_index(KEYS);
                let voided = u32::try_from(self.random(2)).unwrap();
                let lookup = lookup(key, self.keys[key].secrets.saturating_sub(voided));
                match self.states[host].find(&lookup, self.now) {
                    Ok(Some(record)) => self.check_record(host, key, record.revision),
                    Ok(None) => self.check_unknown(host, key, &lookup),
                    Err(read) => self.later(Step::Snapshot { host, lookup, read }),
                }
                let pause = Duration::from_millis(self.random(30));
                self.at(self.now + pause, Step::Find { host });
            }
            Step::FindById { host } => {
                let key = self.random_index(KEYS);
                self.later(Step::Observe { host, key, revision: self.keys[key].revision });
            }
            Step::Observe { host, key, revision } => {
                let mut record = KeyRecord::default();
                (record.id, record.revision) = (id(key), revision);
                self.states[host].observe(&record);
                self.hosts[host].see(key, revision);
                self.later(Step::FindById { host });
            }
            Step::Snapshot { host, lookup: name, read } => {
                let found = self.keys.iter().enumerate().find(|(key, state)| lookup(*key, state.secrets) == name);
                let found = found.map(|(key, state)| {
                    let mut record = KeyRecord::default();
                    (record.id, record.lookup, record.revision) = (id(key), name.clone(), state.revision);
                    record
                });
                self.later(Step::Keep { host, lookup: name, read, found });
            }
            Step::Keep { host, lookup, read, found } => self.states[host].keep(read, &lookup, found.as_ref()),
            Step::ReadFeed { host } => self.later(Step::FeedSnapshot { host, began: self.now }),
            Step::FeedSnapshot { host, began } => {
                let changes = match self.hosts[host].position {
                    Some(position) => Changes::Keys(self.feed[position..].iter().map(|key| id(*key)).collect()),
                    None => Changes::Unknown,
                };
                let is_lost = self.random(4) == 0;
                let read = (!is_lost).then_some((self.feed.len(), changes));
                self.later(Step::Apply { host, began, read });
            }
            Step::Apply { host, began, read } => {
                if let Some((position, changes)) = read {
                    self.hosts[host].position = Some(position);
                    self.states[host].apply(changes, began + LEASE);
                }
                self.at(self.now + LEASE / 4, Step::ReadFeed { host });
            }
            Step::Change { host } => {
                let key = self.random_index(KEYS);
                self.later(Step::Commit { host, key });
            }
            Step::Commit { host, key } => {
                let replaces_secret = self.random(3) == 0;
                let state = &mut self.keys[key];
                state.revision += 1;
                if replaces_secret {
                    state.secrets += 1;
                    state.lookup_since = self.now;
                }
                let revision = state.revision;
                self.feed.push(key);
                self.later(Step::Acknowledge { host, key, revision });
            }
            Step::Acknowledge { host, key, revision } => {
                self.keys[key].acknowledged.push((self.now, revision));
                // A host forgets the new lookup of a secret that it has replaced.
                let lookup = lookup(key, self.keys[key].secrets);
                [id(key), lookup].iter().for_each(|name| self.states[host].forget(name));
                self.hosts[host].see(key, revision);
                self.hosts[host].written[key] = revision;
                self.later(Step::Change { host });
            }
        }
    }

    /// A record from the cache has every change that was acknowledged a lease ago, and each one that
    /// this host has acknowledged or returned.
    fn check_record(&mut self, host: usize, key: usize, revision: u32) {
        let is_old = |time: Duration| time + LEASE <= self.now;
        let acknowledged = self.keys[key].acknowledged.iter();
        let oldest = acknowledged.filter(|(time, _)| is_old(*time)).map(|(_, revision)| *revision).max();
        assert!(Some(revision) >= oldest, "{:?}: revision {revision} of {key} is too old", self.now);
        assert!(revision >= self.hosts[host].seen[key], "{:?}: host {host} goes back", self.now);
        self.hosts[host].see(key, revision);
        self.hits += 1;
    }

    /// A lookup is unknown, or was a second ago.
    fn check_unknown(&mut self, host: usize, key: usize, name: &str) {
        let state = &self.keys[key];
        if lookup(key, state.secrets) == name {
            assert!(self.now < state.lookup_since + UNKNOWN_AGE, "{:?}: {name} is known", self.now);
            let is_own = self.hosts[host].written[key] == state.revision;
            assert!(!is_own, "{:?}: {name} was created by host {host}", self.now);
        }
    }
}

impl Host {
    fn see(&mut self, key: usize, revision: u32) {
        self.seen[key] = self.seen[key].max(revision);
    }
}

#[test]
fn no_interleaving_returns_a_record_that_is_older_than_the_lease() {
    let mut hits = 0;
    for seed in 1..=100 {
        let mut simulation = Simulation::new(seed);
        let run = std::panic::AssertUnwindSafe(|| simulation.run(5_000));
        assert!(std::panic::catch_unwind(run).is_ok(), "seed {seed}");
        hits += simulation.hits;
    }
    assert!(hits > 50_000, "the caches must be used: {hits}");
}
