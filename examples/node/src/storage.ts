import Database from 'better-sqlite3';
import type * as Wit from '../generated/interfaces/keycell-api-keys-storage.js';
import { logCause } from './failure.js';
import { INSERT, LIST, PROJECT, SELECT, UPDATE, USE } from './sql.js';

/** `wit/storage.wit` says what each of its functions promises. */
export type Storage = typeof Wit;
/** What is null in a row stays so in the record: jco takes that for none, too. */
type Row = Omit<Wit.KeyRecord, 'scopes' | 'revision'> & { scopes: string; revision: bigint };

/** What a function of storage throws. jco hands the payload to the component. */
export class StorageError extends Error {
  constructor(readonly payload: Wit.Error) { super(payload.tag); }
}

const fail = (tag: 'not-found' | 'conflict'): never => { throw new StorageError({ tag }); };

const PASSING = /^SQLITE_(BUSY|LOCKED|PROTOCOL|FULL|READONLY|PERM|CANTOPEN|IOERR|NOMEM)/;

/** Storage in a database of keycell's schema. */
export function sqliteStorage(database: Database.Database): Storage {
  database.defaultSafeIntegers(); // Times have 64 bits.
  const get = (query: string, ...parameters: string[]) =>
    database.prepare<string[], Row>(query).get(...parameters) ?? fail('not-found');
  const insert = (key: Wit.KeyRecord) =>
    void database.prepare(INSERT).run({ ...key, scopes: JSON.stringify(key.scopes) });
  const update = (key: Wit.KeyRecord) => { if (database.prepare(UPDATE).run(key).changes === 0) fail('conflict'); };
  const rotate = database.transaction((key: Wit.KeyRecord, replacement: Wit.KeyRecord) => {
    insert(replacement); // First, because the key refers to it.
    update(key);
  });
  const list = (parameters: object) => database.prepare<[object], Row>(LIST).all(parameters).map(record);
  return {
    insertKey: (key) => attempt(() => insert(key)),
    findKey: (id) => attempt(() => record(get(`${SELECT} WHERE id = ?`, id))),
    findKeyByLookup: (lookup) => attempt(() => record(get(`${SELECT} WHERE lookup = ?`, lookup))),
    listKeys: (filter) => attempt(() => list({ ...filter, revoked: filter.revoked?.toString() })),
    updateKey: (key) => attempt(() => update(key)),
    rotateKey: (key, replacement) => attempt(() => rotate.immediate(key, replacement)),
    recordUse: (id, at) => {
      // A key is good though its use can't be noted now.
      try { database.prepare(USE).run({ id, at }); } catch (cause) { logCause(cause); }
    },
    findProject: ({ tag, val }, userId) => attempt(() => get(`${PROJECT} AND ${tag} = ?`, userId, val).id),
  };
}

const record = (row: Row): Wit.KeyRecord =>
  ({ ...row, scopes: JSON.parse(row.scopes), revision: Number(row.revision) });

/** Says what SQLite throws in the WIT's words. The cause goes to the log. */
function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof StorageError) throw error;
    const code = error instanceof Database.SqliteError ? error.code : '';
    if (/^SQLITE_CONSTRAINT_(PRIMARYKEY|UNIQUE)$/.test(code)) fail('conflict');
    const correlationId = logCause(error);
    throw new StorageError(PASSING.test(code) ? { tag: 'unavailable' } : { tag: 'internal', val: correlationId });
  }
}
