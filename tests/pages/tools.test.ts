// The pages of the tools.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { assertAccessible, open, signIn } from './browser.ts';
import { Authority } from './keycell.ts';

const authority = new Authority();
const ann = authority.create('ann', ['api-keys:read', 'api-keys:write', 'api-keys:verify']);
const server = await authority.serve();
const TOOLS = ['create_api_key', 'get_api_key', 'issue_api_key', 'describe_api_key', 'verify_api_key', 'list_api_keys',
  'revoke_api_key', 'rotate_api_key', 'update_api_key', 'list_api_key_events'];

for (const tool of ['create_api_key', 'get_api_key']) {
  test(`the page of ${tool} has the parts of the user's page, in its order and words`, async () => {
    const page = await open(`${server.origin}/tools/${tool}`);
    await page.locator('#playground form').waitFor();
    const text = await page.evaluate(() => {
      const copy = document.body.cloneNode(true) as HTMLElement;
      for (const other of copy.querySelectorAll('header, #playground, button, [role=status], #lost')) other.remove();
      return copy.textContent!;
    });
    const seed = readFileSync(new URL(`../seeds/${tool}.txt`, import.meta.url), 'utf8');
    const bare = (text: string) => text.replace(/\s+/g, '');
    assert.equal(bare(text), bare(seed));
    assert.deepEqual(await page.locator('main h2').allInnerTexts(), ['Tool details', 'Playground', 'Input schema', 'Output schema']);
    await assertAccessible(page, tool);
  });
}

test('every tool has a page, and a form with the fields of its schema', async () => {
  const page = await open(`${server.origin}/tools`);
  assert.deepEqual(await page.locator('.tools code').allInnerTexts(), TOOLS);
  await assertAccessible(page, 'list of tools');
  for (const tool of TOOLS) {
    await page.goto(`${server.origin}/tools/${tool}`);
    await page.locator('#playground form').waitFor();
    const schema = JSON.parse(readFileSync(new URL(`../schemas/${tool}.input.json`, import.meta.url), 'utf8'));
    const fields = await page.locator('#playground form > .field').evaluateAll((all) => all.map((field) => field.getAttribute('data-field')));
    assert.deepEqual(fields, Object.keys(schema.properties), tool);
    const required = await page.locator('#playground [required]').evaluateAll((all) => all.map((field) => field.getAttribute('name')));
    assert.deepEqual(required, schema.required, tool);
    if (tool !== 'create_api_key' && tool !== 'get_api_key') await assertAccessible(page, tool);
  }
});

