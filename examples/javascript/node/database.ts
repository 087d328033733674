import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';

/** The schema is keycell's own, so that its other hosts can open the same file. */
const MIGRATIONS = new URL('migrations/', import.meta.resolve('#generated/keycell.js'));
const SCRIPTS = readdirSync(MIGRATIONS).sort().map((file, index) =>
  `${readFileSync(new URL(file, MIGRATIONS), 'utf8')} PRAGMA user_version = ${index + 1};`);
if (SCRIPTS.length === 0) throw new Error(`there is no schema in ${MIGRATIONS.pathname}: build the example`);

const APPLICATION_ID = 0x6b657963; // "keyc"
const BUSY_TIMEOUT_MS = 4000;

/** Opens a database, and creates it if the file does not exist. */
export function openDatabase(path: string): Database.Database {
  // For its user alone: SQLite gives its other files the same permissions. One that exists is not opened here, because
  // closing a file drops the locks that this process has on it.
  try { writeFileSync(path, '', { flag: 'wx', mode: 0o600 }); }
  catch (error) { if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; }
  const database = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  database.transaction(checkOwner)(database); // Before anything is written, and of one moment.
  const deadline = Date.now() + BUSY_TIMEOUT_MS;
  while (true) {
    try { database.pragma('journal_mode = WAL'); break; }
    catch (error) { if (Date.now() > deadline) throw error; }
    // SQLite waits in this statement while another process opens the same new file, but not in the one above.
    database.exec('BEGIN IMMEDIATE; COMMIT');
  }
  database.pragma('synchronous = FULL');
  migrate(database);
  return database;
}

/** Migrates a database to the newest schema. */
export function migrate(database: Database.Database): void {
  database.pragma('foreign_keys = OFF'); // A migration may rebuild tables.
  // The version is read again within the transaction: another process may have migrated the file in between.
  const run = database.transaction(() =>
    SCRIPTS.slice(pragma(database, 'user_version')).forEach((script) => database.exec(script)));
  if (pragma(database, 'user_version') < SCRIPTS.length) run.immediate();
  database.pragma('foreign_keys = ON');
}

/** Refuses a file of another program or of a newer keycell. A file of version 0.1 has no application id. */
function checkOwner(database: Database.Database): void {
  const [id, version] = [pragma(database, 'application_id'), pragma(database, 'user_version')];
  const isOld = id === 0 && version < 2 && schema(database) === schema(new Database(':memory:'), SCRIPTS.slice(0, version));
  if (id !== APPLICATION_ID && !isOld) throw new Error('the file is not a keycell database: choose another file');
  checkVersion(database);
}

/** Refuses a schema that another process has migrated to a newer one. */
export function checkVersion(database: Database.Database): void {
  if (pragma(database, 'user_version') > SCRIPTS.length) {
    throw new Error('a newer keycell wrote this database: use that version');
  }
}

/** The SQL of a database's tables and indexes, after these scripts. */
function schema(database: Database.Database, scripts: string[] = []): string {
  scripts.forEach((script) => database.exec(script));
  return database.prepare("SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name").pluck().all().join();
}

const pragma = (database: Database.Database, name: string) => Number(database.pragma(name, { simple: true }));
