//! The name of a key, and other texts that people read.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use crate::{
    fault::{self, Fault},
    key, nfc,
};

/// No character is composed of more than this many, so that a text of more than this many times
/// the limit is too long in any form, and need not be normalised to know it.
const MOST_COMPOSED: usize = 4;

/// A text for people: NFC (UAX #15), without outer white space, of 1 to `MAX` Unicode scalar values
/// that a reader can see, and without a key in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Text<const MAX: usize>(String);

/// What people call a key.
pub type KeyName = Text<100>;

/// Why a key was revoked.
pub type RevocationReason = Text<200>;

impl<const MAX: usize> Text<MAX> {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// All that is wrong with it: it is empty, too long, holds a forbidden character, or holds
    /// a key.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        parse(text, MAX).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

/// What all lengths share, compiled once.
fn parse(text: &str, max: usize) -> Result<String, Vec<Fault>> {
    let text = text.trim();
    let is_hopeless = text.chars().nth(max * MOST_COMPOSED).is_some();
    let normal = if is_hopeless { text.to_owned() } else { nfc::nfc(text) };
    let text = normal.trim();
    let faults = fault::all([
        (text.is_empty(), Fault::Empty),
        (text.chars().nth(max).is_some(), Fault::TooLong),
        (text.chars().any(is_forbidden), Fault::ForbiddenCharacter),
        (key::holds_key(text), Fault::HoldsKey),
    ]);
    if faults.is_empty() { Ok(text.to_owned()) } else { Err(faults) }
}

/// Characters that a reader can't see or that change what they see. ZWJ and ZWNJ are not among
/// them: words of many languages need them.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{2028}' | '\u{2029}'                                       // line, paragraph
            | '\u{061C}' | '\u{200E}' | '\u{200F}'                        // bidi marks
            | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'           // bidi overrides
            | '\u{200B}' | '\u{2060}' | '\u{FEFF}') // zero-width
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<String, Vec<Fault>> {
        KeyName::parse(text).map(KeyName::into_text)
    }

    #[test]
    fn outer_white_space_goes_and_nfc_comes() {
        assert_eq!(name(" \t\u{3000}Cafe\u{301} bar\n").unwrap(), "Café bar");
    }

    #[test]
    fn scalars_are_counted_after_nfc() {
        assert_eq!(name(&"e\u{301}".repeat(100)).unwrap(), "é".repeat(100));
        assert_eq!(name(&"𝄞".repeat(101)), Err(vec![Fault::TooLong]));
        assert_eq!(name(" \u{2028} "), Err(vec![Fault::Empty]));
    }

    #[test]
    fn a_hundred_characters_may_come_as_four_hundred() {
        assert_eq!(name(&"\u{3b1}\u{313}\u{300}\u{345}".repeat(100)).unwrap(), "\u{1f82}".repeat(100));
        assert_eq!(name(&"\u{3b1}\u{313}\u{300}\u{345}".repeat(101)), Err(vec![Fault::TooLong]));
    }

    #[test]
    fn joiners_stay_and_other_invisible_characters_are_refused() {
        assert!(name("a\u{200D}b\u{200C}c").is_ok());
        for c in "\0\u{1b}\u{7f}\u{85}\u{2028}\u{2029}\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{200b}\u{2060}\u{feff}".chars() {
            assert_eq!(name(&format!("a{c}b")), Err(vec![Fault::ForbiddenCharacter]), "{c:?}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let faults = name(&format!("\u{1b}{}", "a".repeat(100)));
        assert_eq!(faults, Err(vec![Fault::TooLong, Fault::ForbiddenCharacter]));
    }

    #[test]
    fn a_name_that_holds_a_key_is_refused() {
        let key = "akw_0123456789AB_00000000000000000000000000000000000000000004TsezD";
        assert_eq!(name(&format!("ci {key}")), Err(vec![Fault::HoldsKey]));
    }
}
