import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Authority } from './authority.js';
import { openDatabase } from './database.js';
import { KeycellError } from './failure.js';
import { json, verificationJson } from './json.js';
import { sqliteStorage } from './storage.js';

const SCOPES = ['api-keys:read', 'api-keys:write'];

function run(authority: Authority, userId: string, command?: string, argument?: string): unknown {
  const caller = { userId, scopes: SCOPES };
  switch (command) {
    case 'create':
      return json(authority.call(caller, 'createApiKey', required(argument), undefined, undefined));
    case 'get':
      return json(authority.call(caller, 'getApiKey', required(argument)));
    case 'verify': {
      const verification = authority.call(undefined, 'verifyApiKey', readFileSync(0, 'utf8').trimEnd(), []);
      if (verification.tag === 'refused') process.exitCode = 1;
      return verificationJson(verification);
    }
    case 'list':
      return json(authority.call(caller, 'listApiKeys', undefined, undefined, undefined, undefined));
    default:
      return required(undefined);
  }
}

function required(argument: string | undefined): string {
  if (argument !== undefined) return argument;
  throw new Error('usage: main.js --database PATH --user ID create NAME | get ID | verify < KEY | list');
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

try {
  const { values, positionals } = parseArgs({
    options: { database: { type: 'string' }, user: { type: 'string' } },
    allowPositionals: true,
  });
  const database = openDatabase(required(values.database));
  const authority = new Authority(sqliteStorage(database), { prefix: 'keycell', defaultScopes: SCOPES });
  console.log(JSON.stringify(run(authority, required(values.user), ...positionals)));
} catch (error) {
  console.error(`error: ${error instanceof KeycellError ? sentence(error) : (error as Error).message}`);
  process.exitCode = 1;
}
