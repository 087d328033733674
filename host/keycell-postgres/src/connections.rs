//! Connections to the database, and statements with their retries.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use crate::{
    error::{PostgresError, ends_connection},
    tls,
    url::PostgresUrl,
};

type Result<T> = std::result::Result<T, PostgresError>;

/// The time of a call with its retries: less than the five seconds after which many clients give up.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);
/// The maximum pause before the first retry. It doubles with each retry.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const MAX_PAUSE: Duration = Duration::from_millis(200);
/// The maximum number of attempts of a statement that conflicts with other transactions.
const MAX_TRIES: u32 = 24;

/// A parameter of a statement and its type. Unnamed statements must carry the types of their
/// parameters.
pub type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// A pool of connections.
pub struct Connections {
    pool: Pool,
    round_trips: AtomicU64,
}

impl Connections {
    /// A pool that has no connection yet.
    pub fn new(url: &PostgresUrl) -> Result<Self> {
        let tls = tls::connector(url)?;
        // A statement that finds its connection closed costs less than a round trip before each.
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(url.with_password()?, tls, config);
        let pool = Pool::builder(manager)
            .max_size(url.connections)
            .runtime(Runtime::Tokio1)
            .create_timeout(url.attempt_timeout)
            .build()
            .map_err(|_| PostgresError::Closed)?;
        Ok(Self { pool, round_trips: AtomicU64::new(0) })
    }

    /// The number of statements that were sent.
    pub fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }

    /// A connection, for migrations.
    pub async fn connection(&self) -> Result<Object> {
        self.get(Instant::now() + CALL_TIMEOUT).await
    }

    /// Runs a statement that returns rows.
    pub async fn query(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>> {
        let deadline = Instant::now() + CALL_TIMEOUT;
        let mut pause = FIRST_PAUSE;
        for _ in 0..MAX_TRIES {
            match self.try_query(sql, parameters, deadline).await {
                Err(PostgresError::Busy) => {}
                result => return result,
            }
            if Instant::now() + pause >= deadline {
                break;
            }
            sleep(jitter(pause)).await;
            pause = MAX_PAUSE.min(pause * 2);
        }
        Err(PostgresError::Busy)
    }

    /// Runs a statement that returns one row at most.
    pub async fn query_optional(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Option<Row>> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }

    /// Runs a statement that writes. Returns `Conflict` unless it returns `rows` rows.
    ///
    /// Each statement that writes is a transaction of its own: it takes effect completely or not at
    /// all.
    pub async fn write(&self, sql: &str, parameters: &[Parameter<'_>], rows: usize) -> Result<()> {
        if self.query(sql, parameters).await?.len() == rows { Ok(()) } else { Err(PostgresError::Conflict) }
    }

    async fn try_query(&self, sql: &str, parameters: &[Parameter<'_>], deadline: Instant) -> Result<Vec<Row>> {
        let connection = self.get(deadline).await?;
        self.round_trips.fetch_add(1, Ordering::Relaxed);
        match timeout_at(deadline, connection.query_typed(sql, parameters)).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => {
                if ends_connection(&error) {
                    drop(Object::take(connection));
                }
                Err(error.into())
            }
            Err(_) => {
                // The response may still arrive on this connection.
                drop(Object::take(connection));
                Err(PostgresError::Timeout)
            }
        }
    }

    async fn get(&self, deadline: Instant) -> Result<Object> {
        loop {
            match timeout_at(deadline, self.pool.get()).await {
                Ok(Ok(connection)) => return Ok(connection),
                // One of several servers hangs. The next attempt takes them in another order.
                Ok(Err(PoolError::Timeout(TimeoutType::Create))) => {}
                Ok(Err(PoolError::Backend(error))) => return Err(error.into()),
                Ok(Err(PoolError::Closed)) => return Err(PostgresError::Closed),
                Ok(Err(_)) | Err(_) => return Err(PostgresError::Timeout),
            }
        }
    }
}

/// A random part of a pause, so that transactions that conflicted do not conflict again.
fn jitter(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without random bytes the pause is the longest.
    let part = getrandom::fill(&mut byte).map_or(255, |()| u32::from(byte[0]));
    pause * (part + 1) / 256
}
