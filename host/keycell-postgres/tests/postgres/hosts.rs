//! Four hosts with caches on one database: random calls, and one checker of what they returned.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use keycell::{
    Action, ApiKeyId, Caller, CreateApiKey, Error, Event, KeyStatus, Keycell, ListEvents, UpdateApiKey, Verification,
};
use keycell_cache::LeasedCache;
use keycell_postgres::PostgresStorage;
use tokio::time::sleep;

use crate::{
    proxy::{Proxy, State},
    revocations::now,
    server::{Server, server},
};

const HOSTS: usize = 4;
const WORKERS: usize = 4;
const LEASE: Duration = Duration::from_millis(400);

type Host = Keycell<LeasedCache<PostgresStorage>>;

/// A key that all hosts know.
#[derive(Clone)]
struct Key {
    id: ApiKeyId,
    text: String,
}

/// What a call did to a key.
#[derive(Debug, PartialEq, Eq)]
enum Act {
    Created,
    Updated {
        name: String,
        revision: u32,
    },
    Revoked,
    Rotated {
        to: ApiKeyId,
    },
    Verified {
        is_valid: bool,
    },
    /// The call changed nothing: another one was first.
    Refused(Change),
    /// The host had no answer of the database, so the change was stored or not.
    Unknown(Change),
}

