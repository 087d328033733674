//! The one connection that writes.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::{error::SqliteError, uses::Uses};

/// The most writes that one commit makes durable.
const LARGEST_GROUP: usize = 256;

/// What one write does inside its group's transaction.
type Change = Box<dyn FnOnce(&Connection) -> Result<(), SqliteError> + Send>;

struct Write {
    change: Change,
    done: oneshot::Sender<Result<(), SqliteError>>,
}

/// A thread that commits all the writes that wait for it together, so that they share one sync
/// of the disk.
pub struct Writer {
    /// `None` only while it is being dropped.
    writes: Option<mpsc::Sender<Write>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Gives the connection to a thread of its own, which stores the uses as often as it is told,
    /// and when it ends.
    pub fn spawn(connection: Connection, uses: Arc<Uses>, store_uses_every: Duration) -> Result<Self, SqliteError> {
        let (writes, waiting) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("keycell-writer".into())
            .spawn(move || run(connection, &waiting, &uses, store_uses_every))?;
        Ok(Self { writes: Some(writes), thread: Some(thread) })
    }

    /// Makes a change. It is durable when this returns `Ok`, and undone when it returns an error.
    pub async fn write(
        &self,
        change: impl FnOnce(&Connection) -> Result<(), SqliteError> + Send + 'static,
    ) -> Result<(), SqliteError> {
        let (done, is_done) = oneshot::channel();
        let write = Write { change: Box::new(change), done };
        let writes = self.writes.as_ref().ok_or(SqliteError::Closed)?;
        writes.send(write).map_err(|_| SqliteError::Closed)?;
        is_done.await.map_err(|_| SqliteError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread writes what still waits, and ends with the channel.
        drop(self.writes.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut connection: Connection, waiting: &mpsc::Receiver<Write>, uses: &Uses, store_uses_every: Duration) {
    let mut next_storing = Instant::now() + store_uses_every;
    loop {
        match waiting.recv_timeout(next_storing.saturating_duration_since(Instant::now())) {
            Ok(first) => write_group(&mut connection, first, waiting),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        // Also when there is always something to write.
        if Instant::now() >= next_storing {
            store(uses, &mut connection);
            next_storing = Instant::now() + store_uses_every;
        }
    }
    store(uses, &mut connection);
}

fn store(uses: &Uses, connection: &mut Connection) {
    if let Err(error) = uses.store(connection) {
        tracing::warn!("the last uses of keys are not stored yet: {error}");
    }
}

/// Writes the first and all that wait behind it, and tells each writer how it went.
fn write_group(connection: &mut Connection, first: Write, waiting: &mpsc::Receiver<Write>) {
    let group = std::iter::once(first).chain(waiting.try_iter().take(LARGEST_GROUP - 1));
    let (changes, waiters): (Vec<_>, Vec<_>) = group.map(|write| (write.change, write.done)).unzip();
    let results = commit(connection, changes).unwrap_or_else(|error| {
        // None of the group was written.
        waiters.iter().map(|_| Err(error.clone())).collect()
    });
    for (waiter, result) in waiters.into_iter().zip(results) {
        // A waiter that has gone away has nobody to tell.
        let _ = waiter.send(result);
    }
}

/// Makes all the changes in one transaction. A change that fails is undone alone.
fn commit(connection: &mut Connection, changes: Vec<Change>) -> Result<Vec<Result<(), SqliteError>>, SqliteError> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut results = Vec::with_capacity(changes.len());
    for change in changes {
        let savepoint = transaction.savepoint()?;
        let result = change(&savepoint);
        match result {
            Ok(()) => savepoint.commit()?,
            // SQLite has undone the whole transaction, as it does when the disk is full.
            Err(error) if savepoint.is_autocommit() => return Err(error),
            Err(_) => savepoint.finish()?,
        }
        results.push(result);
    }
    transaction.commit()?;
    Ok(results)
}
