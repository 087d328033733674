import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import Database from 'better-sqlite3';
import type {
  Action, Error as Failure, EventRecord, IdempotentRequest, KeyRecord,
} from '#generated/interfaces/keycell-api-keys-storage.js';
import { StorageError } from '../../shared/failure.js';
import { createDatabase } from '../create.js';
import { openDatabase } from '../database.js';
import { sqliteStorage } from '../storage.js';
import { databaseInMemory } from './database.js';

const newPath = () => join(mkdtempSync(join(tmpdir(), 'keycell-')), 'keys.db');

const key: KeyRecord = {
  id: '0192a000-0000-7000-8000-000000000001',
  prefix: 'keycell',
  lookup: '0123456789AB',
  hash: new Uint8Array(32).fill(7),
  userId: 'ann',
  name: 'laptop',
  scopes: ['a', 'b'],
  createdAt: 1n,
  updatedAt: 1n,
  // More than a number holds.
  expiresAt: 2n ** 63n - 1n,
  revision: 0,
  rateLimit: { requests: 3, windowSeconds: 60 },
  metadata: '{"plan":"pro"}',
  projectId: undefined,
  lastUsedAt: undefined,
  revokedAt: undefined,
  revocationReason: undefined,
  rotatedFrom: undefined,
  rotatedTo: undefined,
};
const another = {
  ...key, id: '0192a000-0000-7000-8000-000000000002', lookup: 'BA9876543210', expiresAt: undefined, rateLimit: undefined,
};

/** A new event of a change of a key. */
function event(action: Action, { id: keyId }: KeyRecord = key): EventRecord {
  events += 1;
  const id = `0192a000-0000-7000-8000-1000000000${String(events).padStart(2, '0')}`;
  const optional = { projectId: undefined, actorKeyId: undefined }; // As jco passes them.
  return { id, time: 2n, action, keyId, userId: 'ann', actorUserId: 'ann', fields: ['name'], ...optional };
}
let events = 0;

const request: IdempotentRequest = {
  userId: 'ann', idempotencyKey: 'first', keyId: key.id, expiresAt: 10n, digest: new Uint8Array(32),
};
const every = { status: 'all', now: 0n, limit: 10 } as const;

function failure(work: () => void): Failure {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof StorageError);
    return error.payload;
  }
  return assert.fail('did not fail');
}

/** A record as it was written. A row has null for none, and columns that are of keycell's own host. */
function plain(record: KeyRecord): object {
  const names = Object.keys(key) as (keyof KeyRecord)[];
  const present = names.filter((name) => record[name] !== null && record[name] !== undefined);
  return { ...Object.fromEntries(present.map((name) => [name, record[name]])), hash: [...record.hash] };
}

test('a stored key is there when the file is opened again, for its user alone', () => {
  const path = newPath();
  createDatabase(path);
  const database = openDatabase(path);
  sqliteStorage(database).insertKey(key, event('created'), undefined);
  database.close();
  createDatabase(path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const storage = sqliteStorage(openDatabase(path));
  assert.deepEqual(plain(storage.findKey(key.id, 'ann').key), plain(key));
  assert.deepEqual(plain(storage.findKeyByLookup(key.lookup)), plain(key));
  assert.deepEqual(failure(() => storage.findKey(another.id, 'ann')), { tag: 'not-found' });
});

test('another schema is refused and left alone, also by a process that has the file open', (context) => {
  context.mock.method(console, 'error', () => {});
  for (const version of [1, 1000]) {
    const path = newPath();
    createDatabase(path);
    const database = openDatabase(path);
    database.pragma(`user_version = ${version}`);
    createDatabase(path);
    assert.throws(() => openDatabase(path), /not a keycell database of schema 2: migrate it/);
    assert.equal(failure(() => sqliteStorage(database).insertKey(key, event('created'), undefined)).tag, 'internal');
    assert.equal(Number(database.pragma('user_version', { simple: true })), version);
  }
});

test('a database of another program is refused and left as it is', () => {
  for (const sql of ['CREATE TABLE notes (x)', 'PRAGMA user_version = 1', 'PRAGMA application_id = 5']) {
    const path = newPath();
    new Database(path).exec(sql).close();
    const before = readFileSync(path);
    createDatabase(path);
    assert.throws(() => openDatabase(path), /not a keycell database/, sql);
    assert.deepEqual(readFileSync(path), before);
  }
  const path = newPath();
  writeFileSync(path, 'no database, but long enough to be taken for one'.repeat(100));
  assert.throws(() => createDatabase(path), /not a database/);
  assert.throws(() => openDatabase(path), /not a database/);
  assert.throws(() => openDatabase(newPath()), /unable to open/);
});

test('an empty file becomes a database, with a write-ahead log', () => {
  const path = newPath();
  writeFileSync(path, '');
  createDatabase(path);
  assert.equal(openDatabase(path).pragma('journal_mode', { simple: true }), 'wal');
});

test('processes that open a new file at the same moment wait for each other', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'keycell-'));
  const modules = ['create', 'database'].map((name) => new URL(`../${name}.ts`, import.meta.url));
  // Each opens the same new files at the same times.
  const open = `
    const [{ createDatabase }, { openDatabase }] = [await import('${modules[0]}'), await import('${modules[1]}')];
    for (let round = 0; round < 40; round++) {
      while (Date.now() < ${Date.now() + 2500} + round * 50);
      createDatabase('${directory}/' + round);
      openDatabase('${directory}/' + round).close();
    }`;
  const processes = Array.from({ length: 4 }, async () => {
    const process_ = spawn(process.execPath, ['--import=tsx', '--input-type=module', '--eval', open]);
    return text(process_.stderr);
  });
  assert.deepEqual(await Promise.all(processes), ['', '', '', '']);
});

