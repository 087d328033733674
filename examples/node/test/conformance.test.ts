import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Authority } from '../src/authority.js';
import { KeycellError } from '../src/failure.js';
import { cases, type Project } from './conformance/case.js';
import { run, type Host } from './conformance/runner.js';
import { tool } from './conformance/tools.js';
import { storageInMemory } from './database.js';

const TESTS = new URL('../../../tests/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, TESTS), 'utf8');

const names = readdirSync(new URL('schemas/', TESTS)).map((file) => file.split('.')[0]!);
const tools = new Map(
  names.map((name) => [name, tool(name, read(`schemas/${name}.input.json`), read(`schemas/${name}.output.json`))]),
);

const host: Host = {
  storage: (projects: Project[]) => storageInMemory(projects),
  authority: (...imports) => {
    const authority = new Authority(...imports);
    return (caller, name, args) => authority.call(caller, name as never, ...(args as never));
  },
  failure: (thrown) => {
    if (thrown instanceof KeycellError) return thrown.failure;
    throw thrown;
  },
};

for (const file of readdirSync(new URL('cases/', TESTS))) {
  test(`every case of ${file}`, (context) => {
    const all = cases(file.replace('.json', ''), read(`cases/${file}`));
    const failures = all.flatMap((one) => {
      try {
        run(one, tools, host);
        return [];
      } catch (fault) {
        return [`${one.name}: ${fault}`];
      }
    });
    context.diagnostic(`${all.length - failures.length} passed`);
    assert.notEqual(all.length, 0);
    assert.deepEqual(failures, []);
  });
}
