//! The issuer's policy.

use std::time::Duration;

use keycell_component::{key::Prefix, scopes::Scope};

use crate::bindings::keycell::api_keys::context;

/// The issuer's policy for every key.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Policy {
    /// The prefix of new keys.
    pub prefix: Prefix,
    /// The scopes of a key that is created without scopes, as far as its creator may grant them.
    pub default_scopes: Vec<Scope>,
    /// The scopes that may be granted; `None`: the default scopes and keycell's own four.
    pub grantable_scopes: Option<Vec<Scope>>,
    /// The longest life of a key, to the millisecond; `None`: unlimited.
    pub longest_life: Option<Duration>,
    /// The life of a key that is created without an expiry; `None`: the longest life.
    pub default_life: Option<Duration>,
}

impl Policy {
    /// Sets the prefix of new keys.
    #[must_use]
    pub fn with_prefix(self, prefix: Prefix) -> Self {
        Self { prefix, ..self }
    }

    /// Sets the scopes of a key that is created without scopes.
    #[must_use]
    pub fn with_default_scopes(self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self { default_scopes: scopes.into_iter().collect(), ..self }
    }

    /// Sets the scopes that may be granted. The default scopes must be among them.
    #[must_use]
    pub fn with_grantable_scopes(self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self { grantable_scopes: Some(scopes.into_iter().collect()), ..self }
    }

    /// Sets the longest life of a key.
    #[must_use]
    pub fn with_longest_life(self, life: Duration) -> Self {
        Self { longest_life: Some(life), ..self }
    }

    /// Sets the life of a key that is created without an expiry.
    #[must_use]
    pub fn with_default_life(self, life: Duration) -> Self {
        Self { default_life: Some(life), ..self }
    }
}

impl From<&Policy> for context::Policy {
    fn from(policy: &Policy) -> Self {
        let texts = |scopes: &[Scope]| scopes.iter().map(|scope| scope.as_str().to_owned()).collect::<Vec<_>>();
        let millis = |life: Duration| i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
        Self {
            prefix: policy.prefix.as_str().to_owned(),
            longest_life: policy.longest_life.map(millis),
            default_life: policy.default_life.map(millis),
            default_scopes: texts(&policy.default_scopes),
            grantable_scopes: policy.grantable_scopes.as_deref().map(texts),
        }
    }
}
