//! `authorize-project`.

use alloc::borrow::ToOwned;

use super::api_keys::{Error, ProjectAccess, ProjectAction};
use super::fault::Faults;
use super::{caller, find, imports};
use crate::project::ProjectReference;
use crate::scopes;

pub fn authorize_project(action: ProjectAction, reference: Option<&str>) -> Result<ProjectAccess, Error> {
    let (scope, reference) = match action {
        ProjectAction::Create => (scopes::WRITE, None),
        ProjectAction::See => (scopes::READ, reference),
        ProjectAction::ListMembers => (scopes::READ, Some(reference.unwrap_or_default())),
        ProjectAction::ChangeMembers => (scopes::WRITE, Some(reference.unwrap_or_default())),
    };
    let actor = caller::acting(imports::now()?, scope)?;
    let mut faults = Faults::default();
    let Some(reference) = faults.take_optional("project_reference", reference, ProjectReference::parse) else {
        return Err(faults.into());
    };
    let project = reference.map(|reference| find::project(&actor, reference)).transpose()?;
    let role = project.as_ref().and_then(|&(_, role)| role);
    if action != ProjectAction::See && !actor.may_manage_projects(role) {
        return Err(Error::Forbidden);
    }
    let visible = actor.select(None, project).ok_or(Error::Forbidden)?;
    Ok(ProjectAccess { user_id: actor.user_id().to_owned(), member: visible.user_id, project_id: visible.project_id })
}