test('a tool is called as the key that is signed in, and the new key is shown once', async () => {
  const page = await open(`${server.origin}/tools/create_api_key`);
  await page.getByLabel('name', { exact: false }).first().fill('from the playground');
  await page.getByRole('button', { name: '+30 days' }).click();
  assert.match(await page.getByLabel('expires_at').first().inputValue(), /^\d{4}-\d\d-\d\dT/);
  await page.getByRole('button', { name: 'Call' }).click();
  // The page has no key yet, so the call waits until the visitor signs in.
  await assertAccessible(page, 'sign in to call');
  await signIn(page, ann.key);
  const once = page.getByRole('dialog', { name: 'Save your new key' });
  const key = (await once.locator('.key').innerText()).trim();
  assert.match(key, /^keycell_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
  await once.getByRole('button', { name: 'I have saved it' }).click();
  await page.locator('.answer dl').waitFor();
  assert.ok(!(await page.content()).includes(key.slice(21)));
  const fields = await page.locator('.answer dl').innerText();
  assert.match(fields, /from the playground/);
  assert.match(fields, /user id\s+ann/);
  await page.locator('.answer').getByRole('tab', { name: 'JSON' }).click();
  const answer = JSON.parse(await page.locator('.answer pre').innerText());
  assert.equal(answer.key, '(shown once)');
  await assertAccessible(page, 'answer');

  // To another page, and the key is still in memory.
  await page.getByRole('link', { name: 'Tools' }).click();
  await page.getByRole('link', { name: 'get_api_key' }).click();
  await page.getByRole('heading', { name: 'Get details of a specific API key' }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/tools/get_api_key');
  await page.getByLabel('api_key_id').fill(answer.id);
  await page.getByRole('button', { name: 'Call' }).click();
  await page.locator('.answer dd').getByText('from the playground').waitFor();
  await page.goBack();
  await page.getByRole('heading', { name: 'Tools' }).waitFor();
  await page.getByRole('link', { name: 'Keys', exact: true }).click();
  await page.getByRole('button', { name: 'from the playground' }).waitFor();
  await page.reload();
  await page.locator('form.sign-in').waitFor();
});

test('errors stand at the field that they are about', async () => {
  const page = await open(`${server.origin}/tools/issue_api_key`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await signIn(page, ann.key);
  const fault = (name: string) => page.locator(`[data-field="${name}"] > .fault`);
  const call = () => page.getByRole('button', { name: 'Call' }).click();
  await call();
  await fault('name').getByText('must be given').waitFor();
  await page.locator('[name=name]').fill(' ');
  await page.locator('[name=expires_at]').fill('tomorrow');
  await page.locator('[name=scopes]').fill('no-such:scope');
  await page.locator('[name="rate_limit.requests"]').fill('0');
  await page.locator('[name="rate_limit.window_seconds"]').fill('1');
  await call();
  for (const name of ['name', 'expires_at', 'scopes', 'rate_limit']) await fault(name).getByText(/\w/).waitFor();
  assert.equal(await fault('owner').innerText(), '');
  await page.locator('[name=metadata]').fill('{');
  await call();
  await fault('metadata').getByText('must be JSON').waitFor();
  await assertAccessible(page, 'faults');

  // The same over MCP, and an error that is about no field.
  await page.getByRole('link', { name: 'Tools' }).click();
  await page.getByRole('link', { name: 'get_api_key' }).click();
  await page.getByLabel('api_key_id').fill('not an id');
  await call();
  await fault('api_key_id').getByText('must be').waitFor();
  await page.getByLabel('api_key_id').fill('0192a000-0000-7000-8000-0000000000ff');
  await call();
  await page.locator('[data-message]').getByText('Not found api key.').waitFor();
});

test('the same call as curl, as an MCP message and as REST', async () => {
  const page = await open(`${server.origin}/tools/update_api_key`);
  await page.locator('[name=api_key_id]').fill('0192a000-0000-7000-8000-0000000000ff');
  await page.locator('[name=name]').fill("ann's");
  await page.locator('[name=if_revision]').fill('3');
  await page.locator('[name="rate_limit=null"]').check();
  const same = page.locator('.same');
  const curl = await same.locator('pre').first().innerText();
  assert.equal(curl, `curl -X PATCH '${server.origin}/v1/keys/0192a000-0000-7000-8000-0000000000ff' \\
  -H "Authorization: Bearer $KEYCELL_KEY" \\
  -H 'If-Match: "3"' \\
  -H 'Content-Type: application/json' \\
  -d '{"name":"ann'\\''s","rate_limit":null}'`);
  await same.getByRole('tab', { name: 'curl' }).press('ArrowRight');
  const message = JSON.parse(await same.locator('pre:visible').innerText());
  assert.deepEqual(message.params, { name: 'update_api_key', arguments: {
    api_key_id: '0192a000-0000-7000-8000-0000000000ff', name: "ann's", rate_limit: null, if_revision: 3 } });
  await same.getByRole('tab', { name: 'REST' }).click();
  assert.match(await same.locator('pre:visible').innerText(), /^PATCH \/v1\/keys\/0192a.* HTTP\/1\.1\nHost: .*\nAuthorization: Bearer <your key>\nIf-Match: "3"/);
  await same.getByRole('button', { name: 'Copy' }).click();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^PATCH/);

  // A key in an argument is in none of them.
  await page.goto(`${server.origin}/tools/verify_api_key`);
  await page.locator('[name=key]').fill(ann.key);
  assert.ok(!(await page.content()).includes(ann.key));
  await page.getByRole('button', { name: 'Call' }).click();
  await signIn(page, ann.key);
  await page.locator('.answer dt').getByText('valid', { exact: true }).waitFor();
});

test('curl makes the call that is shown', async () => {
  const { execFileSync } = await import('node:child_process');
  const page = await open(`${server.origin}/tools/list_api_keys`);
  await page.locator('[name=limit]').fill('1');
  const command = await page.locator('.same pre').first().innerText();
  const output = execFileSync('sh', ['-c', `${command} --silent`], { env: { ...process.env, KEYCELL_KEY: ann.key }, encoding: 'utf8' });
  assert.equal(JSON.parse(output).api_keys.length, 1);
});
