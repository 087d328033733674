import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cases } from '../../conformance/case.js';
import { count, files, MIN_CASES, schemas } from '../../conformance/files.js';
import { runAll, type Host } from '../../conformance/runner.js';
import { compile } from '../../conformance/tools.js';
import { Authority } from '../../shared/authority.js';
import { coreBytes } from '../core.js';
import { sqliteStorage } from '../storage.js';
import { databaseInMemory, setRole } from './database.js';

const tools = compile(schemas);

const host: Host = (projects, recorder, ...imports) => {
  const database = databaseInMemory(projects);
  const storage = recorder.before(sqliteStorage(database));
  const authority = new Authority(coreBytes, ...imports);
  return {
    call: (caller, name, args) => authority.call(storage, caller, name as never, ...(args as never)),
    setRole: (step) => setRole(database, step),
  };
};

for (const [file, text] of files) {
  test(`every case of ${file}`, async () => {
    assert.deepEqual(await runAll(cases(file, text), tools, host), { passed: count(text), failures: [] });
  });
}

test('no file of cases is missing', () => {
  const all = [...files.values()].reduce((sum, text) => sum + count(text), 0);
  assert.ok(all >= MIN_CASES, `${all} cases`);
});

test('a case that expects another answer fails', async () => {
  const all = cases('record', files.get('record')!.replaceAll('HtEoxr88LPpz', 'zPL88rxoEtH0'));
  const { passed, failures } = await runAll(all, tools, host);
  assert.notEqual(failures.length, 0);
  assert.equal(passed + failures.length, all.length);
});
