//! One-time codes, which the console exchanges for a key.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use keycell::SecretKey;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// The time for which a code is valid.
const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// A key for the page `/console`, which gets it for a one-time code.
///
/// The address of the page is `/console#code=<code>`. The key itself is in no address.
#[derive(Clone)]
pub struct SignIn(Arc<State>);

struct State {
    key: SecretKey,
    /// The valid code and its end.
    code: Mutex<Option<(String, Instant)>>,
}

impl SignIn {
    /// Creates a sign-in with this key, without a code.
    pub fn new(key: impl Into<SecretKey>) -> Self {
        Self(Arc::new(State { key: key.into(), code: Mutex::default() }))
    }

    /// Makes a code that is valid once, for 60 seconds. Earlier codes are void.
    #[must_use]
    pub fn new_code(&self) -> String {
        let code = Uuid::new_v4().simple().to_string();
        *self.code() = Some((code.clone(), Instant::now() + CODE_LIFETIME));
        code
    }

    /// Returns the key if the code is valid, and voids the code.
    pub(crate) fn exchange(&self, presented: &str) -> Option<&SecretKey> {
        self.exchange_at(presented, Instant::now())
    }

    fn exchange_at(&self, presented: &str, now: Instant) -> Option<&SecretKey> {
        let is_equal = |code: &str| bool::from(code.as_bytes().ct_eq(presented.as_bytes()));
        let is_valid = |(code, end): &mut (String, Instant)| is_equal(code) && now < *end;
        self.code().take_if(is_valid).map(|_| &self.0.key)
    }

    fn code(&self) -> MutexGuard<'_, Option<(String, Instant)>> {
        self.0.code.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignIn(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(sign_in: &SignIn, code: &str, after: Duration) -> bool {
        sign_in.exchange_at(code, Instant::now() + after).is_some()
    }

    #[test]
    fn a_code_is_valid_once_and_for_a_minute() {
        let sign_in = SignIn::new("key");
        assert!(!is_taken(&sign_in, "", Duration::ZERO));
        let code = sign_in.new_code();
        for wrong in ["", &code[1..], &code.replace(&code[..1], "x"), &format!("{code}0")] {
            assert!(!is_taken(&sign_in, wrong, Duration::ZERO), "{wrong}");
        }
        assert!(is_taken(&sign_in, &code, Duration::ZERO));
        assert!(!is_taken(&sign_in, &code, Duration::ZERO));

        let old = sign_in.new_code();
        assert!(!is_taken(&sign_in, &old, CODE_LIFETIME));
        let void = sign_in.new_code();
        let code = sign_in.new_code();
        assert!(!is_taken(&sign_in, &void, Duration::ZERO));
        assert!(is_taken(&sign_in, &code, Duration::from_secs(59)));
    }
}
