//! `keycell project member`.

use clap::{Args, Subcommand};
use keycell::{Member, Role};

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
    let members = change(settings, command).await.map_err(|error| error.or_if_forbidden(CommandError::NotAdmin))?;
    if !settings.is_for_people {
        return output::json(&members);
    }
    let row = |member: &Member| vec![member.user_id.clone(), member.role.as_str().to_owned()];
    let rows: Vec<_> = members.iter().map(row).collect();
    Table::new(&[Column::new("USER", 90), Column::new("ROLE", 6)]).print(&rows, false)
}

/// Runs a command and returns the members after it.
async fn change(settings: &Settings, command: Command) -> Result<Vec<Member>, CommandError> {
    let (authority, caller) = (settings.authority().await?, settings.caller());
    let project = match command {
        Command::Add(Add { project, member, role }) => {
            authority.put_member(&caller, &project, Member::new(member, role)).await?;
            project
        }
        Command::Remove(Remove { project, member }) => {
            let members = authority.list_members(&caller, &project).await?;
            if !members.iter().any(|other| other.user_id == member) {
                return Err(CommandError::NoMember);
            }
            authority.remove_member(&caller, &project, &member).await?;
            project
        }
        Command::List(List { project }) => return Ok(authority.list_members(&caller, &project).await?),
    };
    // The change may have ended the user's own role as an admin.
    Ok(authority.list_members(&caller.as_operator(), &project).await?)
}

fn role(text: &str) -> Result<Role, &'static str> {
    Role::parse(text).ok_or("must be member or admin")
}
