//! Options of a database.

use std::{sync::Arc, time::Duration};

use keycell::PendingUses;

use crate::{
    PostgresStorage,
    connections::Connections,
    error::PostgresError,
    maintenance::Maintenance,
    schema::{self, Contents},
    url::PostgresUrl,
};

/// The default interval at which the last uses of keys are stored.
const USES_INTERVAL: Duration = Duration::from_secs(10);

/// Options of a [`PostgresStorage`].
#[derive(Clone, Debug)]
#[must_use]
pub struct PostgresOptions {
    migrate: bool,
    uses_interval: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { migrate: true, uses_interval: USES_INTERVAL }
    }
}

impl PostgresOptions {
    /// Sets whether missing tables are created and older ones migrated. Default: yes.
    pub fn migrate(self, migrate: bool) -> Self {
        Self { migrate, ..self }
    }

    /// Sets the interval at which the last uses of keys are stored. Default: ten seconds. They are
    /// also stored by [`close`](keycell::Storage::close). A crash loses the uses of at most one interval.
    pub fn uses_interval(self, uses_interval: Duration) -> Self {
        Self { uses_interval, ..self }
    }

    /// Connects to a database. Its background work runs in the current runtime of Tokio.
    ///
    /// # Errors
    ///
    /// The database cannot be reached, refuses the role, belongs to another program or a newer
    /// version, or is read-only; or it has no tables of this version and [`migrate`](Self::migrate)
    /// is off.
    pub async fn open(&self, url: &PostgresUrl) -> Result<PostgresStorage, PostgresError> {
        let connections = Arc::new(Connections::new(url)?);
        let is_new = if self.migrate {
            schema::migrate(&connections).await? == Contents::Empty
        } else {
            schema::require_latest(&connections).await?;
            false
        };
        let uses = Arc::new(PendingUses::default());
        let maintenance = Maintenance::spawn(Arc::clone(&connections), Arc::clone(&uses), self.uses_interval);
        Ok(PostgresStorage { connections, uses, maintenance, is_new })
    }
}
