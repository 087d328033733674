//! The key: `<prefix>_<lookup>_<secret><checksum>`.

use alloc::{borrow::ToOwned, string::String};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::base62;

const LOOKUP: usize = 12;
const SECRET: usize = 43;
const CHECKSUM: usize = 6;
const PREFIX_MIN: usize = 2;
const PREFIX_MAX: usize = 10;
/// The length of a key without its prefix: `_`, the lookup, `_`, the secret and the checksum.
const TAIL: usize = 1 + LOOKUP + 1 + SECRET + CHECKSUM;
/// The length, without the prefix, of the beginning of a key that names must not contain.
const PARTIAL_TAIL: usize = 1 + LOOKUP + 1 + 32;

/// The issuer's prefix: `[a-z][a-z0-9]{1,9}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Parses a prefix; `None` if the text is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_prefix(text.as_bytes()).then(|| Self(text.to_owned()))
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("keycell".to_owned())
    }
}

/// The SHA-256 of a whole key (FIPS 180-4), which is stored in place of the key.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether the stored hash is equal, compared in constant time.
    #[must_use]
    pub fn matches(&self, stored: &[u8]) -> bool {
        self.0.ct_eq(stored).into()
    }
}

/// A well-formed key with a right checksum.
pub struct Key {
    text: String,
    lookup: String,
}

impl Key {
    /// Makes a new key; `random` fills its argument with random bytes.
    #[must_use]
    pub fn mint(prefix: &Prefix, random: &mut impl FnMut(&mut [u8])) -> Self {
        let mut lookup = [0; LOOKUP];
        let mut secret = [0; SECRET];
        let mut digits = base62::RandomDigits::new(random);
        digits.fill(&mut lookup);
        digits.fill(&mut secret);

        let lookup = ascii(&lookup);
        let mut text = key_prefix(&prefix.0, &lookup);
        text.push('_');
        text.push_str(&ascii(&secret));
        text.push_str(&ascii(&checksum(text.as_bytes())));
        Self { text, lookup }
    }

    /// Parses a presented key; `None` if its form or its checksum is wrong.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !has_form(bytes) || !has_right_checksum(bytes) {
            return None;
        }
        let lookup = ascii(bytes.split(|&byte| byte == b'_').nth(1)?);
        Some(Self { text: text.to_owned(), lookup })
    }

    /// The key as text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// The public part by which storage finds the key.
    #[must_use]
    pub fn lookup(&self) -> &str {
        &self.lookup
    }

    /// The hash that is stored in place of the key.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.text.as_bytes()).into())
    }
}

/// Formats `<prefix>_<lookup>`, the public beginning of a key. It holds no bit of the secret.
#[must_use]
pub fn key_prefix(prefix: &str, lookup: &str) -> String {
    let mut text = String::with_capacity(prefix.len() + TAIL);
    text.push_str(prefix);
    text.push('_');
    text.push_str(lookup);
    text
}

/// Whether the whole text has the form of a key, with any checksum: a mistyped secret is still a
/// secret.
#[must_use]
pub fn looks_like_key(text: &str) -> bool {
    has_form(text.as_bytes())
}

/// Whether the text contains a key with a right checksum.
#[must_use]
pub fn holds_key(text: &str) -> bool {
    holds(text.as_bytes(), TAIL, |candidate| has_form(candidate) && has_right_checksum(candidate))
}

/// Whether the text contains the form of a key, with any checksum.
#[must_use]
pub fn holds_form_of_key(text: &str) -> bool {
    holds(text.as_bytes(), TAIL, has_form)
}

/// Whether the text contains the beginning of the form of a key: the prefix, the lookup and 32 or
/// more characters of the secret. A whole key has that beginning, too.
#[must_use]
pub fn holds_part_of_key(text: &str) -> bool {
    holds(text.as_bytes(), PARTIAL_TAIL, |candidate| has_form_with_tail(candidate, PARTIAL_TAIL))
}

/// Whether a part of the text passes `is_key`. The candidates consist of a prefix's number of
/// bytes, and of `tail` bytes that begin with an underscore.
fn holds(bytes: &[u8], tail: usize, is_key: fn(&[u8]) -> bool) -> bool {
    let underscores = bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'_').map(|(at, _)| at);
    underscores.into_iter().any(|at| {
        // The prefix has no fixed length, and the characters before it may look like a part of it.
        (PREFIX_MIN..=PREFIX_MAX).any(|prefix_len| {
            let candidate = at.checked_sub(prefix_len).and_then(|start| bytes.get(start..at + tail));
            candidate.is_some_and(is_key)
        })
    })
}

/// The CRC-32/ISO-HDLC of `body` as six base62 digits.
fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    base62::six_digits(crc32_iso_hdlc(body))
}

fn crc32_iso_hdlc(bytes: &[u8]) -> u32 {
    const REVERSED_POLYNOMIAL: u32 = 0xEDB8_8320;
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (REVERSED_POLYNOMIAL & (crc & 1).wrapping_neg()))
    })
}

