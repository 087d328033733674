// better-auth with its plugin for API keys, called in this process.
import { randomBytes } from 'node:crypto';
import { apiKey } from '@better-auth/api-key';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import Database from 'better-sqlite3';
import { run } from './harness.js';

await run(async (path, synchronous) => {
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  database.pragma(`synchronous = ${synchronous}`);
  const options = {
    database,
    baseURL: 'http://localhost',
    secret: randomBytes(32).toString('base64'),
    // By default a key has ten uses a day.
    plugins: [apiKey({ rateLimit: { enabled: false } })],
  };
  await (await getMigrations(options)).runMigrations();
  const { api } = betterAuth(options);
  return {
    create: async () => (await api.createApiKey({ body: { userId: 'ann', name: 'bench' } })).key,
    verify: async (key) => (await api.verifyApiKey({ body: { key } })).valid,
  };
});
