//! Names of keys, and other texts that people read.

use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

use crate::{
    argument,
    fault::{self, Fault},
    key, nfc,
};

/// The maximum number of characters that NFC composes into one. A text of more than this many times
/// the limit is too long in any form, so it is refused without being normalised.
const MAX_COMPOSED: usize = 4;

const MAX_NAME: usize = 100;
const MAX_REASON: usize = 200;

/// A text for people: NFC (UAX #15), without outer white space, of 1 to `MAX` Unicode scalar values,
/// one of which is visible, without forbidden characters and without a key or the beginning of one.
#[derive(Debug, PartialEq, Eq)]
pub struct Text<const MAX: usize>(String);

/// The name of a key.
pub type KeyName = Text<MAX_NAME>;

/// The reason of a revocation.
pub type RevocationReason = Text<MAX_REASON>;

impl<const MAX: usize> Text<MAX> {
    /// Parses a text.
    ///
    /// # Errors
    ///
    /// All faults: the text is empty or too long, has a forbidden character or no visible one, or
    /// contains the beginning of a key.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        parse(text, MAX).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

/// The part of [`Text::parse`] that does not depend on the type, so that it is compiled once.
fn parse(text: &str, max: usize) -> Result<String, Vec<Fault>> {
    let too_long = if max == MAX_NAME { Fault::NameTooLong } else { Fault::ReasonTooLong };
    if argument::is_too_long(text) {
        return Err(vec![too_long]);
    }
    let text = text.trim();
    let is_too_long_in_any_form = text.chars().nth(max * MAX_COMPOSED).is_some();
    let normal = if is_too_long_in_any_form { text.to_owned() } else { nfc::nfc(text) };
    let text = normal.trim();
    let has_forbidden = text.chars().any(is_forbidden);
    fault::check(&[
        (text.is_empty(), Fault::Empty),
        (text.chars().nth(max).is_some(), too_long),
        (has_forbidden, Fault::ForbiddenCharacter),
        (!text.is_empty() && !has_forbidden && !text.chars().any(is_visible), Fault::NotVisible),
        (key::holds_part_of_key(text), Fault::HoldsKey),
    ])?;
    Ok(text.to_owned())
}

/// Whether a character is forbidden: control characters, and characters that are invisible or
/// change how others are displayed. ZWJ and ZWNJ are allowed, because words of many languages need
/// them.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{2028}' | '\u{2029}'                                       // line, paragraph
            | '\u{061C}' | '\u{200E}' | '\u{200F}'                        // bidi marks
            | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'           // bidi overrides
            | '\u{200B}' | '\u{2060}' | '\u{FEFF}'                        // zero-width
            | '\u{E0000}'..='\u{E007F}') // tags
}

/// Whether a character is visible: neither white space nor `Default_Ignorable_Code_Point` (Unicode
/// 17) nor one of the few others that are displayed as blank. Combining marks are visible.
fn is_visible(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}'
            | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}'         // Hangul fillers
            | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{2800}'                                                // blank Braille pattern
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFF0}'..='\u{FFFB}'                                   // with interlinear annotation
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}'                   // null notehead, musical formatting
            | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<String, Vec<Fault>> {
        KeyName::parse(text).map(KeyName::into_text)
    }

    #[test]
    fn a_name_is_trimmed_and_normalised() {
        assert_eq!(name(" \t\u{3000}Cafe\u{301} bar\n").unwrap(), "Café bar");
    }

    #[test]
    fn scalars_are_counted_after_nfc() {
        assert_eq!(name(&"e\u{301}".repeat(100)).unwrap(), "é".repeat(100));
        assert_eq!(name(&"𝄞".repeat(101)), Err(vec![Fault::NameTooLong]));
        assert_eq!(name(" \u{2028} "), Err(vec![Fault::Empty]));
    }

    #[test]
    fn a_hundred_characters_may_come_as_four_hundred() {
        assert_eq!(name(&"\u{3b1}\u{313}\u{300}\u{345}".repeat(100)).unwrap(), "\u{1f82}".repeat(100));
        assert_eq!(name(&"\u{3b1}\u{313}\u{300}\u{345}".repeat(101)), Err(vec![Fault::NameTooLong]));
    }

    #[test]
    fn joiners_stay_and_other_invisible_characters_are_refused() {
        assert!(name("a\u{200D}b\u{200C}c").is_ok());
        for c in "\0\u{1b}\u{7f}\u{85}\u{2028}\u{2029}\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{200b}\u{2060}\u{feff}".chars() {
            assert_eq!(name(&format!("a{c}b")), Err(vec![Fault::ForbiddenCharacter]), "{c:?}");
        }
    }

    #[test]
    fn all_faults_are_reported() {
        let faults = name(&format!("\u{1b}{}", "a".repeat(100)));
        assert_eq!(faults, Err(vec![Fault::NameTooLong, Fault::ForbiddenCharacter]));
    }

    #[test]
    fn tag_characters_are_forbidden() {
        for c in ['\u{E0000}', '\u{E0041}', '\u{E007F}'] {
            assert_eq!(name(&format!("a{c}")), Err(vec![Fault::ForbiddenCharacter]), "{c:?}");
            assert_eq!(name(&c.to_string()), Err(vec![Fault::ForbiddenCharacter]), "{c:?}");
        }
        assert!(name("a\u{E0080}").is_ok());
    }

    #[test]
    fn a_name_has_a_visible_character() {
        let invisible = "\u{ad}\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{180f}\u{200c}\u{200d}\u{2061}\u{206f}\
            \u{2800}\u{3164}\u{fe00}\u{fe0f}\u{ffa0}\u{fff0}\u{fffb}\u{1bca0}\u{1bca3}\u{1d159}\u{1d173}\u{1d17a}\
            \u{e0080}\u{e0100}\u{e01ef}\u{e0fff}";
        for c in invisible.chars() {
            assert_eq!(name(&format!("{c} {c}")), Err(vec![Fault::NotVisible]), "{c:?}");
            assert_eq!(name(&format!("{c}a")), Ok(format!("{c}a")));
        }
        for visible in [
            "a",
            ".",
            "\u{301}",
            "\u{ac}",
            "\u{350}",
            "\u{2801}",
            "\u{fffc}",
            "\u{fe10}",
            "가",
            "👩\u{200d}🚀",
            "\u{e1000}",
        ] {
            assert!(name(visible).is_ok(), "{visible:?}");
        }
    }

    #[test]
    fn a_name_holds_no_key_and_no_beginning_of_one() {
        let key = "akw_0123456789AB_00000000000000000000000000000000000000000004TsezD";
        for text in [key, &key[..key.len() - 1], &key[..49], &key.replace("zD", "zE")] {
            assert_eq!(name(&format!("ci {text}")), Err(vec![Fault::HoldsKey]), "{text}");
        }
        assert!(name(&key[..48]).is_ok());
    }

    #[test]
    fn a_reason_has_up_to_200_characters() {
        let reason = |text: &str| RevocationReason::parse(text).map(RevocationReason::into_text);
        assert_eq!(reason(&"a".repeat(200)).unwrap().len(), 200);
        assert_eq!(reason(&"a".repeat(201)), Err(vec![Fault::ReasonTooLong]));
    }
}
