//! Projects, which the owner of the bucket writes.

use crate::{
    Result,
    bucket::Bucket,
    storage::{Error, ProjectReference, ProjectRole, Role},
};

/// `find-project`.
pub fn find_project(bucket: &dyn Bucket, reference: &ProjectReference, user_id: &str) -> Result<ProjectRole> {
    let project_id = match reference {
        ProjectReference::Id(id) => id.clone(),
        ProjectReference::Slug(slug) => {
            bucket.read_text(&format!("slug.{slug}"))?.ok_or(Error::NotFound)?.trim().to_owned()
        }
    };
    let role = role_in(bucket, &project_id, user_id)?.ok_or(Error::NotFound)?;
    Ok(ProjectRole { project_id, role })
}

/// The role of a user in a project; `None` if the user is not a member or there is no such project.
pub fn role(bucket: &dyn Bucket, project_id: &str, user_id: &str) -> Result<Option<Role>> {
    Ok(role_in(bucket, project_id, user_id)?.flatten())
}

/// `None` if there is no such project, and `Some(None)` if the user is not a member.
fn role_in(bucket: &dyn Bucket, project_id: &str, user_id: &str) -> Result<Option<Option<Role>>> {
    let lists = |name: String| -> Result<Option<bool>> {
        let members = bucket.read_text(&name)?;
        Ok(members.map(|members| members.lines().any(|member| member == user_id)))
    };
    Ok(match lists(format!("project.{project_id}"))? {
        Some(true) => {
            let is_admin = lists(format!("admins.{project_id}"))?.unwrap_or_default();
            Some(Some(if is_admin { Role::Admin } else { Role::Member }))
        }
        is_member => is_member.map(|_| None),
    })
}
