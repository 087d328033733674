//! When keys were last used: kept here, and stored together once in a while.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;

use super::{error::SqliteError, rows};
use crate::storage::KeyRecord;

/// The newest use of each key that is not stored yet, in milliseconds since 1970.
#[derive(Default)]
pub struct Uses {
    newest: Mutex<HashMap<String, i64>>,
}

impl Uses {
    /// Notes a use.
    pub fn note(&self, id: &str, at: i64) {
        let mut newest = self.newest();
        match newest.get_mut(id) {
            Some(known) => *known = at.max(*known),
            None => {
                newest.insert(id.to_owned(), at);
            }
        }
    }

    /// Adds what is not stored yet to a record that was read.
    pub fn complete(&self, mut key: KeyRecord) -> KeyRecord {
        key.last_used_at = key.last_used_at.max(self.newest().get(&key.id).copied());
        key
    }

    /// Stores the uses in one transaction. What can't be stored now is kept for the next time.
    pub fn store(&self, connection: &mut Connection) -> Result<(), SqliteError> {
        let noted = self.newest().clone();
        if noted.is_empty() {
            return Ok(());
        }
        let transaction = connection.transaction()?;
        for (id, at) in &noted {
            rows::record_use(&transaction, id, *at)?;
        }
        transaction.commit()?;
        self.newest().retain(|id, at| noted.get(id) != Some(at));
        Ok(())
    }

    fn newest(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
