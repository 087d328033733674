//! Keys and projects that the caller refers to.

use alloc::string::String;

use super::api_keys::{Error, Subject};
use super::storage;
use crate::access::{Actor, Role, Selection};
use crate::id::ApiKeyId;
use crate::project::ProjectReference;
use crate::user::UserId;

/// Finds the key with this id if the caller may see it. A missing and a hidden key take the same
/// calls and give the same error. Only the transfer of the hidden record takes additional time.
pub fn key(actor: &Actor, id: ApiKeyId) -> Result<storage::KeyRole, Error> {
    let found = storage::find_key(&id.to_text(), actor.user_id())?;
    let role = found.role.map(Role::from);
    if !actor.may_see(&found.key.user_id, found.key.project_id.as_deref(), role) {
        return Err(storage::Error::NotFound.into());
    }
    Ok(found)
}

/// Finds a project that the caller may enter, and their role in it.
pub fn project(actor: &Actor, reference: ProjectReference) -> Result<(String, Option<Role>), Error> {
    let reference = match reference {
        ProjectReference::Id(id) => storage::ProjectReference::Id(id),
        ProjectReference::Slug(slug) => storage::ProjectReference::Slug(slug.into_text()),
    };
    match storage::find_project(&reference, actor.user_id()) {
        Ok(storage::ProjectRole { project_id, role }) => enter(actor, project_id, role),
        Err(storage::Error::NotFound) => Err(Error::NotFound(Subject::Project)),
        Err(error) => Err(error.into()),
    }
}

/// Returns the project and the role if the caller may enter the project.
pub fn enter(actor: &Actor, project_id: String, role: Option<storage::Role>) -> Result<(String, Option<Role>), Error> {
    let role = role.map(Role::from);
    if !actor.may_enter(&project_id, role) {
        return Err(Error::NotFound(Subject::Project));
    }
    Ok((project_id, role))
}

/// The filters of a list that name an owner and a project.
pub struct Filter {
    /// The selection that the arguments ask for.
    pub asked: Selection,
    /// The part of it that the caller may list.
    pub visible: Selection,
}

/// Resolves the owner and the project of a list.
pub fn filter(actor: &Actor, owner: Option<UserId>, reference: Option<ProjectReference>) -> Result<Filter, Error> {
    let owner = owner.map(UserId::into_text);
    let project = reference.map(|reference| project(actor, reference)).transpose()?;
    let asked = Selection { user_id: owner.clone(), project_id: project.as_ref().map(|(id, _)| id.clone()) };
    let visible = actor.select(owner, project).ok_or(Error::Forbidden)?;
    Ok(Filter { asked, visible })
}

impl From<storage::Role> for Role {
    fn from(role: storage::Role) -> Self {
        match role {
            storage::Role::Member => Self::Member,
            storage::Role::Admin => Self::Admin,
        }
    }
}
