//! What a key may do.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

const MAX_LEN: usize = 64;

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
    fn a_scope_is_a_scope_token() {
        for good in ["a", "api-keys:read", "https://x.example/y?z=*", &"s".repeat(64)] {
            assert!(Scope::parse(good).is_some(), "{good}");
        }
        for bad in ["", "a b", "a\"", "a\\", "é", "a\n", &"s".repeat(65)] {
            assert!(Scope::parse(bad).is_none(), "{bad}");
        }
    }
}
