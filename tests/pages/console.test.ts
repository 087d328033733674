// The page of keys: the life of a key, every dialog, and what goes wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { assertAccessible, open, openIn, signIn, strange } from './browser.ts';
import { Authority, type Json, type Server } from './keycell.ts';

const KEY = /keycell_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}/;
const SCOPES = ['api-keys:read', 'api-keys:write', 'api-keys:verify'];

const authority = new Authority();
const admin = authority.create('root', ['api-keys:admin']);
const server = await authority.serve();

/** A user with a key, whom no other test knows. */
let users = 0;
function user(...args: string[]): { name: string } & Json {
  const name = `user-${++users}`;
  return { ...authority.create(name, SCOPES, ...args), name, id: undefined };
}

async function console_(key: string, to: Server = server): Promise<Page> {
  const page = await open(`${to.origin}/console`);
  await signIn(page, key);
  await page.locator('table.keys, .state').first().waitFor();
  return page;
}

const row = (page: Page, name: string) => page.getByRole('row').filter({ hasText: name });
const dialog = (page: Page, name: string) => page.getByRole('dialog', { name });

async function create(page: Page, name: string): Promise<string> {
  await page.getByRole('button', { name: 'Create key' }).first().click();
  await dialog(page, 'Create an API key').getByLabel('Name').fill(name);
  await dialog(page, 'Create an API key').getByRole('button', { name: 'Create key' }).click();
  const shown = dialog(page, 'Save your new key');
  const key = (await shown.locator('.key').innerText()).trim();
  assert.match(key, KEY);
  await shown.getByRole('button', { name: 'I have saved it' }).click();
  await row(page, name).first().waitFor();
  return key;
}

async function openKey(page: Page, name: string) {
  await page.getByRole('button', { name, exact: true }).click();
  const details = dialog(page, name);
  await details.locator('.timeline li').first().waitFor();
  return details;
}

/** Everything that the page holds: markup, the values of its fields, storage, cookies and the address. */
const everything = (page: Page) => page.evaluate(() => [
  document.documentElement.outerHTML, location.href, document.cookie, JSON.stringify({ ...localStorage, ...sessionStorage }),
  ...[...document.querySelectorAll('input, textarea')].map((field) => (field as HTMLInputElement).value),
].join('\n'));

