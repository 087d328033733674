//! Validation of JSON from clients: one document, no duplicate members, bounded depth.
//!
//! Parsers choose different ones of two duplicate members. A document that passes this check has
//! the same meaning for all parsers.

use std::{collections::HashSet, fmt};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The reason why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON, or is nested too deeply.
    #[error("the message is not JSON, or is nested too deep")]
    Syntax,
    /// An object has a duplicate member.
    #[error("an object in the message has a member twice")]
    DuplicateMember,
}

/// Checks a text. The maximum depth is that of `serde_json`, 127.
pub fn check(text: &[u8]) -> Result<(), JsonError> {
    match serde_json::from_slice::<Unique>(text) {
        Ok(Unique) => Ok(()),
        Err(error) if error.is_data() => Err(JsonError::DuplicateMember),
        Err(_) => Err(JsonError::Syntax),
    }
}

/// A value whose objects have no duplicate members.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
        while items.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unique, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("duplicate member"));
            }
            members.next_value::<Unique>()?;
        }
        Ok(Unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_taken_and_what_is_ambiguous_is_refused() {
        for text in ["{}", "[]", "null", "7", "-1.5e3", r#""a""#, r#"{"a":{"b":[1,true,null]},"b":{"a":1}}"#] {
            assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
        }
        for text in ["", "{", "{bad", "\u{feff}{}", "{} {}", "1e999", r#""\ud800""#, "[1,]"] {
            assert_eq!(check(text.as_bytes()), Err(JsonError::Syntax), "{text}");
        }
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"b":2,"a":[]}}]"#, r#"{"a":1,"\u0061":2}"#] {
            assert_eq!(check(text.as_bytes()), Err(JsonError::DuplicateMember), "{text}");
        }
        assert_eq!(check(b"\"\xff\""), Err(JsonError::Syntax));
        assert_eq!(check(("[".repeat(1000) + &"]".repeat(1000)).as_bytes()), Err(JsonError::Syntax));
        assert_eq!(check(("[".repeat(100) + &"]".repeat(100)).as_bytes()), Ok(()));
    }
}
