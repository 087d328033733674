//! How late a revocation takes effect: hosts in processes of their own verify keys without pause,
//! while the test revokes the keys.
//!
//! A window is the time from the acknowledgement of a revocation to the beginning of the last
//! verification of a host that succeeded. There is one for each revocation and host.

mod processes;
mod verifier;

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use keycell::{Caller, CreateApiKey, Keycell};
use keycell_postgres::PostgresStorage;

pub use self::processes::now;
use self::{
    processes::{Host, Report},
    verifier::Settings,
};
use crate::{
    proxy::{Proxy, State},
    server::Server,
};

const HOSTS: usize = 4;
/// The keys that the hosts verify in turn.
const SLOTS: usize = 192;
/// The longest time until a key that was revoked is refused by every host.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A key that the hosts verify.
#[derive(Default)]
struct Slot {
    id: String,
    /// The number of hosts that have verified it.
    verified: usize,
    /// When its revocation was acknowledged.
    revoked: Option<Duration>,
    /// The beginnings of the last verifications by each host that has refused it since.
    last_valid: [Option<Duration>; HOSTS],
}

impl Slot {
    fn is_ready(&self) -> bool {
        self.verified == HOSTS && self.revoked.is_none()
    }

    fn windows(&self) -> impl Iterator<Item = Duration> {
        let revoked = self.revoked.unwrap();
        self.last_valid.iter().map(move |last| last.unwrap().saturating_sub(revoked))
    }
}

/// What happens for about this time. It is repeated.
type Act = fn(&Server, &[Host], turn: u32, time: Duration);

/// What happens to the hosts and the database meanwhile.
struct Disturbance {
    what: &'static str,
    act: Act,
    has_jumping_clocks: bool,
}

#[derive(Clone, Copy)]
struct Plan {
    /// The settings of a host.
    settings: Settings,
    revocations: usize,
    disturbance: &'static Disturbance,
}

#[derive(Default)]
struct Measured {
    windows: Vec<Duration>,
    verified: u64,
    unavailable: u64,
    time: Duration,
}

impl Measured {
    fn percentile(&self, share: f64) -> Duration {
        let last = self.windows.len() - 1;
        self.windows[(share * last as f64).round() as usize]
    }

    fn report(&self, disturbance: &Disturbance) {
        let shares = [0.5, 0.9, 0.99, 0.999, 1.0].map(|share| self.percentile(share).as_millis().to_string());
        println!(
            "{}: {} windows, p50 p90 p99 p99.9 p100 = {} ms; {} verifications in {:.0?}, {} unavailable",
            disturbance.what,
            self.windows.len(),
            shares.join(" "),
            self.verified,
            self.time,
            self.unavailable
        );
    }
}

/// Revokes keys, and returns the windows in ascending order.
async fn measure(plan: Plan) -> Option<Measured> {
    let server = Arc::new(Server::start(&["fsync=off", "max_connections=200", "log_min_messages=fatal"])?);
    let database = server.database();
    let keycell = Keycell::new(PostgresStorage::open(&database).await.unwrap()).unwrap();
    let ann = Caller::user("ann");
    let (sender, reports) = mpsc::channel();
    let start_host = |number| {
        let proxy = Proxy::start(server.port());
        Host::start(number, proxy, &database, plan.settings, sender.clone())
    };
    let hosts: Arc<[Host]> = (0..HOSTS).map(start_host).collect();

    let mut slots: Vec<_> = (0..SLOTS).map(|_| Slot::default()).collect();
    // Slots that were refused by all hosts, and when. Hosts verify them a little longer.
    let mut refused: VecDeque<_> = (0..SLOTS).map(|slot| (slot, None)).collect();
    let (mut measured, start, mut revoked) = (Measured::default(), Instant::now(), 0);
    let mut last_refusal = start;
    let mut disturbing = None;
    while measured.windows.len() < plan.revocations * HOSTS {
        assert!(last_refusal.elapsed() < TIMEOUT, "a host does not refuse a revoked key");
        let is_over = |refused: &Option<Instant>| refused.is_none_or(|time| time.elapsed() > plan.settings.lease / 2);
        let over = refused.pop_front_if(|(_, time)| is_over(time));
        if let Some((number, time)) = over {
            if time.is_some() {
                measured.windows.extend(slots[number].windows());
            }
            let created = keycell.create_api_key(&ann, CreateApiKey::named("k")).await.unwrap();
            slots[number] = Slot { id: created.id.to_string(), ..Slot::default() };
            hosts.iter().for_each(|host| host.verify(number, created.key.expose()));
        }
        let ready = slots.iter_mut().find(|slot| slot.is_ready()).filter(|_| revoked < plan.revocations);
        if let Some(slot) = ready {
            // Every host has started.
            disturbing.get_or_insert_with(|| Disturbing::start(&server, &hosts, &plan));
            keycell.revoke_api_key(&ann, &slot.id, None, None).await.unwrap();
            slot.revoked = Some(now());
            revoked += 1;
        }
        for (host, report) in reports.try_iter() {
            match report {
                Report::Verified { slot } => slots[slot].verified += 1,
                Report::Refused { slot, last_valid } => {
                    slots[slot].last_valid[host] = Some(last_valid);
                    if slots[slot].last_valid.iter().all(Option::is_some) {
                        last_refusal = Instant::now();
                        refused.push_back((slot, Some(last_refusal)));
                    }
                }
                Report::Again { slot, begin } => slots[slot].last_valid[host] = Some(begin),
                Report::Count { verified, unavailable } => {
                    measured.verified += verified;
                    measured.unavailable += unavailable;
                }
            }
        }
        sleep(Duration::from_micros(200));
    }
    disturbing.unwrap().end();
    measured.time = start.elapsed();
    measured.windows.sort();
    Some(measured)
}

