//! Access control: what an authenticated caller may do.

use alloc::{string::String, vec::Vec};

use crate::{scopes, time::Time};

/// A user, or a key that acts as its user.
#[derive(Debug)]
pub struct Actor {
    user_id: String,
    scopes: Vec<String>,
    is_operator: bool,
    key: Option<ActingKey>,
}

/// The key that acts.
#[derive(Clone, Debug)]
pub struct ActingKey {
    /// The id.
    pub id: String,
    /// The project that the key is bound to.
    pub project_id: Option<String>,
    /// The expiry.
    pub expires_at: Option<Time>,
}

/// The role of a user in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// May create keys for the project.
    Member,
    /// May also list, read and revoke every key of the project.
    Admin,
}

/// The keys that a list selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Keys of this user; `None`: of every user.
    pub user_id: Option<String>,
    /// Keys of this project; `None`: of any project, and user-level keys.
    pub project_id: Option<String>,
}

impl Actor {
    /// A user whom the host has authenticated.
    #[must_use]
    pub const fn user(id: String, scopes: Vec<String>, is_operator: bool) -> Self {
        Self { user_id: id, scopes, is_operator, key: None }
    }

    /// A key of this user, with these scopes. With `api-keys:admin` it is an operator, within its
    /// project if it is bound to one.
    #[must_use]
    pub fn key(key: ActingKey, user_id: String, scopes: Vec<String>) -> Self {
        let is_operator = scopes.iter().any(|scope| scope == scopes::ADMIN);
        Self { user_id, scopes, is_operator, key: Some(key) }
    }

    /// The id of the user.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The key that acts; `None`: the user acts directly.
    #[must_use]
    pub const fn acting_key(&self) -> Option<&ActingKey> {
        self.key.as_ref()
    }

    /// Whether the caller may see and change every key, within its project if there is one.
    #[must_use]
    pub const fn is_operator(&self) -> bool {
        self.is_operator
    }

    /// The scopes of the key that acts. A user who acts directly needs none.
    #[must_use]
    pub fn key_scopes(&self) -> &[String] {
        if self.key.is_some() { &self.scopes } else { &[] }
    }

    /// Whether the caller may make calls that need this one of keycell's own scopes. Users need no
    /// scope.
    #[must_use]
    pub fn may_call(&self, scope: &str) -> bool {
        self.key.is_none() || self.is_operator || self.holds(scope)
    }

    /// Whether the caller may make the call that revokes the key with this id. The holder of a key
    /// may end it, so a bearer needs no scope for its own key.
    #[must_use]
    pub fn may_call_revoke(&self, api_key_id: Option<&str>) -> bool {
        let is_own = self.key.as_ref().is_some_and(|key| api_key_id == Some(key.id.as_str()));
        is_own || self.may_call(scopes::WRITE)
    }

    /// Whether the caller may see and revoke a key of this user and project. `role` is the
    /// caller's role in that project.
    #[must_use]
    pub fn may_see(&self, user_id: &str, project_id: Option<&str>, role: Option<Role>) -> bool {
        let is_within = self.bound_project().is_none_or(|bound| project_id == Some(bound));
        is_within && (self.acts_for(user_id) || self.is_project_admin(role))
    }

    /// Whether the caller may issue, rotate and update keys of this user, and name it as an owner.
    #[must_use]
    pub fn acts_for(&self, user_id: &str) -> bool {
        self.is_operator || self.user_id == user_id
    }

    /// Whether the caller may issue a key with or without a project. This is checked before the
    /// project is looked up. A bound key may not issue keys without a project.
    #[must_use]
    pub const fn may_issue(&self, has_project: bool) -> bool {
        has_project || self.bound_project().is_none()
    }

    /// Whether the caller may issue keys for a project and list its keys. `role` is the caller's
    /// role in it.
    #[must_use]
    pub fn may_enter(&self, project_id: &str, role: Option<Role>) -> bool {
        let is_within = self.bound_project().is_none_or(|bound| bound == project_id);
        is_within && (self.is_operator || role.is_some())
    }

