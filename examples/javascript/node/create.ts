import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';

/** The schema is keycell's own, so that its other hosts can open the same file. */
const MIGRATIONS = new URL('migrations/', import.meta.resolve('#generated/keycell.js'));
const IS_EMPTY = `SELECT application_id = 0 AND user_version = 0
    AND NOT EXISTS (SELECT * FROM sqlite_schema)
  FROM pragma_application_id, pragma_user_version`;

/** Makes a database if there is no file, or an empty one. */
export function createDatabase(path: string): void {
  // For its user alone: SQLite gives its other files the same permissions.
  if (!existsSync(path)) writeFileSync(path, '', { flag: 'a', mode: 0o600 });
  const database = new Database(path, { timeout: 4000 });
  try {
    const isEmpty = database.prepare(IS_EMPTY).pluck();
    // Asked again within the transaction: another process may have made the tables in between.
    const create = database.transaction(() => { if (isEmpty.get()) createTables(database); });
    if (isEmpty.get()) create.immediate();
  } finally {
    database.close();
  }
}

/** Makes the tables in an empty database. */
export function createTables(database: Database.Database): void {
  const scripts = readdirSync(MIGRATIONS).sort();
  for (const file of scripts) database.exec(readFileSync(new URL(file, MIGRATIONS), 'utf8'));
  database.pragma(`user_version = ${scripts.length}`);
}
