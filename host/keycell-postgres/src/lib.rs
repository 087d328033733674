//! PostgreSQL storage for keycell.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod connections;
mod error;
mod passwords;
mod tls;
mod url;

use self::connections::Connections;
pub use self::{error::PostgresError, url::PostgresUrl};

/// A PostgreSQL database that can be reached.
pub struct PostgresStorage {
    connections: Connections,
}

impl PostgresStorage {
    /// Connects to a database.
    ///
    /// # Errors
    ///
    /// The database cannot be reached, or refuses the role.
    pub async fn connect(url: &PostgresUrl) -> Result<Self, PostgresError> {
        let connections = Connections::new(url)?;
        connections.query("SELECT 1", &[]).await?;
        Ok(Self { connections })
    }

    /// The number of statements that were sent to the database.
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        self.connections.round_trips()
    }
}
