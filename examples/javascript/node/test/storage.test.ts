import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import Database from 'better-sqlite3';
import type { Error as Failure, KeyRecord } from '../generated/interfaces/keycell-api-keys-storage.js';
import { openDatabase } from '../src/database.js';
import { sqliteStorage, StorageError } from '../src/storage.js';

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
  projectId: undefined,
  lastUsedAt: undefined,
  revokedAt: undefined,
  revocationReason: undefined,
  rotatedFrom: undefined,
  rotatedTo: undefined,
};
const another = { ...key, id: '0192a000-0000-7000-8000-000000000002', lookup: 'BA9876543210', expiresAt: undefined };

function failure(work: () => void): Failure {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof StorageError);
    return error.payload;
  }
  return assert.fail('did not fail');
}

/** A record as it was written, without what a row has as null. */
function plain(record: KeyRecord): object {
  const present = Object.entries(record).filter(([, value]) => value !== null && value !== undefined);
  return { ...Object.fromEntries(present), hash: [...record.hash] };
}

test('what was stored is there when the file is opened again, for its user alone', () => {
  const path = newPath();
  const database = openDatabase(path);
  sqliteStorage(database).insertKey(key);
  database.close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const storage = sqliteStorage(openDatabase(path));
  assert.deepEqual(plain(storage.findKey(key.id)), plain(key));
  assert.deepEqual(plain(storage.findKeyByLookup(key.lookup)), plain(key));
  assert.deepEqual(failure(() => storage.findKey(another.id)), { tag: 'not-found' });
});

test('a newer schema is left alone', () => {
  const path = newPath();
  const database = openDatabase(path);
  database.pragma('user_version = 1000');
  assert.throws(() => openDatabase(path), /newer keycell/);
  assert.equal(database.pragma('user_version', { simple: true }), 1000);
});

test('processes that open a new file at the same moment wait for each other', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'keycell-'));
  const module_ = new URL('../dist/database.js', import.meta.url);
  // Each opens the same new files at the same times.
  const open = `
    const { openDatabase } = await import('${module_}');
    for (let round = 0; round < 40; round++) {
      while (Date.now() < ${Date.now() + 1500} + round * 50);
      openDatabase('${directory}/' + round).close();
    }`;
  const processes = Array.from({ length: 4 }, async () => {
    const process_ = spawn(process.execPath, ['--input-type=module', '--eval', open]);
    return text(process_.stderr);
  });
  assert.deepEqual(await Promise.all(processes), ['', '', '', '']);
});

test('without a schema nothing is opened', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'keycell-'));
  mkdirSync(join(copy, 'dist'));
  copyFileSync(new URL('../dist/database.js', import.meta.url), join(copy, 'dist/database.mjs'));
  symlinkSync(new URL('../node_modules', import.meta.url), join(copy, 'node_modules'));
  await assert.rejects(import(join(copy, 'dist/database.mjs')), /ENOENT/);
  mkdirSync(join(copy, 'generated/migrations'), { recursive: true });
  await assert.rejects(import(`${join(copy, 'dist/database.mjs')}?again`), /there is no schema/);
});

test('an id and a lookup are taken once', () => {
  const storage = sqliteStorage(openDatabase(newPath()));
  storage.insertKey(key);
  assert.deepEqual(failure(() => storage.insertKey({ ...another, id: key.id })), { tag: 'conflict' });
  assert.deepEqual(failure(() => storage.insertKey({ ...another, lookup: key.lookup })), { tag: 'conflict' });
});

test('an update changes what may change, and only at its revision', () => {
  const storage = sqliteStorage(openDatabase(newPath()));
  storage.insertKey(key);
  storage.recordUse(key.id, 9n);
  storage.recordUse(key.id, 8n);
  const change = { name: 'new', updatedAt: 2n, revokedAt: 3n, revocationReason: 'lost' };
  storage.updateKey({ ...key, ...change, userId: 'bob', scopes: [] });
  const changed = { ...key, ...change, lastUsedAt: 9n, revision: 1 };
  assert.deepEqual(plain(storage.findKey(key.id)), plain(changed));
  assert.deepEqual(failure(() => storage.updateKey(key)), { tag: 'conflict' });
  assert.deepEqual(plain(storage.findKey(key.id)), plain(changed));
});

test('a rotation is done whole or not at all', () => {
  const storage = sqliteStorage(openDatabase(newPath()));
  storage.insertKey(key);
  const stale = { ...key, revision: 1, rotatedTo: another.id };
  assert.deepEqual(failure(() => storage.rotateKey(stale, another)), { tag: 'conflict' });
  assert.deepEqual(failure(() => storage.findKey(another.id)), { tag: 'not-found' });
  storage.rotateKey({ ...stale, revision: 0 }, { ...another, rotatedFrom: key.id });
  assert.equal(storage.findKey(key.id).rotatedTo, another.id);
  assert.equal(storage.findKey(another.id).rotatedFrom, key.id);
});

test('a locked file is unavailable, anything else is internal, and the log has why', (context) => {
  const log = context.mock.method(console, 'error', () => {});
  const path = newPath();
  const database = openDatabase(path);
  const storage = sqliteStorage(database);
  storage.insertKey(key);
  database.pragma('busy_timeout = 1');
  const other = new Database(path);
  other.exec('BEGIN IMMEDIATE');
  assert.deepEqual(failure(() => storage.insertKey(key)), { tag: 'unavailable' });
  // Whoever verifies a key has no use for the reason why its use could not be noted.
  storage.recordUse(key.id, 1n);
  assert.match(String(log.mock.calls[1]!.arguments[1]), /locked/);
  other.close();

  assert.deepEqual(failure(() => storage.insertKey({ ...key, hash: new Uint8Array(31) })), {
    tag: 'internal',
    val: log.mock.calls[2]!.arguments[0],
  });
});
