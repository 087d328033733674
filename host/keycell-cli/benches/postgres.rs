//! Hosts on a PostgreSQL server of the same machine, with and without the cache, beside SQLite.
//!
//! A host is an authority with connections of its own. The server has its default settings, so each
//! commit waits for the disk: its data are in the directory for temporary files, which must not be in
//! memory.

#[path = "../../keycell-postgres/tests/postgres/server.rs"]
#[allow(dead_code, reason = "the tests of the storage need the rest")]
mod server;
mod world;

use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use keycell::{Caller, CreateApiKey, Keycell, ListApiKeys, Storage, Verification};
use keycell_cache::LeasedCache;
use keycell_postgres::PostgresStorage;
use server::Server;
use tokio::task::JoinSet;
use world::{SCOPES, STORED, World, figure, percentile, runtime};

/// The default lease.
const LEASE: Duration = Duration::from_secs(2);
const ROUNDS: u64 = 1_000;
/// The calls of a round.
const CALLS: u64 = 50;
const MEASURED: Duration = Duration::from_secs(4);
const AT_ONCE: usize = 16;
/// The number of keys of which the world has a sample.
const SAMPLES: u64 = 10_000;

type Host<S> = Arc<Keycell<S>>;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let Some(server) = Server::start_in(directory, &["max_connections=200"]) else { return };
    let world = Arc::new(World::new(STORED));
    let url = server.database();
    let copied = Command::new(env!("CARGO_BIN_EXE_keycell"))
        .args(["copy", "--to", &url, "--from"])
        .arg(world.path())
        .output()
        .expect("the command");
    assert!(copied.status.success(), "{copied:?}");
    server.run_at(&url, "VACUUM ANALYZE");
    runtime(2).block_on(measure(&world, &url));
}

