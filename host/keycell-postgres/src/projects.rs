//! Projects and their members.

use std::collections::BTreeMap;

use keycell::{Member, Project, ProjectReference, ProjectSlug, ProjectStorage, ProjectWithRole, Role, StorageError};
use uuid::Uuid;

use crate::{
    PostgresStorage,
    connections::Connections,
    error::PostgresError,
    now,
    rows::{column, number, role, text, texts},
    schema, sql,
};

/// The id or the slug of a reference, for statements that take both.
fn id_or_slug(reference: &ProjectReference) -> (Option<&str>, Option<&str>) {
    match reference {
        ProjectReference::Id(id) => (Some(id), None),
        ProjectReference::Slug(slug) => (None, Some(slug)),
    }
}

pub async fn find(
    connections: &Connections,
    reference: &ProjectReference,
    user_id: &str,
) -> Result<Option<ProjectWithRole>, PostgresError> {
    let (id, slug) = id_or_slug(reference);
    let row = connections.query_optional(sql::FIND_PROJECT, &[text(&id), text(&slug), text(&user_id)]).await?;
    row.map(|row| Ok(ProjectWithRole::new(column::<String>(&row, 0, "id")?, role(&row, 1)?))).transpose()
}

impl ProjectStorage for PostgresStorage {
    async fn insert_project(&self, id: Uuid, slug: ProjectSlug, members: Vec<Member>) -> Result<Project, StorageError> {
        let project = Project::new(id.to_string(), slug.into_text());
        let created_at = now().millis();
        // The last role of a user holds.
        let members: BTreeMap<_, _> = members.into_iter().map(|member| (member.user_id, member.role)).collect();
        let (users, roles): (Vec<_>, Vec<_>) = members.into_iter().map(|(user, role)| (user, role.as_str())).unzip();
        let parameters = [text(&project.id), text(&project.slug), number(&created_at), texts(&users), texts(&roles)];
        self.connections.write(sql::INSERT_PROJECT, &parameters, 1).await?;
        Ok(project)
    }

    async fn list_projects(&self, user_id: Option<&str>) -> Result<Vec<Project>, StorageError> {
        let rows = self.connections.query(sql::LIST_PROJECTS, &[text(&user_id)]).await?;
        let projects =
            rows.iter().map(|row| Ok(Project::new(column::<String>(row, 0, "id")?, column::<String>(row, 1, "slug")?)));
        Ok(projects.collect::<Result<_, PostgresError>>()?)
    }

    async fn put_member(&self, project: &ProjectReference, member: Member) -> Result<bool, StorageError> {
        let (id, slug) = id_or_slug(project);
        let role = member.role.as_str();
        let parameters = [text(&id), text(&slug), text(&member.user_id), text(&role)];
        Ok(self.connections.query_optional(sql::PUT_MEMBER, &parameters).await?.is_some())
    }

    async fn remove_member(&self, project: &ProjectReference, user_id: &str) -> Result<bool, StorageError> {
        let (id, slug) = id_or_slug(project);
        let parameters = [text(&id), text(&slug), text(&user_id)];
        Ok(self.connections.query_optional(sql::REMOVE_MEMBER, &parameters).await?.is_some())
    }

    async fn list_members(&self, project: &ProjectReference) -> Result<Option<Vec<Member>>, StorageError> {
        let (id, slug) = id_or_slug(project);
        let rows = self.connections.query(sql::LIST_MEMBERS, &[text(&id), text(&slug)]).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let mut members = Vec::new();
        for row in &rows {
            let user_id: Option<String> = column(row, 0, "user_id")?;
            let role: Option<Role> = role(row, 1)?;
            members.extend(user_id.zip(role).map(|(user_id, role)| Member::new(user_id, role)));
        }
        Ok(Some(members))
    }

    /// Reads, and makes a durable write that changes nothing.
    async fn check_ready(&self) -> Result<(), StorageError> {
        Ok(schema::check_ready(&self.connections).await?)
    }
}
