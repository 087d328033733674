// The part of the suite that runs in the page.
import { cases } from '../../conformance/case.js';
import { runAll, type Host, type Report } from '../../conformance/runner.js';
import { compile, type Schemas } from '../../conformance/tools.js';
import { Authority } from '../../shared/authority.js';
import { coreBytes } from '../core.js';
import { openDatabase, STORES, transact } from '../database.js';

export interface Suite {
  /** Runs the cases of a file, which is given as text. */
  run(file: string, text: string, schemas: Schemas[]): Promise<Report>;
}

const opened = openDatabase('conformance');

const host: Host = async (projects, recorder, ...imports) => {
  const database = await opened;
  const transaction = database.transaction(STORES, 'readwrite');
  await Promise.all(STORES.map((store) => transaction.objectStore(store).clear()));
  for (const { id, slug, members } of projects) {
    const roles = members.map((member) => (typeof member === 'string' ? [member, 'member'] : [member.user, member.role]));
    await transaction.objectStore('projects').put({ id, slug, members: Object.fromEntries(roles) });
  }
  await transaction.done;
  const authority = new Authority(coreBytes, ...imports);
  return {
    call: (caller, name, args) => transact(database, (storage) =>
      authority.call(recorder.before(storage), caller, name as never, ...(args as never[]) as never)),
    setRole: async ({ project: slug, user, role }) => {
      const project = (await database.getAll('projects')).find((project) => project.slug === slug)!;
      const { [user]: _, ...others } = project.members;
      await database.put('projects', { ...project, members: role === null ? others : { ...others, [user]: role } });
    },
  };
};

const suite: Suite = {
  run: (file, text, schemas) => runAll(cases(file, text), compile(schemas), host),
};
Object.assign(globalThis, { suite });