test('the life of a key, and the key itself is gone when it was saved', async () => {
  const { key, name } = user();
  const page = await console_(key);
  await page.getByRole('button', { name: 'Create key' }).first().click();
  const form = dialog(page, 'Create an API key');
  await form.getByLabel('Name').fill('  laptop ');
  await form.getByLabel('In 30 days').check();
  await form.getByLabel('api-keys:write').uncheck();
  await form.getByLabel('Verifications').fill('5');
  await form.getByLabel('In seconds').fill('60');
  await form.getByLabel('Metadata').fill('{"plan": "pro", "order": 12345678901234567890}');
  await assertAccessible(page, 'create');
  await form.getByRole('button', { name: 'Create key' }).click();

  const once = dialog(page, 'Save your new key');
  const created = (await once.locator('.key').innerText()).trim();
  assert.match(created, KEY);
  await once.getByRole('button', { name: 'Copy' }).click();
  await once.getByRole('button', { name: 'Copied' }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), created);
  await assertAccessible(page, 'shown once');
  // Escape closes it only after it was saved, however often it is pressed. So does a reload.
  for (let time = 0; time < 3; time++) await page.keyboard.press('Escape');
  await once.getByText('confirm that you have saved it').waitFor();
  assert.equal((await once.locator('.key').innerText()).trim(), created);
  const leaving = page.waitForEvent('dialog');
  await page.evaluate(() => { setTimeout(() => location.reload()); });
  assert.equal((await leaving).type(), 'beforeunload');
  assert.deepEqual(strange.splice(0), ['dialog: ']);
  await once.getByRole('button', { name: 'I have saved it' }).click();
  // A closed dialog has no role, but is in the page until its event.
  await page.locator('.key-once').waitFor({ state: 'detached' });
  assert.ok(!(await everything(page)).includes(created.slice(21)), 'the secret is still in the page');
  await page.getByText('The key was created.').waitFor();

  const cells = await row(page, 'laptop').getByRole('cell').allInnerTexts();
  assert.deepEqual(cells, [created.slice(0, 20), 'active', 'api-keys:read', name, 'None', 'Never', 'in 29 days']);
  const details = await openKey(page, 'laptop');
  await details.getByText('5 verifications in 60 seconds').waitFor();
  await details.getByText('"order": 12345678901234567890').waitFor();
  assert.match(await details.locator('.timeline').innerText(), new RegExp(`created.*by ${name} with the key`, 's'));
  await assertAccessible(page, 'details');

  // The old key stays for the chosen time.
  await details.getByRole('button', { name: 'Rotate…' }).click();
  const rotation = dialog(page, 'Rotate the key');
  await rotation.getByLabel('In 1 hour').check();
  await assertAccessible(page, 'rotate');
  await rotation.getByRole('button', { name: 'Rotate key' }).click();
  const second = (await once.locator('.key').innerText()).trim();
  assert.notEqual(second, created);
  await once.getByRole('button', { name: 'I have saved it' }).click();
  await details.getByText('Replaced by').waitFor();
  assert.match(await details.locator('.timeline li').first().innerText(), /^rotated/);
  // It is said in the dialog, because a screen reader reads nothing outside of it.
  await details.getByRole('status').getByText('The key was rotated.').waitFor();
  assert.equal(await details.getByRole('button', { name: 'Rotate…' }).count(), 0);
  for (const presented of [created, second]) {
    assert.equal((await server.request(admin.key, 'POST', '/v1/keys/verify', { key: presented })).body.valid, true);
  }

  // The link leads to the replacement.
  await details.getByRole('button', { name: /^[0-9a-f-]{36}$/ }).click();
  const replacement = dialog(page, 'laptop');
  await replacement.getByText('Replaces').waitFor();
  await replacement.getByRole('button', { name: 'Revoke…' }).click();
  const revocation = dialog(page, 'Revoke the key');
  await revocation.getByLabel('Type laptop to confirm').fill('lapto');
  await revocation.getByRole('button', { name: 'Revoke key' }).click();
  await revocation.getByText('must be the name of the key').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement!.getAttribute('name')), 'confirm');
  await assertAccessible(page, 'revoke');
  await revocation.getByLabel('Type laptop to confirm').fill('laptop');
  await revocation.getByLabel('Reason').fill('left in a screenshot');
  await revocation.getByRole('button', { name: 'Revoke key' }).click();
  await replacement.getByText('left in a screenshot').waitFor();
  assert.deepEqual(await replacement.locator('.chip').allInnerTexts(), ['revoked']);
  assert.deepEqual(await replacement.locator('.body > *').evaluateAll((all) => all.map(({ tagName }) => tagName)), ['DL', 'H3', 'DIV']);
  assert.doesNotMatch(await replacement.innerText(), /false|null|undefined|\[object/);
  assert.equal((await server.request(admin.key, 'POST', '/v1/keys/verify', { key: second })).body.reason, 'revoked');
  await page.keyboard.press('Escape');
  await page.getByLabel('Status').selectOption('revoked');
  await row(page, 'revoked').waitFor();
  await assertAccessible(page, 'table');
});

