//! Projects and their members as rows.

use keycell::{Member, Project, ProjectReference, ProjectWithRole};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{columns, error::SqliteError};

type Result<T> = std::result::Result<T, SqliteError>;

pub fn find(connection: &Connection, reference: &ProjectReference, user_id: &str) -> Result<Option<ProjectWithRole>> {
    let (sql, name) = match reference {
        ProjectReference::Id(id) => (
            "SELECT id, (SELECT role FROM project_members WHERE user_id = ?2 AND project_id = id)
             FROM projects WHERE id = ?1",
            id,
        ),
        ProjectReference::Slug(slug) => (
            "SELECT id, (SELECT role FROM project_members WHERE user_id = ?2 AND project_id = id)
             FROM projects WHERE slug = ?1",
            slug,
        ),
    };
    let project_with_role =
        |row: &Row<'_>| Ok(ProjectWithRole::new(row.get::<_, String>(0)?, columns::optional_role(row, 1)?));
    Ok(connection.prepare_cached(sql)?.query_row([name.as_str(), user_id], project_with_role).optional()?)
}

pub fn insert(connection: &Connection, project: &Project, created_at: i64, members: &[Member]) -> Result<()> {
    connection.prepare_cached("INSERT INTO projects (id, slug, created_at) VALUES (?1, ?2, ?3)")?.execute((
        &project.id,
        &project.slug,
        created_at,
    ))?;
    members.iter().try_for_each(|member| put_member(connection, &project.id, member))
}

/// Lists the projects of a user, or every project, by slug.
pub fn list(connection: &Connection, user_id: Option<&str>) -> Result<Vec<Project>> {
    let project = |row: &Row<'_>| Ok(Project::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let projects = match user_id {
        Some(user_id) => connection
            .prepare_cached(
                "SELECT id, slug FROM projects JOIN project_members ON project_id = id
                 WHERE user_id = ?1 ORDER BY slug",
            )?
            .query_map([user_id], project)?
            .collect(),
        None => connection
            .prepare_cached("SELECT id, slug FROM projects ORDER BY slug")?
            .query_map((), project)?
            .collect::<rusqlite::Result<_>>(),
    };
    Ok(projects?)
}

/// Adds a member, or changes the member's role.
pub fn put_member(connection: &Connection, project_id: &str, member: &Member) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO project_members (project_id, user_id, role) VALUES (?1, ?2, ?3)
             ON CONFLICT (user_id, project_id) DO UPDATE SET role = excluded.role",
        )?
        .execute([project_id, &member.user_id, member.role.as_str()])?;
    Ok(())
}

/// Removes a member. Returns whether there was one.
pub fn remove_member(connection: &Connection, project_id: &str, user_id: &str) -> Result<bool> {
    let removed = connection
        .prepare_cached("DELETE FROM project_members WHERE project_id = ?1 AND user_id = ?2")?
        .execute([project_id, user_id])?;
    Ok(removed > 0)
}

/// Lists the members of a project by user id.
pub fn list_members(connection: &Connection, project_id: &str) -> Result<Vec<Member>> {
    let mut statement = connection
        .prepare_cached("SELECT user_id, role FROM project_members WHERE project_id = ?1 ORDER BY user_id")?;
    let members = statement.query_map([project_id], member)?;
    Ok(members.collect::<rusqlite::Result<_>>()?)
}

pub fn member(row: &Row<'_>) -> rusqlite::Result<Member> {
    Ok(Member::new(row.get::<_, String>(0)?, columns::role(row, 1)?))
}

/// Finds the id of a project.
pub fn id(connection: &Connection, reference: &ProjectReference) -> Result<Option<String>> {
    Ok(find(connection, reference, "")?.map(|project| project.project_id))
}