/// A thread that disturbs the hosts, until it is dropped.
struct Disturbing {
    is_over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Disturbing {
    fn start(server: &Arc<Server>, hosts: &Arc<[Host]>, plan: &Plan) -> Self {
        let (act, lease) = (plan.disturbance.act, plan.settings.lease);
        let (is_over, server, hosts) = (Arc::new(AtomicBool::new(false)), Arc::clone(server), Arc::clone(hosts));
        let ends = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            for turn in 0.. {
                act(&server, &hosts, turn, some_time(turn, lease * 2));
                if ends.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        Self { is_over, thread: Some(thread) }
    }

    fn end(mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Disturbing {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // The measurement has failed. What was stopped has to continue, so that it can end.
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// A time of at most `max`, which differs from turn to turn.
fn some_time(turn: u32, max: Duration) -> Duration {
    max * (1 + (turn.wrapping_mul(2_654_435_761) >> 22)) / 1_024
}

fn host(hosts: &[Host], turn: u32) -> &Host {
    &hosts[turn as usize % HOSTS]
}

fn nothing(_: &Server, _: &[Host], _: u32, _: Duration) {
    sleep(Duration::from_millis(50));
}

fn stop_a_host(_: &Server, hosts: &[Host], turn: u32, time: Duration) {
    host(hosts, turn).signal("-STOP");
    sleep(time);
    host(hosts, turn).signal("-CONT");
    sleep(Duration::from_millis(300));
}

fn cut_a_link(_: &Server, hosts: &[Host], turn: u32, time: Duration) {
    let how = if turn.is_multiple_of(2) { State::Cut } else { State::Held };
    host(hosts, turn / 2).proxy.set(how);
    sleep(time);
    host(hosts, turn / 2).proxy.set(State::Open);
    sleep(Duration::from_millis(300));
}

fn pause_the_database(server: &Server, _: &[Host], _: u32, time: Duration) {
    server.signal("STOP");
    // Calls of the test wait for at most four seconds.
    sleep(time.min(Duration::from_secs(3)));
    server.signal("CONT");
    sleep(Duration::from_millis(700));
}

const DISTURBANCES: [Disturbance; 5] = [
    Disturbance { what: "undisturbed", act: nothing, has_jumping_clocks: false },
    Disturbance { what: "a host under SIGSTOP", act: stop_a_host, has_jumping_clocks: false },
    Disturbance { what: "a link that is cut or held up", act: cut_a_link, has_jumping_clocks: false },
    Disturbance { what: "a paused database", act: pause_the_database, has_jumping_clocks: false },
    Disturbance { what: "clocks that jump by an hour", act: nothing, has_jumping_clocks: true },
];

async fn check(disturbance: &'static Disturbance, lease: Duration, pause: Duration, revocations: usize) {
    let settings = Settings { lease, pause, has_jumping_clock: disturbance.has_jumping_clocks };
    let Some(measured) = measure(Plan { settings, revocations, disturbance }).await else { return };
    measured.report(disturbance);
    assert!(measured.percentile(1.0) < lease, "{:?}", measured.percentile(1.0));
    assert!(measured.percentile(1.0) > Duration::ZERO, "the caches must be used");
}

/// Takes some seconds, and leaves the processors to other tests.
async fn check_shortly(disturbance: usize) {
    check(&DISTURBANCES[disturbance], Duration::from_millis(800), Duration::from_millis(20), 150).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_takes_effect_within_the_lease() {
    check_shortly(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_takes_effect_within_the_lease_on_a_host_that_was_stopped() {
    check_shortly(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_takes_effect_within_the_lease_on_a_host_without_a_link() {
    check_shortly(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_takes_effect_within_the_lease_when_the_database_was_paused() {
    check_shortly(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_takes_effect_within_the_lease_when_clocks_jump() {
    check_shortly(4).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes many minutes and all processors; run it with --ignored --nocapture"]
async fn measure_the_windows_of_10_000_revocations_at_full_load() {
    for disturbance in &DISTURBANCES {
        check(disturbance, Duration::from_secs(2), Duration::ZERO, 10_000).await;
    }
}
