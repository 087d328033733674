import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Authority } from '../src/authority.js';
import { KeycellError } from '../src/failure.js';
import { xorshift32 } from './conformance/random.js';
import { storageInMemory } from './database.js';

const ann = { userId: 'ann', scopes: ['orders:write', 'orders:read', 'admin'] };
const policy = { prefix: 'keycell', defaultScopes: ['orders:read', 'orders:write', 'orders:delete'] };

test('the first key of the fixed clock and random stream is the one that every host makes', () => {
  const clock = { now: () => ({ seconds: 1_773_480_413n, nanoseconds: 589_000_000 }) };
  const authority = new Authority(storageInMemory([]), policy, clock, { getRandomBytes: xorshift32(1) });
  const created = authority.call(ann, 'createApiKey', 'laptop', undefined, undefined);
  assert.equal(created.id, '019cebab-8995-7101-854f-d1d01ab22574');
  assert.equal(created.key, 'keycell_HtEoxr88LPpz_nHuffgX0PK1ecwe27tQ5dxl7Mn9xtIRuQQMPHlc0DYq1wQvRx');
});

test('keys of the real clock and random numbers differ', () => {
  const authority = new Authority(storageInMemory([]), policy);
  const before = new Date().toISOString();
  const [one, other] = ['one', 'other'].map((name) => authority.call(ann, 'createApiKey', name, undefined, undefined));
  assert.notEqual(one!.key.slice(20), other!.key.slice(20));
  assert.ok(before.slice(0, 19) <= one!.createdAt && one!.createdAt <= new Date().toISOString());
});

test('scopes go through storage and back: several, and none', () => {
  const authority = new Authority(storageInMemory([]), policy);
  for (const [scopes, granted] of [[ann.scopes, ['orders:read', 'orders:write']], [[], []]]) {
    const maker = { userId: 'ann', scopes: scopes! };
    const created = authority.call(maker, 'createApiKey', 'k', undefined, '2100-01-01');
    assert.deepEqual(created.scopes, granted);
    const got = authority.call(maker, 'getApiKey', created.id);
    assert.deepEqual([got.scopes, got.expiresAt], [granted, '2100-01-01T00:00:00.000Z']);
    const verification = authority.call(undefined, 'verifyApiKey', created.key, []);
    const { id, userId, projectId, expiresAt } = got;
    assert.deepEqual(verification, { tag: 'valid', val: { id, userId, projectId, expiresAt, scopes: granted } });
  }
});

const id = '0192a000-0000-7000-8000-0000000000ff';

function failure(work: () => void) {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof KeycellError);
    return error.failure;
  }
  return assert.fail('did not fail');
}

test('a refused call tells what is wrong, and logs nothing', (context) => {
  const log = context.mock.method(console, 'error', () => {});
  const authority = new Authority(storageInMemory([]), policy);
  assert.deepEqual(failure(() => authority.call(ann, 'getApiKey', id)), { tag: 'not-found', val: 'api-key' });
  assert.equal(log.mock.callCount(), 0);
});

test('what jco would cut short or change is refused', () => {
  const authority = new Authority(storageInMemory([]), policy);
  const long = 'k'.repeat(64 * 1024 + 1);
  const faults: [() => unknown, string, string][] = [
    ...[2 ** 32, -1, 1.5, NaN].map((seconds): [() => unknown, string, string] =>
      [() => authority.call(ann, 'rotateApiKey', id, seconds), 'grace_seconds', 'out-of-range']),
    [() => authority.call(ann, 'listApiKeys', undefined, undefined, 2 ** 32 + 1, undefined), 'limit', 'out-of-range'],
    [() => authority.call(ann, 'createApiKey', 'a\ud800', undefined, undefined), 'name', 'forbidden-character'],
    [() => authority.call(undefined, 'verifyApiKey', '', ['\udc00']), 'scopes', 'forbidden-character'],
    [() => authority.call(ann, 'createApiKey', long, undefined, undefined), 'name', 'too-long'],
    [() => authority.call(ann, 'updateApiKey', id, undefined, long), 'expires_at', 'too-long'],
    [() => authority.call(undefined, 'verifyApiKey', '', Array(10_000).fill('')), 'scopes', 'too-long'],
  ];
  for (const [work, field, code] of faults) {
    const told = failure(work);
    assert.ok(told.tag === 'invalid-input');
    assert.deepEqual(told.val.map((fault) => [fault.field, fault.code]), [[field, code]]);
  }
  const both = failure(() => authority.call(ann, 'revokeApiKey', long, long));
  assert.ok(both.tag === 'invalid-input' && both.val.length === 2);
});

test('what just fits goes to the component', () => {
  const authority = new Authority(storageInMemory([]), policy);
  const { id } = authority.call(ann, 'createApiKey', 'k', undefined, undefined);
  assert.notEqual(authority.call(ann, 'rotateApiKey', id, 2 ** 32 - 1).id, id);
  const name = '\u0007'.padEnd(64 * 1024, 'k');
  const told = failure(() => authority.call(ann, 'createApiKey', name, undefined, undefined));
  assert.ok(told.tag === 'invalid-input');
  // The component tells all that is wrong, this host one thing.
  assert.deepEqual(told.val.map(({ code }) => code).sort(), ['forbidden-character', 'too-long']);
});

test('a text that no key can be is malformed', () => {
  const authority = new Authority(storageInMemory([]), policy);
  for (const text of ['k'.repeat(2 ** 20), 'keycell_\ud800']) {
    const refused = { tag: 'refused', val: { tag: 'malformed' } };
    assert.deepEqual(authority.call(undefined, 'verifyApiKey', text, []), refused);
  }
});

test('a cause goes to the log alone, under the correlation id that the caller is told', (context) => {
  const log = context.mock.method(console, 'error', () => {});
  const storage = storageInMemory([]);
  const broken = { ...storage, findKey: () => { throw new Error('the disk is on fire'); } };
  const create = (authority: Authority) => authority.call(ann, 'createApiKey', 'k', undefined, undefined);
  const exhausted = { getRandomBytes: () => { throw new Error('no more random bytes'); } };
  const causes: [() => void, RegExp][] = [
    [() => new Authority(storage, policy).call(undefined, 'getApiKey', id), /./],
    [() => new Authority(broken, policy).call(ann, 'getApiKey', id), /the disk is on fire/],
    [() => create(new Authority(storage, policy, undefined, exhausted)), /no more random bytes/],
    [() => create(new Authority(storage, { ...policy, prefix: '' })), /policy/],
  ];
  for (const [work, cause] of causes) {
    const told = failure(work);
    const [correlationId, logged] = log.mock.calls.at(-1)!.arguments;
    assert.deepEqual(told, { tag: 'internal', val: correlationId });
    assert.match(String(logged), cause);
  }
});
