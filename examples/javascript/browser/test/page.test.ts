import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { BrowserContext, Page } from 'playwright-core';
import { browserForTests } from './browser.js';

const browser = await browserForTests();

/** Log entries of pages and their requests to other origins. There must be none. */
const strange: string[] = [];
afterEach(() => assert.deepEqual(strange.splice(0), []));

/** Opens the page in a new tab, and watches what it logs and requests. */
async function open(context: BrowserContext, folder = `${browser.origin}/`): Promise<Page> {
  const page = await context.newPage();
  page.on('console', (message) => strange.push(message.text()));
  page.on('pageerror', (error) => strange.push(String(error)));
  page.on('request', (request) => { if (!request.url().startsWith(folder)) strange.push(request.url()); });
  await page.goto(`${folder}index.html`);
  return page;
}

type Texts = Record<string, string>;

/** Sends a form and returns the answer that the page shows. */
async function send(page: Page, section: 'create' | 'get', values: Texts): Promise<Texts> {
  const form = page.locator(`#${section}`);
  for (const [name, value] of Object.entries(values)) await form.locator(`input[name=${name}]`).fill(value);
  // A click would wait until the tab is drawn, which can take long for one in the background.
  await form.locator('input[name]').last().press('Enter');
  await form.locator('dl').waitFor();
  const texts = (tag: string) =>
    form.locator(tag).evaluateAll((all) => all.map((item) => (item.querySelector('.key') ?? item).textContent!));
  const [names, answers] = [await texts('dt'), await texts('dd')];
  return Object.fromEntries(names.map((name, index) => [name, answers[index]!]));
}

test('a form has the fields of its input schema', async () => {
  const page = await open(await browser.newContext());
  const fields = (section: string) => page.locator(`#${section} input[name]`)
    .evaluateAll((all) => (all as HTMLInputElement[]).map(({ name, required }) => [name, required]));
  assert.deepEqual(await fields('create'), [['name', true], ['project_reference', false], ['expires_at', false]]);
  assert.deepEqual(await fields('get'), [['api_key_id', true]]);
});

test('a key that was created is there after a reload, and the key itself is not', async () => {
  const context = await browser.newContext();
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const page = await open(context);
  const created = await send(page, 'create', { name: ' laptop ', expires_at: '2100-01-01' });
  assert.equal(created.name, 'laptop');
  assert.match(created.key!, /^keycell_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
  await page.getByRole('button', { name: 'Copy' }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), created.key);

  await page.reload();
  assert.ok(!(await page.content()).includes(created.key!));
  const got = await send(page, 'get', { api_key_id: created.id! });
  assert.deepEqual([got['key prefix'], got['expires at']], [created['key prefix'], '2100-01-01T00:00:00.000Z']);
  assert.equal(got.scopes, 'api-keys:read api-keys:write');
  const stored = await page.evaluate(async () => {
    const opened = indexedDB.open('keycell');
    await new Promise((success) => { opened.onsuccess = success; });
    const stores = [...opened.result.objectStoreNames];
    return Promise.all(stores.map(async (store) => {
      const all = opened.result.transaction(store).objectStore(store).getAll();
      await new Promise((success) => { all.onsuccess = success; });
      return [store, all.result.length, all.result.map((record) => Object.values(record).join()).join()] as const;
    }));
  });
  assert.deepEqual(stored.map(([store, count]) => [store, count]),
    [['events', 1], ['keys', 1], ['projects', 0], ['requests', 0]]);
  for (const [, , text] of stored) assert.ok(!text.includes(created.key!.slice(21, 64)));
});

test('the page works as a file, too', async () => {
  const page = await open(await browser.newContext(), new URL('..', import.meta.url).href);
  const { id } = await send(page, 'create', { name: 'laptop' });
  await page.reload();
  assert.equal((await send(page, 'get', { api_key_id: id! })).name, 'laptop');
});

test('an argument that is too long is refused at its field', async () => {
  const page = await open(await browser.newContext());
  await page.locator('#create input[name=name]').fill('laptop');
  await page.locator('#create input[name=project_reference]').fill('k'.repeat(2 ** 20));
  await page.locator('#create form .primary').click();
  await page.locator('#create [role=alert]').getByText('must be at most 65536 bytes', { exact: true }).waitFor();
});

test('faults stand at their fields until the next call', async () => {
  const page = await open(await browser.newContext());
  const alert = (name: string) => page.locator(`#create [data-field=${name}] > [role=alert]`);
  await page.locator('#create input[name=name]').fill(' ');
  await page.locator('#create input[name=expires_at]').fill('soon');
  await page.locator('#create form .primary').click();
  await page.locator('#create input[aria-invalid=true]').first().waitFor();
  assert.match(await alert('name').innerText(), /must not be empty/);
  assert.notEqual(await alert('expires_at').innerText(), '');
  assert.equal(await alert('project_reference').innerText(), '');
  await send(page, 'create', { name: 'laptop', expires_at: '' });
  assert.equal(await alert('name').innerText(), '');
});

test('an error without a field stands below the form', async () => {
  const page = await open(await browser.newContext());
  await page.locator('#get input[name]').fill('0192a000-0000-7000-8000-0000000000ff');
  await page.locator('#get form .primary').click();
  await page.getByText('There is no such API key.').waitFor();
});

test('a failure of the storage is shown, and the console has its cause', async () => {
  const page = await (await browser.newContext()).newPage();
  const logged = page.waitForEvent('console');
  await page.goto(browser.origin);
  await page.evaluate(() => {
    IDBDatabase.prototype.transaction = () => { throw new DOMException('the disk is full', 'UnknownError'); };
  });
  await page.locator('#create input[name=name]').fill('laptop');
  await page.locator('#create form .primary').click();
  await page.getByText('storage is not available right now').waitFor();
  assert.match((await logged).text(), /the disk is full/);
});

test('two tabs that write at the same moment lose nothing', async () => {
  const context = await browser.newContext();
  const tabs = [await open(context), await open(context)];
  const created = await Promise.all(tabs.map(async (tab, number) => {
    const ids: string[] = [];
    for (let count = 0; count < 10; count++) ids.push((await send(tab, 'create', { name: `${number} ${count}` })).id!);
    return ids;
  }));
  const ids = new Set(created.flat());
  assert.equal(ids.size, 20);
  for (const id of ids) assert.equal((await send(tabs[0]!, 'get', { api_key_id: id })).id, id);
});
