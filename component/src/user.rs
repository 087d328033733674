//! User ids.

use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

use crate::{
    argument,
    fault::{self, Fault},
    key,
};

const MAX_BYTES: usize = 255;

/// The id of a user: 1 to 255 bytes without control characters and without a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserId(String);

impl UserId {
    /// Parses a user id. The text is not normalised: ids are compared byte by byte.
    ///
    /// # Errors
    ///
    /// All faults: the text is empty, is too long, has control characters, or contains the form of
    /// a key.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        if argument::is_too_long(text) {
            return Err(vec![Fault::UserIdTooLong]);
        }
        fault::check(&[
            (text.is_empty(), Fault::Empty),
            (text.len() > MAX_BYTES, Fault::UserIdTooLong),
            (text.chars().any(char::is_control), Fault::ForbiddenCharacter),
            (key::holds_form_of_key(text), Fault::HoldsKey),
        ])?;
        Ok(Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, Vec<Fault>> {
        UserId::parse(text).map(UserId::into_text)
    }

    #[test]
    fn a_user_id_is_kept_as_it_is() {
        for id in ["a", " Ann ", "e\u{301}", &"u".repeat(255)] {
            assert_eq!(parsed(id).unwrap(), id);
            assert_eq!(UserId::parse(id).unwrap().as_str(), id);
        }
    }

    #[test]
    fn a_user_id_has_1_to_255_bytes() {
        assert_eq!(parsed(""), Err(vec![Fault::Empty]));
        assert_eq!(parsed(&"u".repeat(256)), Err(vec![Fault::UserIdTooLong]));
        assert_eq!(parsed(&"é".repeat(128)), Err(vec![Fault::UserIdTooLong]));
    }

    #[test]
    fn a_user_id_holds_neither_control_characters_nor_a_key() {
        let mistyped = "akw_0123456789AB_00000000000000000000000000000000000000000004TsezE";
        assert_eq!(parsed("a\u{85}b"), Err(vec![Fault::ForbiddenCharacter]));
        assert_eq!(parsed(&format!("a\n{mistyped}")), Err(vec![Fault::ForbiddenCharacter, Fault::HoldsKey]));
    }
}
