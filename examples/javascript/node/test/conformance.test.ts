import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Authority } from '../src/authority.js';
import { KeycellError } from '../src/failure.js';
import { cases } from './conformance/case.js';
import { count, LEAST_CASES } from './conformance/count.js';
import { runAll, type Host } from './conformance/runner.js';
import { tool } from './conformance/tools.js';
import { storageInMemory } from './database.js';

const TESTS = new URL('../../../tests/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, TESTS), 'utf8');

const names = readdirSync(new URL('schemas/', TESTS)).map((file) => file.split('.')[0]!);
const tools = new Map(
  names.map((name) => [name, tool(name, read(`schemas/${name}.input.json`), read(`schemas/${name}.output.json`))]),
);

const host: Host = {
  authority: (projects, recorder, ...imports) => {
    const authority = new Authority(recorder.before(storageInMemory(projects)), ...imports);
    return (caller, name, args) => authority.call(caller, name as never, ...(args as never));
  },
  failure: (thrown) => {
    if (thrown instanceof KeycellError) return thrown.failure;
    throw thrown;
  },
};

const files = readdirSync(new URL('cases/', TESTS));

for (const file of files) {
  test(`every case of ${file}`, async () => {
    const text = read(`cases/${file}`);
    const report = await runAll(cases(file.replace('.json', ''), text), tools, host);
    assert.deepEqual(report, { passed: count(text), failures: [] });
  });
}

test('no file of cases is missing', () => {
  const all = files.reduce((sum, file) => sum + count(read(`cases/${file}`)), 0);
  assert.ok(all >= LEAST_CASES, `${all} cases`);
});

test('a case that expects another answer fails', async () => {
  const all = cases('record', read('cases/record.json').replaceAll('HtEoxr88LPpz', 'zPL88rxoEtH0'));
  const { passed, failures } = await runAll(all, tools, host);
  assert.notEqual(failures.length, 0);
  assert.equal(passed + failures.length, all.length);
});
