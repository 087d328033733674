//! When keys were last used: kept here, and stored together once in a while.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;

use super::{error::SqliteError, rows};
use crate::storage::KeyRecord;

/// The newest use of each key, in milliseconds since 1970.
type Newest = HashMap<String, i64>;

/// The uses that are not stored yet.
#[derive(Default)]
pub struct Uses {
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    newest: Newest,
    /// Those that are being stored: not the newest for sure, and not to be read from the file yet.
    /// Shared, so that nobody who verifies a key waits while they are written.
    storing: Arc<Newest>,
}

impl Uses {
    /// Notes a use.
    pub fn note(&self, id: &str, at: i64) {
        note(&mut self.noted().newest, id, at);
    }

    /// Adds what is not stored yet to a record that was read.
    pub fn complete(&self, mut key: KeyRecord) -> KeyRecord {
        let noted = self.noted();
        for uses in [&noted.newest, &*noted.storing] {
            key.last_used_at = key.last_used_at.max(uses.get(&key.id).copied());
        }
        key
    }

    /// Stores the uses in one transaction. What can't be stored now is kept for the next time.
    pub fn store(&self, connection: &mut Connection) -> Result<(), SqliteError> {
        let storing = {
            let mut noted = self.noted();
            noted.storing = Arc::new(std::mem::take(&mut noted.newest));
            Arc::clone(&noted.storing)
        };
        let result = store(connection, &storing);
        let mut noted = self.noted();
        if result.is_err() {
            storing.iter().for_each(|(id, at)| note(&mut noted.newest, id, *at));
        }
        noted.storing = Arc::default();
        result
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(newest: &mut Newest, id: &str, at: i64) {
    match newest.get_mut(id) {
        Some(known) => *known = at.max(*known),
        None => {
            newest.insert(id.to_owned(), at);
        }
    }
}

fn store(connection: &mut Connection, uses: &Newest) -> Result<(), SqliteError> {
    if uses.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for (id, at) in uses {
        rows::record_use(&transaction, id, *at)?;
    }
    Ok(transaction.commit()?)
}