test('wrong input stands at its field, and is kept', async () => {
  const page = await console_(user().key);
  await page.getByRole('button', { name: 'Create key' }).first().click();
  const form = dialog(page, 'Create an API key');
  const fault = (name: string) => form.locator(`[data-field="${name}"] > .fault`);
  const send = () => form.getByRole('button', { name: 'Create key' }).click();
  await send();
  await fault('name').getByText('must be given').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement!.getAttribute('name')), 'name');
  await form.getByLabel('Metadata').fill('{"plan": ');
  await form.getByLabel('On a date').check();
  await send();
  await fault('metadata').getByText('must be JSON').waitFor();
  await fault('date').getByText('must be a date').waitFor();
  assert.equal(await fault('name').innerText(), '');
  await form.getByLabel('Date and time').fill('2020-01-01T00:00');
  await form.getByLabel('Name').fill('\u200b');
  await form.getByLabel('Metadata').fill('[]');
  await form.getByLabel('Verifications').fill('many');
  await form.getByLabel('Project').fill('Not A Slug');
  await send();
  await fault('rate_limit').getByText('must have the type integer at requests').waitFor();
  await fault('rate_limit').getByText('must have the member window_seconds').waitFor();
  for (const [label, text] of [['Verifications', '0'], ['In seconds', '1']] as const) await form.getByLabel(label).fill(text);
  await send();
  for (const name of ['name', 'expires_at', 'metadata', 'rate_limit', 'project_reference']) await fault(name).getByText('must').waitFor();
  await assertAccessible(page, 'create with faults');
  // A project of others does not exist for this user.
  for (const [label, text] of [['Name', 'x'], ['Metadata', '{}'], ['Verifications', '1'], ['Project', 'nowhere']] as const) await form.getByLabel(label).fill(text);
  await form.getByLabel('Never').check();
  await send();
  await form.locator('[data-message]').getByText('no such project').waitFor();
  assert.equal(await form.getByLabel('Name').inputValue(), 'x');
});

test('a key that ends while the page is open signs its holder out, and says why', async () => {
  const { key, name } = user();
  const page = await console_(key);
  await page.getByRole('button', { name: 'Create key' }).first().click();
  const { api_keys } = (await server.request(admin.key, 'GET', `/v1/keys?owner=${name}`)).body;
  await server.request(admin.key, 'POST', `/v1/keys/${api_keys[0].id}/revoke`, {});
  await dialog(page, 'Create an API key').getByLabel('Name').fill('too late');
  await dialog(page, 'Create an API key').getByRole('button', { name: 'Create key' }).click();
  await page.getByText('Your key is not valid any more').waitFor();
  assert.equal(await page.getByRole('dialog').count(), 0);
  assert.ok(!(await everything(page)).includes(key.slice(21)));
  await assertAccessible(page, 'signed out');
  await signIn(page, user().key);
  await page.locator('table.keys').waitFor();
});

test('the server goes away and comes back, and nothing is lost', async () => {
  const own = new Authority();
  const { key } = own.create('ann', SCOPES);
  const first = await own.serve();
  const page = await console_(key, first);
  await page.getByRole('button', { name: 'Create key' }).first().click();
  const form = dialog(page, 'Create an API key');
  await form.getByLabel('Name').fill('patient');
  await first.stop();
  await form.getByRole('button', { name: 'Create key' }).click();
  await form.getByText('The server does not answer.').waitFor();
  await page.getByText('Trying again…').waitFor();
  await own.serve([], first.port);
  await page.getByText('Trying again…').waitFor({ state: 'hidden' });
  assert.equal(await form.getByLabel('Name').inputValue(), 'patient');
  await form.getByRole('button', { name: 'Create key' }).click();
  await dialog(page, 'Save your new key').getByRole('button', { name: 'I have saved it' }).click();
  await row(page, 'patient').waitFor();
});

test('a link that is followed while the server is away leads there when it is back, still signed in', async () => {
  const own = new Authority();
  const first = await own.serve();
  const page = await console_(own.create('ann', SCOPES).key, first);
  await first.stop();
  await page.getByRole('link', { name: 'Tools' }).click();
  await page.getByText('Trying again…').waitFor();
  await own.serve([], first.port);
  await page.getByRole('heading', { name: 'Tools' }).waitFor();
  await page.goBack();
  await page.getByRole('button', { name: "ann's key" }).waitFor();
});

