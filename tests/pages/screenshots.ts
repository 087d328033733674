// Writes the pictures of the README to docs, and with a directory as argument, pictures of every state to look at.
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { open } from './browser.ts';
import { Authority, type Json } from './keycell.ts';

const all = process.env.PICTURES;
if (all) mkdirSync(all, { recursive: true });
const docs = new URL('../../docs/', import.meta.url).pathname;

test('pictures', async () => {
  const authority = new Authority('default_scopes = ["api-keys:read"]\ngrantable_scopes = ["api-keys:read", "api-keys:write", "api-keys:verify", "api-keys:admin", "orders:read", "orders:write"]\n');
  const admin = authority.create('ann', ['api-keys:admin']);
  const server = await authority.serve();
  const send = async (method: string, path: string, body?: Json) => (await server.request(admin.key, method, path, body)).body;
  for (const slug of ['web-shop', 'warehouse', 'mobile']) await send('POST', '/v1/projects', { slug });
  const day = (days: number) => new Date(Date.now() + days * 86400_000 + 3600_000).toISOString();
  const made: Json[] = [];
  for (const [name, owner, project_reference, scopes, days] of [
    ['nightly export', 'billing', 'warehouse', ['orders:read'], 90], ['checkout', 'ben', 'web-shop', ['orders:read', 'orders:write', 'api-keys:verify'], 365],
    ['laptop', 'ann', undefined, ['api-keys:read', 'api-keys:write'], undefined], ['staging deploy', 'ci', 'web-shop', ['api-keys:read'], 6],
    ['gateway', 'platform', undefined, ['api-keys:verify'], undefined], ['iOS app, beta testers', 'mira', 'mobile', ['orders:read'], 29],
    ['price sync', 'billing', 'web-shop', ['orders:read', 'orders:write'], 180],
  ] as const) {
    const metadata = { plan: 'pro', contact: `${owner}@example.com` };
    const rate_limit = { requests: 600, window_seconds: 60 };
    made.push(await send('POST', '/v1/keys', { name, owner, project_reference, scopes, metadata, rate_limit, ...(days && { expires_at: day(days) }) }));
  }
  for (const { key } of made.filter((_, index) => index % 2 === 0)) await send('POST', '/v1/keys/verify', { key });
  await send('POST', `/v1/keys/${made[3]!.id}/rotate`, { grace_seconds: 86400 });
  await send('POST', `/v1/keys/${made[6]!.id}/revoke`, { reason: 'left in a screenshot' });

  const width = (page: Page, width: number) => page.setViewportSize({ width, height: width > 500 ? 800 : 780 });
  const page = await open(`${server.origin}/console`, { viewport: { width: 1280, height: 800 } });
  const shoot = async (name: string) => {
    if (!all) return;
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const size of [1280, 360]) {
        await width(page, size);
        await page.screenshot({ path: `${all}/${name}-${size}-${colorScheme}.png` });
      }
    }
    await width(page, 1280);
    await page.emulateMedia({ colorScheme: 'light' });
  };
  const signIn = async () => {
    await page.locator('form.sign-in input').fill(admin.key);
    await page.locator('form.sign-in button.primary').click();
  };
  await shoot('signed-out');
  await signIn();
  await page.getByLabel('Status').selectOption('all');
  await page.getByText('nightly export').waitFor();
  await shoot('keys');
  await width(page, 1180);
  await page.setViewportSize({ width: 1200, height: 640 });
  await page.screenshot({ path: `${docs}/console.png` });
  await page.getByLabel('Status').selectOption('expired');
  await page.getByText('No key matches').waitFor();
  await shoot('none');
  await page.getByLabel('Status').selectOption('all');
  await page.getByRole('button', { name: 'price sync' }).click();
  await page.locator('.timeline').waitFor();
  await shoot('details-revoked');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'nightly export' }).click();
  await page.locator('.timeline').waitFor();
  await shoot('details');
  await page.getByRole('button', { name: 'Rotate…' }).click();
  await shoot('rotate');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Revoke…' }).click();
  await page.getByRole('button', { name: 'Revoke key' }).click();
  await page.getByText('must be the name').waitFor();
  await shoot('revoke');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByRole('button', { name: 'Create key' }).last().click();
  await page.getByText('must be given').waitFor();
  await shoot('create');
  await page.getByLabel('Name').fill('reporting');
  await page.getByRole('button', { name: 'Create key' }).last().click();
  await page.getByRole('button', { name: 'I have saved it' }).waitFor();
  await shoot('once');
  await page.getByRole('button', { name: 'I have saved it' }).click();

  await page.getByRole('link', { name: 'Tools' }).click();
  await page.getByRole('link', { name: 'create_api_key' }).waitFor();
  await shoot('tools');
  await page.getByRole('link', { name: 'create_api_key' }).click();
  await page.getByLabel('name').first().fill('deploy');
  await page.getByLabel('project_reference').fill('web-shop');
  await page.getByRole('button', { name: '+30 days' }).click();
  await page.setViewportSize({ width: 1200, height: 860 });
  await page.locator('#status').waitFor({ state: 'hidden' });
  await page.screenshot({ path: `${docs}/playground.png` });
  await shoot('tool');
  await page.getByRole('button', { name: 'Call' }).click();
  await page.getByRole('button', { name: 'I have saved it' }).click();
  await page.locator('.answer dl').waitFor();
  await page.locator('#playground').scrollIntoViewIfNeeded();
  await page.locator('.answer').evaluate((element) => element.scrollIntoView({ block: 'center' }));
  await shoot('answer');
});
