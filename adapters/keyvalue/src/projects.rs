//! Projects, as the bucket's owner has written them.

use crate::{
    bucket::Bucket,
    entries, names,
    storage::{Error, ProjectReference},
};

/// `find-project`.
pub fn find_project(bucket: &dyn Bucket, reference: &ProjectReference, user_id: &str) -> Result<String, Error> {
    let id = match reference {
        ProjectReference::Id(id) => id.clone(),
        ProjectReference::Slug(slug) => {
            entries::read_text(bucket, &names::slug(slug))?.ok_or(Error::NotFound)?.trim().to_owned()
        }
    };
    let members = entries::read_text(bucket, &names::project(&id))?.ok_or(Error::NotFound)?;
    if members.lines().any(|member| member == user_id) { Ok(id) } else { Err(Error::NotFound) }
}
