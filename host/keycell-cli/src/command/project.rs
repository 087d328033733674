//! `keycell project`.

use keycell::{ProjectSlug, ProjectStorage, StorageError};

use super::{error::CommandError, output, settings::Settings};

pub async fn create(settings: &Settings, slug: &str) -> Result<(), CommandError> {
    let slug = ProjectSlug::parse(slug).ok_or(CommandError::Slug)?;
    let members = vec![settings.caller()?.user_id().to_owned()];
    let inserted = settings.storage()?.insert_project(uuid::Uuid::new_v4(), slug, members).await;
    let project = inserted.map_err(|error| match error {
        StorageError::Conflict => CommandError::SlugTaken,
        error => CommandError::Storage(error),
    })?;
    if !output::is_for_people(settings) {
        return output::json(&project);
    }
    output::fields(&[("project", project.slug), ("id", project.id)])
}

pub async fn list(settings: &Settings) -> Result<(), CommandError> {
    let caller = settings.caller()?;
    let projects = settings.storage()?.list_projects(caller.user_id()).await.map_err(CommandError::Storage)?;
    if !output::is_for_people(settings) {
        return output::json(&projects);
    }
    output::table(&["PROJECT", "ID"], projects.into_iter().map(|project| vec![project.slug, project.id]))
}
