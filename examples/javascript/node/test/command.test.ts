import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

function command(database: string, args: string[], input = '') {
  const all = [MAIN, '--database', database, '--user', 'ann', ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { input, encoding: 'utf8' });
  return { status, answer: stdout && JSON.parse(stdout), stderr };
}

const newPath = () => join(mkdtempSync(join(tmpdir(), 'keycell-')), 'keys.db');

test('a key is created, read, listed and verified', () => {
  const path = newPath();
  const { answer: created } = command(path, ['create', 'laptop']);
  assert.deepEqual(created.scopes, ['api-keys:read', 'api-keys:write']);
  assert.equal(command(path, ['get', created.id]).answer.key_prefix, created.key_prefix);
  assert.equal(command(path, ['list']).answer.api_keys[0].id, created.id);
  const good = command(path, ['verify'], `${created.key}\n`);
  assert.deepEqual([good.status, good.answer.valid], [0, true]);
  const refused = command(path, ['verify'], 'not a key');
  assert.deepEqual([refused.status, refused.answer.reason, refused.stderr], [1, 'malformed', '']);
  assert.notEqual(command(path, ['get', created.id]).answer.last_used_at, null);
});

test('a refused call has its reason on stderr, and exits with 1', () => {
  const { status, answer, stderr } = command(newPath(), ['create', ' ']);
  assert.deepEqual([status, answer, stderr], [1, '', 'error: name must not be empty\n']);
});

test('a command that creates nothing makes no database', () => {
  const path = newPath();
  for (const args of [['get', 'id'], ['list'], ['verify']]) {
    const { status, stderr } = command(path, args);
    assert.deepEqual([status, stderr], [1, 'error: there is no database: create a key first\n']);
    assert.ok(!existsSync(path));
  }
});

test('wrong usage shows the usage alone, exits with 2 and makes no database', () => {
  const path = newPath();
  const secret = 'keycell_0123456789AB';
  for (const args of [[], [secret], ['create'], ['create', 'laptop', secret], ['verify', secret], [`--${secret}`]]) {
    const { status, answer, stderr } = command(path, args, secret);
    assert.deepEqual([status, answer], [2, '']);
    assert.match(stderr, /^usage: main\.js .*\n$/);
    assert.ok(!stderr.includes(secret));
  }
  assert.ok(!existsSync(path));
});

test('a key that is written late is waited for', async () => {
  const path = newPath();
  const { key } = command(path, ['create', 'laptop']).answer;
  const process_ = spawn(process.execPath, [MAIN, '--database', path, '--user', 'ann', 'verify']);
  const answer = text(process_.stdout);
  for (const part of [key.slice(0, 20), key.slice(20), '\n']) {
    await setTimeout(500);
    process_.stdin.write(part);
  }
  process_.stdin.end();
  assert.equal(JSON.parse(await answer).valid, true);
});

test('one line break at the end is not a part of the key, and anything else is', async () => {
  const path = newPath();
  const { key } = command(path, ['create', 'laptop']).answer;
  for (const end of ['', '\n', '\r\n']) assert.equal(command(path, ['verify'], key + end).answer.valid, true);
  for (const end of [' ', '\n\n', ' \n', '\r', '\n'.repeat(8192)]) {
    assert.equal(command(path, ['verify'], key + end).answer.reason, 'malformed');
  }
});

test('input that does not end is read up to a limit', async () => {
  const path = newPath();
  command(path, ['create', 'laptop']);
  const process_ = spawn(process.execPath, [MAIN, '--database', path, '--user', 'ann', 'verify']);
  process_.stdin.write('k'.repeat(5000));
  assert.equal(JSON.parse(await text(process_.stdout)).reason, 'malformed');
});

test('processes that write to a new file at the same moment lose no key', async () => {
  const path = newPath();
  const names = Array.from({ length: 8 }, (_, index) => `key ${index}`);
  const created = names.map(async (name) => {
    const process_ = spawn(process.execPath, [MAIN, '--database', path, '--user', 'ann', 'create', name]);
    return JSON.parse(await text(process_.stdout)).name;
  });
  assert.deepEqual(await Promise.all(created), names);
  const listed: { name: string }[] = command(path, ['list']).answer.api_keys;
  assert.deepEqual(listed.map(({ name }) => name).sort(), names);
});
