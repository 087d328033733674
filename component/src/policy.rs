//! The issuer's policy.

use alloc::{string::String, vec::Vec};

use crate::{
    key::Prefix,
    scopes::{self, MAX_SCOPES, Scope},
};

/// A valid policy.
#[derive(Clone, Debug)]
pub struct Policy {
    prefix: Prefix,
    longest_life: Option<i64>,
    default_life: Option<i64>,
    default_scopes: Vec<Scope>,
    grantable_scopes: Vec<Scope>,
}

impl Policy {
    /// Parses a policy. Lives are in milliseconds. Without a list of grantable scopes, the default
    /// scopes and keycell's own are grantable.
    ///
    /// Returns `None` if the prefix or a scope is malformed, a life is not positive, the default
    /// life is longer than the longest, or the default scopes are more than a key can have or not
    /// all grantable.
    #[must_use]
    pub fn parse(
        prefix: &str,
        longest_life: Option<i64>,
        default_life: Option<i64>,
        default_scopes: &[String],
        grantable_scopes: Option<&[String]>,
    ) -> Option<Self> {
        let parse_all = |texts: &[String]| scopes::parse_all(texts).ok();
        let is_positive = |life: Option<i64>| life.is_none_or(|life| life > 0);
        let default_scopes = parse_all(default_scopes)?;
        let grantable_scopes = match grantable_scopes {
            Some(scopes) => parse_all(scopes)?,
            None => [scopes::own(), default_scopes.clone()].concat(),
        };
        let is_valid = is_positive(longest_life)
            && is_positive(default_life)
            && longest_life.zip(default_life).is_none_or(|(longest, default)| default <= longest)
            && default_scopes.len() <= MAX_SCOPES
            && default_scopes.iter().all(|scope| grantable_scopes.contains(scope));
        let prefix = Prefix::parse(prefix)?;
        is_valid.then_some(Self { prefix, longest_life, default_life, default_scopes, grantable_scopes })
    }

    /// The prefix of new keys.
    #[must_use]
    pub const fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// The longest life of a key in milliseconds.
    #[must_use]
    pub const fn longest_life(&self) -> Option<i64> {
        self.longest_life
    }

    /// The life in milliseconds of a key that is created without an expiry.
    #[must_use]
    pub const fn default_life(&self) -> Option<i64> {
        self.default_life
    }

    /// The scopes of a key that is created without scopes.
    #[must_use]
    pub fn default_scopes(&self) -> &[Scope] {
        &self.default_scopes
    }

    /// The scopes that may be granted, in no order.
    #[must_use]
    pub fn grantable_scopes(&self) -> &[Scope] {
        &self.grantable_scopes
    }

    /// Whether a scope may be granted at all.
    #[must_use]
    pub fn is_grantable(&self, scope: &str) -> bool {
        self.grantable_scopes.iter().any(|grantable| grantable.as_str() == scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_lives(longest: Option<i64>, default: Option<i64>) -> Option<Policy> {
        Policy::parse("akw", longest, default, &[], None)
    }

    fn with_scopes(default: &[String], grantable: &[String]) -> Option<Policy> {
        Policy::parse("akw", None, None, default, Some(grantable))
    }

    #[test]
    fn lives_are_positive_and_the_default_is_at_most_the_longest() {
        for (longest, default) in [(None, None), (Some(1), None), (None, Some(1)), (Some(2), Some(2))] {
            let policy = with_lives(longest, default).unwrap();
            assert_eq!((policy.longest_life(), policy.default_life()), (longest, default));
        }
        for (longest, default) in [(Some(0), None), (Some(-1), None), (None, Some(0)), (Some(2), Some(3))] {
            assert!(with_lives(longest, default).is_none(), "{longest:?} {default:?}");
        }
    }

    #[test]
    fn default_scopes_are_grantable_and_not_more_than_a_key_can_have() {
        let scopes: Vec<String> = (0..33).map(|number| format!("s{number}")).collect();
        let policy = with_scopes(&scopes[..32], &scopes).unwrap();
        assert_eq!(policy.default_scopes().len(), 32);
        assert!(policy.is_grantable("s32") && !policy.is_grantable("s33"));
        assert!(with_scopes(&scopes, &scopes).is_none());
        assert!(with_scopes(&scopes[..2], &scopes[..1]).is_none());
        assert!(with_scopes(&scopes[..1], &[]).is_none());
    }

    #[test]
    fn without_a_list_the_default_scopes_and_keycell_s_own_are_grantable() {
        let policy = Policy::parse("akw", None, None, &["a".to_owned()], None).unwrap();
        assert!(scopes::OWN.into_iter().chain(["a"]).all(|scope| policy.is_grantable(scope)));
        assert_eq!(policy.grantable_scopes().len(), 5);
        assert!(!policy.is_grantable("b"));
        assert!(with_scopes(&[], &[]).unwrap().grantable_scopes().is_empty());
    }

    #[test]
    fn prefix_and_scopes_are_well_formed() {
        assert_eq!(with_lives(None, None).unwrap().prefix().as_str(), "akw");
        assert!(Policy::parse("", None, None, &[], None).is_none());
        assert!(Policy::parse("akw", None, None, &["a b".to_owned()], None).is_none());
        assert!(with_scopes(&[], &["a b".to_owned()]).is_none());
    }
}