test('an id and a lookup are taken once, and a refused key leaves no event', () => {
  const storage = sqliteStorage(databaseInMemory());
  storage.insertKey(key, event('created'), undefined);
  for (const taken of [{ ...another, id: key.id }, { ...another, lookup: key.lookup }]) {
    assert.deepEqual(failure(() => storage.insertKey(taken, event('created', taken), undefined)), { tag: 'conflict' });
  }
  assert.equal(storage.listEvents(every).length, 1);
});

test('an update changes the mutable fields only, and only at its revision', () => {
  const storage = sqliteStorage(databaseInMemory());
  storage.insertKey(key, event('created'), undefined);
  storage.recordUse(key.id, 9n);
  storage.recordUse(key.id, 8n);
  const change = {
    name: 'new', updatedAt: 2n, revokedAt: 3n, revocationReason: 'lost', rateLimit: undefined, metadata: '{}',
  };
  const updated = event('updated');
  storage.updateKey({ ...key, ...change, userId: 'bob', scopes: [] }, updated);
  const changed = { ...key, ...change, lastUsedAt: 9n, revision: 1 };
  assert.deepEqual(plain(storage.findKey(key.id, 'ann').key), plain(changed));
  assert.deepEqual(failure(() => storage.updateKey(key, event('updated'))), { tag: 'conflict' });
  assert.deepEqual(plain(storage.findKey(key.id, 'ann').key), plain(changed));
  assert.equal(storage.listEvents({ limit: 1 })[0]!.id, updated.id);
  assert.equal(storage.listEvents(every).length, 2);
});

test('a rotation is done whole or not at all', () => {
  const storage = sqliteStorage(databaseInMemory());
  storage.insertKey(key, event('created'), undefined);
  const rotate = (revision: number) => storage.rotateKey(
    { ...key, revision, rotatedTo: another.id }, event('rotated'),
    { ...another, rotatedFrom: key.id }, event('created', another));
  assert.deepEqual(failure(() => rotate(1)), { tag: 'conflict' });
  assert.deepEqual(failure(() => storage.findKey(another.id, 'ann')), { tag: 'not-found' });
  assert.equal(storage.listEvents(every).length, 1);
  rotate(0);
  assert.equal(storage.findKey(key.id, 'ann').key.rotatedTo, another.id);
  assert.equal(storage.findKey(another.id, 'ann').key.rotatedFrom, key.id);
  assert.deepEqual(storage.listEvents(every).map(({ action }) => action).sort(), ['created', 'created', 'rotated']);
});

