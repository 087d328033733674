//! The id of a key.

use alloc::{borrow::ToOwned, string::String};

use uuid::{Uuid, fmt::Hyphenated};

use crate::{fault::Fault, key};

/// An API key's id: a UUID, lowercase and hyphenated (RFC 9562). New ones are version 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiKeyId(Uuid);

impl ApiKeyId {
    /// Makes the id of a key that is created at `now`, in milliseconds since 1970.
    #[must_use]
    pub fn mint(now: u64, random: &mut impl FnMut(&mut [u8])) -> Self {
        let mut bytes = [0; 10];
        random(&mut bytes);
        Self(uuid::Builder::from_unix_timestamp_millis(now, &bytes).into_uuid())
    }

    /// Reads an id, in either case.
    ///
    /// # Errors
    ///
    /// It is a key, or not a hyphenated UUID.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        match parse_uuid(text) {
            Some(uuid) => Ok(Self(uuid)),
            None if key::looks_like_key(text.trim()) => Err(Fault::SecretPassedAsId),
            None => Err(Fault::NotAnId),
        }
    }

    /// The id as text.
    #[must_use]
    pub fn to_text(self) -> String {
        uuid_text(self.0)
    }
}

/// Reads a hyphenated UUID, and no other spelling of one.
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
                Some(value << 4 | u128::from(c.to_digit(16)?))
            }
        })
        .map(Uuid::from_u128)
}

/// A UUID in lowercase with hyphens.
pub(crate) fn uuid_text(uuid: Uuid) -> String {
    let mut buffer = Uuid::encode_buffer();
    uuid.hyphenated().encode_lower(&mut buffer).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_id_is_a_version_7_uuid_of_its_time() {
        let id = ApiKeyId::mint(0x0123_4567_89ab, &mut |bytes| bytes.fill(0xff)).to_text();
        assert_eq!(id, "01234567-89ab-7fff-bfff-ffffffffffff");
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = "01234567-89ab-7fff-bfff-ffffffffffff";
        assert_eq!(ApiKeyId::parse(id).unwrap().to_text(), id);
        assert_eq!(ApiKeyId::parse(&id.to_uppercase()).unwrap().to_text(), id);
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
    fn a_key_is_no_id_even_when_mistyped() {
        let key = "akw_0123456789AB_00000000000000000000000000000000000000000004TsezD";
        assert_eq!(ApiKeyId::parse(key), Err(Fault::SecretPassedAsId));
        assert_eq!(ApiKeyId::parse(&key.replace("zD", "zE")), Err(Fault::SecretPassedAsId));
    }
}