async fn measure(world: &Arc<World>, url: &str) {
    let storage = async || PostgresStorage::open(url).await.expect("the database");
    let cached = async || host(world, LeasedCache::new(storage().await, LEASE));
    let with_cache = [cached().await, cached().await];
    let without_cache = [host(world, storage().await), host(world, storage().await)];
    for host in &with_cache {
        make_calls(Call::Verify, &**host, world, 0..SAMPLES).await;
    }
    let [sqlite, cached, uncached] = in_turn(world, &with_cache[0], &without_cache[0]).await;
    let ratio = cached.as_secs_f64() / sqlite.as_secs_f64();
    println!("verify one after another, SQLite: {sqlite:?}");
    println!(
        "verify one after another, PostgreSQL with the cache: {cached:?}, {ratio:.2} of SQLite (aim: at most 1.3)"
    );
    println!("verify one after another, PostgreSQL without the cache: {uncached:?}");
    println!("round trips of {SAMPLES} verifications with the cache: {} (aim: 0)\n", round_trips(world, url).await);

    println!(
        "| call | hosts | at once | calls a second | p50 | p99 | aim |\n| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    );
    run("verify, with the cache", Call::Verify, &with_cache, world).await;
    run("verify, without the cache", Call::Verify, &without_cache, world).await;
    run("list 100 keys", Call::List, &without_cache, world).await;
    run("create", Call::Create, &without_cache, world).await;
}

fn host<S: Storage>(world: &World, storage: S) -> Host<S> {
    let policy = world.keycell.policy().clone();
    Keycell::builder(storage).policy(policy).build().expect("the component").into()
}

#[derive(Clone, Copy)]
enum Call {
    Verify,
    List,
    Create,
}

async fn make_calls<S: Storage>(call: Call, host: &Keycell<S>, world: &World, numbers: std::ops::Range<u64>) {
    for n in numbers {
        match call {
            Call::Verify => {
                let key = &world.key(n).key;
                let verified = host.verify_api_key(&Caller::host(), key, &SCOPES[..1]).await.expect("verified");
                assert!(matches!(verified, Verification::Valid(_)));
            }
            Call::List => {
                let mut request = ListApiKeys::default();
                request.limit = Some(100);
                let page = host.list_api_keys(&world.caller, request).await.expect("a list");
                assert_eq!(page.api_keys.len(), 100);
            }
            Call::Create => {
                host.create_api_key(&world.caller, CreateApiKey::named("bench")).await.expect("created");
            }
        }
    }
}

/// The median times of a verification: on SQLite, with the cache, and without it. They are measured in
/// turn, so that all see the same load of the machine.
async fn in_turn<C: Storage, S: Storage>(world: &World, cached: &Keycell<C>, uncached: &Keycell<S>) -> [Duration; 3] {
    let mut times: [Vec<Duration>; 3] = Default::default();
    for round in 0..ROUNDS {
        let numbers = |turn: u64| (3 * round + turn) * CALLS..(3 * round + turn + 1) * CALLS;
        let began = Instant::now();
        make_calls(Call::Verify, &world.keycell, world, numbers(0)).await;
        let sqlite = began.elapsed();
        make_calls(Call::Verify, cached, world, numbers(1)).await;
        let with_cache = began.elapsed();
        make_calls(Call::Verify, uncached, world, numbers(2)).await;
        let without_cache = began.elapsed();
        for (times, time) in times.iter_mut().zip([sqlite, with_cache - sqlite, without_cache - with_cache]) {
            times.push(time / u32::try_from(CALLS).expect("few"));
        }
    }
    let medians = times.map(|times| percentile(times, 50));
    for (name, time) in ["SQLite", "PostgreSQL with the cache", "PostgreSQL without the cache"].iter().zip(medians) {
        figure(&format!("verify on a server in turn/{name}"), time);
    }
    medians
}

/// The statements that verifications of cached keys send to the database. The feed is read every
/// fifteen seconds, and uses are stored later.
async fn round_trips(world: &World, url: &str) -> u64 {
    let options = PostgresStorage::options().uses_interval(Duration::from_secs(3_600));
    let storage = options.open(&url.parse().expect("a URL")).await.expect("the database");
    let host = host(world, LeasedCache::new(storage, Duration::from_secs(60)));
    // The first lease.
    tokio::time::sleep(Duration::from_millis(200)).await;
    make_calls(Call::Verify, &host, world, 0..SAMPLES).await;
    let before = host.storage().storage().round_trips();
    make_calls(Call::Verify, &host, world, 0..SAMPLES).await;
    host.storage().storage().round_trips() - before
}

/// Makes calls one after another, and many at once on one host and on both.
async fn run<S: Storage>(name: &str, call: Call, hosts: &[Host<S>; 2], world: &Arc<World>) {
    for (hosts, at_once) in [(&hosts[..1], 1), (&hosts[..1], AT_ONCE), (&hosts[..], AT_ONCE)] {
        let mut clients = JoinSet::new();
        for client in 0..at_once {
            let (host, world) = (Arc::clone(&hosts[client % hosts.len()]), Arc::clone(world));
            clients.spawn(async move {
                let (began, mut times) = (Instant::now(), Vec::new());
                // Clients have different keys.
                let mut n = client as u64 * 1_009;
                while began.elapsed() < MEASURED {
                    let began = Instant::now();
                    make_calls(call, &host, &world, n..n + 1).await;
                    times.push(began.elapsed());
                    n += 1;
                }
                times
            });
        }
        let times = clients.join_all().await.concat();
        let a_second = times.len() as f64 / MEASURED.as_secs_f64();
        let aim = match (call, hosts.len(), at_once) {
            (Call::Create, 1, AT_ONCE) => {
                figure("create on a server/16 at once", MEASURED / u32::try_from(times.len()).expect("few"));
                "at least 2,500 a second"
            }
            _ => "",
        };
        let at = |percent| percentile(times.clone(), percent).as_micros();
        println!("| {name} | {} | {at_once} | {a_second:.0} | {} µs | {} µs | {aim} |", hosts.len(), at(50), at(99));
    }
}
