import assert from 'node:assert/strict';
import { test } from 'node:test';
import { xorshift32 } from '../../conformance/random.js';
import { Authority, type ApiKeys, type Arguments } from '../../shared/authority.js';
import { KeycellError } from '../../shared/failure.js';
import { Limits } from '../../shared/limits.js';
import { coreBytes } from '../core.js';
import { sqliteStorage } from '../storage.js';
import { databaseInMemory } from './database.js';

type Caller = Parameters<Authority['call']>[1];

const SCOPES = ['orders:write', 'orders:read', 'admin'];
const ann: Caller = { tag: 'user', val: { id: 'ann', operator: false, scopes: SCOPES } };
const host: Caller = { tag: 'host' };
const policy = { prefix: 'keycell', defaultScopes: ['orders:read', 'orders:write', 'orders:delete'] };
const id = '0192a000-0000-7000-8000-0000000000ff';

/** An authority on an empty database. */
function open(...imports: unknown[]) {
  const storage = sqliteStorage(databaseInMemory());
  const authority = new Authority(coreBytes, policy, ...(imports as []));
  return <Name extends keyof ApiKeys>(caller: Caller, name: Name, ...args: Arguments<Name>) =>
    authority.call(storage, caller, name, ...args);
}

function failure(work: () => void) {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof KeycellError);
    return error.failure;
  }
  return assert.fail('did not fail');
}

test('the first key of the fixed clock and random stream is the one that every host makes', () => {
  const clock = { now: () => ({ seconds: 1_773_480_413n, nanoseconds: 589_000_000 }) };
  const created = open(clock, { getRandomBytes: xorshift32(1) })(ann, 'createApiKey', 'laptop', undefined, undefined);
  assert.equal(created.id, '019cebab-8995-7101-854f-d1d01ab22574');
  assert.equal(created.key, 'keycell_HtEoxr88LPpz_nHuffgX0PK1ecwe27tQ5dxl7Mn9xtIRuQQMPHlc0DYq1wQvRx');
});

test('keys of the real clock and random numbers differ', () => {
  const call = open();
  const before = new Date().toISOString();
  const [one, other] = ['one', 'other'].map((name) => call(ann, 'createApiKey', name, undefined, undefined));
  assert.notEqual(one!.key.slice(20), other!.key.slice(20));
  assert.ok(before.slice(0, 19) <= one!.createdAt && one!.createdAt <= new Date().toISOString());
});

test('scopes go through storage and back: several, and none', () => {
  for (const [scopes, granted] of [[SCOPES, ['orders:read', 'orders:write']], [[], []]]) {
    const call = open();
    const maker: Caller = { tag: 'user', val: { id: 'ann', operator: false, scopes: scopes! } };
    const created = call(maker, 'createApiKey', 'k', undefined, '2100-01-01');
    assert.deepEqual(created.scopes, granted);
    const got = call(maker, 'getApiKey', created.id);
    assert.deepEqual([got.scopes, got.expiresAt], [granted, '2100-01-01T00:00:00.000Z']);
    const verification: ReturnType<ApiKeys['verifyApiKey']> = call(host, 'verifyApiKey', created.key, []);
    assert.ok(verification.tag === 'valid');
    assert.deepEqual([verification.val.id, verification.val.scopes], [created.id, granted]);
  }
});

test('the host verifies and does nothing else, and a bearer is authenticated by the component', () => {
  const call = open();
  const { key } = call(ann, 'createApiKey', 'k', undefined, undefined);
  assert.deepEqual(failure(() => call(host, 'getApiKey', id)), { tag: 'forbidden' });
  assert.equal(call({ tag: 'bearer', val: key }, 'describeCaller').userId, 'ann');
  assert.deepEqual(failure(() => call({ tag: 'bearer', val: key }, 'listApiKeys', {})),
    { tag: 'insufficient-scope', val: 'api-keys:read' });
  for (const val of [`${key}x`, '', 'k'.repeat(65_537), 'keycell_\ud800']) {
    assert.deepEqual(failure(() => call({ tag: 'bearer', val }, 'describeCaller')), { tag: 'unauthenticated' });
  }
});

