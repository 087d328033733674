//! Background work of the writer: storing uses, marking expired keys and deleting expired requests.
//! It runs in chunks, and waiting writes run between two chunks.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use keycell::PendingUses;
use rusqlite::{Connection, TransactionBehavior};

use crate::{
    RETRY_INTERVAL, error::SqliteError, file, health::Health, keys, now, pressure::Pressure, readers::Readers,
    requests, schema,
};

type Result<T> = std::result::Result<T, SqliteError>;

/// The time between two rounds. Each round detects a replaced file.
const ROUND_INTERVAL: Duration = Duration::from_secs(2);
/// The number of rows in a chunk, which then takes about as long as one write.
const CHUNK: usize = 64;
/// The maximum when the map of uses is nearly full.
const LARGE_CHUNK: usize = 256;
/// The maximum at the end of the process, when no write waits.
const FINAL_CHUNK: usize = 1024;
/// The pause after a chunk, as a multiple of the chunk's time.
const PAUSE_FACTOR: u32 = 9;
/// The time after which a chunk of a backlog of expired rows ends. A write that waits for it waits
/// a little longer than for another write.
const BACKLOG_CHUNK_TIME: Duration = Duration::from_millis(8);
/// The pause after a chunk of a backlog, which leaves half of the time to writes.
const BACKLOG_PAUSE_FACTOR: u32 = 1;
/// The maximum number of chunks of each task at the end of the process.
const MAX_FINAL_CHUNKS: usize = 4;

/// Background work of the writer.
pub struct Maintenance {
    health: Arc<Health>,
    readers: Readers,
    uses: Arc<PendingUses>,
    uses_interval: Duration,
    next: Instant,
    next_round: Instant,
    next_uses: Instant,
    /// The remaining tasks of this round; the last one is next.
    tasks: Vec<Task>,
    /// The id up to which this pass has stored uses.
    last_stored: Option<String>,
    /// Stored uses that are still in memory, for reads that began before the commit.
    stored: Vec<(String, i64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    StoreUses,
    SweepExpired,
    DeleteRequests,
}

/// The progress of a task after a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    More,
    Finished,
}

impl Maintenance {
    /// Creates background work that stores uses at this interval.
    pub fn new(health: Arc<Health>, readers: Readers, uses: Arc<PendingUses>, uses_interval: Duration) -> Self {
        let now = Instant::now();
        Self {
            health,
            readers,
            uses,
            uses_interval,
            next: now + ROUND_INTERVAL.min(uses_interval),
            next_round: now + ROUND_INTERVAL,
            next_uses: now + uses_interval,
            tasks: Vec::new(),
            last_stored: None,
            stored: Vec::new(),
        }
    }

    /// Returns the time of the next chunk.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Runs one chunk.
    pub fn run(&mut self, connection: &mut Connection) {
        let began = Instant::now();
        self.uses.remove(&std::mem::take(&mut self.stored));
        if began >= self.next_round {
            self.begin_round(connection, began);
        }
        let pressure = Pressure::of(&self.uses);
        if began >= self.next_uses || pressure > Pressure::Low {
            self.next_uses = began + self.uses_interval;
            self.add(Task::StoreUses);
        }
        let mut pause_factor = PAUSE_FACTOR;
        if let Some(&task) = self.tasks.last() {
            match self.health.require().map(|()| self.try_chunk(connection, task)) {
                Ok(Progress::More) if task != Task::StoreUses => pause_factor = BACKLOG_PAUSE_FACTOR,
                Ok(Progress::More) => {}
                Ok(Progress::Finished) | Err(_) => {
                    self.tasks.pop();
                }
            }
        }
        let now = Instant::now();
        let pause = if pressure == Pressure::Full { RETRY_INTERVAL } else { (now - began) * pause_factor };
        let idle_until = self.next_round.min(self.next_uses);
        self.next = if self.tasks.is_empty() { idle_until } else { now + pause.max(RETRY_INTERVAL) };
    }

    /// Stores all uses and handles some expired rows, because a process may end before its first round.
    pub fn finish(&mut self, connection: &mut Connection) {
        if self.health.file().check().is_err() {
            return;
        }
        self.uses.remove(&std::mem::take(&mut self.stored));
        self.last_stored = None;
        loop {
            match self.chunk(connection, Task::StoreUses, FINAL_CHUNK) {
                Ok(Progress::More) => {}
                Ok(Progress::Finished) => break,
                Err(error) => {
                    tracing::warn!("the last uses of keys are lost: {error}");
                    return;
                }
            }
        }
        for task in [Task::SweepExpired, Task::DeleteRequests] {
            for _ in 0..MAX_FINAL_CHUNKS {
                let chunk = |connection: &mut Connection| self.chunk(connection, task, FINAL_CHUNK);
                if !matches!(file::without_waiting(connection, chunk), Ok(Progress::More)) {
                    break;
                }
            }
        }
    }