impl Act {
    /// The event that the call wrote. A revocation writes none if the key is revoked already.
    fn event(&self) -> Option<Action> {
        match self {
            Self::Created => Some(Action::Created),
            Self::Updated { .. } => Some(Action::Updated),
            Self::Rotated { .. } => Some(Action::Rotated),
            Self::Revoked | Self::Verified { .. } | Self::Refused(_) | Self::Unknown(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Update,
    Revocation,
    Rotation,
}

#[derive(Debug)]
struct Call {
    host: usize,
    began: Duration,
    ended: Duration,
    act: Act,
}

impl Call {
    /// Whether the call was under way in this millisecond.
    fn contains(&self, time: i64) -> bool {
        let milliseconds = |time: Duration| i64::try_from(time.as_millis()).unwrap();
        (milliseconds(self.began)..=milliseconds(self.ended)).contains(&time)
    }
}

/// What all hosts have done.
#[derive(Default)]
struct History {
    keys: Mutex<Vec<Key>>,
    calls: Mutex<BTreeMap<ApiKeyId, Vec<Call>>>,
}

impl History {
    fn add(&self, key: &Key, call: Call) {
        if call.act == Act::Created {
            self.keys.lock().unwrap().push(key.clone());
        }
        self.calls.lock().unwrap().entry(key.id).or_default().push(call);
    }

    fn key(&self, index: u64) -> Option<Key> {
        let keys = self.keys.lock().unwrap();
        // Mostly one of the newest keys, which other hosts use, too.
        let newest = &keys[keys.len().saturating_sub(12)..];
        newest.get(usize::try_from(index % 12).unwrap()).cloned()
    }
}

fn operator() -> Caller {
    Caller::user("operator").as_operator()
}

/// Makes random calls.
async fn work(host: usize, keycell: Arc<Host>, history: Arc<History>, seed: u64, calls: usize) {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for _ in 0..calls {
        let (choice, key, began) = (next() % 20, history.key(next()), now());
        let call = |act| Call { host, began, ended: now(), act };
        let (key, act) = match (choice, key) {
            (0..=1, _) | (_, None) => match keycell.create_api_key(&operator(), CreateApiKey::named("new")).await {
                Ok(created) => (Key { id: created.id, text: created.key.expose().to_owned() }, Act::Created),
                // The key exists or not, and is not known.
                Err(Error::Unavailable) => continue,
                Err(error) => panic!("{error}"),
            },
            (2..=4, Some(key)) => {
                let mut changes = UpdateApiKey::default();
                changes.name = Some(format!("name {}", next()));
                let name = changes.name.clone().unwrap();
                let updated = keycell.update_api_key(&operator(), &key.id.to_string(), changes).await;
                let act = match updated {
                    Ok(details) => Act::Updated { name, revision: details.revision },
                    Err(error) => without_change(Change::Update, &error),
                };
                (key, act)
            }
            (5, Some(key)) => {
                let revoked = keycell.revoke_api_key(&operator(), &key.id.to_string(), None, None).await;
                let act = revoked.map_or_else(|error| without_change(Change::Revocation, &error), |_| Act::Revoked);
                (key, act)
            }
            (6..=7, Some(key)) => {
                match keycell.rotate_api_key(&operator(), &key.id.to_string(), Duration::ZERO, None).await {
                    Ok(created) => {
                        let replacement = Key { id: created.id, text: created.key.expose().to_owned() };
                        history.add(&replacement, call(Act::Created));
                        (key, Act::Rotated { to: created.id })
                    }
                    Err(error) => (key, without_change(Change::Rotation, &error)),
                }
            }
            (_, Some(key)) => match keycell.verify_api_key(&Caller::host(), &key.text, &[]).await {
                Ok(verification) => (key, Act::Verified { is_valid: matches!(verification, Verification::Valid(_)) }),
                Err(Error::Unavailable) => continue,
                Err(error) => panic!("{error}"),
            },
        };
        history.add(&key, call(act));
    }
}

fn without_change(change: Change, error: &Error) -> Act {
    match error {
        Error::Conflict | Error::NotActive => Act::Refused(change),
        Error::Unavailable => Act::Unknown(change),
        error => panic!("{change:?}: {error}"),
    }
}

/// What the database holds in the end, and the calls of one key.
struct Checked<'a> {
    details: keycell::ApiKeyDetails,
    /// Oldest first.
    events: Vec<Event>,
    calls: &'a [Call],
}

impl Checked<'_> {
    fn acknowledged(&self, is_wanted: impl Fn(&Act) -> bool) -> Vec<&Call> {
        self.calls.iter().filter(|call| is_wanted(&call.act)).collect()
    }

    fn events(&self, action: Action) -> usize {
        self.events.iter().filter(|event| event.action == action).count()
    }

    fn has_no_unknown(&self, change: Change) -> bool {
        self.acknowledged(|act| *act == Act::Unknown(change)).is_empty()
    }

    /// The number of events of a change, between what was acknowledged and what may have been stored.
    fn check_count(&self, action: Action, acknowledged: usize, change: Change) {
        let unknown = self.acknowledged(|act| *act == Act::Unknown(change)).len();
        let events = self.events(action);
        let is_complete = (acknowledged..=acknowledged + unknown).contains(&events);
        assert!(is_complete, "{events} events of {acknowledged} changes {action:?}, and {unknown} without an answer");
    }

    fn check(&self) {
        self.check_changes();
        self.check_events();
        self.check_verifications();
    }

    fn check_changes(&self) {
        let updates: Vec<_> = self
            .calls
            .iter()
            .filter_map(|call| match &call.act {
                Act::Updated { name, revision } => Some((*revision, name, call)),
                _ => None,
            })
            .collect();
        let distinct: HashSet<_> = updates.iter().map(|(revision, ..)| revision).collect();
        assert_eq!(distinct.len(), updates.len(), "an update was lost");
        for (first, _, before) in &updates {
            let is_older = |(second, _, after): &&(u32, &String, &Call)| before.ended < after.began && second < first;
            assert!(!updates.iter().any(|other| is_older(&other)), "an update was made to an older record");
        }
        self.check_count(Action::Updated, updates.len(), Change::Update);
        let newest = updates.iter().max_by_key(|(revision, ..)| revision);
        if let (Some((_, name, _)), true) = (newest, self.has_no_unknown(Change::Update)) {
            assert_eq!(self.details.name, **name, "an update was lost");
        }

        let rotations = self.acknowledged(|act| matches!(act, Act::Rotated { .. }));
        assert!(rotations.len() <= 1, "a key was rotated twice");
        self.check_count(Action::Rotated, rotations.len(), Change::Rotation);
        assert!(self.events(Action::Rotated) <= 1);
        if let Some(Act::Rotated { to }) = rotations.first().map(|call| &call.act) {
            assert_eq!(self.details.rotated_to, Some(*to));
        }

        let is_revoked = !self.acknowledged(|act| *act == Act::Revoked).is_empty();
        self.check_count(Action::Revoked, usize::from(is_revoked), Change::Revocation);
        assert_eq!(self.details.status == KeyStatus::Revoked, self.events(Action::Revoked) == 1);
        assert!(!is_revoked || self.details.status == KeyStatus::Revoked, "a revocation was lost");
    }

    /// Each change has one event, after that of the creation, with a time at which the call was under
    /// way. None follows a revocation, except of a call that began before it.
    fn check_events(&self) {
        assert_eq!(self.events.len(), self.details.revision as usize + 1);
        assert_eq!((self.events[0].action, self.events(Action::Created)), (Action::Created, 1));
        assert!(self.events.is_sorted_by_key(|event| event.time));
        let mut changes: Vec<_> = self.calls.iter().filter_map(|call| Some((call, call.act.event()?))).collect();
        changes.sort_by_key(|(call, _)| call.ended);
        let mut events = self.events.clone();
        for (call, action) in changes {
            let is_of_call = |event: &Event| event.action == action && call.contains(event.time.millis());
            let place = events.iter().position(is_of_call);
            events.remove(place.unwrap_or_else(|| panic!("no event of {call:?} in {:?}", self.events)));
        }
        let revoked = self.acknowledged(|act| *act == Act::Revoked).iter().map(|call| call.ended).min();
        let rotated = self.acknowledged(|act| matches!(act, Act::Rotated { .. }));
        let is_late = |call: &&Call| revoked.is_some_and(|revoked| call.began > revoked);
        assert!(!rotated.iter().any(is_late), "a revoked key was rotated");
    }

    fn check_verifications(&self) {
        let ends = |act: &Act| matches!(act, Act::Revoked | Act::Rotated { .. });
        let tries = |act: &Act| {
            let is_try = |change: &Change| matches!(change, Change::Revocation | Change::Rotation);
            ends(act) || matches!(act, Act::Refused(change) | Act::Unknown(change) if is_try(change))
        };
        let first_try = self.acknowledged(tries).iter().map(|call| call.began).min();
        let created = self.acknowledged(|act| *act == Act::Created)[0].ended;
        for call in self.calls {
            let Act::Verified { is_valid } = call.act else { continue };
            let ended = self.acknowledged(ends).into_iter().find(|end| {
                let window = if end.host == call.host { Duration::ZERO } else { LEASE };
                call.began > end.ended + window
            });
            assert!(!(is_valid && ended.is_some()), "valid too late: {call:?} after {ended:?}");
            let must_be_valid = call.began > created && first_try.is_none_or(|first| call.ended < first);
            assert!(is_valid || !must_be_valid, "refused too early: {call:?}");
        }
    }
}

async fn events(keycell: &Host, id: ApiKeyId) -> Vec<Event> {
    let mut request = ListEvents::default();
    request.api_key_id = Some(id.to_string());
    let mut events = Vec::new();
    loop {
        let page = keycell.list_events(&operator(), request.clone()).await.unwrap();
        events.extend(page.events);
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => break,
        }
    }
    events.reverse();
    events
}

