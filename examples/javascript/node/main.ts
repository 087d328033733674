import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Authority, type ApiKeys, type Arguments } from '../shared/authority.js';
import { KeycellError } from '../shared/failure.js';
import { coreBytes } from './core.js';
import { createDatabase } from './create.js';
import { openDatabase } from './database.js';
import { toolJson } from './json.js';
import { sqliteStorage } from './storage.js';

const USAGE = 'usage: main.js --database PATH --user ID create NAME | get ID | verify < KEY | list';
const SCOPES = ['api-keys:read', 'api-keys:write'];
const MAX_KEY_LENGTH = 4096;

type Call = <Name extends keyof ApiKeys>(name: Name, ...args: Arguments<Name>) => ReturnType<ApiKeys[Name]>;
type Work = (call: Call) => unknown;
type Command = { database: string; user: string; work: Work; isCreate: boolean };

/** Parses the command. The reason why it is wrong is not shown: it could repeat a key. */
function parse(): Command | undefined {
  const options = { database: { type: 'string' }, user: { type: 'string' } } as const;
  try {
    const { values: { database, user }, positionals } = parseArgs({ options, allowPositionals: true });
    const work = workOf(positionals);
    const isComplete = database !== undefined && user !== undefined && work !== undefined;
    return isComplete ? { database, user, work, isCreate: positionals[0] === 'create' } : undefined;
  } catch {
    return undefined;
  }
}

function workOf([name, ...args]: string[]): Work | undefined {
  const [argument] = args;
  switch (`${name} ${args.length}`) {
    case 'create 1':
      return (call) => call('createApiKey', argument!, undefined, undefined);
    case 'get 1':
      return (call) => call('getApiKey', argument!);
    case 'verify 0':
      return verify;
    case 'list 0':
      return (call) => call('listApiKeys', {});
    default:
      return undefined;
  }
}

async function verify(call: Call): Promise<unknown> {
  const verification = call('verifyApiKey', await presentedKey(), []);
  if (verification.tag === 'refused') process.exitCode = 1;
  return verification;
}

/** Reads the key on standard input without the end of its line, and no more of it than a key can have. */
async function presentedKey(): Promise<string> {
  let text = '';
  for await (const part of process.stdin.setEncoding('utf8')) {
    text += part;
    if (text.length > MAX_KEY_LENGTH) break;
  }
  return text.replace(/\r?\n$/, '');
}

async function run({ database, user, work, isCreate }: Command): Promise<void> {
  try {
    // Only a command that adds something makes a database: the path of another one may be a mistake.
    if (isCreate) createDatabase(database);
    else if (!existsSync(database)) throw new Error('there is no database: create a key first');
    const storage = sqliteStorage(openDatabase(database));
    const authority = new Authority(coreBytes, { prefix: 'keycell', defaultScopes: SCOPES });
    const caller = { tag: 'user', val: { id: user, operator: false, scopes: SCOPES } } as const;
    const answer = await work((name, ...args) => authority.call(storage, caller, name, ...args));
    console.log(JSON.stringify(toolJson(answer as object)));
  } catch (error) {
    console.error(`error: ${error instanceof KeycellError ? sentence(error) : (error as Error).message}`);
    process.exitCode = 1;
  }
}

function sentence({ failure }: KeycellError): string {
  switch (failure.tag) {
    case 'invalid-input':
      return failure.val.map(({ field, message }) => `${field} ${message}`).join('; ');
    case 'not-found':
      return `no such ${failure.val}`;
    case 'internal':
      return `internal error: see the log entry ${failure.val}`;
    default:
      return failure.tag;
  }
}

const command = parse();
if (command === undefined) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  await run(command);
}
