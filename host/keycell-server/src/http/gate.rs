//! Calls as the bearer of a key: one place for authentication, limits on wrong keys and errors.

use std::{net::IpAddr, sync::Arc};

use axum::response::Response;
use keycell::{AnyStorage, Caller, Error, Keycell, SecretKey};

use super::{
    authentication::{invalid_key, lacks_scope, public_part},
    metrics::Metrics,
    problem,
    wrong_keys::{Attempt, WrongKeys},
};
use crate::outcome::Outcome;

/// The authority with its limits and metrics, for the routes.
pub struct Gate {
    pub keycell: Arc<Keycell<AnyStorage>>,
    pub wrong_keys: WrongKeys,
    pub metrics: Arc<Metrics>,
}

impl Gate {
    /// Creates a gate to this authority.
    pub fn new(keycell: Arc<Keycell<AnyStorage>>, metrics: Arc<Metrics>) -> Self {
        Self { keycell, wrong_keys: WrongKeys::default(), metrics }
    }

    /// Calls the component as the bearer of a key.
    pub async fn call<T>(
        &self,
        client: IpAddr,
        key: SecretKey,
        call: impl AsyncFnOnce(&Keycell<AnyStorage>, &Caller) -> Result<T, Error>,
    ) -> Result<T, Response> {
        let attempt = self.wrong_keys.begin(client, key.expose()).await;
        let timer = self.metrics.call();
        let result = call(&self.keycell, &Caller::bearer(key.clone())).await;
        drop(timer);
        self.conclude(attempt, &key, Outcome::from(&result))?;
        result.map_err(|error| problem::of(&error))
    }

    /// Ends an attempt. Returns a response if the key is not valid or lacks a scope.
    pub fn conclude(&self, attempt: Attempt<'_>, key: &SecretKey, outcome: Outcome) -> Result<(), Response> {
        match outcome {
            Outcome::Valid | Outcome::LacksScope(_) => attempt.succeeded(),
            Outcome::Invalid => {
                let retry_after = attempt.failed();
                self.metrics.wrong_key(retry_after.is_some());
                return Err(invalid_key(retry_after));
            }
            Outcome::Unknown(error) => {
                self.metrics.failure(&error);
                attempt.undecided();
                return Ok(());
            }
        }
        tracing::Span::current().record("key_prefix", public_part(key.expose()));
        match outcome {
            Outcome::LacksScope(scope) => Err(lacks_scope(&scope)),
            _ => Ok(()),
        }
    }
}
