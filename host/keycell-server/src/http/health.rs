//! Whether the server lives, and whether it can do its work.

use std::{error::Error, sync::Arc};

use axum::{extract::State, http::StatusCode};
use keycell::{Keycell, SqliteStorage, Storage};

/// It answers.
pub async fn is_alive() -> &'static str {
    "ok\n"
}

/// Storage answers, too.
pub async fn is_ready(State(keycell): State<Arc<Keycell<SqliteStorage>>>) -> Result<&'static str, StatusCode> {
    match keycell.storage().find_key("").await {
        Ok(_) => Ok("ok\n"),
        Err(error) => {
            tracing::warn!(cause = error.source().map(tracing::field::display), "storage does not answer: {error}");
            Err(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}
