import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { count, LEAST_CASES } from '../../node/test/conformance/count.js';
import { browserForTests } from './browser.js';
import type { Schemas, Suite } from './conformance.js';

declare const suite: Suite;

const TESTS = new URL('../../../tests/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, TESTS), 'utf8');

const names = [...new Set(readdirSync(new URL('schemas/', TESTS)).map((file) => file.split('.')[0]!))];
const schemas = names.map((name): Schemas =>
  [name, read(`schemas/${name}.input.json`), read(`schemas/${name}.output.json`)]);

const browser = await browserForTests();
const page = await (await browser.newContext()).newPage();
await page.goto(`${browser.origin}/test/suite.html`);

const run = (file: string, text: string) =>
  page.evaluate(([file, text, schemas]) => suite.run(file, text, schemas), [file, text, schemas] as const);

test('the first key of the fixed clock and random stream is the one that every host makes', async () => {
  const policy = { prefix: 'keycell', default_scopes: [], longest_life_ms: null };
  const key = {
    id: '019cebab-8995-7101-854f-d1d01ab22574',
    key: 'keycell_HtEoxr88LPpz_nHuffgX0PK1ecwe27tQ5dxl7Mn9xtIRuQQMPHlc0DYq1wQvRx',
  };
  const step = { call: 'create_api_key', as: { user: 'ann' }, arguments: { name: 'k' }, returns: key };
  const file = {
    set_up: { now: '2026-03-14T09:26:53.589Z', random_seed: 1, policy, projects: [] },
    cases: [{ name: 'first', steps: [step] }],
  };
  assert.deepEqual(await run('first', JSON.stringify(file)), { passed: 1, failures: [] });
});

const files = readdirSync(new URL('cases/', TESTS));

for (const file of files) {
  test(`every case of ${file}, in a page`, async () => {
    const text = read(`cases/${file}`);
    assert.deepEqual(await run(file.replace('.json', ''), text), { passed: count(text), failures: [] });
  });
}

test('no file of cases is missing', () => {
  const all = files.reduce((sum, file) => sum + count(read(`cases/${file}`)), 0);
  assert.ok(all >= LEAST_CASES, `${all} cases`);
});