test('a secret is replaced once, and never after a use', () => {
  const storage = sqliteStorage(databaseInMemory());
  storage.insertKey(key, event('created'), undefined);
  const minted = { ...key, prefix: 'acme', lookup: another.lookup, hash: new Uint8Array(32), updatedAt: 5n };
  storage.replaceSecret({ ...minted, name: 'no' }, event('issued-again'));
  assert.deepEqual(plain(storage.findKeyByLookup(another.lookup)), plain({ ...minted, revision: 1 }));
  assert.deepEqual(failure(() => storage.findKeyByLookup(key.lookup)), { tag: 'not-found' });
  const again = { ...minted, lookup: '000000000000', revision: 1 };
  assert.deepEqual(failure(() => storage.replaceSecret({ ...again, revision: 0 }, event('issued-again'))),
    { tag: 'conflict' });
  storage.recordUse(key.id, 9n);
  assert.deepEqual(failure(() => storage.replaceSecret(again, event('issued-again'))), { tag: 'conflict' });
});

test('an idempotency key is taken until its request expires', () => {
  const storage = sqliteStorage(databaseInMemory());
  storage.insertKey(key, event('created'), request);
  assert.equal(storage.findRequest('ann', 'first', 9n).keyId, key.id);
  for (const [user, now] of [['ann', 10n], ['bob', 9n]] as const) {
    assert.deepEqual(failure(() => storage.findRequest(user, 'first', now)), { tag: 'not-found' });
  }
  const next = { ...request, keyId: another.id, expiresAt: 20n };
  const insert = (createdAt: bigint) => storage.insertKey({ ...another, createdAt }, event('created', another), next);
  assert.deepEqual(failure(() => insert(9n)), { tag: 'conflict' });
  assert.deepEqual(failure(() => storage.findKey(another.id, 'ann')), { tag: 'not-found' });
  insert(10n);
  assert.equal(storage.findRequest('ann', 'first', 10n).keyId, another.id);
});

test('a filter passes what matches each of its fields', () => {
  const projectId = '6dc65fac-891c-4425-a2af-128e558ded76';
  const members = ['ann', { user: 'eve', role: 'admin' }] as [string, { user: string; role: 'admin' }];
  const storage = sqliteStorage(databaseInMemory([{ id: projectId, slug: 'web', members }]));
  storage.insertKey({ ...key, expiresAt: 10n }, event('created'), undefined);
  storage.insertKey({ ...another, userId: 'bob', projectId }, event('created', another), undefined);
  const listed = (filter: object) => storage.listKeys({ ...every, ...filter }).map(({ id }) => id);
  assert.deepEqual(listed({}), [another.id, key.id]);
  assert.deepEqual(listed({ limit: 1 }), [another.id]);
  assert.deepEqual(listed({ before: another.id }), [key.id]);
  assert.deepEqual(listed({ userId: 'ann' }), [key.id]);
  assert.deepEqual(listed({ projectId }), [another.id]);
  assert.deepEqual([listed({ status: 'active', now: 9n }), listed({ status: 'active', now: 10n })].map((all) => all.length),
    [2, 1]);
  assert.deepEqual([listed({ status: 'expired', now: 10n }), listed({ status: 'revoked' })], [[key.id], []]);
  const roles = ['ann', 'eve', 'bob'].map((user) => storage.findKey(another.id, user).role);
  assert.deepEqual(roles, ['member', 'admin', null]);
  assert.deepEqual(storage.findProject({ tag: 'slug', val: 'web' }, 'eve'), { projectId, role: 'admin' });
  assert.deepEqual(storage.findProject({ tag: 'id', val: projectId }, 'bob'), { projectId, role: null });
  assert.equal(storage.listEvents({ limit: 10, keyId: key.id })[0]!.keyId, key.id);
  assert.equal(storage.listEvents({ limit: 10, userId: 'eve' }).length, 0);
});

test('a locked file is unavailable, anything else is internal, and the log has the cause', (context) => {
  const log = context.mock.method(console, 'error', () => {});
  const path = newPath();
  createDatabase(path);
  const database = openDatabase(path);
  const storage = sqliteStorage(database);
  storage.insertKey(key, event('created'), undefined);
  database.pragma('busy_timeout = 1');
  const other = new Database(path);
  other.exec('BEGIN IMMEDIATE');
  assert.deepEqual(failure(() => storage.updateKey(key, event('updated'))), { tag: 'unavailable' });
  // A use that cannot be recorded does not fail the verification.
  storage.recordUse(key.id, 1n);
  assert.match(String(log.mock.calls[1]!.arguments[1]), /locked/);
  other.close();

  const damaged = { ...another, hash: new Uint8Array(31) };
  assert.deepEqual(failure(() => storage.insertKey(damaged, event('created', damaged), undefined)), {
    tag: 'internal',
    val: log.mock.calls[2]!.arguments[0],
  });
});
