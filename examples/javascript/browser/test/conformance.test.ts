import assert from 'node:assert/strict';
import { test } from 'node:test';
import { count, files, MIN_CASES, schemas } from '../../conformance/files.js';
import { browserForTests } from './browser.js';
import type { Suite } from './conformance.js';

declare const suite: Suite;

const browser = await browserForTests();
const page = await (await browser.newContext()).newPage();
await page.goto(`${browser.origin}/test/suite.html`);

const run = (file: string, text: string) =>
  page.evaluate(([file, text, schemas]) => suite.run(file, text, schemas), [file, text, schemas] as const);

test('the first key of the fixed clock and random stream is the one that every host makes', async () => {
  const key = {
    id: '019cebab-8995-7101-854f-d1d01ab22574',
    key: 'keycell_HtEoxr88LPpz_nHuffgX0PK1ecwe27tQ5dxl7Mn9xtIRuQQMPHlc0DYq1wQvRx',
  };
  const step = { call: 'create_api_key', as: { user: 'ann' }, arguments: { name: 'k' }, returns: key };
  const file = {
    set_up: { now: '2026-03-14T09:26:53.589Z', random_seed: 1, policy: { prefix: 'keycell', default_scopes: [] } },
    cases: [{ name: 'first', steps: [step] }],
  };
  assert.deepEqual(await run('first', JSON.stringify(file)), { passed: 1, failures: [] });
});

for (const [file, text] of files) {
  test(`every case of ${file}, in a page`, async () => {
    assert.deepEqual(await run(file, text), { passed: count(text), failures: [] });
  });
}

test('no file of cases is missing', () => {
  const all = [...files.values()].reduce((sum, text) => sum + count(text), 0);
  assert.ok(all >= MIN_CASES, `${all} cases`);
});
