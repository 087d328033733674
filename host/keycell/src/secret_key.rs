//! A key in the host's memory.

use std::fmt;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// An API key. It is shown by [`expose`](SecretKey::expose) and in JSON, not by `{:?}`.
///
/// The memory is overwritten when the value is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(Zeroizing<String>);

impl SecretKey {
    /// The text of the key.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretKey {
    fn from(key: String) -> Self {
        Self(Zeroizing::new(key))
    }
}

impl From<&str> for SecretKey {
    fn from(key: &str) -> Self {
        key.to_owned().into()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl Serialize for SecretKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}
