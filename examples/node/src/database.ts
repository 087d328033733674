import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';

/** The schema is keycell's own, so that its other hosts can open the same file. */
const MIGRATIONS = new URL('../generated/migrations/', import.meta.url);
const SCRIPTS = readdirSync(MIGRATIONS).sort().map((file, index) =>
  `${readFileSync(new URL(file, MIGRATIONS), 'utf8')} PRAGMA user_version = ${index + 1};`);
if (SCRIPTS.length === 0) throw new Error(`there is no schema in ${MIGRATIONS.pathname}`);

const PATIENCE_MS = 4000;

/** Opens a database, and creates it where there is none. */
export function openDatabase(path: string): Database.Database {
  // For its user alone: SQLite gives its other files the same permissions. One that exists is not touched, because
  // closing a file drops the locks that this process has on it.
  try { writeFileSync(path, '', { flag: 'wx', mode: 0o600 }); }
  catch (error) { if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; }
  const database = new Database(path, { timeout: PATIENCE_MS });
  const deadline = Date.now() + PATIENCE_MS;
  while (true) {
    try { database.pragma('journal_mode = WAL'); break; }
    catch (error) { if (Date.now() > deadline) throw error; }
    // Where another process opens the same new file, SQLite does not wait in the statement above. In this one it does.
    database.exec('BEGIN IMMEDIATE; COMMIT');
  }
  database.pragma('synchronous = FULL');
  migrate(database);
  return database;
}

/** Brings a database to the newest schema. */
export function migrate(database: Database.Database): void {
  const version = () => Number(database.pragma('user_version', { simple: true }));
  // The version is asked again: another process that opened it at the same moment may have been first.
  const bringUp = database.transaction(() => SCRIPTS.slice(version()).forEach((script) => database.exec(script)));
  if (version() < SCRIPTS.length) bringUp.immediate();
  if (version() > SCRIPTS.length) throw new Error('a newer keycell wrote this database: use that one');
}
