//! Events as rows.

use keycell::EventRecord;
use rusqlite::{Connection, named_params};

use crate::{columns, error::SqliteError};

pub fn insert(connection: &Connection, event: &EventRecord) -> Result<(), SqliteError> {
    connection
        .prepare_cached(
            "INSERT INTO events (id, time, action, key_id, user_id, project_id, actor_user_id, actor_key_id, fields)
             VALUES (:id, :time, :action, :key_id, :user_id, :project_id, :actor_user_id, :actor_key_id, :fields)",
        )?
        .execute(named_params! {
            ":id": event.id,
            ":time": event.time,
            ":action": event.action.as_str(),
            ":key_id": event.key_id,
            ":user_id": event.user_id,
            ":project_id": event.project_id,
            ":actor_user_id": event.actor_user_id,
            ":actor_key_id": event.actor_key_id,
            ":fields": columns::json(&event.fields),
        })?;
    Ok(())
}
