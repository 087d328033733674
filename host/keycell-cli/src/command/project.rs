//! `keycell project`.

use clap::{Args, Subcommand};
use keycell::{Error, Project, ProjectSlug};

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
    if ProjectSlug::parse(slug).is_none() {
        return Err(CommandError::Slug);
    }
    // Every user of the command line may create projects, because they can write the database.
    let created = settings.authority_or_new().await?.create_project(&settings.caller().as_operator(), slug).await;
    let project = created.map_err(|error| match error {
        Error::Conflict => CommandError::SlugTaken,
        error => error.into(),
    })?;
    if settings.is_for_people { print(&[project]) } else { output::json(&project) }
}

async fn list(settings: &Settings) -> Result<(), CommandError> {
    let projects = settings.authority().await?.list_projects(&settings.caller()).await?;
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
