//! The cache over a storage whose answers the test holds back, and a clock that the test moves.

mod link;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use keycell::{Action, EventRecord, KeyRecord, Storage, StorageError};
use tokio::time::{sleep, timeout};

use self::link::{Link, Network};
use super::LeasedCache;

/// The feed is read every five milliseconds of real time, however the clock of the test goes.
const LEASE: Duration = Duration::from_millis(20);

struct Host {
    cache: LeasedCache<Link>,
    network: Arc<Network>,
    clock: Arc<AtomicU64>,
}

fn key(n: u32) -> KeyRecord {
    let mut key = KeyRecord::default();
    key.id = format!("id {n}");
    key.lookup = format!("lookup {n}");
    key
}

fn event(n: u32) -> EventRecord {
    let mut event = EventRecord::new(Action::Revoked);
    event.id = n.to_string();
    event
}

impl Host {
    /// A host with a lease and the cached record 1.
    async fn new() -> Self {
        let (network, clock) = (Arc::new(Network::default()), Arc::new(AtomicU64::new(1_000)));
        let now = Arc::clone(&clock);
        let clock_of_leases = Arc::new(move || Duration::from_millis(now.load(Ordering::Relaxed)));
        let cache = LeasedCache::with_clock(Link::new(Arc::clone(&network)), LEASE, clock_of_leases);
        let host = Self { cache, network, clock };
        host.cache.insert_key(key(1), event(0), None).await.unwrap();
        host.read_feed().await;
        host.find(1).await.unwrap();
        host
    }

