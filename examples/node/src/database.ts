import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import Database from 'better-sqlite3';

/** The schema is keycell's own, so that its other hosts can open the same file. */
const MIGRATIONS = new URL('../../../host/src/storage/sqlite/migrations/', import.meta.url);

/** Opens a database, and creates it where there is none. */
export function openDatabase(path: string): Database.Database {
  // For its user alone. SQLite gives its other files the same permissions.
  closeSync(openSync(path, 'a', 0o600));
  // So many milliseconds another process is waited for that keeps the file locked.
  const database = new Database(path, { timeout: 4000 });
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  migrate(database);
  return database;
}

/** Brings a database to the newest schema. */
export function migrate(database: Database.Database): void {
  const scripts = readdirSync(MIGRATIONS).sort().map((file) => readFileSync(new URL(file, MIGRATIONS), 'utf8'));
  const version = () => Number(database.pragma('user_version', { simple: true }));
  const bringUp = database.transaction(() => {
    // Asked again: another process that opened it at the same moment may have been first.
    for (const script of scripts.slice(version())) database.exec(script);
    database.pragma(`user_version = ${scripts.length}`);
  });
  if (version() > scripts.length) throw new Error('a newer keycell wrote this database: use that one');
  if (version() < scripts.length) bringUp.immediate();
}
