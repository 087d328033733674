// The pages of the tools.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { assertAccessible, open, signIn } from './browser.ts';
import { Authority, type Json } from './keycell.ts';

const authority = new Authority();
const ann = authority.create('ann', ['api-keys:read', 'api-keys:write', 'api-keys:verify']);
const server = await authority.serve(['--all-tools']);
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
  // A closed dialog has no role, but is in the page until its event.
  await page.locator('.key-once').waitFor({ state: 'detached' });
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
  await page.locator('[data-message]').getByText('No such API key.').waitFor();
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

// Texts that a shell, JSON or a URL could read as something else.
const AWKWARD = `it's "$HOME" \`id\` & <b> 100% #1 \\ ü`;

/** Arguments with which each tool can be called on the key with this id, and a part of the answer. */
const calls = (id: string): Record<string, [Record<string, string>, Json]> => ({
  create_api_key: [{ name: AWKWARD, expires_at: '2031-01-31' }, { name: AWKWARD, expires_at: '2031-01-31T00:00:00.000Z' }],
  get_api_key: [{ api_key_id: id }, { id }],
  issue_api_key: [{
    name: AWKWARD, scopes: 'api-keys:read  api-keys:verify', metadata: `{"note": ${JSON.stringify(AWKWARD)}}`,
    'rate_limit.requests': '5', 'rate_limit.window_seconds': '60', idempotency_key: `it's "one" $HOME`,
  }, { name: AWKWARD, scopes: ['api-keys:read', 'api-keys:verify'], metadata: { note: AWKWARD }, rate_limit: { requests: 5, window_seconds: 60 } }],
  describe_api_key: [{ api_key_id: id }, { id, status: 'active' }],
  verify_api_key: [{ scopes: 'api-keys:read' }, { valid: true }],
  list_api_keys: [{ status: 'all', limit: '1' }, {}],
  update_api_key: [{ api_key_id: id, name: AWKWARD, metadata: 'null' }, { id, name: AWKWARD, metadata: null }],
  list_api_key_events: [{ api_key_id: id, since: '2020-01-01', limit: '2' }, {}],
  rotate_api_key: [{ api_key_id: id, grace_seconds: '60' }, { name: AWKWARD }],
  revoke_api_key: [{ api_key_id: id, reason: AWKWARD }, { id, status: 'revoked', revocation_reason: AWKWARD }],
});

test('each form of the same call makes the call, for every tool', async () => {
  const { execFileSync } = await import('node:child_process');
  const page = await open(`${server.origin}/tools`);
  const headers = { authorization: `Bearer ${ann.key}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const send: Record<string, (shown: string) => Promise<Json>> = {
    curl: async (shown) => JSON.parse(execFileSync('sh', ['-c', `${shown} --silent`], { env: { ...process.env, KEYCELL_KEY: ann.key }, encoding: 'utf8' })),
    MCP: async (shown) => {
      const { result } = await (await fetch(`${server.origin}/mcp`, { method: 'POST', headers, body: shown })).json() as Json;
      assert.ok(!result.isError, JSON.stringify(result));
      return result.structuredContent;
    },
    // As a client reads it that takes requests as texts.
    REST: async (shown) => {
      const [head, body] = shown.split('\n\n');
      const [line, ...fields] = head!.split('\n');
      const [method, path] = line!.split(' ');
      const given = Object.fromEntries(fields.map((field) => field.split(/: (.*)/s).slice(0, 2)));
      assert.equal(given.Host, new URL(server.origin).host);
      delete given.Host;
      const request = { method, headers: { ...given, Authorization: given.Authorization!.replace('<your key>', ann.key) }, body };
      return await (await fetch(server.origin + path, request)).json() as Json;
    },
  };
  for (const form of ['curl', 'MCP', 'REST']) {
    const { id, key } = (await server.request(ann.key, 'POST', '/v1/keys', { name: `for ${form}` })).body;
    for (const [tool, [values, expected]] of Object.entries(calls(id))) {
      await page.goto(`${server.origin}/tools/${tool}`);
      await page.locator('#playground form').waitFor();
      for (const [name, value] of Object.entries(values)) {
        // A request with the same idempotency key would be the same request.
        await page.locator(`#playground [name="${name}"]`).fill(name === 'idempotency_key' ? `${value} ${form}` : value);
      }
      if (tool === 'verify_api_key') await page.locator('[name=key]').fill(key);
      await page.locator('.same').getByRole('tab', { name: form }).click();
      const shown = (await page.locator('.same pre:visible').innerText()).replace('<the key>', key);
      const answer = await send[form]!(shown);
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(answer[name], value, `${tool}: ${shown}\n${JSON.stringify(answer)}`);
      if (tool === 'list_api_keys') assert.equal(answer.api_keys.length, 1, shown);
      if (tool === 'list_api_key_events') assert.equal(answer.events.length, 2, shown);
    }
  }
});

test('wrong values stand at their fields, for every tool', async () => {
  const wrong: Record<string, string> = {
    name: ' ', owner: 'a\u0085b', project_reference: 'Not A Slug', expires_at: 'tomorrow', scopes: 'a"b', metadata: '{', status: 'gone',
    'rate_limit.requests': 'many', 'rate_limit.window_seconds': '-1', idempotency_key: '→', api_key_id: 'no id', limit: 'all', cursor: 'far',
    since: 'then', until: 'now', reason: 'x'.repeat(2000), grace_seconds: 'a while', if_revision: 'the last',
  };
  const good: Record<string, string> = { name: 'x', key: ann.key, api_key_id: '0192a000-0000-7000-8000-0000000000ff',
    'rate_limit.requests': '1', 'rate_limit.window_seconds': '1' };
  const page = await open(`${server.origin}/tools/create_api_key`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await signIn(page, ann.key);
  for (const tool of TOOLS) {
    await page.getByRole('link', { name: 'Tools' }).click();
    await page.getByRole('link', { name: tool, exact: true }).click();
    await page.getByRole('heading', { name: 'Playground' }).waitFor();
    const names = await page.locator('#playground form [name]').evaluateAll((all) => all.map((field) => field.getAttribute('name')!));
    for (const name of names.filter((name) => name in wrong)) {
      const control = page.locator(`#playground [name="${name}"]`);
      for (const other of names) if (other in wrong || other in good) await page.locator(`#playground [name="${other}"]`).fill(good[other] ?? '');
      await control.fill(wrong[name]!);
      await page.getByRole('button', { name: 'Call' }).click();
      // The server names the group of a member.
      const places = [name, name.split('.')[0]].map((field) => `#playground [data-field="${field}"] > .fault:not(:empty)`);
      await page.locator(places.join()).first().waitFor().catch(() => assert.fail(`${tool}: ${name}`));
      assert.equal(await control.getAttribute('aria-invalid'), 'true');
      assert.ok(await page.evaluate(() => document.activeElement!.matches('#playground [aria-invalid]')));
    }
  }
  assert.equal(await page.locator('#lost').innerText(), '');
});
