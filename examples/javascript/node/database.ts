import Database from 'better-sqlite3';

const APPLICATION_ID = 0x6b657963; // "keyc"
/** The schema that `storage.ts` is written for. */
const SCHEMA = 2;

/** Opens a database that `create.ts` or another host of keycell has made. */
export function openDatabase(path: string): Database.Database {
  const database = new Database(path, { fileMustExist: true, timeout: 4000 });
  checkSchema(database);
  try {
    database.pragma('journal_mode = WAL');
  } catch { /* Another process opens the new file, too. The next opening sets the mode. */ }
  database.pragma('synchronous = FULL');
  database.pragma('foreign_keys = ON');
  return database;
}

/** Refuses a database of another program, and one that another process has migrated. */
export function checkSchema(database: Database.Database): void {
  const pragma = (name: string) => Number(database.pragma(name, { simple: true }));
  if (pragma('application_id') === APPLICATION_ID && pragma('user_version') === SCHEMA) return;
  throw new Error(`not a keycell database of schema ${SCHEMA}: migrate it, or use a newer host`);
}
