//! A database in memory, at the end of a link that fails and delays as the test says.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use keycell::{
    ChangeFeed, Changes, EventFilter, EventRecord, IdempotentRequest, KeyFilter, KeyRecord, KeyWithRole, MemoryStorage,
    ProjectReference, ProjectWithRole, Storage, StorageError,
};
use tokio::sync::watch;

/// The database, and the state of the link to it.
#[derive(Default)]
pub struct Network {
    pub database: MemoryStorage,
    is_cut: AtomicBool,
    is_feed_cut: AtomicBool,
    loses_answers: AtomicBool,
    delays_answers: watch::Sender<bool>,
    holds_feed: watch::Sender<bool>,
    finds: AtomicUsize,
    /// The reads of the feed that have begun.
    feed_reads: watch::Sender<usize>,
}

impl Network {
    /// Makes every call fail.
    pub fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }

    /// Makes reads of the feed fail.
    pub fn cut_feed(&self, is_cut: bool) {
        self.is_feed_cut.store(is_cut, Ordering::Relaxed);
    }

    /// Makes writes fail after they are stored.
    pub fn lose_answers(&self, loses: bool) {
        self.loses_answers.store(loses, Ordering::Relaxed);
    }

    /// Holds the results of reads and writes back.
    pub fn delay_answers(&self, delays: bool) {
        self.delays_answers.send_replace(delays);
    }

    /// Holds the next read of the feed back, after the database has answered.
    pub async fn hold_feed(&self) {
        self.holds_feed.send_replace(true);
        self.next_read_of_feed().await;
    }

    pub fn release_feed(&self) {
        self.holds_feed.send_replace(false);
    }

    /// Waits until a read of the feed begins.
    pub async fn next_read_of_feed(&self) {
        let before = self.feed_reads();
        self.feed_reads.subscribe().wait_for(|reads| *reads > before).await.unwrap();
    }

    /// The number of lookups that reached the database.
    pub fn finds(&self) -> usize {
        self.finds.load(Ordering::Relaxed)
    }

    pub fn feed_reads(&self) -> usize {
        *self.feed_reads.borrow()
    }

    fn check(&self, is_cut: &AtomicBool) -> Result<(), StorageError> {
        let fails = is_cut.load(Ordering::Relaxed) || self.is_cut.load(Ordering::Relaxed);
        if fails { Err(StorageError::Unavailable("the test cuts the link".into())) } else { Ok(()) }
    }

    async fn answered<T>(&self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        self.delays_answers.subscribe().wait_for(|delays| !delays).await.unwrap();
        self.check(&self.loses_answers)?;
        result
    }
}

/// The storage of a host.
pub struct Link(Arc<Network>);

impl Link {
    pub fn new(network: Arc<Network>) -> Self {
        Self(network)
    }
}

impl ChangeFeed for Link {
    type Position = usize;

    async fn read_changes(&self, after: Option<&usize>) -> Result<(usize, Changes), StorageError> {
        self.0.feed_reads.send_modify(|reads| *reads += 1);
        self.0.check(&self.0.is_feed_cut)?;
        let result = self.0.database.read_changes(after).await;
        self.0.holds_feed.subscribe().wait_for(|holds| !holds).await.unwrap();
        result
    }
}

impl Storage for Link {
    async fn insert_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        request: Option<IdempotentRequest>,
    ) -> Result<(), StorageError> {
        self.0.answered(self.0.database.insert_key(key, event, request).await).await
    }

    async fn find_key(&self, id: &str, viewer: &str) -> Result<Option<KeyWithRole>, StorageError> {
        self.0.database.find_key(id, viewer).await
    }

    async fn find_key_by_lookup(&self, lookup: &str) -> Result<Option<KeyRecord>, StorageError> {
        self.0.finds.fetch_add(1, Ordering::Relaxed);
        self.0.answered(self.0.database.find_key_by_lookup(lookup).await).await
    }

    async fn find_request(
        &self,
        user_id: &str,
        idempotency_key: &str,
        now: i64,
    ) -> Result<Option<IdempotentRequest>, StorageError> {
        self.0.database.find_request(user_id, idempotency_key, now).await
    }

    async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<KeyRecord>, StorageError> {
        self.0.database.list_keys(filter).await
    }

    async fn list_events(&self, filter: EventFilter) -> Result<Vec<EventRecord>, StorageError> {
        self.0.database.list_events(filter).await
    }

    async fn update_key(&self, key: KeyRecord, event: EventRecord) -> Result<(), StorageError> {
        self.0.answered(self.0.database.update_key(key, event).await).await
    }

    async fn rotate_key(
        &self,
        key: KeyRecord,
        event: EventRecord,
        replacement: KeyRecord,
        replacement_event: EventRecord,
    ) -> Result<(), StorageError> {
        self.0.answered(self.0.database.rotate_key(key, event, replacement, replacement_event).await).await
    }

    async fn replace_secret(&self, key: KeyRecord, event: EventRecord) -> Result<(), StorageError> {
        self.0.answered(self.0.database.replace_secret(key, event).await).await
    }

    fn record_use(&self, id: &str, at: i64) {
        self.0.database.record_use(id, at);
    }

    async fn find_project(
        &self,
        reference: &ProjectReference,
        user_id: &str,
    ) -> Result<Option<ProjectWithRole>, StorageError> {
        self.0.database.find_project(reference, user_id).await
    }
}
