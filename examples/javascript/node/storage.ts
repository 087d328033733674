import Sqlite from 'better-sqlite3';
import type * as Wit from '#generated/interfaces/keycell-api-keys-storage.js';
import type { Storage } from '../shared/authority.js';
import { check, found, logCause, StorageError } from '../shared/failure.js';
import { checkSchema } from './database.js';
import { camelCase, snakeCase } from './names.js';

const CHANGES = ['name', 'updatedAt', 'expiresAt', 'revokedAt', 'revocationReason', 'rotatedTo',
  'metadata', 'rateLimitRequests', 'rateLimitWindowSeconds'];
const SECRET = ['prefix', 'lookup', 'hash', 'updatedAt'];
const STATUS = {
  all: 'TRUE',
  active: 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > @now)',
  expired: 'revoked_at IS NULL AND expires_at <= @now',
  revoked: 'revoked_at IS NOT NULL',
};
const FILTERS = { keyId: 'key_id = @keyId', userId: 'user_id = @userId',
  projectId: 'project_id = @projectId', since: 'id >= @since', before: 'id < @before' };
const TEMPORARY = /^SQLITE_(BUSY|LOCKED|PROTOCOL|FULL|READONLY|PERM|CANTOPEN|IOERR|NOMEM)/;

/** Storage in a database with keycell's schema. */
export function sqliteStorage(database: Sqlite.Database): Storage {
  database.defaultSafeIntegers(); // Times have 64 bits.
  const all = (query: string, parameters: object) => attempt(() =>
    database.prepare<object[], object>(query).all(parameters).map(withFieldNames));
  const one = (query: string, parameters: object) => found(all(query, parameters)[0]);
  const list = (table: string, filter: Wit.KeyFilter | Wit.EventFilter) => {
    // Only what the filter sets is a condition, so that SQLite uses an index.
    const isSet = (name: string) => filter[name as keyof typeof filter] !== undefined;
    const conditions = Object.entries(FILTERS).flatMap(([name, is]) => isSet(name) ? is : []);
    conditions.push(STATUS['status' in filter ? filter.status : 'all']);
    return all(`SELECT * FROM ${table} WHERE ${conditions.join(' AND ')}
      ORDER BY id DESC LIMIT @limit`, filter);
  };
  /** Does all of a write or nothing. */
  const write = (work: () => void) => attempt(() => database.transaction(() => {
    checkSchema(database);
    work();
  }).immediate());
  const insert = (table: string, row: object) => {
    const names = Object.keys(row);
    database.prepare(`INSERT INTO ${table} (${names.map(snakeCase).join()})
      VALUES (@${names.join(', @')})`).run(row);
  };
  const addEvent = (event: Wit.EventRecord) =>
    insert('events', { ...event, fields: JSON.stringify(event.fields) });
  const update = (key: Wit.KeyRecord, names: string[], condition = 'TRUE') => {
    const changes = names.map((name) => `${snakeCase(name)} = @${name}`);
    check(database.prepare(`UPDATE api_keys SET ${changes.join()}, revision = revision + 1
      WHERE id = @id AND revision = @revision AND ${condition}`).run(rowOf(key)).changes > 0);
  };
  return {
    insertKey: (key, event, request) => write(() => {
      insert('api_keys', rowOf(key));
      addEvent(event);
      if (request === undefined) return;
      database.prepare('DELETE FROM idempotent_requests WHERE expires_at <= ?').run(key.createdAt);
      insert('idempotent_requests', request);
    }),
    findKey: (id, viewer) => {
      const row = one(`SELECT k.*, role FROM api_keys k LEFT JOIN project_members m
        ON m.project_id = k.project_id AND m.user_id = @viewer WHERE id = @id`, { id, viewer });
      return { key: keyOf(row), role: row.role };
    },
    findKeyByLookup: (lookup) =>
      keyOf(one('SELECT * FROM api_keys WHERE lookup = @lookup', { lookup })),
    findRequest: (userId, idempotencyKey, now) => one(`SELECT * FROM idempotent_requests
      WHERE user_id = @userId AND idempotency_key = @idempotencyKey AND expires_at > @now`,
    { userId, idempotencyKey, now }),
    listKeys: (filter) => list('api_keys', filter).map(keyOf),
    listEvents: (filter) => list('events', filter)
      .map((event) => ({ ...event, fields: JSON.parse(event.fields) })),
    updateKey: (key, event) => write(() => {
      update(key, CHANGES);
      addEvent(event);
    }),
    rotateKey: (key, event, replacement, replacementEvent) => write(() => {
      insert('api_keys', rowOf(replacement)); // First, because the key refers to it.
      update(key, CHANGES);
      [event, replacementEvent].forEach(addEvent);
    }),
    replaceSecret: (key, event) => write(() => {
      update(key, SECRET, 'lookup <> @lookup AND last_used_at IS NULL');
      addEvent(event);
    }),
    recordUse: (id, at) => {
      try {
        database.prepare(`UPDATE api_keys SET last_used_at = @at
          WHERE id = @id AND coalesce(last_used_at, 0) < @at`).run({ id, at });
      } catch (cause) { logCause(cause); } // The key is valid all the same.
    },
    findProject: ({ tag, val }, userId) => one(`SELECT id AS project_id, role
      FROM projects LEFT JOIN project_members ON project_id = id AND user_id = @userId
      WHERE ${tag} = @val`, { val, userId }),
  };
}

/** Names the columns of a row like the fields of its record. Null stands for none, also for jco. */
function withFieldNames(row: object): any {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [camelCase(name), value]));
}

function rowOf({ rateLimit, scopes, ...key }: Wit.KeyRecord): object {
  const { requests: rateLimitRequests, windowSeconds: rateLimitWindowSeconds } = rateLimit ?? {};
  return { ...key, scopes: JSON.stringify(scopes), rateLimitRequests, rateLimitWindowSeconds };
}

function keyOf({ rateLimitRequests, rateLimitWindowSeconds, ...key }: any): Wit.KeyRecord {
  const [requests, windowSeconds] = [rateLimitRequests, rateLimitWindowSeconds].map(Number);
  const rateLimit = requests ? { requests, windowSeconds } : undefined;
  return { ...key, scopes: JSON.parse(key.scopes), revision: Number(key.revision), rateLimit };
}

/** Converts SQLite's errors into the WIT's. The cause goes to the log. */
function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof StorageError) throw error;
    const code = error instanceof Sqlite.SqliteError ? error.code : '';
    check(!/^SQLITE_CONSTRAINT_(PRIMARYKEY|UNIQUE)$/.test(code));
    const internal = { tag: 'internal', val: logCause(error) } as const;
    throw new StorageError(TEMPORARY.test(code) ? { tag: 'unavailable' } : internal);
  }
}
