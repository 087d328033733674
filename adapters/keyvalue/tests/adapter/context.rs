//! The caller and the policy, as somebody has written them.

use keycell_keyvalue::{
    context::{caller, policy},
    context_types::{Caller, Policy},
    storage::Error,
};

use crate::bucket::Memory;

#[test]
fn a_caller_and_a_policy_are_read_in_full() {
    let bucket = Memory::with(&[
        ("caller.user-id", "ann\n"),
        ("caller.project-id", "p"),
        ("caller.expires-at", "1900000000000\n"),
        ("caller.scopes", "a:b c\n"),
        ("policy.prefix", "acme"),
        ("policy.longest-life", "86400000"),
        ("policy.default-scopes", "a:b"),
    ]);
    let expected = Caller {
        user_id: "ann".to_owned(),
        project_id: Some("p".to_owned()),
        expires_at: Some(1_900_000_000_000),
        scopes: vec!["a:b".to_owned(), "c".to_owned()],
    };
    assert_eq!(caller(&bucket), Ok(expected));
    let expected =
        Policy { prefix: "acme".to_owned(), longest_life: Some(86_400_000), default_scopes: vec!["a:b".to_owned()] };
    assert_eq!(policy(&bucket), Ok(expected));
}

#[test]
fn what_is_left_out_allows_nothing_more() {
    let bucket = Memory::with(&[("caller.user-id", "ann"), ("policy.prefix", "acme")]);
    assert_eq!(caller(&bucket).unwrap().scopes, [""; 0]);
    assert_eq!(policy(&bucket).unwrap().default_scopes, [""; 0]);
}

#[test]
fn nobody_is_no_caller_and_nothing_is_no_policy() {
    let bucket = Memory::default();
    assert_eq!(caller(&bucket), Err(Error::NotFound));
    assert_eq!(policy(&bucket), Err(Error::NotFound));
}

#[test]
fn a_limit_that_can_not_be_read_is_not_left_out() {
    let bucket = Memory::with(&[
        ("caller.user-id", "ann"),
        ("caller.expires-at", "tomorrow"),
        ("policy.prefix", "acme"),
        ("policy.longest-life", "90d"),
    ]);
    assert_eq!(caller(&bucket), Err(Error::Internal("1".to_owned())));
    assert_eq!(policy(&bucket), Err(Error::Internal("2".to_owned())));
}
