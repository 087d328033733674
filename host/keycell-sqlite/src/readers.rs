//! Connections that read. In write-ahead mode they do not wait for the writer.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::{error::SqliteError, file, health::Health};

type Result<T> = std::result::Result<T, SqliteError>;

/// The page cache of each connection in KiB. The operating system caches the file as well.
const CACHE_KIB: i32 = 1 << 10;
/// The capacity for prepared statements of each connection. All statements of keycell fit.
const STATEMENTS: usize = 48;
/// The maximum number of idle connections in a pool.
const MAX_IDLE: usize = 8;
/// The time after which an idle connection is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The maximum number of threads that wait for the lock of another process.
const MAX_WAITING: usize = 16;
/// The number of SQLite's steps between two checks for an abandoned read, about 50 µs.
const STEPS_PER_LOOK: i32 = 1000;

/// Connections that read. Lists have their own connections and threads, so they do not delay other
/// reads.
#[derive(Clone)]
pub struct Readers {
    health: Arc<Health>,
    lookups: Arc<Pool>,
    lists: Arc<Pool>,
}

/// Idle connections, and permits for blocking threads.
struct Pool {
    idle: Mutex<Vec<(Instant, Connection)>>,
    permits: Arc<Semaphore>,
}

/// Marks a read as abandoned when it is dropped.
#[derive(Default)]
struct Abandon(Arc<AtomicBool>);

impl Readers {
    pub fn new(health: Arc<Health>) -> Self {
        let list_permits = thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, MAX_IDLE));
        let pool = |permits| Arc::new(Pool { idle: Mutex::default(), permits: Arc::new(Semaphore::new(permits)) });
        Self { health, lookups: pool(MAX_WAITING), lists: pool(list_permits) }
    }

    /// Reads a few rows on the calling thread. This takes microseconds, less than waking another
    /// thread. If another process has locked the file, a blocking thread waits for the lock.
    pub async fn look_up<T, R>(&self, read: R) -> Result<T>
    where
        R: Fn(&Connection) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.health.require()?;
        match self.read(&self.lookups, &read, None) {
            Err(SqliteError::Busy) => self.block(&self.lookups, read).await,
            result => result,
        }
    }

    /// Reads a page of rows on a blocking thread.
    pub async fn list<T, R>(&self, read: R) -> Result<T>
    where
        R: Fn(&Connection) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.health.require()?;
        self.block(&self.lists, read).await
    }

    /// Closes connections that have been idle for too long.
    pub fn close_idle(&self) {
        for pool in [&self.lookups, &self.lists] {
            pool.idle().retain(|(since, _)| since.elapsed() < IDLE_TIMEOUT);
        }
    }

    /// Reads on a blocking thread. When the future is dropped, SQLite interrupts the read.
    async fn block<T, R>(&self, pool: &Arc<Pool>, read: R) -> Result<T>
    where
        R: Fn(&Connection) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let permit = Arc::clone(&pool.permits).acquire_owned().await.map_err(|_| SqliteError::Closed)?;
        let abandon = Abandon::default();
        let (readers, pool, abandoned) = (self.clone(), Arc::clone(pool), Arc::clone(&abandon.0));
        let blocking = tokio::task::spawn_blocking(move || {
            let result = readers.read(&pool, &read, Some(abandoned));
            drop(permit);
            result
        });
        let result = blocking.await.map_err(|_| SqliteError::Closed)?;
        drop(abandon);
        result
    }

    /// Reads on the calling thread, which waits for locks only if the read can be abandoned.
    fn read<T>(
        &self,
        pool: &Pool,
        read: &impl Fn(&Connection) -> Result<T>,
        abandoned: Option<Arc<AtomicBool>>,
    ) -> Result<T> {
        let idle = pool.idle().pop();
        let connection = idle.map_or_else(|| self.open(), |(_, connection)| Ok(connection))?;
        match abandoned {
            None => connection.busy_timeout(Duration::ZERO)?,
            Some(abandoned) => {
                file::wait_for_locks(&connection)?;
                connection.progress_handler(STEPS_PER_LOOK, Some(move || abandoned.load(Ordering::Relaxed)))?;
            }
        }
        // A failed connection is closed.
        let result = read(&connection)?;
        connection.progress_handler(0, None::<fn() -> bool>)?;
        let mut idle = pool.idle();
        if idle.len() < MAX_IDLE {
            idle.push((Instant::now(), connection));
        }
        Ok(result)
    }

    fn open(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.health.file().path(), flags)?;
        self.health.file().check()?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Vec<(Instant, Connection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteStorage;

    /// A query that would run for hours.
    const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

    fn storage() -> (tempfile::TempDir, SqliteStorage) {
        let dir = tempfile::tempdir().unwrap();
        let storage = SqliteStorage::open(dir.path().join("keycell.db")).unwrap();
        (dir, storage)
    }

    fn run(sql: &'static str) -> impl Fn(&Connection) -> Result<i64> + Send + 'static {
        move |connection| Ok(connection.query_row(sql, (), |row| row.get(0))?)
    }

    #[tokio::test]
    async fn an_abandoned_list_is_interrupted_and_gives_its_place_back() {
        let (_dir, storage) = storage();
        // More lists than permits.
        for _ in 0..3 * MAX_IDLE {
            let list = storage.readers.list(run(ENDLESS));
            assert!(tokio::time::timeout(Duration::from_millis(20), list).await.is_err());
        }
        let next = storage.readers.list(run("SELECT 7"));
        assert_eq!(tokio::time::timeout(Duration::from_secs(5), next).await.unwrap().unwrap(), 7);
    }

    #[tokio::test]
    async fn lookups_pass_lists() {
        let (_dir, storage) = storage();
        let lists: Vec<_> = (0..64)
            .map(|_| {
                let readers = storage.readers.clone();
                tokio::spawn(async move { readers.list(run(ENDLESS)).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let began = Instant::now();
        assert_eq!(storage.readers.look_up(run("SELECT 7")).await.unwrap(), 7);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        lists.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn idle_connections_are_bounded_and_closed() {
        let (_dir, storage) = storage();
        storage.readers.look_up(run("SELECT 7")).await.unwrap();
        storage.readers.list(run("SELECT 7")).await.unwrap();
        let idle = |pool: &Arc<Pool>| pool.idle().len();
        assert_eq!((idle(&storage.readers.lookups), idle(&storage.readers.lists)), (1, 1));
        let earlier = Instant::now().checked_sub(IDLE_TIMEOUT).unwrap();
        for pool in [&storage.readers.lookups, &storage.readers.lists] {
            pool.idle().iter_mut().for_each(|(since, _)| *since = earlier);
        }
        storage.readers.close_idle();
        assert_eq!((idle(&storage.readers.lookups), idle(&storage.readers.lists)), (0, 0));
    }
}
