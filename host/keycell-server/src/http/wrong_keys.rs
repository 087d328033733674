//! Limits on wrong keys, by client address and by the lookup in the key.
//!
//! A secret has 256 bits, so no limit is needed against guessing. The limits bound the work that
//! wrong keys cause. A good key must never be refused because of them, also not when it comes from
//! the address of a guesser, to a process that has just started, or as one of very many. Whether a
//! key is good is known only after the component has looked, so each key is looked at, and the
//! limits apply to three other things:
//!
//! - An attempt takes a token from the buckets of its address and its lookup before the look. A
//!   good key gives the tokens back. An attempt that finds a bucket empty is throttled: at most
//!   [`MAX_THROTTLED_LOOKS`] throttled looks run at once, which is half of the instances of the
//!   component. Further ones wait in order. A wait lasts as long as a few looks.
//! - A key that was good a short while ago takes no token and is not throttled.
//! - A throttled attempt whose key turns out wrong is answered with 429, after a
//!   [delay](super::delay). The look is over by then, so the delay occupies nothing but the
//!   guesser's own connection.
//!
//! All memory is bounded. When the buckets are full, new addresses are throttled.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use keycell_component::key::Key;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::client_address::network;

/// The number of wrong keys that one address, or for one lookup, may be tried at once.
const BURST: u32 = 10;
/// The interval at which a bucket regains a token.
const REFILL_INTERVAL: Duration = Duration::from_millis(500);
/// The maximum number of throttled looks at the same time.
const MAX_THROTTLED_LOOKS: usize = 32;
/// The maximum number of buckets of each kind.
const MAX_BUCKETS: usize = 10_000;
/// The minimum time between two searches for full buckets, which can be dropped.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);
/// The number of good keys that are remembered at least, if there were so many.
const MIN_REMEMBERED: usize = 50_000;

/// The limits on wrong keys of one server.
pub struct WrongKeys {
    state: Mutex<State>,
    hasher: RandomState,
    throttled_looks: Semaphore,
}

#[derive(Default)]
struct State {
    addresses: Buckets<IpAddr>,
    /// By hashes of lookups.
    lookups: Buckets<u64>,
    good: RecentHashes,
}

impl Default for WrongKeys {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            hasher: RandomState::new(),
            throttled_looks: Semaphore::new(MAX_THROTTLED_LOOKS),
        }
    }
}

/// One presented key, from before the look until the answer.
///
/// An attempt that is dropped, because the client has hung up, counts as wrong.
pub struct Attempt<'a> {
    limits: &'a WrongKeys,
    source: Source,
    standing: Standing,
    /// The place of a throttled look.
    _place: Option<SemaphorePermit<'a>>,
}

/// What an attempt is counted by.
#[derive(Clone, Copy)]
struct Source {
    network: IpAddr,
    /// The hash of the lookup; `None` for what is no key.
    lookup: Option<u64>,
    /// The hash of the whole key.
    key: u64,
}

enum Standing {
    /// The key was good a short while ago.
    Known,
    /// The attempt took tokens.
    Charged,
    /// There was no token.
    Throttled,
}

impl WrongKeys {
    /// Begins an attempt, and waits for a place if it is throttled.
    pub async fn begin(&self, address: IpAddr, key: &str) -> Attempt<'_> {
        let source = Source {
            network: network(address),
            lookup: Key::parse(key).map(|key| self.hasher.hash_one(key.lookup())),
            key: self.hasher.hash_one(key),
        };
        let standing = {
            let mut state = self.state();
            if state.good.contains(source.key) {
                Standing::Known
            } else if state.take_tokens(source, Instant::now()) {
                Standing::Charged
            } else {
                Standing::Throttled
            }
        };
        let _place = match standing {
            // The semaphore is never closed.
            Standing::Throttled => self.throttled_looks.acquire().await.ok(),
            Standing::Known | Standing::Charged => None,
        };
        Attempt { limits: self, source, standing, _place }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// Ends the attempt with a good key.
    pub fn succeeded(self) {
        let mut state = self.limits.state();
        state.good.insert(self.source.key);
        if matches!(self.standing, Standing::Charged) {
            state.return_tokens(self.source);
        }
    }

