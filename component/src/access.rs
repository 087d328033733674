//! Who may do what.

use alloc::{string::String, vec::Vec};

use crate::{expiry, project::ProjectReference, time::Time};

/// For whom a call is made, as the host says.
#[derive(Debug)]
pub struct Caller {
    /// The user.
    pub user_id: String,
    /// The only project that they may act for, where the caller is a project's key.
    pub project_id: Option<String>,
    /// When the caller itself expires.
    pub expires_at: Option<Time>,
    /// What they may do.
    pub scopes: Vec<String>,
}

/// Whether the caller may see a key of this user and project.
#[must_use]
pub fn may_see(caller: &Caller, user_id: &str, project_id: Option<&str>) -> bool {
    caller.user_id == user_id && (caller.project_id.is_none() || caller.project_id.as_deref() == project_id)
}

/// Whether the caller may act at all at `now`: a key that has expired since it was verified may not.
#[must_use]
pub fn may_act(caller: &Caller, now: Time) -> bool {
    !expiry::is_expired(caller.expires_at, now)
}

/// Whether the caller may create a key, before it is known which project was meant: a project's
/// key makes none that belongs to no project.
#[must_use]
pub fn may_create(caller: &Caller, project: Option<&ProjectReference>) -> bool {
    caller.project_id.is_none() || project.is_some()
}

/// Whether the caller may act for a project that their user is a member of.
#[must_use]
pub fn may_act_for(caller: &Caller, project_id: &str) -> bool {
    caller.project_id.as_deref().is_none_or(|bound| bound == project_id)
}

/// Whether the caller may be handed a new key with these scopes and this expiry: a key that is made
/// by a key never gains.
#[must_use]
pub fn may_hold(caller: &Caller, scopes: &[String], expires_at: Option<Time>) -> bool {
    let lives_no_longer =
        caller.expires_at.is_none_or(|limit| expires_at.is_some_and(|expires_at| expires_at <= limit));
    lives_no_longer && scopes.iter().all(|scope| caller.scopes.contains(scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(project_id: Option<&str>) -> Caller {
        Caller { user_id: "ann".into(), project_id: project_id.map(Into::into), expires_at: None, scopes: vec![] }
    }

    #[test]
    fn a_user_sees_their_keys_and_nobody_else_s() {
        let ann = caller(None);
        assert!(may_see(&ann, "ann", None));
        assert!(may_see(&ann, "ann", Some("p")));
        assert!(!may_see(&ann, "bob", None));
        assert!(!may_see(&ann, "bob", Some("p")));
    }

    #[test]
    fn a_project_s_key_sees_that_user_s_keys_of_that_project() {
        let key = caller(Some("p"));
        assert!(may_see(&key, "ann", Some("p")));
        assert!(!may_see(&key, "ann", Some("q")));
        assert!(!may_see(&key, "ann", None));
        assert!(!may_see(&key, "bob", Some("p")));
    }

    #[test]
    fn a_project_s_key_creates_for_that_project_only() {
        let reference = ProjectReference::Id("q".into());
        assert!(may_create(&caller(None), None));
        assert!(!may_create(&caller(Some("p")), None));
        assert!(may_create(&caller(Some("p")), Some(&reference)));
        assert!(may_act_for(&caller(Some("p")), "p"));
        assert!(!may_act_for(&caller(Some("p")), "q"));
        assert!(may_act_for(&caller(None), "q"));
    }

    #[test]
    fn an_expired_key_does_nothing() {
        let now = Time::from_millis(1);
        let expired = Caller { expires_at: now, ..caller(None) };
        assert!(!may_act(&expired, now.unwrap()));
        assert!(may_act(&caller(None), now.unwrap()));
    }

    #[test]
    fn a_key_that_is_made_by_a_key_never_gains() {
        let [early, late] = [1, 2].map(Time::from_millis);
        let scopes = |texts: &[&str]| texts.iter().map(|&text| text.into()).collect::<Vec<String>>();
        let key = Caller { expires_at: early, scopes: scopes(&["a", "b"]), ..caller(None) };
        assert!(may_hold(&key, &scopes(&["b"]), early));
        assert!(!may_hold(&key, &scopes(&["b", "c"]), early));
        assert!(!may_hold(&key, &scopes(&["b"]), late));
        assert!(!may_hold(&key, &scopes(&["b"]), None));
        assert!(may_hold(&Caller { expires_at: None, ..key }, &scopes(&["b"]), None));
    }
}
