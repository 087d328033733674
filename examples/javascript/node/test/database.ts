import Database from 'better-sqlite3';
import type { ProjectSetUp, RoleStep } from '../../conformance/case.js';
import { createTables } from '../create.js';

/** A database in memory that is empty except for these projects. */
export function databaseInMemory(projects: ProjectSetUp[] = []): Database.Database {
  const database = new Database(':memory:');
  createTables(database);
  for (const { id, slug, members } of projects) {
    database.prepare('INSERT INTO projects (id, slug, created_at) VALUES (?, ?, 0)').run(id, slug);
    for (const member of members) {
      setRole(database, { project: slug, role: 'member', ...(typeof member === 'string' ? { user: member } : member) });
    }
  }
  return database;
}

/** Gives a user a role in a project, or removes the user from it. */
export function setRole(database: Database.Database, { project, user, role }: RoleStep): void {
  const id = database.prepare('SELECT id FROM projects WHERE slug = ?').pluck().get(project);
  if (role === null) database.prepare('DELETE FROM project_members WHERE project_id = ? AND user_id = ?').run(id, user);
  else database.prepare('REPLACE INTO project_members (project_id, user_id, role) VALUES (?, ?, ?)').run(id, user, role);
}