    /// Ends the attempt without knowing whether the key is good.
    pub fn undecided(self) {
        if matches!(self.standing, Standing::Charged) {
            self.limits.state().return_tokens(self.source);
        }
    }

    /// Ends the attempt with a wrong key. If it was throttled, returns the time after which the next
    /// attempt will not be.
    pub fn failed(self) -> Option<Duration> {
        let now = Instant::now();
        let mut state = self.limits.state();
        state.good.remove(self.source.key);
        match self.standing {
            Standing::Charged => None,
            Standing::Known if state.take_tokens(self.source, now) => None,
            Standing::Known | Standing::Throttled => Some(state.time_to_token(self.source, now)),
        }
    }
}

impl State {
    /// Takes a token from both buckets, or from neither.
    fn take_tokens(&mut self, source: Source, now: Instant) -> bool {
        if !self.addresses.take(source.network, now) {
            return false;
        }
        let took_both = source.lookup.is_none_or(|lookup| self.lookups.take(lookup, now));
        if !took_both {
            self.addresses.give_back(&source.network);
        }
        took_both
    }

    fn return_tokens(&mut self, source: Source) {
        self.addresses.give_back(&source.network);
        if let Some(lookup) = source.lookup {
            self.lookups.give_back(&lookup);
        }
    }

    fn time_to_token(&self, source: Source, now: Instant) -> Duration {
        let of_address = self.addresses.time_to_token(&source.network, now);
        let of_lookup = source.lookup.map(|lookup| self.lookups.time_to_token(&lookup, now));
        of_address.max(of_lookup.unwrap_or_default()).max(REFILL_INTERVAL)
    }
}

/// Token buckets. The value of each is the time at which it will be full (GCRA).
struct Buckets<K> {
    full_at: HashMap<K, Instant>,
    purged_at: Option<Instant>,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { full_at: HashMap::new(), purged_at: None }
    }
}

impl<K: Eq + Hash> Buckets<K> {
    fn take(&mut self, bucket: K, now: Instant) -> bool {
        let full_at = self.full_at.get(&bucket).copied();
        if full_at.is_none() && !self.has_room(now) {
            return false;
        }
        let full_at = full_at.map_or(now, |time| time.max(now)) + REFILL_INTERVAL;
        let has_token = full_at <= now + REFILL_INTERVAL * BURST;
        if has_token {
            self.full_at.insert(bucket, full_at);
        }
        has_token
    }

    fn give_back(&mut self, bucket: &K) {
        if let Some(full_at) = self.full_at.get_mut(bucket)
            && let Some(earlier) = full_at.checked_sub(REFILL_INTERVAL)
        {
            *full_at = earlier;
        }
    }

    fn time_to_token(&self, bucket: &K, now: Instant) -> Duration {
        let full_at = self.full_at.get(bucket).copied().unwrap_or(now);
        (full_at + REFILL_INTERVAL).saturating_duration_since(now + REFILL_INTERVAL * BURST)
    }

    fn has_room(&mut self, now: Instant) -> bool {
        let may_purge = self.purged_at.is_none_or(|time| now >= time + PURGE_INTERVAL);
        if self.full_at.len() >= MAX_BUCKETS && may_purge {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.purged_at = Some(now);
        }
        self.full_at.len() < MAX_BUCKETS
    }
}

/// A bounded set that forgets what was inserted long ago.
#[derive(Default)]
struct RecentHashes {
    newer: HashSet<u64>,
    older: HashSet<u64>,
}

impl RecentHashes {
    fn contains(&self, hash: u64) -> bool {
        self.newer.contains(&hash) || self.older.contains(&hash)
    }

