//! Delayed responses, which slow down clients that send too many wrong keys.
//!
//! During the delay, the connection counts as idle and can be closed for another one. The layer is
//! outside of the limit on requests, so a delayed response does not count there.

use std::{sync::Arc, time::Duration};

use axum::{Extension, extract::Request, middleware::Next, response::Response};
use tokio::time::sleep;

use super::slots::Activity;

/// The delay of a response, as its extension.
#[derive(Clone, Copy)]
pub struct Delay(pub Duration);

/// Delays responses that have a [`Delay`].
pub async fn apply(Extension(activity): Extension<Arc<Activity>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if let Some(Delay(delay)) = response.extensions().get() {
        let _pause = activity.pause();
        sleep(*delay).await;
    }
    response
}
