//! The authenticated caller of a call.

use crate::{arguments::cut, bindings::keycell::api_keys::context, secret_key::SecretKey};

/// The authenticated caller of a call.
///
/// The component takes it from the host, never from an argument. It authenticates a
/// [`bearer`](Caller::bearer) itself; a [`user`](Caller::user) must have been authenticated by the
/// embedding program.
#[derive(Clone, Debug)]
pub struct Caller(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Host,
    User { id: String, is_operator: bool, scopes: Vec<String> },
    Bearer(SecretKey),
}

impl Caller {
    /// The embedding program itself. It may verify presented keys and do nothing else.
    #[must_use]
    pub fn host() -> Self {
        Self(Kind::Host)
    }

    /// A user that the embedding program has authenticated, and who may grant no scopes yet.
    ///
    /// Calls fail with [`Error::Internal`](crate::Error::Internal) unless the id has 1 to 255 bytes
    /// and holds neither control characters nor the form of a key.
    #[must_use]
    pub fn user(id: impl Into<String>) -> Self {
        Self(Kind::User { id: id.into(), is_operator: false, scopes: Vec::new() })
    }

    /// The holder of this key. The component authenticates it in each call.
    #[must_use]
    pub fn bearer(key: impl Into<SecretKey>) -> Self {
        Self(Kind::Bearer(key.into()))
    }

    /// Sets the scopes that a user may grant. A bearer's scopes are those of its key.
    #[must_use]
    pub fn with_scopes<T: Into<String>>(mut self, granted: impl IntoIterator<Item = T>) -> Self {
        if let Kind::User { scopes, .. } = &mut self.0 {
            *scopes = granted.into_iter().map(Into::into).collect();
        }
        self
    }

    /// Makes a user an operator, who may see and change every key.
    #[must_use]
    pub fn as_operator(mut self) -> Self {
        if let Kind::User { is_operator, .. } = &mut self.0 {
            *is_operator = true;
        }
        self
    }

    /// The id of a user; `None` for the host and for a bearer.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        match &self.0 {
            Kind::User { id, .. } => Some(id),
            Kind::Host | Kind::Bearer(_) => None,
        }
    }

    pub(crate) fn is_host(&self) -> bool {
        matches!(self.0, Kind::Host)
    }
}

impl From<&Caller> for context::Caller {
    fn from(caller: &Caller) -> Self {
        match &caller.0 {
            Kind::Host => Self::Host,
            Kind::User { id, is_operator, scopes } => {
                Self::User(context::User { id: id.clone(), operator: *is_operator, scopes: scopes.clone() })
            }
            Kind::Bearer(key) => Self::Bearer(cut(key.expose()).to_owned()),
        }
    }
}
