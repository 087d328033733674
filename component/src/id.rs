//! Ids of keys and events.

use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use uuid::{Uuid, fmt::Hyphenated};

use crate::{argument, fault::Fault, key, time::Time};

/// The id of an API key: a UUID, lowercase and hyphenated (RFC 9562). New ids are version 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiKeyId(Uuid);

impl ApiKeyId {
    /// Makes the id of a key that is created at `now`.
    #[must_use]
    pub fn mint(now: Time, random: &mut impl FnMut(&mut [u8])) -> Self {
        Self(mint_uuid(now, random))
    }

    /// Parses an id, in either case.
    ///
    /// # Errors
    ///
    /// The text is a key, or not a hyphenated UUID.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        match parse_uuid(text) {
            Some(uuid) => Ok(Self(uuid)),
            None if argument::is_too_long(text) => Err(Fault::TooLong),
            None if key::looks_like_key(text.trim()) => Err(Fault::SecretPassedAsId),
            None => Err(Fault::NotAnId),
        }
    }

    /// The id as text. [`ToString`] returns the same, but would add formatting code to the component.
    #[must_use]
    pub fn to_text(self) -> String {
        uuid_text(self.0)
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

/// Makes the id of an event at `now`.
#[must_use]
pub fn mint_event_id(now: Time, random: &mut impl FnMut(&mut [u8])) -> String {
    uuid_text(mint_uuid(now, random))
}

/// Parses the cursor of a page, which is the id of its last item.
///
/// # Errors
///
/// The text is a key, or not an id.
pub fn parse_cursor(text: &str) -> Result<String, Fault> {
    match ApiKeyId::parse(text) {
        Ok(ApiKeyId(uuid)) => Ok(uuid_text(uuid)),
        Err(Fault::NotAnId) => Err(Fault::NotACursor),
        Err(fault) => Err(fault),
    }
}

/// Returns the lower bound of the ids that are made at this time, in milliseconds, or later. No id has
/// a time before 1970.
#[must_use]
pub fn first_at(millis: i64) -> String {
    uuid_text(Uuid::from_u128(u128::from(millis.max(0).unsigned_abs()) << 80))
}

fn mint_uuid(now: Time, random: &mut impl FnMut(&mut [u8])) -> Uuid {
    let mut bytes = [0; 10];
    random(&mut bytes);
    uuid::Builder::from_unix_timestamp_millis(now.millis().unsigned_abs(), &bytes).into_uuid()
}

/// Parses a hyphenated UUID. Every other spelling is refused.
pub(crate) fn parse_uuid(text: &str) -> Option<Uuid> {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    if text.len() != Hyphenated::LENGTH {
        return None;
    }
    text.char_indices()
        .try_fold(0_u128, |value, (at, c)| {
            if HYPHENS.contains(&at) {
                (c == '-').then_some(value)
            } else {
                Some(value * 16 + u128::from(c.to_digit(16)?))
            }
        })
        .map(Uuid::from_u128)
}

/// Formats a UUID in lowercase with hyphens.
pub(crate) fn uuid_text(uuid: Uuid) -> String {
    let mut buffer = Uuid::encode_buffer();
    uuid.hyphenated().encode_lower(&mut buffer).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "akw_0123456789AB_00000000000000000000000000000000000000000004TsezD";
    const NOW: i64 = 1_900_000_000_000;

    #[test]
    fn a_minted_id_is_a_version_7_uuid_of_its_time() {
        let now = Time::from_millis(0x00e4_6789_abcd).unwrap();
        let expected = "00e46789-abcd-7fff-bfff-ffffffffffff";
        assert_eq!(ApiKeyId::mint(now, &mut |bytes| bytes.fill(0xff)).to_string(), expected);
        assert_eq!(mint_event_id(now, &mut |bytes| bytes.fill(0xff)), expected);
    }

    #[test]
    fn the_lower_bound_of_a_time_is_at_most_its_ids_and_above_earlier_ones() {
        let [before, now] = [NOW - 1, NOW].map(|millis| Time::from_millis(millis).unwrap());
        let bound = first_at(NOW);
        assert_eq!(bound, "01ba60d3-3800-0000-0000-000000000000");
        assert!(bound <= mint_event_id(now, &mut |bytes| bytes.fill(0)));
        assert!(bound > mint_event_id(before, &mut |bytes| bytes.fill(0xff)));
        assert_eq!(first_at(-1), "00000000-0000-0000-0000-000000000000");
    }

    #[test]
    fn a_cursor_is_an_id() {
        let id = "01234567-89ab-7fff-bfff-ffffffffffff";
        assert_eq!(parse_cursor(&id.to_uppercase()).as_deref(), Ok(id));
        assert_eq!(parse_cursor("x"), Err(Fault::NotACursor));
        assert_eq!(parse_cursor(KEY), Err(Fault::SecretPassedAsId));
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = "01234567-89ab-7fff-bfff-ffffffffffff";
        assert_eq!(ApiKeyId::parse(id).unwrap().to_string(), id);
        assert_eq!(ApiKeyId::parse(id).unwrap().to_text(), id);
        assert_eq!(ApiKeyId::parse(&id.to_uppercase()).unwrap().to_string(), id);
        for bad in [
            "",
            "0123456789ab7fffbfffffffffffffff",
            "{01234567-89ab-7fff-bfff-ffffffffff}",
            " 01234567-89ab-7fff-bfff-ffffffffffff",
        ] {
            assert_eq!(ApiKeyId::parse(bad), Err(Fault::NotAnId), "{bad}");
        }
    }

    #[test]
    fn a_key_is_not_an_id_even_when_mistyped() {
        assert_eq!(ApiKeyId::parse(KEY), Err(Fault::SecretPassedAsId));
        assert_eq!(ApiKeyId::parse(&KEY.replace("zD", "zE")), Err(Fault::SecretPassedAsId));
    }
}
