import createInput from '../generated/create_api_key.input.json';
import getInput from '../generated/get_api_key.input.json';
import { listOf } from './answer.js';
import { Authority } from './authority.js';
import { openDatabase, transact } from './database.js';
import { KeycellError } from './failure.js';
import { formOf, showFaults, type InputSchema, type Values } from './form.js';

// Whoever sits at this browser.
const caller = { userId: 'me', scopes: ['api-keys:read', 'api-keys:write'] };
const policy = { prefix: 'keycell', defaultScopes: caller.scopes };

const database = openDatabase('keycell');
const authority = new Authority(async (work) => transact(await database, work), policy);

show('create', createInput, 'Create', ([name, project, expiresAt]) =>
  authority.call(caller, 'createApiKey', name ?? '', project, expiresAt));
show('get', getInput, 'Get', ([id]) => authority.call(caller, 'getApiKey', id ?? ''));

/** Puts a tool's form into its section of the page, and under it the answer of its last call. */
function show(id: string, schema: InputSchema, action: string, call: (values: Values) => Promise<object>) {
  const output = document.createElement('output');
  const form = formOf(schema, action, async (values) => {
    output.replaceChildren();
    showFaults(form, []);
    try {
      output.replaceChildren(listOf(await call(values)));
    } catch (error) {
      if (!(error instanceof KeycellError)) throw error;
      if (error.failure.tag === 'invalid-input') showFaults(form, error.failure.val);
      else output.textContent = sentence(error.failure);
    }
  });
  document.getElementById(id)!.append(form, output);
}

function sentence(failure: Exclude<KeycellError['failure'], { tag: 'invalid-input' }>): string {
  switch (failure.tag) {
    case 'not-found':
      return failure.val === 'api-key' ? 'There is no such API key.' : 'There is no such project.';
    case 'forbidden':
      return 'This is not allowed.';
    case 'conflict':
      return 'Somebody else changed this at the same moment. Try again.';
    case 'unavailable':
      return 'The browser\'s storage is not available right now. Try again later.';
    case 'internal':
      return `Something went wrong inside. The console has the cause under ${failure.val}.`;
  }
}
