//! The caller and the policy, as the owner of the bucket writes them.

use keycell_keyvalue::{
    context::{caller, policy},
    context_types::{Caller, Policy, User},
    storage::Error,
};

use crate::bucket::Memory;

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn a_caller_and_a_policy_are_read_in_full() {
    let bucket = Memory::with(&[
        ("caller.user-id", "ann\n"),
        ("caller.operator", "true\n"),
        ("caller.scopes", "a:b c\n"),
        ("policy.prefix", "acme"),
        ("policy.longest-life", "86400000"),
        ("policy.default-life", "3600000\n"),
        ("policy.default-scopes", "a:b"),
        ("policy.grantable-scopes", "a:b c"),
    ]);
    let ann = User { id: "ann".to_owned(), operator: true, scopes: texts(&["a:b", "c"]) };
    assert_eq!(caller(&bucket), Ok(Caller::User(ann)));
    let expected = Policy {
        prefix: "acme".to_owned(),
        longest_life: Some(86_400_000),
        default_life: Some(3_600_000),
        default_scopes: texts(&["a:b"]),
        grantable_scopes: Some(texts(&["a:b", "c"])),
    };
    assert_eq!(policy(&bucket), Ok(expected));
}

#[test]
fn a_missing_entry_allows_nothing_more() {
    let bucket = Memory::with(&[("caller.user-id", "ann"), ("policy.prefix", "acme")]);
    let ann = User { id: "ann".to_owned(), operator: false, scopes: Vec::new() };
    assert_eq!(caller(&bucket), Ok(Caller::User(ann)));
    let policy = policy(&bucket).unwrap();
    assert_eq!((policy.default_scopes, policy.grantable_scopes), (Vec::new(), None));
}

#[test]
fn without_a_user_the_caller_is_the_host_and_without_a_prefix_there_is_no_policy() {
    let bucket = Memory::with(&[("caller.operator", "true")]);
    assert_eq!(caller(&bucket), Ok(Caller::Host));
    assert_eq!(policy(&bucket), Err(Error::NotFound));
}

#[test]
fn an_invalid_value_is_an_error_and_not_missing() {
    let bucket = Memory::with(&[
        ("caller.user-id", "ann"),
        ("caller.operator", "yes"),
        ("policy.prefix", "acme"),
        ("policy.longest-life", "90d"),
    ]);
    assert_eq!(caller(&bucket), Err(Error::Internal("1".to_owned())));
    assert_eq!(policy(&bucket), Err(Error::Internal("2".to_owned())));
}
