// Chromium, and pages that are watched.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach } from 'node:test';
import { chromium, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium' });
after(() => browser.close());

/** What pages log, throw, or request of other servers, which must be nothing. */
export const strange: string[] = [];
afterEach(() => assert.deepEqual(strange.splice(0), []));

/** A visitor of their own, who may use the clipboard. */
export const visitor = (options: BrowserContextOptions = {}): Promise<BrowserContext> =>
  browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'], ...options });

/** Opens a page as a new visitor, and watches it. */
export const open = async (url: string, options?: BrowserContextOptions): Promise<Page> => openIn(await visitor(options), url);

/** Opens one more tab of a visitor, and watches it. */
export async function openIn(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  // To try changes of the files without a build of the server.
  const files = process.env.KEYCELL_PAGES;
  if (files) await page.route('**/pages/*', (route) => route.fulfill({ path: join(files, new URL(route.request().url()).pathname.slice('/pages/'.length)) }));
  const { origin } = new URL(url);
  page.on('pageerror', (error) => strange.push(String(error)));
  page.on('dialog', (dialog) => { strange.push(`dialog: ${dialog.message()}`); void dialog.dismiss(); });
  // The browser reports refusals and servers that do not answer, which tests cause.
  page.on('console', (message) => { if (!message.text().startsWith('Failed to load resource')) strange.push(message.text()); });
  page.on('request', (request) => { if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith('data:')) strange.push(request.url()); });
  await page.goto(url);
  return page;
}

/** Pastes a key into the form of a page or of a dialog. */
export async function signIn(page: Page, key: string): Promise<void> {
  await page.locator('form.sign-in input').fill(key);
  await page.locator('form.sign-in').getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Asserts that axe-core finds nothing, in light and in dark mode, and that nothing needs scrolling to the side. */
export async function assertAccessible(page: Page, state: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // Not as a script of the page, which its policy forbids.
    await page.evaluate(axe);
    const found = await page.evaluate(async () => {
      const { violations } = await (window as any).axe.run(document, { resultTypes: ['violations'] });
      return violations.map(({ id, nodes }: any) => `${id}: ${nodes.map((node: any) => `${node.target} ${node.failureSummary}`).join(' | ')}`);
    });
    assert.deepEqual(found, [], `${state}, ${colorScheme}`);
  }
  const { width } = page.viewportSize()!;
  await page.setViewportSize({ width: 360, height: 800 });
  const overflow = await page.evaluate(() => [document.documentElement, ...document.querySelectorAll('dialog')]
    .filter((element) => element.scrollWidth > element.clientWidth).map((element) => `${element.tagName} ${element.scrollWidth}`));
  assert.deepEqual(overflow, [], `${state}, 360 px wide`);
  await page.setViewportSize({ width, height: 800 });
}