    /// Whether the caller may create projects (without a role), or list and change the members of a
    /// project in which they have this role. A bound key may do neither.
    #[must_use]
    pub fn may_manage_projects(&self, role: Option<Role>) -> bool {
        self.bound_project().is_none() && (self.is_operator || role == Some(Role::Admin))
    }

    /// Whether the caller may give a key this scope. Only an operator who acts directly may give
    /// `api-keys:admin`.
    #[must_use]
    pub fn may_grant(&self, scope: &str) -> bool {
        if scope == scopes::ADMIN {
            return self.is_operator && self.key.is_none();
        }
        self.is_operator || self.holds(scope)
    }

    /// Whether the caller may get the secret of a key with these scopes and this expiry. The new
    /// key of a bearer has no right that the bearer's own key does not have.
    #[must_use]
    pub fn may_hold(&self, scopes: &[String], expires_at: Option<Time>) -> bool {
        let is_within_life =
            self.expires_at().is_none_or(|limit| expires_at.is_some_and(|expires_at| expires_at <= limit));
        is_within_life && scopes.iter().all(|scope| self.may_grant(scope))
    }

    /// The expiry of the key that acts.
    #[must_use]
    pub fn expires_at(&self) -> Option<Time> {
        self.key.as_ref()?.expires_at
    }

    /// Selects the keys of a list: those of `owner` in `project` that the caller may see. The
    /// project comes with the caller's role in it, and the caller must be allowed to
    /// [enter](Self::may_enter) it.
    ///
    /// Returns `None` if the caller may not list the keys of that owner.
    #[must_use]
    pub fn select(&self, owner: Option<String>, project: Option<(String, Option<Role>)>) -> Option<Selection> {
        let (project_id, role) = project.unzip();
        let sees_everyone = self.is_operator || self.is_project_admin(role.flatten());
        let user_id = match owner {
            Some(owner) if sees_everyone || owner == self.user_id => Some(owner),
            Some(_) => return None,
            None if sees_everyone => None,
            None => Some(self.user_id.clone()),
        };
        Some(Selection { user_id, project_id: project_id.or_else(|| self.bound_project().map(Into::into)) })
    }

    fn holds(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }

    /// Whether the caller acts as an admin of the project in which they have this role. A bound key
    /// never does.
    fn is_project_admin(&self, role: Option<Role>) -> bool {
        self.bound_project().is_none() && role == Some(Role::Admin)
    }

    const fn bound_project(&self) -> Option<&str> {
        match &self.key {
            Some(ActingKey { project_id: Some(id), .. }) => Some(id.as_str()),
            _ => None,
        }
    }
}

