//! `keycell project`.

use clap::{Args, Subcommand};
use keycell::{Member, Project, ProjectReference, ProjectSlug, ProjectStorage, Role, Storage, StorageError};
use keycell_component::project;
use keycell_sqlite::SqliteStorage;
use uuid::Uuid;

use super::member;
use crate::{
    error::CommandError,
    output,
    settings::Settings,
    table::{Column, Table},
};

#[derive(Subcommand)]
pub enum Command {
    /// Creates a project with the user as its admin
    Create(Create),
    /// Lists the projects that the user is a member of, or every project with --operator
    List,
    /// Adds, removes and lists the members of a project
    #[command(subcommand)]
    Member(member::Command),
}

#[derive(Args)]
#[command(after_help = "Example:
  keycell project create web")]
pub struct Create {
    /// The name in references: 1 to 63 of a-z, 0-9 and inner hyphens
    slug: String,
}

pub async fn run(settings: &Settings, command: Command) -> Result<(), CommandError> {
    match command {
        Command::Create(Create { slug }) => create(settings, &slug).await,
        Command::List => list(settings).await,
        Command::Member(command) => member::run(settings, command).await,
    }
}

async fn create(settings: &Settings, slug: &str) -> Result<(), CommandError> {
    let slug = ProjectSlug::parse(slug).ok_or(CommandError::Slug)?;
    let admin = Member::new(&settings.user.0, Role::Admin);
    let created = settings.storage_or_new()?.insert_project(Uuid::new_v4(), slug, vec![admin]).await;
    let project = created.map_err(|error| match error {
        StorageError::Conflict => CommandError::SlugTaken,
        error => CommandError::Storage(error),
    })?;
    if settings.is_for_people { print(&[project]) } else { output::json(&project) }
}

async fn list(settings: &Settings) -> Result<(), CommandError> {
    let user = (!settings.is_operator).then_some(settings.user.0.as_str());
    let projects = settings.storage()?.list_projects(user).await.map_err(CommandError::Storage)?;
    if !settings.is_for_people {
        return output::json(&projects);
    }
    if projects.is_empty() {
        return output::line("There are no projects. Create one with `keycell project create SLUG`.");
    }
    print(&projects)
}

fn print(projects: &[Project]) -> Result<(), CommandError> {
    let rows: Vec<_> = projects.iter().map(|project| vec![project.slug.clone(), project.id.clone()]).collect();
    Table::new(&[Column::new("PROJECT", 62), Column::new("ID", 36)]).print(&rows, false)
}

/// Finds the role of the user in a project. A project of which the user is no member is not found,
/// except by an operator.
pub async fn find_role(
    settings: &Settings,
    storage: &SqliteStorage,
    reference: &ProjectReference,
) -> Result<Option<Role>, CommandError> {
    let found = storage.find_project(reference, &settings.user.0).await.map_err(CommandError::Storage)?;
    let role = found.ok_or(CommandError::NoProject)?.role;
    if role.is_some() || settings.is_operator { Ok(role) } else { Err(CommandError::NoProject) }
}

/// Parses a project's id or slug.
pub fn parse_reference(text: &str) -> Result<ProjectReference, CommandError> {
    match project::ProjectReference::parse(text) {
        Ok(project::ProjectReference::Id(id)) => Ok(ProjectReference::Id(id)),
        Ok(project::ProjectReference::Slug(slug)) => Ok(ProjectReference::Slug(slug.into_text())),
        Err(_) => Err(CommandError::ProjectReference),
    }
}
