//! Projects and their members, as far as a caller may see and change them.
//!
//! The component decides; the storage keeps the projects.

use keycell_component::{fault, project::ProjectSlug, user::UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    arguments::cut,
    bindings::exports::keycell::api_keys::api_keys as guest,
    caller::Caller,
    error::{Error, Fault, Subject},
    keycell::Keycell,
    response::{InvalidResponse, Response},
    sandbox::Export,
    storage::{Member, Project, ProjectReference, ProjectStorage, Role, Storage},
};

/// An action on projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProjectAction {
    /// Create a project.
    Create,
    /// See a project or, without a reference, list the projects that the caller may see.
    See,
    /// List the members of a project.
    ListMembers,
    /// Add, change and remove members of a project.
    ChangeMembers,
}

impl From<ProjectAction> for guest::ProjectAction {
    fn from(action: ProjectAction) -> Self {
        match action {
            ProjectAction::Create => Self::Create,
            ProjectAction::See => Self::See,
            ProjectAction::ListMembers => Self::ListMembers,
            ProjectAction::ChangeMembers => Self::ChangeMembers,
        }
    }
}

/// A permitted action on projects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProjectAccess {
    /// The id of the caller's user.
    pub user_id: String,
    /// The user whose projects the caller may see; `None`: every user's.
    pub member: Option<String>,
    /// The id of the only project that the action is about; `None`: any.
    pub project_id: Option<String>,
}

impl Response for ProjectAccess {
    type Guest = guest::ProjectAccess;

    fn parse(response: guest::ProjectAccess) -> Result<Self, InvalidResponse> {
        let guest::ProjectAccess { user_id, member, project_id } = response;
        Ok(Self { user_id, member, project_id })
    }
}

impl ProjectAccess {
    /// The project that the action is about.
    fn project(self) -> Result<ProjectReference, Error> {
        let id = self.project_id.ok_or_else(|| Error::internal(&InvalidResponse("project_id")))?;
        Ok(ProjectReference::Id(id))
    }
}

impl<S: Storage> Keycell<S> {
    /// Authorizes an action on projects, for hosts that keep projects themselves. `project` is an id
    /// or a slug; only [`ProjectAction::See`] and [`ProjectAction::Create`] go without one.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Conflict` and `NotActive`.
    pub async fn authorize_project(
        &self,
        caller: &Caller,
        action: ProjectAction,
        project: Option<&str>,
    ) -> Result<ProjectAccess, Error> {
        self.call(Export::AuthorizeProject, caller, (guest::ProjectAction::from(action), project.map(cut))).await
    }
}

impl<S: ProjectStorage> Keycell<S> {
    /// Creates a project with the caller as its admin.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `NotFound` and `NotActive`; `Conflict` if the slug is taken.
    pub async fn create_project(&self, caller: &Caller, slug: &str) -> Result<Project, Error> {
        let Some(slug) = ProjectSlug::parse(slug) else {
            let faults = vec![Fault::from(("slug", fault::Fault::NotAReference))];
            return Err(self.invalid_input(caller, faults).await);
        };
        let access = self.authorize_project(caller, ProjectAction::Create, None).await?;
        let admin = Member::new(access.user_id, Role::Admin);
        Ok(self.storage().insert_project(Uuid::new_v4(), slug, vec![admin]).await?)
    }

    /// Lists the projects that the caller may see, by slug.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Conflict`, `NotActive` and `NotFound`.
    pub async fn list_projects(&self, caller: &Caller) -> Result<Vec<Project>, Error> {
        self.visible_projects(self.authorize_project(caller, ProjectAction::See, None).await?).await
    }

    /// Gets a project by id or slug.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Conflict` and `NotActive`.
    pub async fn get_project(&self, caller: &Caller, project: &str) -> Result<Project, Error> {
        let access = self.authorize_project(caller, ProjectAction::See, Some(project)).await?;
        self.visible_projects(access).await?.pop().ok_or(Error::NotFound { subject: Subject::Project })
    }

    /// Lists the members of a project by user id.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Conflict` and `NotActive`.
    pub async fn list_members(&self, caller: &Caller, project: &str) -> Result<Vec<Member>, Error> {
        let access = self.authorize_project(caller, ProjectAction::ListMembers, Some(project)).await?;
        let members = self.storage().list_members(&access.project()?).await?;
        members.ok_or(Error::NotFound { subject: Subject::Project })
    }

    /// Adds a member to a project, or changes the member's role.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Conflict` and `NotActive`.
    pub async fn put_member(&self, caller: &Caller, project: &str, member: Member) -> Result<(), Error> {
        self.check_user_id(caller, &member.user_id).await?;
        let access = self.authorize_project(caller, ProjectAction::ChangeMembers, Some(project)).await?;
        let is_found = self.storage().put_member(&access.project()?, member).await?;
        if is_found { Ok(()) } else { Err(Error::NotFound { subject: Subject::Project }) }
    }

    /// Removes a member from a project, if the user is one.
    ///
    /// # Errors
    ///
    /// Each of [`Error`] but `Conflict` and `NotActive`.
    pub async fn remove_member(&self, caller: &Caller, project: &str, user_id: &str) -> Result<(), Error> {
        self.check_user_id(caller, user_id).await?;
        let access = self.authorize_project(caller, ProjectAction::ChangeMembers, Some(project)).await?;
        self.storage().remove_member(&access.project()?, user_id).await?;
        Ok(())
    }

    async fn check_user_id(&self, caller: &Caller, user_id: &str) -> Result<(), Error> {
        match UserId::parse(user_id) {
            Ok(_) => Ok(()),
            Err(faults) => {
                let faults = faults.into_iter().map(|fault| Fault::from(("user_id", fault))).collect();
                Err(self.invalid_input(caller, faults).await)
            }
        }
    }

    /// The projects that the caller may see, of those that the action is about.
    async fn visible_projects(&self, access: ProjectAccess) -> Result<Vec<Project>, Error> {
        let mut projects = self.storage().list_projects(access.member.as_deref()).await?;
        projects.retain(|project| access.project_id.as_ref().is_none_or(|id| *id == project.id));
        Ok(projects)
    }
}
