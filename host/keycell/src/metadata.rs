//! The issuer's metadata of a key.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::response::InvalidResponse;

/// The issuer's metadata of a key: a JSON object as compact text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata(String);

impl Metadata {
    /// The compact text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn parse(text: Option<String>) -> Result<Option<Self>, InvalidResponse> {
        let is_object = |text: &str| text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok();
        match text {
            Some(text) if !is_object(&text) => Err(InvalidResponse("metadata")),
            text => Ok(text.map(Self)),
        }
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}
