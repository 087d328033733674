// keycell's Node.js host. Run it in examples/javascript with `node --import tsx`.
import { coreBytes } from '../../examples/javascript/node/core.ts';
import { createDatabase } from '../../examples/javascript/node/create.ts';
import { openDatabase } from '../../examples/javascript/node/database.ts';
import { sqliteStorage } from '../../examples/javascript/node/storage.ts';
import { Authority } from '../../examples/javascript/shared/authority.ts';
import { run } from './harness.js';

const SCOPES = ['api-keys:read', 'api-keys:write'];
const USER = { tag: 'user', val: { id: 'ann', operator: false, scopes: SCOPES } };

await run(async (path, synchronous) => {
  createDatabase(path);
  const database = openDatabase(path);
  database.pragma(`synchronous = ${synchronous}`);
  const storage = sqliteStorage(database);
  const authority = new Authority(coreBytes, { prefix: 'keycell', defaultScopes: SCOPES });
  return {
    create: () => authority.call(storage, USER, 'createApiKey', 'bench', undefined, undefined).key,
    verify: (key) => authority.call(storage, { tag: 'host' }, 'verifyApiKey', key, SCOPES.slice(0, 1)).tag === 'valid',
  };
});
