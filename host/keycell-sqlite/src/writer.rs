//! The connection that writes, with group commit.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::{error::SqliteError, health::Health, maintenance::Maintenance, schema};

type Result<T> = std::result::Result<T, SqliteError>;

/// The maximum number of writes in one commit.
const MAX_GROUP: usize = 256;

/// The writer thread and its connection. Concurrent writes share one transaction and one sync.
pub struct Writer {
    /// `None` only during the drop.
    writes: Option<mpsc::Sender<Box<dyn Write>>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// A write in the queue.
trait Write: Send {
    /// Makes the change, in a savepoint of the group's transaction.
    fn run(&mut self, connection: &Connection) -> Result<()>;

    /// Reports the result, after the commit.
    fn finish(self: Box<Self>, result: Result<()>);
}

struct Change<T, F> {
    change: Option<F>,
    value: Option<T>,
    done: oneshot::Sender<Result<T>>,
}

impl Writer {
    /// Starts the thread, which also does the maintenance: between writes, and when it ends.
    pub fn spawn(connection: Connection, health: Arc<Health>, maintenance: Maintenance) -> Result<Self> {
        let (writes, waiting) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("keycell-writer".into())
            .spawn(move || run(connection, &waiting, &health, maintenance))?;
        Ok(Self { writes: Some(writes), thread: Some(thread) })
    }

    /// Makes a change. It is durable when this returns `Ok`, and undone when it returns an error.
    pub async fn write<T, F>(&self, change: F) -> Result<T>
    where
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (done, is_done) = oneshot::channel();
        let write = Box::new(Change { change: Some(change), value: None, done });
        let writes = self.writes.as_ref().ok_or(SqliteError::Closed)?;
        writes.send(write).map_err(|_| SqliteError::Closed)?;
        is_done.await.map_err(|_| SqliteError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread completes the queue and ends when the channel closes.
        drop(self.writes.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl<T, F> Write for Change<T, F>
where
    F: FnOnce(&Connection) -> Result<T> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> Result<()> {
        let change = self.change.take().ok_or(SqliteError::Closed)?;
        self.value = Some(change(connection)?);
        Ok(())
    }

    fn finish(self: Box<Self>, result: Result<()>) {
        let Self { value, done, .. } = *self;
        // The caller may have been dropped.
        let _ = done.send(result.and_then(|()| value.ok_or(SqliteError::Closed)));
    }
}

fn run(
    mut connection: Connection,
    waiting: &mpsc::Receiver<Box<dyn Write>>,
    health: &Health,
    mut maintenance: Maintenance,
) {
    loop {
        match waiting.recv_timeout(maintenance.next().saturating_duration_since(Instant::now())) {
            Ok(first) => write_group(&mut connection, first, waiting, health),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        // Maintenance must run even if a write is always waiting.
        if Instant::now() >= maintenance.next() {
            maintenance.run(&mut connection);
        }
    }
    maintenance.finish(&mut connection);
}

/// Commits the first write and those queued behind it, and reports their results.
fn write_group(
    connection: &mut Connection,
    first: Box<dyn Write>,
    waiting: &mpsc::Receiver<Box<dyn Write>>,
    health: &Health,
) {
    let mut group: Vec<_> = std::iter::once(first).chain(waiting.try_iter().take(MAX_GROUP - 1)).collect();
    let committed = health.require().and_then(|()| commit(connection, &mut group));
    // A write to a replaced file would be lost.
    let committed = committed.and_then(|results| health.file().check().map(|()| results));
    let results = committed.unwrap_or_else(|error| group.iter().map(|_| Err(error.clone())).collect());
    for (write, result) in group.into_iter().zip(results) {
        write.finish(result);
    }
}

/// Makes all writes in one transaction. Only a failed write is rolled back.
fn commit(connection: &mut Connection, group: &mut [Box<dyn Write>]) -> Result<Vec<Result<()>>> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    schema::check_version(&transaction)?;
    let mut results = Vec::with_capacity(group.len());
    for write in group {
        let savepoint = transaction.savepoint()?;
        let result = write.run(&savepoint);
        match result {
            Ok(()) => savepoint.commit()?,
            // SQLite has rolled back the whole transaction, for example because the disk is full.
            Err(error) if savepoint.is_autocommit() => return Err(error),
            Err(_) => savepoint.finish()?,
        }
        results.push(result);
    }
    transaction.commit()?;
    Ok(results)
}
