//! What the issuer sets.

use std::time::Duration;

use keycell_component::{key::Prefix, scopes::Scope};

use crate::bindings::keycell::api_keys::context;

/// What the issuer sets for all keys.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What keys begin with.
    pub prefix: Prefix,
    /// The scopes that a new key gets, as far as its maker holds them.
    pub default_scopes: Vec<Scope>,
    /// The longest life of a key, to the millisecond; `None`: unlimited.
    pub longest_life: Option<Duration>,
}

impl From<&Policy> for context::Policy {
    fn from(policy: &Policy) -> Self {
        Self {
            prefix: policy.prefix.as_str().to_owned(),
            longest_life: policy.longest_life.map(|life| i64::try_from(life.as_millis()).unwrap_or(i64::MAX)),
            default_scopes: policy.default_scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        }
    }
}