test('a rate limit counts over the calls of one authority', () => {
  const call = open();
  const { key } = call(ann, 'issueApiKey', { name: 'k', rateLimit: { requests: 2, windowSeconds: 86_400 } });
  const tags = [1, 2, 3].map(() => call(host, 'verifyApiKey', key, [])).map((verification) =>
    (verification.tag === 'refused' ? verification.val.tag : 'valid'));
  assert.deepEqual(tags, ['valid', 'valid', 'rate-limited']);
});

test('rate limits take a bounded memory and drop what has expired first', () => {
  const limits = new Limits();
  const later = BigInt(Date.now() + 60_000) * 1000n;
  assert.ok(limits.compareAndStore('live', 0n, later));
  assert.ok(!limits.compareAndStore('live', 0n, later) && !limits.compareAndStore('other', later, 1n));
  for (let n = 0; n <= 100_000; n++) assert.ok(limits.compareAndStore(`${n}`, 0n, BigInt(n + 1)));
  assert.deepEqual(['live', '0', '49999', '50000', '100000'].map(limits.load), [later, 0n, 0n, 50_001n, 100_001n]);
});

test('a refused call has its reason, and logs nothing', (context) => {
  const log = context.mock.method(console, 'error', () => {});
  assert.deepEqual(failure(() => open()(ann, 'getApiKey', id)), { tag: 'not-found', val: 'api-key' });
  assert.equal(log.mock.callCount(), 0);
});

test('a number that is not a u32 is a mistake of the program', () => {
  const call = open();
  const works: (() => unknown)[] = [
    ...[2 ** 32, -1, 1.5, NaN].map((seconds) => () => call(ann, 'rotateApiKey', id, seconds, undefined)),
    () => call(ann, 'listApiKeys', { limit: 2 ** 32 + 1 }),
    () => call(ann, 'revokeApiKey', id, undefined, -1),
    () => call(ann, 'issueApiKey', { name: 'k', rateLimit: { requests: 2 ** 32 + 1, windowSeconds: 1 } }),
    () => call(ann, 'updateApiKey', id, { rateLimit: { tag: 'set', val: { requests: 1, windowSeconds: -1 } } }),
  ];
  for (const work of works) assert.throws(work, RangeError);
});

test('long arguments reach the component, which refuses them', () => {
  const call = open();
  const long = 'k'.repeat(2 ** 24);
  const { id } = call(ann, 'createApiKey', 'k', undefined, undefined);
  assert.notEqual(call(ann, 'rotateApiKey', id, 2 ** 32 - 1, undefined).id, id);
  const refused = failure(() => call(ann, 'createApiKey', long, long, undefined));
  assert.ok(refused.tag === 'invalid-input');
  assert.deepEqual(refused.val.map(({ field, code }) => [field, code]),
    [['name', 'too-long'], ['project_reference', 'too-long']]);
  assert.deepEqual(call(host, 'verifyApiKey', long, []), { tag: 'refused', val: { tag: 'malformed' } });
});

test('a lone surrogate becomes the replacement character, which no key has', () => {
  const call = open();
  assert.equal(call(ann, 'createApiKey', 'a\ud800', undefined, undefined).name, 'a\ufffd');
  assert.deepEqual(call(host, 'verifyApiKey', 'keycell_\ud800', []), { tag: 'refused', val: { tag: 'malformed' } });
});

test('a cause goes to the log alone, under the correlation id that the caller gets', (context) => {
  const log = context.mock.method(console, 'error', () => {});
  const storage = sqliteStorage(databaseInMemory());
  const broken = { ...storage, findKey: () => { throw new Error('the disk is on fire'); } };
  const exhausted = { getRandomBytes: () => { throw new Error('no more random bytes'); } };
  const create = (authority: Authority) => authority.call(storage, ann, 'createApiKey', 'k', undefined, undefined);
  const causes: [() => void, RegExp][] = [
    [() => new Authority(coreBytes, policy).call(broken, ann, 'getApiKey', id), /the disk is on fire/],
    [() => create(new Authority(coreBytes, policy, undefined, exhausted)), /no more random bytes/],
    [() => create(new Authority(coreBytes, { ...policy, prefix: '' })), /policy/],
  ];
  for (const [work, cause] of causes) {
    const failed = failure(work);
    const [correlationId, logged] = log.mock.calls.at(-1)!.arguments;
    assert.deepEqual(failed, { tag: 'internal', val: correlationId });
    assert.match(String(logged), cause);
  }
});
