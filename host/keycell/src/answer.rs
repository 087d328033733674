//! What the component answers, made sense of.

use keycell_component::{
    id::ApiKeyId,
    time::{self, Time},
};
use serde::{Serialize, Serializer};

/// An answer of the component that breaks the contract.
#[derive(Debug, thiserror::Error)]
#[error("the component answered nonsense in `{0}`")]
pub struct Nonsense(pub &'static str);

/// A typed answer, read from the component's.
pub trait Answer: Sized {
    /// As the component gives it.
    type Guest;

    /// Reads it; what breaks the contract is nonsense.
    fn read(answer: Self::Guest) -> Result<Self, Nonsense>;
}

pub fn id(field: &'static str, text: &str) -> Result<ApiKeyId, Nonsense> {
    ApiKeyId::parse(text).ok().filter(|id| id.to_text() == text).ok_or(Nonsense(field))
}

pub fn time(field: &'static str, text: &str) -> Result<Time, Nonsense> {
    let time = time::parse(text).ok().and_then(Time::from_millis);
    time.filter(|time| time.to_text() == text).ok_or(Nonsense(field))
}

pub fn optional_time(field: &'static str, text: Option<String>) -> Result<Option<Time>, Nonsense> {
    text.map(|text| time(field, &text)).transpose()
}

/// What is text in JSON.
pub trait ToText {
    fn text(&self) -> String;
}

impl ToText for ApiKeyId {
    fn text(&self) -> String {
        self.to_text()
    }
}

impl ToText for Time {
    fn text(&self) -> String {
        self.to_text()
    }
}

pub fn as_text<S: Serializer>(value: &impl ToText, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.text())
}

pub fn as_optional_text<S: Serializer>(value: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(Time::to_text).serialize(serializer)
}
