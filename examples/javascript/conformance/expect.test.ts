import assert from 'node:assert/strict';
import { test } from 'node:test';
import { difference, pointer, repeat, substitute } from './expect.js';
import { xorshift32 } from './random.js';

test('patterns can fail', () => {
  const actual = { a: 'x1', b: [1, 2], c: null };
  const matching = [{}, { a: { $matches: '^x\\d$' }, b: [1, 2] }, { c: null }, { a: { $not: 'y' } }];
  for (const expected of matching) assert.equal(difference('$', expected, actual), undefined);
  const others = [
    { a: 'x' }, { a: { $matches: '^y' } }, { b: [1] }, { b: [2, 1] }, { b: [1, 2, 3] }, { d: null }, { c: 0 },
    { a: { $not: 'x1' } }, { a: { $sha256: 'x1' } }, { b: 'x1' }, { c: { a: 1 } },
  ];
  for (const expected of others) assert.notEqual(difference('$', expected, actual), undefined, JSON.stringify(expected));
  assert.throws(() => difference('$', { a: { $what: 1 } }, actual), /unknown pattern/);
});

test('a name alone becomes the value itself', () => {
  const substituted = substitute(['${a}', '-${a}-', '${n}', '-${n}-', '${b}'], { a: 'x', n: null });
  assert.deepEqual(substituted, ['x', '-x-', null, '-${n}-', '${b}']);
});

test('a pointer names a part', () => {
  assert.equal(pointer({ a: [{ b: 1 }] }, '/a/0/b'), 1);
  assert.equal(pointer({ a: [] }, '/a/0/b'), undefined);
});

test('the stream of seed 1 begins as it is written down', () => {
  const stream = xorshift32(1);
  const bytes = [...stream(3n), ...stream(13n)].map((byte) => byte.toString(16).padStart(2, '0'));
  assert.equal(bytes.join(' '), '21 01 c5 4f d1 d0 1a b2 25 74 cb 37 8a ae f5 b1');
});

test('a repeated text is written out', () => {
  assert.deepEqual(repeat({ a: [{ $repeat: ['ab', 3] }], b: { c: 1 } }), { a: ['ababab'], b: { c: 1 } });
});