/// Runs hosts, each behind a proxy of its own, and checks their history.
async fn run(server: &Server, settings: &str, calls: usize, disturb: impl AsyncFn(&[Proxy])) {
    let database = server.database_with(settings);
    // One host makes the tables.
    PostgresStorage::open(&database).await.unwrap();
    let proxies: Vec<_> = (0..HOSTS).map(|_| Proxy::start(server.port())).collect();
    let history = Arc::new(History::default());
    let mut hosts = Vec::new();
    for proxy in &proxies {
        let storage = PostgresStorage::open(&proxy.url(&database)).await.unwrap();
        hosts.push(Arc::new(Keycell::new(LeasedCache::new(storage, LEASE)).unwrap()));
    }
    let workers: Vec<_> = (0..HOSTS * WORKERS)
        .map(|worker| {
            let host = worker % HOSTS;
            tokio::spawn(work(host, Arc::clone(&hosts[host]), Arc::clone(&history), worker as u64 + 1, calls))
        })
        .collect();
    disturb(&proxies).await;
    for worker in workers {
        worker.await.unwrap();
    }
    let calls = std::mem::take(&mut *history.calls.lock().unwrap());
    let mut valid = 0;
    for (id, calls) in &calls {
        let details = hosts[0].describe_api_key(&operator(), &id.to_string()).await.unwrap();
        let checked = Checked { details, events: events(&hosts[0], *id).await, calls };
        checked.check();
        valid += checked.acknowledged(|act| *act == Act::Verified { is_valid: true }).len();
    }
    assert!(calls.len() > 100 && valid > 100, "{} keys, {valid} valid verifications", calls.len());
}

/// Cuts the link of one host after the other.
async fn cut_links(proxies: &[Proxy], turns: usize) {
    for turn in 0..turns {
        sleep(Duration::from_millis(150)).await;
        let proxy = &proxies[turn % HOSTS];
        proxy.set(State::Cut);
        sleep(Duration::from_millis(30)).await;
        proxy.set(State::Open);
    }
}

const SERIALIZABLE: &str = "SET default_transaction_isolation = 'serializable'";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_hosts_lose_no_change() {
    let Some(server) = server() else { return };
    run(server, "", 120, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_hosts_lose_no_change_with_serializable_transactions() {
    let Some(server) = server() else { return };
    run(server, SERIALIZABLE, 120, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_hosts_lose_no_change_while_connections_end() {
    let Some(server) = server() else { return };
    run(server, "", 120, async |proxies| cut_links(proxies, 6).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes minutes; run it with --ignored"]
async fn four_hosts_lose_no_change_in_many_calls() {
    let Some(server) = server() else { return };
    run(server, "", 3_000, async |proxies| cut_links(proxies, 300).await).await;
    run(server, SERIALIZABLE, 3_000, async |proxies| cut_links(proxies, 300).await).await;
}
