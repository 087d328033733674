import Database from 'better-sqlite3';
import { migrate } from '../src/database.js';
import { sqliteStorage, type Storage } from '../src/storage.js';
import type { Project } from './conformance/case.js';

/** Storage in a database that is nowhere but in memory, and empty but for these projects. */
export function storageInMemory(projects: Project[]): Storage {
  const database = new Database(':memory:');
  migrate(database);
  for (const { id, slug, members } of projects) {
    database.prepare('INSERT INTO projects (id, slug, created_at) VALUES (?, ?, 0)').run(id, slug);
    const insertMember = database.prepare('INSERT INTO project_members (project_id, user_id) VALUES (?, ?)');
    for (const member of members) insertMember.run(id, member);
  }
  return sqliteStorage(database);
}
