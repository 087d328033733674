//! What a key may do.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use crate::fault::Fault;

const MAX_LEN: usize = 64;
/// How many scopes a policy may give to a key.
pub const MOST: usize = 32;

/// A scope: 1 to 64 characters of RFC 6749's `scope-token`, printable ASCII without space, `"`
/// and `\`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope(String);

impl Scope {
    /// Reads a scope; `None` if it is not of the form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_scope = (1..=MAX_LEN).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        is_scope.then(|| Self(text.to_owned()))
    }

    /// The scope as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a new key may do: the policy's default scopes that its maker holds, sorted and each once.
/// Nothing in common means nothing allowed.
#[must_use]
pub fn granted(defaults: Vec<Scope>, held: &[String]) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    for Scope(scope) in defaults {
        if held.contains(&scope)
            && let Err(at) = scopes.binary_search(&scope)
        {
            scopes.insert(at, scope);
        }
    }
    scopes
}

/// Reads the scopes that a call needs.
///
/// # Errors
///
/// One of them is no scope.
pub fn parse_all(texts: &[String]) -> Result<Vec<Scope>, Fault> {
    texts.iter().map(|text| Scope::parse(text).ok_or(Fault::NotAScope)).collect()
}

/// Those of the needed scopes that are not held, each once.
#[must_use]
pub fn missing(needed: &[Scope], held: &[String]) -> Vec<String> {
    let mut missing = Vec::new();
    for Scope(scope) in needed {
        if !held.contains(scope) && !missing.contains(scope) {
            missing.push(scope.clone());
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn granted_of(defaults: &[&str], held: &[&str]) -> Vec<String> {
        granted(defaults.iter().filter_map(|text| Scope::parse(text)).collect(), &strings(held))
    }

    #[test]
    fn a_key_gets_what_is_default_and_held() {
        assert_eq!(granted_of(&["b", "a", "b", "c"], &["c", "b", "x"]), strings(&["b", "c"]));
        assert!(granted_of(&["a"], &[]).is_empty());
        assert!(granted_of(&[], &["a"]).is_empty());
        assert!(granted_of(&["a"], &["A", "a "]).is_empty());
    }

    #[test]
    fn what_is_needed_and_not_held_is_missing() {
        let needed = parse_all(&strings(&["b", "a", "b", "c"])).unwrap();
        assert_eq!(missing(&needed, &strings(&["a"])), strings(&["b", "c"]));
        assert!(missing(&[], &[]).is_empty());
        assert_eq!(parse_all(&strings(&["a", ""])), Err(Fault::NotAScope));
    }

    #[test]
    fn a_scope_is_a_scope_token() {
        for good in ["a", "api-keys:read", "https://x.example/y?z=*", &"s".repeat(64)] {
            assert!(Scope::parse(good).is_some(), "{good}");
        }
        for bad in ["", "a b", "a\"", "a\\", "é", "a\n", &"s".repeat(65)] {
            assert!(Scope::parse(bad).is_none(), "{bad}");
        }
    }
}