test('an answer that is lost makes no second key', async () => {
  const { key, name } = user();
  const page = await console_(key);
  await page.getByRole('button', { name: 'Create key' }).first().click();
  const form = dialog(page, 'Create an API key');
  await form.getByLabel('Name').fill('once');
  await form.getByLabel('In 7 days').check();
  let lost = false;
  await page.route('**/v1/keys', async (route) => {
    if (lost || route.request().method() !== 'POST') return route.continue();
    lost = true;
    await route.fetch();
    return route.abort();
  });
  await form.getByRole('button', { name: 'Create key' }).click();
  await form.getByText('The server does not answer.').waitFor();
  await form.getByRole('button', { name: 'Create key' }).click();
  await dialog(page, 'Save your new key').getByRole('button', { name: 'I have saved it' }).click();
  const { api_keys } = (await server.request(admin.key, 'GET', `/v1/keys?owner=${name}`)).body;
  assert.equal(api_keys.filter((key: Json) => key.name === 'once').length, 1);
});

test('two tabs: a change in one is seen by the other, and is not overwritten', async () => {
  const { key } = user();
  const one = await console_(key);
  await create(one, 'shared');
  const two = await openIn(one.context(), `${server.origin}/console`);
  assert.equal(await two.getByRole('button', { name: 'Sign out' }).count(), 0, 'a key is not shared between tabs');
  await signIn(two, key);
  const details = await openKey(two, 'shared');
  const mine = await openKey(one, 'shared');
  await mine.getByRole('button', { name: 'Rotate…' }).click();
  await dialog(one, 'Rotate the key').getByRole('button', { name: 'Rotate key' }).click();
  await dialog(one, 'Save your new key').getByRole('button', { name: 'I have saved it' }).click();

  await details.getByRole('button', { name: 'Revoke…' }).click();
  await dialog(two, 'Revoke the key').getByLabel('Type shared').fill('shared');
  await dialog(two, 'Revoke the key').getByRole('button', { name: 'Revoke key' }).click();
  await dialog(two, 'Revoke the key').getByText('changed in the meantime').waitFor();
  await details.getByText('Replaced by').waitFor();
});

test('hostile names, owners, reasons and metadata are text', async () => {
  const attack = '<img src=x onerror=alert(1)><script>alert(2)</script>"\'`${1}&lt;';
  const owner = '"><svg onload=alert(3)>';
  const { body } = await server.request(admin.key, 'POST', '/v1/keys', {
    name: attack, owner, scopes: ['api-keys:read'], metadata: { '</pre><script>alert(4)</script>': '<iframe src="javascript:alert(5)">' },
  });
  const long = 'W'.repeat(100);
  await server.request(admin.key, 'POST', '/v1/keys', { name: long, owner, scopes: [] });
  await server.request(admin.key, 'POST', '/v1/keys', { name: 'שלום עולם', owner: 'עברית', scopes: [] });
  await server.request(admin.key, 'POST', '/v1/keys', { name: 'two  spaces', owner, scopes: [] });
  const page = await console_(admin.key);
  await page.getByLabel('Owner').fill(owner);
  await page.getByRole('button', { name: 'Filter' }).click();
  const details = await openKey(page, attack);
  await assertAccessible(page, 'hostile details');
  assert.match(await details.innerText(), /<iframe src=\\"javascript:alert\(5\)\\">/);
  await details.getByRole('button', { name: 'Revoke…' }).click();
  await dialog(page, 'Revoke the key').getByLabel('Type').fill(attack);
  await dialog(page, 'Revoke the key').getByLabel('Reason').fill(attack);
  await dialog(page, 'Revoke the key').getByRole('button', { name: 'Revoke key' }).click();
  await details.getByText('Reason', { exact: true }).waitFor();
  assert.equal(await page.locator('main img, dialog img, iframe, svg, main script, dialog script').count(), 0);
  await page.keyboard.press('Escape');
  assert.equal(await page.getByRole('button', { name: 'two' }).innerText(), 'two  spaces');
  await page.getByLabel('Status').selectOption('all');
  await row(page, long).waitFor();
  await assertAccessible(page, 'hostile table');
  assert.equal((await server.request(admin.key, 'GET', `/v1/keys/${body.id}`)).body.revocation_reason, attack);
});

