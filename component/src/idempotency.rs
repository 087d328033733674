//! Idempotent issuing: the idempotency key, and the digest of the arguments.

use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

use sha2::{Digest as _, Sha256};

use crate::{
    argument,
    fault::{self, Fault},
    key,
    rate_limit::RateLimit,
    time::Time,
};

const MAX_LEN: usize = 128;
/// The time during which a call can be repeated, in milliseconds.
pub const WINDOW: i64 = 24 * 60 * 60 * 1000;

/// An idempotency key: 1 to 128 printable ASCII characters, without an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Parses an idempotency key.
    ///
    /// # Errors
    ///
    /// All faults: the text is not an idempotency key, or contains the form of an API key.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        if argument::is_too_long(text) {
            return Err(vec![Fault::TooLong]);
        }
        let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        fault::check(&[
            (!(1..=MAX_LEN).contains(&text.len()) || !is_printable, Fault::NotAnIdempotencyKey),
            (key::holds_form_of_key(text), Fault::HoldsKey),
        ])?;
        Ok(Self(text.to_owned()))
    }

    /// The key as text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

/// The normalised arguments of an issuing.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    /// The name.
    pub name: &'a str,
    /// The id of the user who will own the key.
    pub owner: &'a str,
    /// The id of the project.
    pub project_id: Option<&'a str>,
    /// The expiry that was asked for. One that the policy sets is not an argument.
    pub expires_at: Option<Time>,
    /// The scopes that the key gets.
    pub scopes: &'a [String],
    /// The metadata as compact text.
    pub metadata: Option<&'a str>,
    /// The rate limit.
    pub rate_limit: Option<RateLimit>,
}

impl Arguments<'_> {
    /// The SHA-256 of an unambiguous encoding: each text follows its length, and each optional
    /// value follows a byte that says whether it is present.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut bytes = Vec::new();
        push_text(&mut bytes, self.name);
        push_text(&mut bytes, self.owner);
        push_optional(&mut bytes, self.project_id, push_text);
        push_optional(&mut bytes, self.expires_at, |bytes, time| bytes.extend(time.millis().to_le_bytes()));
        push_length(&mut bytes, self.scopes.len());
        self.scopes.iter().for_each(|scope| push_text(&mut bytes, scope));
        push_optional(&mut bytes, self.metadata, push_text);
        push_optional(&mut bytes, self.rate_limit, |bytes, limit| {
            bytes.extend(limit.requests().to_le_bytes());
            bytes.extend(limit.window_seconds().to_le_bytes());
        });
        Sha256::digest(bytes).into()
    }
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    push_length(bytes, text.len());
    bytes.extend(text.as_bytes());
}

/// Eight bytes, so that the digest does not depend on the target.
fn push_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.extend((length as u64).to_le_bytes());
}

fn push_optional<T>(bytes: &mut Vec<u8>, value: Option<T>, push: impl Fn(&mut Vec<u8>, T)) {
    bytes.push(value.is_some().into());
    if let Some(value) = value {
        push(bytes, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, Vec<Fault>> {
        IdempotencyKey::parse(text).map(IdempotencyKey::into_text)
    }

    #[test]
    fn an_idempotency_key_is_printable_ascii() {
        for good in ["a", " ", "~", &"k".repeat(128), "8e03978e-40d5-43dd-bc93-6894a57f9324"] {
            assert_eq!(parsed(good).unwrap(), good);
        }
        for bad in ["", &"k".repeat(129), "\u{1f}", "\u{7f}", "é", "a\n"] {
            assert_eq!(parsed(bad), Err(vec![Fault::NotAnIdempotencyKey]), "{bad:?}");
        }
    }

    #[test]
    fn an_idempotency_key_is_no_api_key() {
        let mistyped = "akw_0123456789AB_00000000000000000000000000000000000000000004TsezE";
        assert_eq!(parsed(mistyped), Err(vec![Fault::HoldsKey]));
        assert_eq!(parsed(&format!("{mistyped}\n")), Err(vec![Fault::NotAnIdempotencyKey, Fault::HoldsKey]));
    }

    #[test]
    fn different_arguments_have_different_digests() {
        let [a, b, ab] = ["a", "b", "ab"].map(str::to_owned);
        let both = [a, b];
        let joined = [ab];
        let base = Arguments {
            name: "n",
            owner: "o",
            project_id: None,
            expires_at: None,
            scopes: &[],
            metadata: None,
            rate_limit: None,
        };
        let limit = |requests, window| RateLimit::parse(requests, window).ok();
        let all = [
            base,
            Arguments { name: "no", owner: "", ..base },
            Arguments { name: "m", ..base },
            Arguments { owner: "p", ..base },
            Arguments { project_id: Some(""), ..base },
            Arguments { project_id: Some("p"), ..base },
            Arguments { metadata: Some("p"), ..base },
            Arguments { expires_at: Time::from_millis(0), ..base },
            Arguments { expires_at: Time::from_millis(1), ..base },
            Arguments { scopes: &both, ..base },
            Arguments { scopes: &both[..1], ..base },
            Arguments { scopes: &joined, ..base },
            Arguments { rate_limit: limit(1, 2), ..base },
            Arguments { rate_limit: limit(2, 1), ..base },
            Arguments { rate_limit: limit(1, 1), ..base },
        ];
        for (index, one) in all.iter().enumerate() {
            assert_eq!(one.digest(), one.digest());
            for other in &all[..index] {
                assert_ne!(one.digest(), other.digest(), "{one:?} {other:?}");
            }
        }
    }
}
