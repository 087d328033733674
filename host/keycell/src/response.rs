//! The component's responses, parsed into types of the host.

use keycell_component::{
    id::ApiKeyId,
    time::{self, Time},
};
use serde::{Serialize, Serializer};

/// A response of the component that breaks the contract.
#[derive(Debug, thiserror::Error)]
#[error("the component returned an invalid response in `{0}`")]
pub struct InvalidResponse(pub &'static str);

/// A type that is parsed from a response of the component.
pub trait Response: Sized {
    /// The type that the component returns.
    type Guest;

    /// Parses the response.
    fn parse(response: Self::Guest) -> Result<Self, InvalidResponse>;
}

pub fn id(field: &'static str, text: &str) -> Result<ApiKeyId, InvalidResponse> {
    ApiKeyId::parse(text).ok().filter(|id| id.to_string() == text).ok_or(InvalidResponse(field))
}

pub fn optional_id(field: &'static str, text: Option<String>) -> Result<Option<ApiKeyId>, InvalidResponse> {
    text.map(|text| id(field, &text)).transpose()
}

pub fn time(field: &'static str, text: &str) -> Result<Time, InvalidResponse> {
    let time = time::parse(text).ok().and_then(Time::from_millis);
    time.filter(|time| time.to_rfc3339() == text).ok_or(InvalidResponse(field))
}

pub fn optional_time(field: &'static str, text: Option<String>) -> Result<Option<Time>, InvalidResponse> {
    text.map(|text| time(field, &text)).transpose()
}

pub fn as_id<S: Serializer>(id: &ApiKeyId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

pub fn as_optional_id<S: Serializer>(id: &Option<ApiKeyId>, serializer: S) -> Result<S::Ok, S::Error> {
    id.map(|id| id.to_string()).serialize(serializer)
}

pub fn as_time<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339())
}

pub fn as_optional_time<S: Serializer>(time: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(Time::to_rfc3339).serialize(serializer)
}