test('operators see all owners, others their own', async () => {
  const [ann, ben] = [user(), user()];
  const page = await console_(admin.key);
  await page.getByText('operator').waitFor();
  for (const { name } of [ann, ben]) {
    await page.getByLabel('Owner').fill(name);
    await page.getByRole('button', { name: 'Filter' }).click();
    await row(page, `${name}'s key`).waitFor();
  }
  const own = await console_(ann.key);
  assert.equal(await own.getByLabel('Owner').count(), 0);
  assert.deepEqual(await own.locator('tbody [data-label=Owner]').allInnerTexts(), [ann.name]);
});

test('pages of keys, filters and their mistakes', async () => {
  const { key } = user();
  for (let number = 1; number <= 21; number++) await server.request(key, 'POST', '/v1/keys', { name: `key ${number}`, scopes: [] });
  const page = await console_(key);
  assert.equal(await page.locator('tbody tr').count(), 20);
  await page.getByText('Page 1, 20 keys').waitFor();
  await assertAccessible(page, 'page of a table');
  assert.ok(await page.getByRole('button', { name: 'Newer' }).isDisabled());
  await page.getByRole('button', { name: 'Older' }).click();
  await page.getByText('Page 2, 2 keys').waitFor();
  await row(page, 'key 1').waitFor();
  assert.ok(await page.getByRole('button', { name: 'Older' }).isDisabled());
  await page.getByRole('button', { name: 'Newer' }).click();
  await row(page, 'key 21').waitFor();
  await page.getByLabel('Project').fill('Not A Slug');
  await page.getByLabel('Project').press('Enter');
  await page.locator('[data-field=project_reference] > .fault').getByText('must be').waitFor();
  await assertAccessible(page, 'error');
  await page.getByLabel('Project').fill('nowhere');
  await page.getByLabel('Project').press('Enter');
  await page.getByText('no such project').waitFor();
  await page.getByLabel('Project').fill('');
  await page.getByLabel('Status').selectOption('expired');
  await page.getByText('No key matches these filters.').waitFor();
  await assertAccessible(page, 'no match');
  await page.getByRole('button', { name: 'Clear the filters' }).click();
  await row(page, 'key 21').waitFor();
  // A list that is slow shows that it is loading.
  await page.route('**/v1/keys?**', async (route) => { await new Promise((later) => setTimeout(later, 500)); await route.continue(); });
  await page.getByLabel('Status').selectOption('all');
  await page.locator('.list[aria-busy=true]').waitFor();
  await page.locator('.list:not([aria-busy])').waitFor();
});

test('without keys, the page shows how to make the first one', async () => {
  const page = await open(`${server.origin}/console`);
  await page.route('**/v1/keys?**', (route) => route.fulfill({ json: { api_keys: [], next_cursor: null } }));
  await signIn(page, user().key);
  await page.getByRole('heading', { name: 'No active keys' }).waitFor();
  await page.getByText(`curl ${server.origin}/v1/keys`).waitFor();
  await assertAccessible(page, 'empty');
});

test('a key that ends soon is offered no life that is longer than its own', async () => {
  const ends = new Date(Date.now() + 8 * 3600_000).toISOString();
  const { key, name } = user('--expires-at', ends);
  const page = await console_(key);
  await page.getByRole('button', { name: 'Create key' }).click();
  const form = dialog(page, 'Create an API key');
  await form.getByText('Your key ends in 7 hours.').waitFor();
  assert.deepEqual(await form.locator('[data-field=expires_at] label').allInnerTexts(), ['With your key', 'On a date']);
  await page.keyboard.press('Escape');
  await create(page, 'short');
  const { api_keys } = (await server.request(admin.key, 'GET', `/v1/keys?owner=${name}`)).body;
  assert.deepEqual(api_keys.map((made: Json) => made.expires_at), [ends, ends]);
});

