//! The limit on concurrent requests of one client.
//!
//! The connections of a trusted proxy are not limited, so this is the limit on each client behind
//! it. Other clients cannot exceed it, because the limit on their connections is the same.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Extension,
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::client_address::{ClientAddress, network};

/// The numbers of concurrent requests, by client.
pub struct RequestLimit {
    max: usize,
    under_way: Mutex<HashMap<IpAddr, usize>>,
}

impl RequestLimit {
    /// Creates a limit of `max` requests for each client.
    pub fn new(max: usize) -> Self {
        Self { max, under_way: Mutex::default() }
    }

    fn begin(&self, client: IpAddr) -> Option<UnderWay<'_>> {
        let client = network(client);
        let mut under_way = self.under_way();
        let requests = under_way.entry(client).or_default();
        if *requests >= self.max {
            return None;
        }
        *requests += 1;
        Some(UnderWay { limit: self, client })
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in progress.
struct UnderWay<'a> {
    limit: &'a RequestLimit,
    client: IpAddr,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut under_way = self.limit.under_way();
        if let Some(requests) = under_way.get_mut(&self.client) {
            *requests -= 1;
            if *requests == 0 {
                under_way.remove(&self.client);
            }
        }
    }
}

/// Refuses a request if its client has too many concurrent ones.
pub async fn apply(
    State(limit): State<Arc<RequestLimit>>,
    Extension(ClientAddress(client)): Extension<ClientAddress>,
    request: Request,
    next: Next,
) -> Response {
    match limit.begin(client) {
        Some(_under_way) => next.run(request).await,
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_limit() {
        let limit = RequestLimit::new(2);
        let [one, other] = [1, 2].map(|n| IpAddr::from([192, 0, 2, n]));
        let first = limit.begin(one).unwrap();
        let _second = limit.begin(one).unwrap();
        assert!(limit.begin(one).is_none() && limit.begin(other).is_some());
        drop(first);
        assert!(limit.begin(one).is_some());
        assert_eq!(limit.under_way().len(), 1);
    }
}
