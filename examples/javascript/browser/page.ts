import createInput from '#generated/create_api_key.input.json' with { type: 'json' };
import getInput from '#generated/get_api_key.input.json' with { type: 'json' };
import type { Error as Failure } from '#generated/interfaces/keycell-api-keys-api-keys.js';
import type { Caller } from '#generated/interfaces/keycell-api-keys-context.js';
import { listOf } from '#generated/pages/answer.js';
import { formOf, showFaults } from '#generated/pages/form.js';
import { Authority, type ApiKeys, type Arguments } from '../shared/authority.js';
import { KeycellError } from '../shared/failure.js';
import { coreBytes } from './core.js';
import { openDatabase, transact } from './database.js';

const SCOPES = ['api-keys:read', 'api-keys:write'];
/** The person at this browser. */
const caller: Caller = { tag: 'user', val: { id: 'me', operator: false, scopes: SCOPES } };

const database = openDatabase('keycell');
const authority = new Authority(coreBytes, { prefix: 'keycell', defaultScopes: SCOPES });

async function call<Name extends keyof ApiKeys>(name: Name, ...args: Arguments<Name>) {
  return transact(await database, (storage) => authority.call(storage, caller, name, ...args));
}

show('create', createInput, 'Create', ({ name, project_reference: project, expires_at: expiresAt }) =>
  call('createApiKey', name ?? '', project, expiresAt));
show('get', getInput, 'Get', ({ api_key_id: id }) => call('getApiKey', id ?? ''));

/** Puts a tool's form into its section of the page, and below it the answer of the newest call. */
function show(id: string, schema: object, action: string, send: (values: Record<string, string>) => Promise<object>) {
  const output = document.createElement('output');
  const form = formOf(schema, action, async (values) => {
    output.replaceChildren();
    showFaults(form, []);
    try {
      output.replaceChildren(listOf(await send(values)));
    } catch (error) {
      if (!(error instanceof KeycellError)) throw error;
      if (error.failure.tag === 'invalid-input') showFaults(form, error.failure.val);
      else output.textContent = sentence(error.failure);
    }
  });
  document.getElementById(id)!.append(form, output);
}

function sentence(failure: Failure): string {
  switch (failure.tag) {
    case 'not-found':
      return failure.val === 'api-key' ? 'There is no such API key.' : 'There is no such project.';
    case 'unavailable':
      return 'The browser\'s storage is not available right now. Try again later.';
    case 'internal':
      return `Internal error: the console has its cause under ${failure.val}.`;
    default:
      return `The call failed: ${failure.tag}.`;
  }
}