    fn insert(&mut self, hash: u64) {
        if self.newer.contains(&hash) {
            return;
        }
        if self.newer.len() >= MIN_REMEMBERED {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(hash);
    }

    fn remove(&mut self, hash: u64) {
        self.newer.remove(&hash);
        self.older.remove(&hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_a_burst_of_tokens_and_refills() {
        let (mut buckets, start) = (Buckets::default(), Instant::now());
        let taken = |buckets: &mut Buckets<u8>, now| (0..100).filter(|_| buckets.take(1, now)).count();
        assert_eq!(taken(&mut buckets, start), 10);
        assert_eq!(buckets.time_to_token(&1, start), REFILL_INTERVAL);
        assert!(buckets.take(2, start), "another bucket has its own tokens");
        assert_eq!(taken(&mut buckets, start + REFILL_INTERVAL * 3), 3);
        buckets.give_back(&1);
        assert_eq!(taken(&mut buckets, start + REFILL_INTERVAL * 3), 1);
        assert_eq!(taken(&mut buckets, start + REFILL_INTERVAL * 100), 10, "no more than the burst");
    }

    #[test]
    fn buckets_are_bounded_and_full_ones_make_room() {
        let (mut buckets, start) = (Buckets::default(), Instant::now());
        for n in 0..MAX_BUCKETS {
            assert!(buckets.take(n, start));
        }
        assert!(!buckets.take(MAX_BUCKETS, start));
        assert!(buckets.take(0, start), "known buckets go on");
        assert!(buckets.take(MAX_BUCKETS, start + PURGE_INTERVAL));
        assert_eq!(buckets.full_at.len(), 1);
    }

    #[test]
    fn recent_hashes_are_remembered_and_bounded() {
        let mut hashes = RecentHashes::default();
        for n in 0..10 * MIN_REMEMBERED as u64 {
            hashes.insert(n);
            assert!(hashes.newer.len() + hashes.older.len() <= 2 * MIN_REMEMBERED);
        }
        let last = 10 * MIN_REMEMBERED as u64;
        assert!((last - MIN_REMEMBERED as u64..last).all(|n| hashes.contains(n)));
        assert!(!hashes.contains(0));
        hashes.remove(last - 1);
        assert!(!hashes.contains(last - 1));
    }

    #[tokio::test]
    async fn the_burst_holds_for_attempts_at_the_same_moment() {
        let limits = WrongKeys::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let mut attempts = Vec::new();
        for n in 0..BURST as usize + MAX_THROTTLED_LOOKS {
            attempts.push(limits.begin(address, &n.to_string()).await);
        }
        let charged = attempts.iter().filter(|attempt| matches!(attempt.standing, Standing::Charged)).count();
        assert_eq!(charged, BURST as usize);
        let begin = |key: &'static str| tokio::time::timeout(Duration::from_millis(50), limits.begin(address, key));
        assert!(begin("one more").await.is_err(), "there are no more places for throttled looks");
        attempts.pop().unwrap().succeeded();
        begin("one more").await.unwrap().succeeded();
        assert!(matches!(begin("one more").await.unwrap().standing, Standing::Known), "known keys need no place");
    }

    #[tokio::test]
    async fn good_keys_give_their_tokens_back() {
        let limits = WrongKeys::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        for n in 0..1000 {
            let attempt = limits.begin(address, &n.to_string()).await;
            assert!(matches!(attempt.standing, Standing::Charged), "{n}");
            attempt.succeeded();
        }
    }

    #[tokio::test]
    async fn good_keys_are_known_however_many_there_are_and_however_many_guesses() {
        const KEYS: usize = 10_050;
        let limits = WrongKeys::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        for n in 0..KEYS {
            limits.begin(address, &n.to_string()).await.succeeded();
        }
        let mut wrong = 0;
        while limits.begin(address, "wrong").await.failed().is_none() {
            wrong += 1;
        }
        assert!((BURST..BURST + 2).contains(&wrong), "{wrong}");
        for n in 0..KEYS {
            assert!(matches!(limits.begin(address, &n.to_string()).await.standing, Standing::Known), "{n}");
        }
        // A key that became wrong is known no more.
        assert!(limits.begin(address, "1").await.failed().is_some());
        assert!(matches!(limits.begin(address, "1").await.standing, Standing::Throttled));
    }

    #[tokio::test]
    async fn a_lookup_is_limited_over_all_addresses() {
        let limits = WrongKeys::default();
        let key = format!("akw_0123456789AB_{}4TsezD", "0".repeat(43));
        for n in 0..=BURST as u8 {
            let attempt = limits.begin(IpAddr::from([192, 0, 2, n]), &key).await;
            assert_eq!(matches!(attempt.standing, Standing::Throttled), u32::from(n) == BURST, "{n}");
        }
    }
}
