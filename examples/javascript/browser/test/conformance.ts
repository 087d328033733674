// The part of the suite that runs in the page.
import { Authority } from '../src/authority.js';
import { openDatabase, transact } from '../src/database.js';
import { KeycellError } from '../src/failure.js';
import { cases } from '../../node/test/conformance/case.js';
import { runAll, type Host, type Report } from '../../node/test/conformance/runner.js';
import { tool } from '../../node/test/conformance/tools.js';

/** A tool's name, and its input and output schema as text. */
export type Schemas = [name: string, input: string, output: string];

export interface Suite {
  /** Runs the cases of a file, given as text. */
  run(file: string, text: string, schemas: Schemas[]): Promise<Report>;
}

const host: Host = {
  async authority(projects, recorder, policy, clock, random) {
    const database = await opened;
    const transaction = database.transaction(['keys', 'projects'], 'readwrite');
    await Promise.all([transaction.objectStore('keys').clear(), transaction.objectStore('projects').clear()]);
    for (const project of projects) await transaction.objectStore('projects').put(project);
    await transaction.done;
    const authority = new Authority(
      (work) => transact(database, (storage) => work(recorder.before(storage))), policy, clock, random,
    );
    return (caller, name, args) => authority.call(caller, name as never, ...(args as never));
  },
  failure: (thrown) => {
    if (thrown instanceof KeycellError) return thrown.failure;
    throw thrown;
  },
};

const opened = openDatabase('conformance');

const suite: Suite = {
  run(file, text, schemas) {
    const tools = new Map(schemas.map(([name, input, output]) => [name, tool(name, input, output)]));
    return runAll(cases(file, text), tools, host);
  },
};
Object.assign(globalThis, { suite });
