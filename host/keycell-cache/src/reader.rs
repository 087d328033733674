//! The reader of the change feed.

use std::{sync::Arc, time::Duration};

use keycell::ChangeFeed;
use tokio::time::sleep;

use crate::Shared;

/// The reads of the feed in the time of a lease, so that a slow one or a lost one does not end it.
const READS_IN_LEASE: u32 = 4;

/// Follows the feed and extends the lease.
pub async fn follow<S: ChangeFeed>(shared: Arc<Shared<S>>, lease: Duration) {
    let mut position = None;
    let mut is_failing = false;
    loop {
        // The lease is measured from before the query: what the query returns may be as old.
        let began = (shared.clock)();
        match shared.storage.read_changes(position.as_ref()).await {
            Ok((end, changes)) => {
                shared.state().apply(changes, began + lease);
                position = Some(end);
                if std::mem::take(&mut is_failing) {
                    tracing::info!("the change feed is readable again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!("the change feed cannot be read, so records are not cached: {error}");
                }
            }
        }
        sleep(lease / READS_IN_LEASE).await;
    }
}
