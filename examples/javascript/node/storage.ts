import Database from 'better-sqlite3';
import type * as Wit from '#generated/interfaces/keycell-api-keys-storage.js';
import type { Storage } from '../shared/authority.js';
import { logCause, StorageError } from '../shared/failure.js';
import { snakeCase } from '../shared/json.js';
import { checkVersion } from './database.js';

const KEY = `id prefix lookup hash userId projectId name scopes createdAt updatedAt expiresAt lastUsedAt revokedAt
  revocationReason rotatedFrom rotatedTo revision metadata rateLimitRequests rateLimitWindowSeconds`.split(/\s+/);
const EVENT = 'id time action keyId userId projectId actorUserId actorKeyId fields'.split(' ');
const REQUEST = 'userId idempotencyKey keyId expiresAt digest'.split(' ');
const CHANGES = `name updatedAt expiresAt revokedAt revocationReason rotatedTo metadata rateLimitRequests
  rateLimitWindowSeconds`.split(/\s+/);
const SECRET = 'prefix lookup hash updatedAt'.split(' ');

const select = (fields: string[]) => `SELECT ${fields.map((field) => `${snakeCase(field)} AS ${field}`).join()}`;
const insert = (table: string, fields: string[]) =>
  `INSERT INTO ${table} (${fields.map(snakeCase).join()}) VALUES (@${fields.join(', @')})`;
const update = (fields: string[]) => `UPDATE api_keys SET ${fields.map((field) => `${snakeCase(field)} = @${field}`)
  .join()}, revision = revision + 1 WHERE id = @id AND revision = @revision`;
const role = (project: string) =>
  `(SELECT role FROM project_members WHERE project_id = ${project} AND user_id = @userId) AS role`;

const STATUS = {
  all: 'TRUE',
  active: 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > @now)',
  expired: 'revoked_at IS NULL AND expires_at <= @now',
  revoked: 'revoked_at IS NOT NULL',
};
/** The optional conditions of a filter. The query contains only those that are set, so that SQLite uses an index. */
const CONDITIONS = {
  keyId: 'key_id = @keyId', userId: 'user_id = @userId', projectId: 'project_id = @projectId',
  since: 'id >= @since', before: 'id < @before',
};
const TEMPORARY = /^SQLITE_(BUSY|LOCKED|PROTOCOL|FULL|READONLY|PERM|CANTOPEN|IOERR|NOMEM)/;

/** Storage in a database with keycell's schema. */
export function sqliteStorage(database: Database.Database): Storage {
  database.defaultSafeIntegers(); // Times have 64 bits.
  const all = (query: string, parameters: object) => database.prepare<[object], Row>(query).all(parameters);
  const get = (query: string, parameters: object) => all(query, parameters)[0] ?? fail('not-found');
  const change = (query: string, parameters: object) => {
    if (database.prepare(query).run(parameters).changes === 0) fail('conflict');
  };
  const write = (work: () => void) => attempt(() => database.transaction(() => {
    checkVersion(database);
    work();
  }).immediate());
  const list = (fields: string[], table: string, filter: Wit.KeyFilter | Wit.EventFilter) => {
    const set = Object.entries(CONDITIONS).filter(([field]) => filter[field as keyof typeof filter] !== undefined);
    const conditions = [STATUS['status' in filter ? filter.status : 'all'], ...set.map(([, condition]) => condition)];
    return all(`${select(fields)} FROM ${table} WHERE ${conditions.join(' AND ')} ORDER BY id DESC LIMIT @limit`, filter);
  };
  const addKey = (key: Wit.KeyRecord) => change(insert('api_keys', KEY), row(key));
  const addEvent = (event: Wit.EventRecord) => change(insert('events', EVENT), row(event));
  return {
    insertKey: (key, event, request) => write(() => {
      addKey(key);
      addEvent(event);
      if (request === undefined) return;
      database.prepare('DELETE FROM idempotent_requests WHERE expires_at <= ?').run(key.createdAt);
      change(insert('idempotent_requests', REQUEST), request);
    }),
    findKey: (id, userId) => attempt(() => {
      const found = get(`${select(KEY)}, ${role('api_keys.project_id')} FROM api_keys WHERE id = @id`, { id, userId });
      return { key: keyOf(found), role: found.role };
    }),
    findKeyByLookup: (lookup) =>
      attempt(() => keyOf(get(`${select(KEY)} FROM api_keys WHERE lookup = @lookup`, { lookup }))),
    findRequest: (userId, idempotencyKey, now) => attempt(() => get(`${select(REQUEST)} FROM idempotent_requests
      WHERE user_id = @userId AND idempotency_key = @idempotencyKey AND expires_at > @now`,
    { userId, idempotencyKey, now })),
    listKeys: (filter) => attempt(() => list(KEY, 'api_keys', filter).map(keyOf)),
    listEvents: (filter) => attempt(() =>
      list(EVENT, 'events', filter).map((event) => ({ ...event, fields: JSON.parse(event.fields) }))),
    updateKey: (key, event) => write(() => {
      change(update(CHANGES), row(key));
      addEvent(event);
    }),
    rotateKey: (key, event, replacement, replacementEvent) => write(() => {
      addKey(replacement); // First, because the key refers to it.
      change(update(CHANGES), row(key));
      [event, replacementEvent].forEach(addEvent);
    }),
    replaceSecret: (key, event) => write(() => {
      change(`${update(SECRET)} AND lookup <> @lookup AND last_used_at IS NULL`, row(key));
      addEvent(event);
    }),
    recordUse: (id, at) => {
      // The key is valid even if its use cannot be recorded now.
      try {
        database.prepare('UPDATE api_keys SET last_used_at = @at WHERE id = @id AND coalesce(last_used_at, 0) < @at')
          .run({ id, at });
      } catch (cause) { logCause(cause); }
    },
    findProject: ({ tag, val }, userId) =>
      attempt(() => get(`SELECT id AS projectId, ${role('projects.id')} FROM projects WHERE ${tag} = @val`, { val, userId })),
  };
}

/** Any row: its columns are named like the fields of a record. jco takes null for none. */
type Row = any;

const row = <T extends object>(record: T) => {
  const { scopes, fields, rateLimit } = record as { scopes?: string[]; fields?: string[]; rateLimit?: Wit.RateLimit };
  const limit = { rateLimitRequests: rateLimit?.requests, rateLimitWindowSeconds: rateLimit?.windowSeconds };
  return { ...record, ...limit, scopes: JSON.stringify(scopes), fields: JSON.stringify(fields) };
};

function keyOf({ rateLimitRequests: requests, rateLimitWindowSeconds: seconds, role: _, ...key }: Row): Wit.KeyRecord {
  const rateLimit = requests === null ? undefined : { requests: Number(requests), windowSeconds: Number(seconds) };
  return { ...key, scopes: JSON.parse(key.scopes), revision: Number(key.revision), rateLimit };
}

function fail(tag: 'not-found' | 'conflict'): never {
  throw new StorageError({ tag });
}

/** Converts SQLite's errors into the WIT's. The cause goes to the log. */
function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof StorageError) throw error;
    const code = error instanceof Database.SqliteError ? error.code : '';
    if (/^SQLITE_CONSTRAINT_(PRIMARYKEY|UNIQUE)$/.test(code)) fail('conflict');
    const correlationId = logCause(error);
    throw new StorageError(TEMPORARY.test(code) ? { tag: 'unavailable' } : { tag: 'internal', val: correlationId });
  }
}