    fn begin_round(&mut self, connection: &Connection, now: Instant) {
        self.next_round = now + ROUND_INTERVAL;
        self.health.check(connection);
        self.readers.close_idle();
        self.add(Task::DeleteRequests);
        self.add(Task::SweepExpired);
    }

    fn add(&mut self, task: Task) {
        if !self.tasks.contains(&task) {
            self.tasks.push(task);
        }
    }

    /// Runs a chunk, unless another process holds the lock. A failed task waits for its next round.
    fn try_chunk(&mut self, connection: &mut Connection, task: Task) -> Progress {
        let len = if Pressure::of(&self.uses) == Pressure::Full { LARGE_CHUNK } else { CHUNK };
        let result = file::without_waiting(connection, |connection| self.chunk(connection, task, len));
        match result {
            Ok(progress) => progress,
            // Other processes have more urgent writes.
            Err(SqliteError::Busy) => Progress::More,
            Err(error) => {
                tracing::warn!(?task, "background work on the database failed and will be tried again: {error}");
                Progress::Finished
            }
        }
    }

    fn chunk(&mut self, connection: &mut Connection, task: Task, len: usize) -> Result<Progress> {
        type HasRows = fn(&Connection, i64) -> Result<bool>;
        type Change = fn(&Connection, i64, usize) -> Result<usize>;
        let (has_rows, change): (HasRows, Change) = match task {
            Task::StoreUses => return self.store_uses(connection, len),
            Task::SweepExpired => (keys::needs_sweep, keys::sweep),
            Task::DeleteRequests => (requests::has_expired, requests::delete_expired),
        };
        let now = now().millis();
        write(connection, |c| has_rows(c, now), |c| change(c, now, len), len, BACKLOG_CHUNK_TIME)
    }

    fn store_uses(&mut self, connection: &mut Connection, len: usize) -> Result<Progress> {
        let chunk = self.uses.chunk(self.last_stored.as_deref(), len);
        let Some((last, _)) = chunk.last() else {
            self.last_stored = None;
            return Ok(Progress::Finished);
        };
        let last = last.clone();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        schema::check_version(&transaction)?;
        for (id, at) in &chunk {
            keys::record_use(&transaction, id, *at)?;
        }
        transaction.commit()?;
        self.last_stored = Some(last);
        self.stored.extend(chunk);
        Ok(Progress::More)
    }
}

/// Changes `len` rows at a time until this time has passed. Checks for rows first, without the lock.
fn write(
    connection: &mut Connection,
    has_rows: impl Fn(&Connection) -> Result<bool>,
    change: impl Fn(&Connection) -> Result<usize>,
    len: usize,
    time: Duration,
) -> Result<Progress> {
    if !has_rows(connection)? {
        return Ok(Progress::Finished);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    schema::check_version(&transaction)?;
    let began = Instant::now();
    let progress = loop {
        if change(&transaction)? < len {
            break Progress::Finished;
        }
        if began.elapsed() >= time {
            break Progress::More;
        }
    };
    transaction.commit()?;
    Ok(progress)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteOptions;

    /// Makes a chunk of a backlog of 1,000 rows. Returns the progress and the rest of the backlog.
    fn chunk_of_backlog(time: Duration) -> (Progress, usize) {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let rest = std::cell::Cell::new(1000);
        let change = |_: &Connection| {
            let changed = rest.get().min(CHUNK);
            rest.set(rest.get() - changed);
            Ok(changed)
        };
        let progress = write(&mut connection, |_| Ok(true), change, CHUNK, time).unwrap();
        (progress, rest.get())
    }

    #[test]
    fn uses_are_stored_in_chunks_with_pauses_between_them() {
        let directory = tempfile::tempdir().unwrap();
        let opened = SqliteOptions::default().connect(&directory.path().join("keycell.db")).unwrap();
        let (mut connection, health) = (opened.connection, Arc::new(Health::new(opened.file)));
        let uses = Arc::new(PendingUses::default());
        for n in 0..1000 {
            assert!(uses.record(&n.to_string(), 1));
        }
        let readers = Readers::new(Arc::clone(&health));
        let mut maintenance = Maintenance::new(health, readers, uses, Duration::ZERO);
        for _ in 0..2 {
            maintenance.run(&mut connection);
            assert_eq!(maintenance.stored.len(), CHUNK);
            assert!(maintenance.next() > Instant::now(), "no pause");
        }
    }

    #[test]
    fn a_chunk_of_a_backlog_ends_with_its_time() {
        assert_eq!(chunk_of_backlog(Duration::ZERO), (Progress::More, 1000 - CHUNK));
        assert_eq!(chunk_of_backlog(Duration::MAX), (Progress::Finished, 0));
    }
}
