//! The leased cache on a database.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use keycell::{Caller, CreateApiKey, Keycell, Storage, Verification};
use keycell_cache::LeasedCache;
use keycell_postgres::PostgresStorage;

use crate::{
    proxy::{Proxy, State},
    server::server,
};

type Host = Keycell<LeasedCache<PostgresStorage>>;

/// A host with its first lease.
async fn host(url: &str, lease: Duration) -> Host {
    let host = Keycell::new(LeasedCache::new(PostgresStorage::open(url).await.unwrap(), lease)).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    host
}

async fn is_valid(host: &Host, key: &str) -> Result<bool, keycell::Error> {
    let verification = host.verify_api_key(&Caller::host(), key, &[]).await?;
    Ok(matches!(verification, Verification::Valid(_)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cached_key_is_verified_without_a_byte_to_the_database() {
    let Some(server) = server() else { return };
    let proxy = Proxy::start(server.port());
    // The feed is read every fifteen seconds.
    let host = host(&proxy.url(&server.database()), Duration::from_secs(60)).await;
    let created = host.create_api_key(&Caller::user("ann"), CreateApiKey::named("k")).await.unwrap();
    let key = created.key.expose();
    assert!(is_valid(&host, key).await.unwrap());

    let (bytes, statements) = (proxy.bytes(), host.storage().storage().round_trips());
    for _ in 0..1_000 {
        assert!(is_valid(&host, key).await.unwrap());
    }
    assert_eq!((proxy.bytes(), host.storage().storage().round_trips()), (bytes, statements));

    // The uses are stored later, in one statement.
    host.storage().storage().close().await;
    assert_eq!(host.storage().storage().round_trips(), statements + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_is_valid_for_one_lease_without_a_database_and_unavailable_after_it() {
    let Some(server) = server() else { return };
    let proxy = Proxy::start(server.port());
    let lease = Duration::from_millis(800);
    let host = host(&proxy.url(&server.database()), lease).await;
    let created = host.create_api_key(&Caller::user("ann"), CreateApiKey::named("k")).await.unwrap();
    let key = created.key.expose();
    assert!(is_valid(&host, key).await.unwrap());

    proxy.set(State::Cut);
    // The last read of the feed began a quarter of the lease ago, at most.
    tokio::time::sleep(lease / 2).await;
    assert!(is_valid(&host, key).await.unwrap());
    tokio::time::sleep(lease / 2).await;
    assert!(matches!(is_valid(&host, key).await, Err(keycell::Error::Unavailable)));
    proxy.set(State::Open);
    assert!(is_valid(&host, key).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hosts_store_uses_in_chunks_and_only_forward() {
    const KEYS: usize = 600;
    let Some(server) = server() else { return };
    let database = server.database();
    let open = async |seconds: u64| {
        let hour = Duration::from_secs(3_600);
        let storage = PostgresStorage::options().uses_interval(hour).open(&database.parse().unwrap()).await.unwrap();
        let cache = LeasedCache::new(storage, hour);
        let clock = move || SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Keycell::builder(cache).clock(Arc::new(clock)).build().unwrap()
    };
    let hosts = [open(3_000).await, open(1_000).await, open(2_000).await];
    let mut keys = Vec::new();
    for n in 0..KEYS {
        keys.push(hosts[1].create_api_key(&Caller::user("ann"), CreateApiKey::named(n.to_string())).await.unwrap());
    }
    for host in &hosts {
        for key in &keys {
            assert!(is_valid(host, key.key.expose()).await.unwrap());
        }
    }
    for host in &hosts {
        let before = host.storage().storage().round_trips();
        host.storage().close().await;
        assert_eq!(host.storage().storage().round_trips() - before, 3, "256 uses in a statement");
        let counts = "SELECT last_used_at, count(*) FROM keycell.api_keys GROUP BY last_used_at";
        assert_eq!(server.run_at(&database, counts), "3000000|600");
    }
}
