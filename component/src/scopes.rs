//! Scopes.

use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

use crate::{
    argument,
    fault::{self, Fault},
    sorted_set,
};

const MAX_LEN: usize = 64;
/// The maximum number of scopes of a key.
pub const MAX_SCOPES: usize = 32;

/// The scope that a bearer needs to get and list keys and events.
pub const READ: &str = "api-keys:read";
/// The scope that a bearer needs to create and change keys.
pub const WRITE: &str = "api-keys:write";
/// The scope that a bearer needs to verify keys that others present.
pub const VERIFY: &str = "api-keys:verify";
/// The scope that makes a bearer an operator. It includes the other three.
pub const ADMIN: &str = "api-keys:admin";
/// The scopes that keycell itself checks.
pub const OWN: [&str; 4] = [READ, WRITE, VERIFY, ADMIN];

/// Returns the scopes that keycell itself checks.
#[must_use]
pub fn own() -> Vec<Scope> {
    OWN.map(|scope| Scope(scope.to_owned())).into()
}

/// A scope: 1 to 64 characters of RFC 6749's `scope-token`, printable ASCII without space, `"`
/// and `\`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope(String);

impl Scope {
    /// Parses a scope; `None` if the text is not one.
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

/// Parses explicitly requested scopes. The policy and the caller must be able to grant each of them.
/// The result is sorted and has no duplicates.
///
/// # Errors
///
/// All faults: one is not a scope, there are too many, or one cannot be granted.
pub fn parse_granted(texts: &[String], may_grant: impl Fn(&str) -> bool) -> Result<Vec<String>, Vec<Fault>> {
    if argument::is_list_too_long(texts) {
        return Err(vec![Fault::TooLong]);
    }
    let mut scopes = Vec::new();
    let (mut has_malformed, mut has_ungrantable) = (false, false);
    for text in texts {
        match Scope::parse(text) {
            Some(Scope(scope)) => {
                has_ungrantable |= !may_grant(&scope);
                // Bounds the work for a list that is too long anyway.
                if scopes.len() <= MAX_SCOPES {
                    sorted_set::insert(&mut scopes, scope);
                }
            }
            None => has_malformed = true,
        }
    }
    fault::check(&[
        (has_malformed, Fault::NotAScope),
        (scopes.len() > MAX_SCOPES, Fault::TooManyScopes),
        (has_ungrantable, Fault::NotGrantable),
    ])?;
    Ok(scopes)
}

/// Returns those of the scopes that the caller may grant, sorted and without duplicates.
#[must_use]
pub fn grantable(scopes: &[Scope], may_grant: impl Fn(&str) -> bool) -> Vec<String> {
    let mut granted = Vec::new();
    for Scope(scope) in scopes {
        if may_grant(scope) {
            sorted_set::insert(&mut granted, scope.clone());
        }
    }
    granted
}

/// Parses the scopes that a call requires.
///
/// # Errors
///
/// One of them is not a scope.
pub fn parse_all(texts: &[String]) -> Result<Vec<Scope>, Fault> {
    if argument::is_list_too_long(texts) {
        return Err(Fault::TooLong);
    }
    let mut scopes = Vec::with_capacity(texts.len());
    for text in texts {
        scopes.push(Scope::parse(text).ok_or(Fault::NotAScope)?);
    }
    Ok(scopes)
}

/// Returns the required scopes that are not held, in order and without duplicates.
#[must_use]
pub fn missing(required: &[Scope], held: &[String]) -> Vec<String> {
    let mut missing = Vec::new();
    for Scope(scope) in required {
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

    fn granted(texts: &[&str]) -> Result<Vec<String>, Vec<Fault>> {
        parse_granted(&strings(texts), |scope| !scope.starts_with('x'))
    }

    #[test]
    fn explicit_scopes_are_sorted_and_deduplicated() {
        assert_eq!(granted(&["b", "a", "b"]), Ok(strings(&["a", "b"])));
        assert_eq!(granted(&[]), Ok(vec![]));
        let most: Vec<String> = (0..32).map(|number| format!("{number:02}")).collect();
        let twice = [most.clone(), most.clone()].concat();
        assert_eq!(parse_granted(&twice, |_| true), Ok(most));
    }

    #[test]
    fn explicit_scopes_are_never_narrowed() {
        assert_eq!(granted(&["a", "x"]), Err(vec![Fault::NotGrantable]));
        assert_eq!(granted(&["a", "x y"]), Err(vec![Fault::NotAScope]));
        assert_eq!(granted(&["", "x"]), Err(vec![Fault::NotAScope, Fault::NotGrantable]));
        let many: Vec<String> = (0..33).map(|number| format!("x{number}")).collect();
        assert_eq!(parse_granted(&many, |_| true), Err(vec![Fault::TooManyScopes]));
        assert_eq!(parse_granted(&many, |_| false), Err(vec![Fault::TooManyScopes, Fault::NotGrantable]));
    }

    #[test]
    fn default_scopes_are_narrowed_to_those_that_the_caller_may_grant() {
        let defaults: Vec<Scope> = ["b", "a", "b", "c"].iter().filter_map(|text| Scope::parse(text)).collect();
        assert_eq!(grantable(&defaults, |scope| scope != "a"), strings(&["b", "c"]));
        assert!(grantable(&defaults, |_| false).is_empty());
        assert!(grantable(&[], |_| true).is_empty());
    }

    #[test]
    fn a_required_scope_that_is_not_held_is_missing() {
        let required = parse_all(&strings(&["b", "a", "b", "c"])).unwrap();
        assert_eq!(missing(&required, &strings(&["a"])), strings(&["b", "c"]));
        assert!(missing(&[], &[]).is_empty());
        assert_eq!(parse_all(&strings(&["a", ""])), Err(Fault::NotAScope));
    }

    #[test]
    fn a_scope_is_a_scope_token() {
        for good in ["a", "https://x.example/y?z=*", &"s".repeat(64)].iter().chain(&OWN) {
            assert_eq!(Scope::parse(good).unwrap().as_str(), *good);
        }
        for bad in ["", "a b", "a\"", "a\\", "é", "a\n", &"s".repeat(65)] {
            assert!(Scope::parse(bad).is_none(), "{bad}");
        }
    }
}