fn is_prefix(bytes: &[u8]) -> bool {
    (PREFIX_MIN..=PREFIX_MAX).contains(&bytes.len())
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn has_form(bytes: &[u8]) -> bool {
    has_form_with_tail(bytes, TAIL)
}

/// Whether these are a prefix and `tail` bytes of a lookup and a secret.
fn has_form_with_tail(bytes: &[u8], tail: usize) -> bool {
    let parts = bytes.len().checked_sub(tail).and_then(|prefix_len| bytes.split_at_checked(prefix_len));
    parts.is_some_and(|(prefix, tail)| {
        let is_in_form = |(at, &byte)| if at == 0 || at == 1 + LOOKUP { byte == b'_' } else { base62::is_digit(byte) };
        is_prefix(prefix) && tail.iter().enumerate().all(is_in_form)
    })
}

fn has_right_checksum(key: &[u8]) -> bool {
    key.split_last_chunk::<CHECKSUM>().is_some_and(|(body, presented)| checksum(body).ct_eq(presented).into())
}

fn ascii(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTOR: &str = "akw_0123456789AB_00000000000000000000000000000000000000000004TsezD";

    fn counter() -> impl FnMut(&mut [u8]) {
        let mut next = 0u8;
        move |bytes| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
        }
    }

    #[test]
    fn the_crc_has_its_published_check_value() {
        assert_eq!(crc32_iso_hdlc(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn the_known_answer_is_parsed() {
        let key = Key::parse(VECTOR).unwrap();
        assert_eq!(key.lookup(), "0123456789AB");
        assert_eq!(key_prefix("akw", key.lookup()), "akw_0123456789AB");
    }

    #[test]
    fn a_minted_key_is_parsed() {
        let prefix = Prefix::parse("akw").unwrap();
        let minted = Key::mint(&prefix, &mut counter());
        let (lookup, hash) = (minted.lookup().to_owned(), minted.hash());
        let text = minted.into_text();
        assert_eq!(text.len(), 3 + TAIL);
        assert!(text.starts_with("akw_0123456789AB_CDEF"));
        let read = Key::parse(&text).unwrap();
        assert_eq!(read.lookup(), lookup);
        assert!(read.hash().matches(hash.as_bytes()));
    }

    #[test]
    fn one_changed_character_is_refused() {
        for at in 0..VECTOR.len() {
            let mut changed = VECTOR.as_bytes().to_vec();
            changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
            assert!(Key::parse(core::str::from_utf8(&changed).unwrap()).is_none(), "at {at}");
        }
    }

    #[test]
    fn a_prefix_has_two_to_ten_characters_and_begins_with_a_letter() {
        for good in ["ab", "a0", "abcdefghij", "keycell"] {
            assert!(Prefix::parse(good).is_some(), "{good}");
        }
        for bad in ["", "a", "abcdefghijk", "0a", "Ab", "a_b", "a-b", "é1"] {
            assert!(Prefix::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_form_of_a_key_is_found_at_each_place_and_with_each_prefix() {
        let tail = &VECTOR[3..];
        // Only the whole of `a012345678` is a prefix: no shorter end of it begins with a letter.
        for prefix in ["ab", "a0", "a012345678", "abcdefghijk", "9ab", "_ab"] {
            assert!(holds_form_of_key(&format!("{prefix}{tail}")), "{prefix}");
            assert!(holds_part_of_key(&format!("{prefix}{tail}")), "{prefix}");
        }
        for prefix in ["", "a", "00", "A", "a-", "0a", "a0123456789"] {
            assert!(!holds_form_of_key(&format!("{prefix}{tail}")), "{prefix}");
            assert!(!holds_part_of_key(&format!("{prefix}{tail}")), "{prefix}");
        }
        assert!(!holds_form_of_key(&VECTOR[..VECTOR.len() - 1]));
    }

    #[test]
    fn the_beginning_of_a_key_is_found_from_32_characters_of_the_secret_on() {
        let beginning = &VECTOR[..3 + PARTIAL_TAIL];
        assert_eq!(beginning, "akw_0123456789AB_00000000000000000000000000000000");
        for text in [beginning, VECTOR, &format!("ci {beginning}…"), &format!("x_{beginning}_y")] {
            assert!(holds_part_of_key(text), "{text}");
        }
        for text in ["", "_", "akw_0123456789AB", &beginning[..beginning.len() - 1], &beginning[2..]] {
            assert!(!holds_part_of_key(text), "{text}");
        }
        assert!(!holds_part_of_key(&beginning.replace("AB_", "A_B")));
        assert!(!holds_part_of_key(&VECTOR.replace("AB_000", "AB_0-0")));
        assert!(!holds_key(beginning) && !holds_form_of_key(beginning));
    }

    #[test]
    fn a_key_is_found_in_a_text() {
        for text in [VECTOR.to_owned(), format!("my {VECTOR}."), format!("x{VECTOR}x"), format!("é_{VECTOR}")] {
            assert!(holds_key(&text), "{text}");
        }
        let wrong = VECTOR.replace("4Tsez", "4Tsey");
        assert!(!holds_key(&wrong));
        assert!(holds_form_of_key(&format!("--key={wrong}")));
        assert!(!holds_form_of_key("keycell_0123456789AB"));
        assert!(looks_like_key(&wrong));
        for text in ["", "_", "akw_0123456789AB", &VECTOR[1..VECTOR.len() - 1]] {
            assert!(!holds_key(text), "{text}");
        }
    }
}
