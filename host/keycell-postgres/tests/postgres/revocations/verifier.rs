//! A host in a process of its own, which verifies keys without pause.
//!
//! Each line of its input is a slot and the key to verify in it from then on. Its reports have the
//! forms of [`Report`](super::processes::Report).

use std::{
    env, fmt,
    io::BufRead,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use keycell::{Caller, Keycell, Refusal, Verification};
use keycell_cache::LeasedCache;
use keycell_postgres::PostgresStorage;
use tokio::time::sleep;

use super::{SLOTS, processes::now};

/// The tasks that verify keys, which share the slots.
const TASKS: usize = 8;

/// The number of verifications of which a task reports the count.
const COUNT: u64 = 1_000;

/// The variables with the URL of the database and the [`Settings`].
pub const URL: &str = "KEYCELL_TEST_URL";
pub const SETTINGS: &str = "KEYCELL_TEST_SETTINGS";

/// The settings of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub lease: Duration,
    /// The pause of a task after each round over its keys.
    pub pause: Duration,
    pub has_jumping_clock: bool,
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.lease.as_millis(), self.pause.as_millis(), self.has_jumping_clock)
    }
}

impl Settings {
    fn parse(text: &str) -> Self {
        let [lease, pause, has_jumping_clock] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let milliseconds = |text: &str| Duration::from_millis(text.parse().unwrap());
        Self {
            lease: milliseconds(lease),
            pause: milliseconds(pause),
            has_jumping_clock: has_jumping_clock.parse().unwrap(),
        }
    }
}

/// A key and what became of it.
#[derive(Default)]
struct Slot {
    key: String,
    /// The beginning of the last verification that succeeded.
    last_valid: Option<Duration>,
    is_refused: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other tests start it"]
async fn verify() {
    let (Ok(url), Ok(settings)) = (env::var(URL), env::var(SETTINGS)) else { return };
    let settings = Settings::parse(&settings);
    let cache = LeasedCache::new(PostgresStorage::open(&url).await.unwrap(), settings.lease);
    let clock: fn() -> SystemTime = if settings.has_jumping_clock { jumping } else { SystemTime::now };
    let host = Keycell::builder(cache).clock(Arc::new(clock)).build().unwrap();
    let (host, slots) = (Arc::new(host), Arc::new(Mutex::new(Vec::new())));
    slots.lock().unwrap().resize_with(SLOTS, Slot::default);
    for task in 0..TASKS {
        tokio::spawn(work(Arc::clone(&host), Arc::clone(&slots), task, settings.pause));
    }
    let read = move || {
        for line in std::io::stdin().lock().lines() {
            let line = line.unwrap();
            let (slot, key) = line.split_once(' ').unwrap();
            slots.lock().unwrap()[slot.parse::<usize>().unwrap()] = Slot { key: key.to_owned(), ..Slot::default() };
        }
    };
    tokio::task::spawn_blocking(read).await.unwrap();
}

/// A clock of the component that goes back an hour, and forward again, every 100 milliseconds. It
/// must not matter to the lease.
fn jumping() -> SystemTime {
    let now = SystemTime::now();
    let is_back = (super::processes::now().as_millis() / 100).is_multiple_of(2);
    if is_back { now - Duration::from_secs(3_600) } else { now }
}

/// Verifies every eighth slot in turn.
async fn work(
    host: Arc<Keycell<LeasedCache<PostgresStorage>>>,
    slots: Arc<Mutex<Vec<Slot>>>,
    task: usize,
    pause: Duration,
) {
    let (mut verified, mut unavailable) = (0_u64, 0_u64);
    loop {
        for number in (task..SLOTS).step_by(TASKS) {
            let key = slots.lock().unwrap()[number].key.clone();
            if key.is_empty() {
                continue;
            }
            let begin = now();
            let verification = host.verify_api_key(&Caller::host(), &key, &[]).await;
            verified += 1;
            let mut slots = slots.lock().unwrap();
            let slot = &mut slots[number];
            if slot.key != key {
                continue;
            }
            match verification {
                Ok(Verification::Valid(_)) => {
                    if slot.last_valid.replace(begin).is_none() {
                        println!("verified {number}");
                    }
                    if slot.is_refused {
                        println!("again {number} {}", begin.as_nanos());
                    }
                }
                Ok(Verification::Refused(Refusal::Revoked)) => {
                    if !std::mem::replace(&mut slot.is_refused, true) {
                        println!("refused {number} {}", slot.last_valid.unwrap_or_default().as_nanos());
                    }
                }
                Err(keycell::Error::Unavailable) => unavailable += 1,
                other => panic!("{other:?}"),
            }
        }
        if verified >= COUNT {
            println!("count {verified} {unavailable}");
            (verified, unavailable) = (0, 0);
        }
        // Without any key, the task must not keep the processor.
        sleep(pause.max(Duration::from_micros(1))).await;
    }
}