test('the focus is never lost', async () => {
  const { key } = user();
  const page = await open(`${server.origin}/console`);
  const focused = () => page.evaluate(() => document.activeElement!.textContent || document.activeElement!.getAttribute('name'));
  await signIn(page, key);
  assert.equal(await focused(), 'API keys');
  await page.locator('table.keys').waitFor();
  await create(page, 'kept');
  await openKey(page, 'kept');
  await page.getByRole('button', { name: 'Rotate…' }).click();
  await page.getByLabel('In 24 hours').check();
  await page.getByRole('button', { name: 'Rotate key' }).click();
  await page.getByRole('button', { name: 'I have saved it' }).click();
  await page.getByText('Replaced by').waitFor();
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !document.querySelector('dialog'));
  // The row was made anew meanwhile.
  assert.equal(await focused(), 'kept');
  await page.getByRole('button', { name: 'Sign out' }).click();
  assert.equal(await focused(), 'key');
  await page.goto(`${server.origin}/tools/get_api_key`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await signIn(page, key);
  await page.waitForFunction(() => !document.querySelector('dialog'));
  assert.equal(await focused(), 'Get details of a specific API key');
  await page.getByRole('button', { name: 'Sign out' }).click();
  assert.equal(await focused(), 'Sign in');
});

test('what moves stays still for visitors who ask for it', async () => {
  const page = await open(`${server.origin}/console`);
  await page.route('**/v1/keys?**', () => {});
  await signIn(page, user().key);
  await page.getByText('Loading keys').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Older' }).count(), 0);
  const moving = () => page.evaluate(() => document.getAnimations().length);
  assert.notEqual(await moving(), 0);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  assert.equal(await moving(), 0);
  await assertAccessible(page, 'loading');
});

test('a wrong key is refused at its field, and a key without scopes is told what it lacks', async () => {
  const page = await open(`${server.origin}/console`);
  await assertAccessible(page, 'sign in');
  for (const wrong of ['', 'no key', 'schlüssel', admin.key.slice(0, -1)]) {
    await page.locator('form.sign-in input').fill(wrong);
    await page.locator('form.sign-in .primary').click();
    await page.locator('[data-field=key] > .fault:not(:empty)').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Sign out' }).count(), 0);
  }
  await signIn(page, authority.create('bare', []).key);
  await page.getByText('api-keys:read').waitFor();
  await page.reload();
  await page.locator('form.sign-in').waitFor();
});

test('all of it by keyboard', async () => {
  const { key } = user();
  const page = await open(`${server.origin}/console`);
  const focused = () => page.evaluate(() => document.activeElement!.textContent || document.activeElement!.getAttribute('name'));
  const tabTo = async (text: string) => {
    for (let count = 0; count < 40; count++) {
      if ((await focused()) === text) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`${text} cannot be reached`);
  };
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to main content');
  await tabTo('key');
  await page.keyboard.insertText(key);
  await page.keyboard.press('Enter');
  await page.locator('table.keys').waitFor();
  await tabTo('Create key');
  await page.keyboard.press('Enter');
  await dialog(page, 'Create an API key').waitFor();
  await tabTo('name');
  await page.keyboard.insertText('typed');
  // The focus stays in the dialog.
  for (let count = 0; count < 30; count++) {
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.activeElement === document.body || !!document.activeElement!.closest('dialog')));
  }
  await tabTo('Create key');
  await page.keyboard.press('Enter');
  await dialog(page, 'Save your new key').waitFor();
  await tabTo('I have saved it');
  await page.keyboard.press('Enter');
  await row(page, 'typed').waitFor();
  await page.waitForFunction(() => document.activeElement!.textContent === 'Create key');
  await tabTo('typed');
  await page.keyboard.press('Enter');
  await dialog(page, 'typed').locator('.timeline').waitFor();
  await tabTo('Revoke…');
  await page.keyboard.press('Enter');
  await tabTo('confirm');
  await page.keyboard.insertText('typed');
  await page.keyboard.press('Enter');
  await dialog(page, 'typed').getByText('revoked', { exact: true }).first().waitFor();
  await page.keyboard.press('Escape');
  // The row is gone with the filter, and the focus is where the visitor can go on.
  await page.waitForFunction(() => !document.querySelector('dialog'));
  await tabTo('Create key');
});
