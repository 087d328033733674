//! Who has tried wrong keys has to wait before the next one is looked at.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How many wrong keys an address may try at once.
const BURST: u32 = 10;
/// After how long it may try one more.
const ONE_MORE_AFTER: Duration = Duration::from_millis(500);
/// The longest wait that ends with an answer. Who would wait longer is told to come again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How many addresses, and how many good keys, are remembered.
const MOST_REMEMBERED: usize = 10_000;

/// Come again after this time.
pub struct Later(pub Duration);

/// What is remembered of those who come. Whether a key is good is not told before the wait, so that
/// hanging up early tells nothing.
///
/// Who brings a key that was good before waits for nobody, so that one who guesses keeps out none of
/// those who come from the same address.
#[derive(Default)]
pub struct Slowdown {
    state: Mutex<State>,
    hasher: RandomState,
}

#[derive(Default)]
struct State {
    /// When the wrong keys of an address will be forgotten.
    debts: HashMap<IpAddr, Instant>,
    /// Hashes, of this process alone, of keys that were good.
    good: HashSet<u64>,
}

impl Slowdown {
    /// Returns when a key from this address may be looked at.
    pub async fn wait(&self, address: IpAddr, key: &str) -> Result<(), Later> {
        let wait = {
            let state = self.state();
            if state.good.contains(&self.hasher.hash_one(key)) { Duration::ZERO } else { state.wait(address) }
        };
        if wait > LONGEST_WAIT {
            return Err(Later(wait));
        }
        // To sleep for no time at all takes a tick of the timer, which is a millisecond.
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Notes that a key was good.
    pub fn good(&self, key: &str) {
        let mut state = self.state();
        if state.good.len() >= MOST_REMEMBERED {
            state.good.clear();
        }
        state.good.insert(self.hasher.hash_one(key));
    }

    /// Notes that a key was wrong.
    pub fn wrong(&self, address: IpAddr, key: &str) {
        let now = Instant::now();
        let mut state = self.state();
        state.good.remove(&self.hasher.hash_one(key));
        if state.debts.len() >= MOST_REMEMBERED {
            state.debts.retain(|_, until| *until > now);
        }
        let until = state.debts.entry(network(address)).or_insert(now);
        *until = (*until).max(now) + ONE_MORE_AFTER;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&self, address: IpAddr) -> Duration {
        let debt = self.debts.get(&network(address)).map(|until| until.saturating_duration_since(Instant::now()));
        debt.unwrap_or_default().saturating_sub(ONE_MORE_AFTER * (BURST - 1))
    }
}

/// One customer has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}
