//! Background work: the storing of uses, and the deletion of expired requests and old changes.

use std::{sync::Arc, time::Duration};

use keycell::PendingUses;
use tokio::{
    sync::Mutex,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::{
    connections::Connections,
    error::PostgresError,
    now,
    rows::{number, numbers, texts},
    sql,
};

type Result<T> = std::result::Result<T, PostgresError>;

/// The maximum number of rows in one statement.
const CHUNK: usize = 256;
/// The interval at which rows are deleted.
const DELETE_INTERVAL: Duration = Duration::from_secs(30);
/// The number of changes of each shard that readers can catch up with.
const MAX_CHANGES: i64 = 1_024;

/// Background work of a storage, which ends with it.
pub struct Maintenance {
    work: Arc<Work>,
    tasks: [JoinHandle<()>; 2],
}

struct Work {
    connections: Arc<Connections>,
    uses: Arc<PendingUses>,
    /// Uses that are stored. They are kept in memory for one interval longer, for a read that began
    /// before they were stored.
    stored: Mutex<Vec<(String, i64)>>,
}

impl Maintenance {
    /// Starts the work in the current runtime.
    pub fn spawn(connections: Arc<Connections>, uses: Arc<PendingUses>, uses_interval: Duration) -> Self {
        let work = Arc::new(Work { connections, uses, stored: Mutex::default() });
        let tasks = [
            repeat(Arc::clone(&work), uses_interval, |work| async move { work.store_uses().await }),
            repeat(Arc::clone(&work), DELETE_INTERVAL, |work| async move { work.delete().await }),
        ];
        Self { work, tasks }
    }

    /// Stores all uses and ends.
    pub async fn finish(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Err(error) = self.work.store_uses().await {
            tracing::warn!("the last uses of keys are lost: {error}");
        }
    }
}

/// Repeats work in a task. Work that fails waits for its next turn.
fn repeat<F>(work: Arc<Work>, period: Duration, run: impl Fn(Arc<Work>) -> F + Send + 'static) -> JoinHandle<()>
where
    F: Future<Output = Result<()>> + Send,
{
    tokio::spawn(async move {
        let mut turns = interval(period);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is immediate.
        turns.tick().await;
        loop {
            turns.tick().await;
            if let Err(error) = run(Arc::clone(&work)).await {
                tracing::warn!("background work on the database failed and will be tried again: {error}");
            }
        }
    })
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Work {
    async fn store_uses(&self) -> Result<()> {
        let mut stored = self.stored.lock().await;
        self.uses.remove(&std::mem::take(&mut *stored));
        let mut last: Option<String> = None;
        loop {
            let chunk = self.uses.chunk(last.as_deref(), CHUNK);
            let Some((id, _)) = chunk.last() else {
                return Ok(());
            };
            last = Some(id.clone());
            let (ids, times): (Vec<_>, Vec<_>) = chunk.iter().map(|(id, at)| (id.as_str(), *at)).unzip();
            self.connections.query(sql::RECORD_USES, &[texts(&ids), numbers(&times)]).await?;
            stored.extend(chunk);
        }
    }

    async fn delete(&self) -> Result<()> {
        let (now, limit) = (now().millis(), i64::try_from(CHUNK).unwrap_or(i64::MAX));
        loop {
            let parameters = [number(&now), number(&limit)];
            let deleted = self.connections.query(sql::DELETE_EXPIRED_REQUESTS, &parameters).await?;
            if deleted.len() < CHUNK {
                break;
            }
        }
        self.connections.query(sql::DELETE_OLD_CHANGES, &[number(&MAX_CHANGES)]).await?;
        Ok(())
    }
}