impl Selection {
    /// Whether a key of this user and project is selected.
    #[must_use]
    pub fn has(&self, user_id: &str, project_id: Option<&str>) -> bool {
        self.user_id.as_deref().is_none_or(|wanted| wanted == user_id)
            && (self.project_id.is_none() || self.project_id.as_deref() == project_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: Option<Role> = Some(Role::Member);
    const ADMIN: Option<Role> = Some(Role::Admin);

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn user(scopes: &[&str]) -> Actor {
        Actor::user("ann".into(), strings(scopes), false)
    }

    fn operator() -> Actor {
        Actor::user("ann".into(), vec![], true)
    }

    fn key(project: Option<&str>, scopes: &[&str]) -> Actor {
        let acting = ActingKey { id: "k".into(), project_id: project.map(Into::into), expires_at: None };
        Actor::key(acting, "ann".into(), strings(scopes))
    }

    fn select(actor: &Actor, owner: Option<&str>, project: Option<(&str, Option<Role>)>) -> Option<Selection> {
        actor.select(owner.map(Into::into), project.map(|(id, role)| (id.into(), role)))
    }

    fn selection(user_id: Option<&str>, project_id: Option<&str>) -> Option<Selection> {
        Some(Selection { user_id: user_id.map(Into::into), project_id: project_id.map(Into::into) })
    }

    #[test]
    fn the_holder_of_a_key_may_revoke_it_without_a_scope() {
        assert!(key(None, &[]).may_call_revoke(Some("k")));
        assert!(!key(None, &[scopes::READ]).may_call_revoke(Some("other")));
        assert!(!key(None, &[scopes::READ]).may_call_revoke(None));
        assert!(key(None, &[scopes::WRITE]).may_call_revoke(Some("other")));
        assert!(user(&[]).may_call_revoke(Some("other")));
    }

    #[test]
    fn a_user_sees_their_keys_and_as_project_admin_the_project_s() {
        for ann in [user(&[]), key(None, &[])] {
            for project in [None, Some("p")] {
                assert!(ann.may_see("ann", project, None));
                assert!(!ann.may_see("bob", project, None));
                assert!(!ann.may_see("bob", project, MEMBER));
            }
            assert!(ann.may_see("bob", Some("p"), ADMIN));
        }
    }

    #[test]
    fn a_bound_key_sees_its_user_s_keys_of_its_project() {
        let bound = key(Some("p"), &[]);
        assert!(bound.may_see("ann", Some("p"), None));
        for (user, project) in [("ann", Some("q")), ("ann", None), ("bob", Some("p"))] {
            assert!(!bound.may_see(user, project, ADMIN), "{user} {project:?}");
        }
    }

    #[test]
    fn an_operator_sees_every_key_and_a_bound_one_those_of_its_project() {
        for operator in [operator(), key(None, &[scopes::ADMIN])] {
            assert!(operator.may_see("bob", None, None) && operator.may_see("bob", Some("p"), None));
        }
        let bound = key(Some("p"), &[scopes::ADMIN]);
        assert!(bound.may_see("bob", Some("p"), None));
        assert!(!bound.may_see("ann", None, None) && !bound.may_see("ann", Some("q"), ADMIN));
    }

    #[test]
    fn users_act_for_themselves_and_operators_for_everyone() {
        for actor in [user(&[scopes::ADMIN]), key(Some("p"), &[])] {
            assert!(actor.acts_for("ann") && !actor.acts_for("bob"));
        }
        for actor in [operator(), key(Some("p"), &[scopes::ADMIN])] {
            assert!(actor.acts_for("ann") && actor.acts_for("bob"));
        }
    }

    #[test]
    fn a_bound_key_issues_for_its_project_only() {
        for bound in [key(Some("p"), &[]), key(Some("p"), &[scopes::ADMIN])] {
            assert!(bound.may_issue(true) && !bound.may_issue(false));
            assert!(bound.may_enter("p", MEMBER) && !bound.may_enter("q", ADMIN));
        }
        for free in [user(&[]), key(None, &[]), operator()] {
            assert!(free.may_issue(true) && free.may_issue(false));
            assert!(free.may_enter("q", MEMBER));
        }
    }

    #[test]
    fn a_project_is_open_to_its_members_and_to_operators() {
        assert!(user(&[]).may_enter("p", ADMIN));
        for actor in [user(&[]), key(None, &[]), key(Some("p"), &[])] {
            assert!(!actor.may_enter("p", None));
        }
        for actor in [operator(), key(None, &[scopes::ADMIN]), key(Some("p"), &[scopes::ADMIN])] {
            assert!(actor.may_enter("p", None));
        }
    }

    #[test]
    fn projects_are_managed_by_operators_and_each_by_its_admins() {
        for actor in [user(&[scopes::ADMIN]), key(None, &[])] {
            assert!(actor.may_manage_projects(ADMIN));
            assert!(!actor.may_manage_projects(MEMBER) && !actor.may_manage_projects(None));
        }
        for actor in [operator(), key(None, &[scopes::ADMIN])] {
            assert!(actor.may_manage_projects(None) && actor.may_manage_projects(MEMBER));
        }
        for bound in [key(Some("p"), &[]), key(Some("p"), &[scopes::ADMIN])] {
            assert!(!bound.may_manage_projects(ADMIN) && !bound.may_manage_projects(None));
        }
    }

    #[test]
    fn a_key_needs_scopes_to_call_and_a_user_does_not() {
        for scope in scopes::OWN {
            assert!(user(&[]).may_call(scope));
            assert!(key(None, &[scope]).may_call(scope));
            assert!(key(Some("p"), &[scopes::ADMIN]).may_call(scope));
            assert!(!key(None, &["a"]).may_call(scope));
        }
        assert!(!key(None, &[scopes::READ, scopes::VERIFY]).may_call(scopes::WRITE));
        assert_eq!(key(None, &["a"]).key_scopes(), ["a"]);
        assert!(user(&["a"]).key_scopes().is_empty());
    }

    #[test]
    fn scopes_are_granted_by_those_who_hold_them() {
        for actor in [user(&["a", scopes::ADMIN]), key(None, &["a"])] {
            assert!(actor.may_grant("a") && !actor.may_grant("b") && !actor.may_grant(scopes::ADMIN));
        }
        let admin_key = key(None, &[scopes::ADMIN]);
        assert!(admin_key.may_grant("b") && !admin_key.may_grant(scopes::ADMIN));
        assert!(operator().may_grant("b") && operator().may_grant(scopes::ADMIN));
    }

    #[test]
    fn a_key_that_is_made_by_a_key_never_gains() {
        let [early, late] = [1, 2].map(Time::from_millis);
        let mut actor = key(None, &["a", "b"]);
        assert!(actor.may_hold(&strings(&["b"]), None));
        actor.key.as_mut().unwrap().expires_at = early;
        assert!(actor.may_hold(&strings(&["b"]), early));
        assert!(!actor.may_hold(&strings(&["b", "c"]), early));
        assert!(!actor.may_hold(&strings(&["b"]), late));
        assert!(!actor.may_hold(&strings(&["b"]), None));
        assert_eq!(actor.expires_at(), early);
        assert_eq!(user(&[]).expires_at(), None);
    }

    #[test]
    fn a_list_without_arguments_has_all_that_the_caller_owns_or_operates() {
        assert_eq!(select(&user(&[]), None, None), selection(Some("ann"), None));
        assert_eq!(select(&key(Some("p"), &[]), None, None), selection(Some("ann"), Some("p")));
        assert_eq!(select(&operator(), None, None), selection(None, None));
        assert_eq!(select(&key(Some("p"), &[scopes::ADMIN]), None, None), selection(None, Some("p")));
    }

    #[test]
    fn a_list_of_a_project_has_every_owner_s_keys_for_its_admins() {
        let project = |role| Some(("p", role));
        for actor in [user(&[]), key(None, &[])] {
            assert_eq!(select(&actor, None, project(MEMBER)), selection(Some("ann"), Some("p")));
            assert_eq!(select(&actor, None, project(ADMIN)), selection(None, Some("p")));
        }
        assert_eq!(select(&key(Some("p"), &[]), None, project(ADMIN)), selection(Some("ann"), Some("p")));
        assert_eq!(select(&operator(), None, project(None)), selection(None, Some("p")));
    }

    #[test]
    fn an_owner_is_named_by_operators_and_in_their_project_by_its_admins() {
        let project = |role| Some(("p", role));
        assert_eq!(select(&user(&[]), Some("bob"), None), None);
        assert_eq!(select(&user(&[]), Some("ann"), None), selection(Some("ann"), None));
        assert_eq!(select(&user(&[]), Some("bob"), project(MEMBER)), None);
        assert_eq!(select(&user(&[]), Some("bob"), project(ADMIN)), selection(Some("bob"), Some("p")));
        assert_eq!(select(&key(Some("p"), &[]), Some("bob"), project(ADMIN)), None);
        assert_eq!(select(&operator(), Some("bob"), None), selection(Some("bob"), None));
    }

    #[test]
    fn a_selection_has_what_matches_every_field() {
        let all = selection(None, None).unwrap();
        assert!(all.has("ann", None) && all.has("bob", Some("p")));
        let one = selection(Some("ann"), Some("p")).unwrap();
        assert!(one.has("ann", Some("p")));
        assert!(!one.has("bob", Some("p")) && !one.has("ann", Some("q")) && !one.has("ann", None));
    }

    #[test]
    fn a_scope_is_compared_to_the_letter() {
        assert!(!user(&["a", "A "]).may_grant("A"));
    }
}
