import { parseArgs } from 'node:util';
import type { Caller } from '../generated/interfaces/keycell-api-keys-context.js';
import { Authority } from './authority.js';
import { openDatabase } from './database.js';
import { KeycellError } from './failure.js';
import { json, verificationJson } from './json.js';
import { sqliteStorage } from './storage.js';

const USAGE = 'usage: main.js --database PATH --user ID create NAME | get ID | verify < KEY | list';
const SCOPES = ['api-keys:read', 'api-keys:write'];
const LONGEST_KEY = 4096;

type Work = (authority: Authority, caller: Caller) => unknown;
type Command = { database: string; user: string; work: Work };

/** The command that was given, if it is one. What is wrong with it is not told: that may be a key. */
function parse(): Command | undefined {
  const options = { database: { type: 'string' }, user: { type: 'string' } } as const;
  try {
    const { values: { database, user }, positionals } = parseArgs({ options, allowPositionals: true });
    const work = workOf(positionals);
    const isWhole = database !== undefined && user !== undefined && work !== undefined;
    return isWhole ? { database, user, work } : undefined;
  } catch {
    return undefined;
  }
}

function workOf([name, ...args]: string[]): Work | undefined {
  const [argument] = args;
  switch (`${name} ${args.length}`) {
    case 'create 1':
      return (authority, caller) => json(authority.call(caller, 'createApiKey', argument!, undefined, undefined));
    case 'get 1':
      return (authority, caller) => json(authority.call(caller, 'getApiKey', argument!));
    case 'verify 0':
      return verify;
    case 'list 0':
      return (authority, caller) =>
        json(authority.call(caller, 'listApiKeys', undefined, undefined, undefined, undefined));
    default:
      return undefined;
  }
}

async function verify(authority: Authority): Promise<unknown> {
  const verification = authority.call(undefined, 'verifyApiKey', await presentedKey(), []);
  if (verification.tag === 'refused') process.exitCode = 1;
  return verificationJson(verification);
}

/** What stands on standard input, without the end of its line. The rest of what is too long for a key is not read. */
async function presentedKey(): Promise<string> {
  let text = '';
  for await (const part of process.stdin.setEncoding('utf8')) {
    text += part;
    if (text.length > LONGEST_KEY) break;
  }
  return text.replace(/\r?\n$/, '');
}

async function run({ database, user, work }: Command): Promise<void> {
  try {
    const storage = sqliteStorage(openDatabase(database));
    const authority = new Authority(storage, { prefix: 'keycell', defaultScopes: SCOPES });
    console.log(JSON.stringify(await work(authority, { userId: user, scopes: SCOPES })));
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
      return `internal, and the log has its cause under ${failure.val}`;
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
