// `keycell console`: signed in by a one-time code.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, existsSync, writeFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { open, openIn } from './browser.ts';
import { Authority, KEYCELL } from './keycell.ts';

async function startConsole(authority: Authority, ...args: string[]) {
  // Stands in for the browser, and writes down what it is asked to open.
  const bin = join(authority.dir, 'bin');
  mkdirSync(bin, { recursive: true });
  const opened = join(authority.dir, 'opened');
  writeFileSync(join(bin, 'xdg-open'), `#!/bin/sh\nprintf %s "$1" > '${opened}'\n`);
  chmodSync(join(bin, 'xdg-open'), 0o755);
  const env = { ...authority.env, PATH: `${bin}:${process.env.PATH}` };
  const command = spawn(KEYCELL, ['console', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  after(() => command.kill('SIGKILL'));
  let output = '';
  for await (const chunk of command.stdout) {
    output += chunk;
    if (output.trim().endsWith('}')) break;
  }
  const { url } = JSON.parse(output);
  return { command, url, opened };
}

const keys = (authority: Authority, status: string) =>
  authority.run('list', '--operator', '--status', status) as unknown as { api_keys: { name: string; scopes: string[]; expires_at: string; user_id: string }[] };

test('the console opens signed in, the code is spent, and the key ends with the command', async () => {
  const authority = new Authority();
  authority.create('ann', ['api-keys:read']);
  const { command, url, opened } = await startConsole(authority, '--user', 'maria');
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/console#code=[0-9a-f]{32}$/);
  for (let wait = 0; wait < 50 && !existsSync(opened); wait++) await new Promise((later) => setTimeout(later, 100));
  assert.equal(readFileSync(opened, 'utf8'), url);

  const page = await open(url);
  await page.getByText('operator').waitFor();
  await page.getByRole('button', { name: "ann's key" }).waitFor();
  assert.equal(page.url(), `${new URL(url).origin}/console`);
  const [session] = keys(authority, 'active').api_keys.filter(({ name }) => name === 'console');
  assert.deepEqual([session!.user_id, session!.scopes], ['maria', ['api-keys:admin']]);
  const hours = (Date.parse(session!.expires_at) - Date.now()) / 3600_000;
  assert.ok(hours > 7.9 && hours <= 8, `${hours} hours`);

  const second = await openIn(page.context(), url);
  await second.getByText('The link was used before').waitFor();
  await second.locator('form.sign-in').waitFor();
  // The browser keeps nothing that would sign in again.
  await page.reload();
  await page.locator('form.sign-in').waitFor();
  assert.deepEqual(await page.context().cookies(), []);

  const ended = once(command, 'exit');
  command.kill('SIGINT');
  assert.deepEqual(await ended, [0, null]);
  const [revoked] = keys(authority, 'revoked').api_keys;
  assert.equal(revoked!.name, 'console');
});

test('the console opens no browser if it is told so, and its key is revoked when the terminal goes away', async () => {
  const authority = new Authority();
  const { command, opened } = await startConsole(authority, '--no-open', '--life', 'unlimited');
  assert.equal(keys(authority, 'active').api_keys[0]!.expires_at, null);
  const ended = once(command, 'exit');
  command.kill('SIGHUP');
  assert.deepEqual(await ended, [0, null]);
  assert.ok(!existsSync(opened));
  assert.deepEqual(keys(authority, 'active').api_keys, []);
});
