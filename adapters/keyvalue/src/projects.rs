//! Projects, which the owner of the bucket writes.

use crate::{
    bucket::Bucket,
    entries, names,
    storage::{Error, ProjectReference, ProjectRole, Role},
};

/// `find-project`.
pub fn find_project(bucket: &dyn Bucket, reference: &ProjectReference, user_id: &str) -> Result<ProjectRole, Error> {
    let project_id = match reference {
        ProjectReference::Id(id) => id.clone(),
        ProjectReference::Slug(slug) => {
            entries::read_text(bucket, &names::slug(slug))?.ok_or(Error::NotFound)?.trim().to_owned()
        }
    };
    let members = entries::read_text(bucket, &names::project(&project_id))?.ok_or(Error::NotFound)?;
    let role = role_in(bucket, &project_id, &members, user_id)?;
    Ok(ProjectRole { project_id, role })
}

/// The role of a user in a project; `None` if the user is not a member or there is no such project.
pub fn role(bucket: &dyn Bucket, project_id: &str, user_id: &str) -> Result<Option<Role>, Error> {
    let members = entries::read_text(bucket, &names::project(project_id))?.unwrap_or_default();
    role_in(bucket, project_id, &members, user_id)
}

fn role_in(bucket: &dyn Bucket, project_id: &str, members: &str, user_id: &str) -> Result<Option<Role>, Error> {
    let holds_user = |list: &str| list.lines().any(|member| member == user_id);
    if !holds_user(members) {
        return Ok(None);
    }
    let admins = entries::read_text(bucket, &names::admins(project_id))?.unwrap_or_default();
    Ok(Some(if holds_user(&admins) { Role::Admin } else { Role::Member }))
}
