//! Delayed answers, which slow down clients that send too many wrong keys.
//!
//! The connection counts as idle during the delay, so it makes room for others. The layer stands
//! outside of the limit on requests, so the delay does not count there either.

use std::{sync::Arc, time::Duration};

use axum::{Extension, extract::Request, middleware::Next, response::Response};
use tokio::time::sleep;

use super::slots::Activity;

/// The delay of an answer, as an extension of the response.
#[derive(Clone, Copy)]
pub struct Delay(pub Duration);

/// Delays answers that have a [`Delay`].
pub async fn apply(Extension(activity): Extension<Arc<Activity>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if let Some(Delay(delay)) = response.extensions().get() {
        let _pause = activity.pause();
        sleep(*delay).await;
    }
    response
}
