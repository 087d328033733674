//! Values of columns.

use keycell::{Action, Role};
use rusqlite::{Row, types::Type};

/// A JSON array.
pub fn json(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}

/// Reads a JSON array.
pub fn texts(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|error| invalid(column, error))
}

pub fn action(row: &Row<'_>, column: usize) -> rusqlite::Result<Action> {
    Action::parse(row.get_ref(column)?.as_str()?).ok_or_else(|| invalid(column, "not an action"))
}

pub fn role(row: &Row<'_>, column: usize) -> rusqlite::Result<Role> {
    Role::parse(row.get_ref(column)?.as_str()?).ok_or_else(|| invalid(column, "not a role"))
}

pub fn optional_role(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Role>> {
    match row.get_ref(column)?.as_str_or_null()? {
        Some(_) => role(row, column).map(Some),
        None => Ok(None),
    }
}

fn invalid(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
