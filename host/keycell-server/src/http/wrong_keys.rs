//! Rate limits on wrong keys, by client address and by the lookup in the key.
//!
//! A secret has 256 bits, so guessing needs no limit. The limits bound the work that wrong keys
//! cause. They never refuse a valid key, even if it comes from the address of an attacker, to a
//! process that has just started, or among very many others. Only the component can decide whether
//! a key is valid, so every key is checked, and the limits work as follows:
//!
//! - Before the check, an attempt takes a token from the buckets of its address and its lookup. A
//!   valid key returns the tokens. If a bucket is empty, the attempt is throttled: at most
//!   [`MAX_THROTTLED_CHECKS`] throttled checks run at once, which is half of the component's
//!   instances. Further ones wait in order, for the time of a few checks.
//! - A key that was valid recently takes no token and is not throttled.
//! - A throttled attempt with a wrong key is answered with 429, after a [delay](super::delay). The
//!   check is over by then, so the delay occupies only the attacker's own connection.
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

/// The number of tokens of a full bucket: the wrong keys that may come at once.
const BURST: u32 = 10;
/// The interval at which a bucket regains a token.
const REFILL_INTERVAL: Duration = Duration::from_millis(500);
/// The maximum number of concurrent throttled checks.
const MAX_THROTTLED_CHECKS: usize = 32;
/// The maximum number of buckets of each kind.
const MAX_BUCKETS: usize = 10_000;
/// The minimum time between two purges of full buckets.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);
/// The number of recent valid keys that are always remembered.
const MIN_REMEMBERED: usize = 50_000;

/// The rate limits on wrong keys of one server.
pub struct WrongKeys {
    state: Mutex<State>,
    hasher: RandomState,
    throttled_checks: Semaphore,
}

#[derive(Default)]
struct State {
    addresses: Buckets<IpAddr>,
    /// By hashes of lookups.
    lookups: Buckets<u64>,
    valid: RecentHashes,
}

impl Default for WrongKeys {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            hasher: RandomState::new(),
            throttled_checks: Semaphore::new(MAX_THROTTLED_CHECKS),
        }
    }
}

/// An attempt to authenticate with a key.
///
/// An attempt that is dropped because the client has disconnected counts as failed.
pub struct Attempt<'a> {
    limits: &'a WrongKeys,
    source: Source,
    standing: Standing,
    /// The permit of a throttled check.
    _permit: Option<SemaphorePermit<'a>>,
}

/// The keys by which an attempt is counted.
#[derive(Clone, Copy)]
struct Source {
    network: IpAddr,
    /// The hash of the lookup; `None` if the text is not a key.
    lookup: Option<u64>,
    /// The hash of the whole key.
    key: u64,
}

enum Standing {
    /// The key was valid recently.
    Known,
    /// The attempt took tokens.
    Charged,
    /// A bucket was empty.
    Throttled,
}

impl WrongKeys {
    /// Begins an attempt. If it is throttled, waits for a permit.
    pub async fn begin(&self, address: IpAddr, key: &str) -> Attempt<'_> {
        let source = Source {
            network: network(address),
            lookup: Key::parse(key).map(|key| self.hasher.hash_one(key.lookup())),
            key: self.hasher.hash_one(key),
        };
        let standing = {
            let mut state = self.state();
            if state.valid.contains(source.key) {
                Standing::Known
            } else if state.take_tokens(source, Instant::now()) {
                Standing::Charged
            } else {
                Standing::Throttled
            }
        };
        let _permit = match standing {
            // The semaphore is never closed.
            Standing::Throttled => self.throttled_checks.acquire().await.ok(),
            Standing::Known | Standing::Charged => None,
        };
        Attempt { limits: self, source, standing, _permit }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// Ends the attempt: the key is valid.
    pub fn succeeded(self) {
        let mut state = self.limits.state();
        state.valid.insert(self.source.key);
        if matches!(self.standing, Standing::Charged) {
            state.return_tokens(self.source);
        }
    }

    /// Ends the attempt: it is not known whether the key is valid.
    pub fn undecided(self) {
        if matches!(self.standing, Standing::Charged) {
            self.limits.state().return_tokens(self.source);
        }
    }

    /// Ends the attempt: the key is wrong. If it was throttled, returns the time until the next token.
    pub fn failed(self) -> Option<Duration> {
        let now = Instant::now();
        let mut state = self.limits.state();
        state.valid.remove(self.source.key);
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
            self.addresses.return_token(&source.network);
        }
        took_both
    }

    fn return_tokens(&mut self, source: Source) {
        self.addresses.return_token(&source.network);
        if let Some(lookup) = source.lookup {
            self.lookups.return_token(&lookup);
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
        if full_at.is_none() && !self.can_insert(now) {
            return false;
        }
        let full_at = full_at.map_or(now, |time| time.max(now)) + REFILL_INTERVAL;
        let has_token = full_at <= now + REFILL_INTERVAL * BURST;
        if has_token {
            self.full_at.insert(bucket, full_at);
        }
        has_token
    }

    fn return_token(&mut self, bucket: &K) {
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

    fn can_insert(&mut self, now: Instant) -> bool {
        let may_purge = self.purged_at.is_none_or(|time| now >= time + PURGE_INTERVAL);
        if self.full_at.len() >= MAX_BUCKETS && may_purge {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.purged_at = Some(now);
        }
        self.full_at.len() < MAX_BUCKETS
    }
}

/// A bounded set of the most recently inserted hashes.
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
        buckets.return_token(&1);
        assert_eq!(taken(&mut buckets, start + REFILL_INTERVAL * 3), 1);
        assert_eq!(taken(&mut buckets, start + REFILL_INTERVAL * 100), 10, "no more than the burst");
    }

    #[test]
    fn buckets_are_bounded_and_full_ones_are_purged() {
        let (mut buckets, start) = (Buckets::default(), Instant::now());
        for n in 0..MAX_BUCKETS {
            assert!(buckets.take(n, start));
        }
        assert!(!buckets.take(MAX_BUCKETS, start));
        assert!(buckets.take(0, start), "known buckets still work");
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
        for n in 0..BURST as usize + MAX_THROTTLED_CHECKS {
            attempts.push(limits.begin(address, &n.to_string()).await);
        }
        let charged = attempts.iter().filter(|attempt| matches!(attempt.standing, Standing::Charged)).count();
        assert_eq!(charged, BURST as usize);
        let begin = |key: &'static str| tokio::time::timeout(Duration::from_millis(50), limits.begin(address, key));
        assert!(begin("one more").await.is_err(), "all permits are taken");
        attempts.pop().unwrap().succeeded();
        begin("one more").await.unwrap().succeeded();
        assert!(matches!(begin("one more").await.unwrap().standing, Standing::Known), "known keys need no permit");
    }

    #[tokio::test]
    async fn valid_keys_return_their_tokens() {
        let limits = WrongKeys::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        for n in 0..1000 {
            let attempt = limits.begin(address, &n.to_string()).await;
            assert!(matches!(attempt.standing, Standing::Charged), "{n}");
            attempt.succeeded();
        }
    }

    #[tokio::test]
    async fn valid_keys_are_remembered_despite_many_others_and_many_wrong_ones() {
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
        // A key that has become invalid is forgotten.
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