    fn pass(&self, time: Duration) {
        self.clock.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// Waits until the feed was read from beginning to end.
    async fn read_feed(&self) {
        self.network.next_read_of_feed().await;
        sleep(Duration::from_millis(1)).await;
    }

    /// The revision of a record.
    async fn find(&self, n: u32) -> Result<Option<u32>, StorageError> {
        Ok(self.cache.find_key_by_lookup(&key(n).lookup).await?.map(|key| key.revision))
    }

    /// Whether a record comes without a call of the storage.
    async fn has_cached(&self, n: u32) -> bool {
        let before = self.network.finds();
        self.find(n).await.unwrap();
        self.network.finds() == before
    }
}

#[tokio::test]
async fn a_cached_record_needs_no_call_of_the_storage() {
    let host = Host::new().await;
    let before = host.cache.cache_counts().unwrap();
    for _ in 0..1_000 {
        assert!(host.has_cached(1).await);
    }
    assert!(!host.has_cached(2).await && host.has_cached(2).await, "an unknown lookup is kept, too");
    let after = host.cache.cache_counts().unwrap();
    assert_eq!((after.hits - before.hits, after.misses - before.misses), (1_001, 1));
}

#[tokio::test]
async fn a_change_by_another_host_is_seen_when_the_feed_is_read() {
    let host = Host::new().await;
    host.network.database.update_key(key(1), event(1)).await.unwrap();
    host.read_feed().await;
    assert_eq!(host.find(1).await.unwrap(), Some(1));
}

#[tokio::test]
async fn without_the_feed_records_are_used_until_the_lease_ends_and_then_read() {
    let host = Host::new().await;
    host.network.cut_feed(true);
    host.network.database.update_key(key(1), event(1)).await.unwrap();
    host.pass(LEASE - Duration::from_millis(1));
    assert_eq!(host.find(1).await.unwrap(), Some(0));
    host.pass(Duration::from_millis(1));
    assert_eq!(host.find(1).await.unwrap(), Some(1));
    host.network.cut(true);
    assert!(matches!(host.find(1).await, Err(StorageError::Unavailable(_))));
    host.network.cut(false);
    host.network.cut_feed(false);
    host.read_feed().await;
    host.read_feed().await;
    host.find(1).await.unwrap();
    assert!(host.has_cached(1).await);
}

#[tokio::test]
async fn the_lease_is_measured_from_before_the_read_of_the_feed() {
    let host = Host::new().await;
    host.network.hold_feed().await;
    host.pass(LEASE * 10);
    host.network.release_feed();
    sleep(Duration::from_millis(2)).await;
    assert!(!host.has_cached(1).await, "the read began ten leases ago");
    host.read_feed().await;
    assert!(host.has_cached(1).await);
}

#[tokio::test]
async fn a_change_by_this_host_is_seen_at_once() {
    let host = Host::new().await;
    host.network.cut_feed(true);
    host.cache.update_key(key(1), event(1)).await.unwrap();
    assert_eq!(host.find(1).await.unwrap(), Some(1));

    let mut minted = key(1);
    (minted.revision, minted.lookup) = (1, key(2).lookup);
    assert_eq!(host.find(2).await.unwrap(), None);
    host.cache.replace_secret(minted.clone(), event(2)).await.unwrap();
    assert_eq!((host.find(1).await.unwrap(), host.find(2).await.unwrap()), (None, Some(2)));

    assert_eq!(host.find(3).await.unwrap(), None);
    minted.revision = 2;
    host.cache.rotate_key(minted, event(3), key(3), event(4)).await.unwrap();
    assert_eq!((host.find(2).await.unwrap(), host.find(3).await.unwrap()), (Some(3), Some(0)));

    assert_eq!(host.find(4).await.unwrap(), None);
    host.cache.insert_key(key(4), event(5), None).await.unwrap();
    assert_eq!(host.find(4).await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_change_that_this_host_has_read_is_seen_at_once() {
    let host = Host::new().await;
    host.network.cut_feed(true);
    host.network.database.update_key(key(1), event(1)).await.unwrap();
    assert_eq!(host.find(1).await.unwrap(), Some(0));
    // As to revoke a key that is revoked already: nothing is written.
    host.cache.find_key(&key(1).id, "").await.unwrap();
    assert_eq!(host.find(1).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_change_of_which_the_outcome_is_unknown_is_seen_at_once() {
    let host = Host::new().await;
    host.network.cut_feed(true);
    // The database commits, and its answer is lost.
    host.network.lose_answers(true);
    assert!(matches!(host.cache.update_key(key(1), event(1)).await, Err(StorageError::Unavailable(_))));
    host.network.lose_answers(false);
    assert_eq!(host.find(1).await.unwrap(), Some(1));

    // The caller goes away before the answer.
    host.network.delay_answers(true);
    let mut changed = key(1);
    changed.revision = 1;
    let write = host.cache.update_key(changed, event(2));
    assert!(timeout(Duration::from_millis(5), write).await.is_err());
    host.network.delay_answers(false);
    assert_eq!(host.find(1).await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_read_that_is_overtaken_by_a_change_is_not_kept() {
    let host = Host::new().await;
    host.cache.insert_key(key(2), event(1), None).await.unwrap();
    // The storage has read the record, and the answer is on its way.
    host.network.delay_answers(true);
    let read = host.find(2);
    tokio::pin!(read);
    assert!(timeout(Duration::from_millis(5), &mut read).await.is_err());
    host.network.database.update_key(key(2), event(2)).await.unwrap();
    host.read_feed().await;
    host.network.delay_answers(false);
    assert_eq!(read.await.unwrap(), Some(0));
    assert_eq!(host.find(2).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_use_is_in_a_cached_record() {
    let host = Host::new().await;
    host.cache.record_use(&key(1).id, 7);
    assert!(host.has_cached(1).await);
    let found = host.cache.find_key_by_lookup(&key(1).lookup).await.unwrap().unwrap();
    assert_eq!(found.last_used_at, Some(7));
}

#[tokio::test]
async fn the_feed_is_read_only_while_the_cache_lives() {
    let host = Host::new().await;
    let network = Arc::clone(&host.network);
    drop(host);
    sleep(LEASE).await;
    let reads = network.feed_reads();
    sleep(LEASE * 3).await;
    assert_eq!(network.feed_reads(), reads);
}
