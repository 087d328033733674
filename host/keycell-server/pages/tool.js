// The page of one tool: its form, the same call in other forms, and the answer.
import { addPage } from './app.js';
import { listOf } from './answer.js';
import { copyButton, h, soft, tabs } from './dom.js';
import { messagePlace, showOnce, submit } from './dialog.js';
import { formOf, valuesOf } from './form.js';
import { coloured, print } from './json.js';
import { Problem, session } from './session.js';
import { askToSignIn } from './sign-in.js';

/** The arguments that REST has in headers, and what may be there. */
const HEADERS = {
  idempotency_key: ['Idempotency-Key', /^[ -~]*$/, 'must be printable ASCII characters'],
  if_revision: ['If-Match', /^\d+$/, 'must be of type integer'],
};

function start(main) {
  for (const pre of main.querySelectorAll('pre')) {
    const text = pre.textContent;
    pre.replaceChildren(...coloured(text));
    pre.parentElement.querySelector('figcaption').append(copyButton(() => text));
  }
  const place = main.querySelector('#playground');
  const tool = { ...place.dataset, schema: JSON.parse(main.querySelector('#input-schema').textContent) };
  const answer = h('div', { class: 'answer', role: 'region', 'aria-label': 'Answer', 'aria-live': 'polite' });
  const form = formOf(tool.schema, 'Call', async (values) => {
    if (session.caller || await askToSignIn()) submit(form, () => call(tool, values, answer));
  });
  form.querySelector('.actions').append(messagePlace());

  const views = ['curl', 'MCP', 'REST'].map((name) => [name, h('pre', { tabindex: 0, 'aria-label': name })]);
  const [curl, mcp, rest] = views.map(([, pre]) => pre);
  const update = () => {
    const { values } = valuesOf(form, tool.schema);
    if (values.key) values.key = '<the key>';
    curl.textContent = asCurl(tool, values);
    mcp.replaceChildren(...coloured(print(message(tool, values))));
    rest.textContent = asHttp(tool, values);
  };
  form.addEventListener('input', update);
  update();
  const copy = copyButton(() => views.find(([, pre]) => !pre.parentElement.hidden)[1].textContent);
  place.replaceChildren(form, answer, h('section', { class: 'same', 'aria-labelledby': 'same' },
    h('h3', { id: 'same' }, 'The same call'), h('figure', { class: 'code' }, tabs('The same call', views), copy),
    tool.exact === undefined && h('p', { class: 'hint' }, 'REST answers with every field of the key.'),
    tool.mcp === undefined && h('p', { class: 'hint' }, 'This server has the tool over MCP only with --all-tools.')));
}

async function call(tool, values, answer) {
  answer.replaceChildren(soft('Calling…'));
  const started = performance.now();
  const { key, ...known } = await (tool.exact === undefined ? overMcp(tool, values) : overRest(tool, values)).catch((error) => {
    answer.replaceChildren();
    throw error;
  });
  const took = Math.max(1, Math.round(performance.now() - started));
  if (key !== undefined) showOnce({ key, ...known });
  const json = key === undefined ? known : { key: '(shown once)', ...known };
  answer.replaceChildren(h('h3', {}, 'Answer ', soft(`in ${took} ms`)), tabs('Answer', [
    ['Fields', listOf(known)], ['JSON', h('pre', { tabindex: 0, 'aria-label': 'JSON' }, coloured(print(json)))],
  ]));
}

const message = (tool, values) => ({
  jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool.name, arguments: values },
});

async function overMcp(tool, values) {
  const headers = { accept: 'application/json, text/event-stream' };
  const { error: refusal, result } = await session.request('POST', '/mcp', { headers, body: message(tool, values) });
  if (refusal) throw new Problem(400, { detail: refusal.message });
  if (!result.isError) return result.structuredContent;
  const error = JSON.parse(result.content[0].text);
  const detail = error.subject ? `no such ${error.subject.replace('api-key', 'API key')}` : error.kind.replaceAll('-', ' ');
  throw new Problem(400, { detail, faults: error.faults });
}

async function overRest(tool, values) {
  const faults = Object.entries(HEADERS).filter(([field, [, pattern]]) => field in values && !pattern.test(values[field]))
    .map(([field, [, , message]]) => ({ field, message }));
  if (faults.length) throw { faults };
  const { method, path, body, headers } = asRest(tool, values);
  return session.request(method, path, { body, headers: Object.fromEntries(headers) });
}

function asRest({ method, path, query }, values) {
  const rest = { ...values };
  const headers = [];
  for (const [name, [header]] of Object.entries(HEADERS)) {
    if (name in rest) headers.push([header, `"${rest[name]}"`]);
    delete rest[name];
  }
  if (path.includes('{id}')) {
    path = path.replace('{id}', encodeURIComponent(rest.api_key_id ?? '') || '{id}');
    delete rest.api_key_id;
  }
  const given = new URLSearchParams(Object.entries(rest).map(([name, value]) => [name, String(value)]));
  if (query !== undefined) return { method, path: path + (given.size ? `?${given}` : ''), headers };
  return { method, path, headers, body: rest };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function asCurl(tool, values) {
  const { method, path, headers, body } = asRest(tool, values);
  const lines = [`curl -X ${method} ${quoted(location.origin + path)}`, '-H "Authorization: Bearer $KEYCELL_KEY"',
    ...headers.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`)];
  if (body) lines.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`);
  return lines.join(' \\\n  ');
}

function asHttp(tool, values) {
  const { method, path, headers, body } = asRest(tool, values);
  const head = [`${method} ${path} HTTP/1.1`, `Host: ${location.host}`, 'Authorization: Bearer <your key>',
    ...headers.map(([name, value]) => `${name}: ${value}`)];
  return body ? `${head.join('\n')}\nContent-Type: application/json\n\n${print(body)}` : head.join('\n');
}

addPage('#playground', start);
