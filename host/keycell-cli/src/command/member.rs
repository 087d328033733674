//! `keycell project member`.

use clap::{Args, Subcommand};
use keycell::{Member, ProjectReference, ProjectStorage, Role};
use keycell_sqlite::SqliteStorage;

use super::project::{find_role, parse_reference};
use crate::{
    arguments::user_id,
    error::CommandError,
    output,
    settings::Settings,
    table::{Column, Table},
};

#[derive(Subcommand)]
pub enum Command {
    /// Adds a member, or changes the role of a member
    Add(Add),
    /// Removes a member
    Remove(Remove),
    /// Lists the members
    List(List),
}

#[derive(Args)]
#[command(after_help = "Examples:
  keycell project member add web bob
  keycell project member add web carol --role admin")]
pub struct Add {
    /// The project by id or slug
    #[arg(value_name = "PROJECT")]
    project: String,
    /// The user
    #[arg(value_name = "USER", value_parser = user_id)]
    member: String,
    /// The role: a member creates keys for the project, an admin also reads and revokes all its keys
    #[arg(long, value_name = "ROLE", value_parser = role, default_value = "member")]
    role: Role,
}

#[derive(Args)]
#[command(after_help = "Example:
  keycell project member remove web bob")]
pub struct Remove {
    /// The project by id or slug
    #[arg(value_name = "PROJECT")]
    project: String,
    /// The user
    #[arg(value_name = "USER", value_parser = user_id)]
    member: String,
}

#[derive(Args)]
#[command(after_help = "Example:
  keycell project member list web")]
pub struct List {
    /// The project by id or slug
    #[arg(value_name = "PROJECT")]
    project: String,
}

pub async fn run(settings: &Settings, command: Command) -> Result<(), CommandError> {
    let storage = settings.storage()?;
    match command {
        Command::Add(Add { project, member, role }) => {
            let project = administrated(settings, &storage, &project).await?;
            let added = storage.put_member(&project, Member::new(member, role)).await.map_err(CommandError::Storage)?;
            if !added {
                return Err(CommandError::NoProject);
            }
            list(settings, &storage, &project).await
        }
        Command::Remove(Remove { project, member }) => {
            let project = administrated(settings, &storage, &project).await?;
            let removed = storage.remove_member(&project, &member).await.map_err(CommandError::Storage)?;
            if !removed {
                return Err(CommandError::NoMember);
            }
            list(settings, &storage, &project).await
        }
        Command::List(List { project }) => {
            let project = parse_reference(&project)?;
            find_role(settings, &storage, &project).await?;
            list(settings, &storage, &project).await
        }
    }
}

/// Parses a reference to a project whose members the user may change: as an admin or an operator.
async fn administrated(
    settings: &Settings,
    storage: &SqliteStorage,
    reference: &str,
) -> Result<ProjectReference, CommandError> {
    let reference = parse_reference(reference)?;
    let role = find_role(settings, storage, &reference).await?;
    if role == Some(Role::Admin) || settings.is_operator { Ok(reference) } else { Err(CommandError::NotAdmin) }
}

async fn list(settings: &Settings, storage: &SqliteStorage, project: &ProjectReference) -> Result<(), CommandError> {
    let members = storage.list_members(project).await.map_err(CommandError::Storage)?;
    let members = members.ok_or(CommandError::NoProject)?;
    if !settings.is_for_people {
        return output::json(&members);
    }
    let row = |member: &Member| vec![member.user_id.clone(), member.role.as_str().to_owned()];
    let rows: Vec<_> = members.iter().map(row).collect();
    Table::new(&[Column::new("USER", 90), Column::new("ROLE", 6)]).print(&rows, false)
}

fn role(text: &str) -> Result<Role, &'static str> {
    Role::parse(text).ok_or("must be member or admin")
}
