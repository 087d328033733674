// The page of one tool: its form, the same call in other forms, and the answer.
import { listOf } from './answer.js';
import { copyButton, h, soft, tabs } from './dom.js';
import { showProblem } from './dialog.js';
import { formOf, valuesOf } from './form.js';
import { coloured, print } from './json.js';
import { showOnce } from './key.js';
import { Problem, session } from './session.js';
import { askToSignIn } from './sign-in.js';

/** The arguments that REST has in headers. */
const HEADERS = { idempotency_key: (value) => ['Idempotency-Key', `"${value}"`], if_revision: (value) => ['If-Match', `"${value}"`] };

export function startTool(main) {
  for (const pre of main.querySelectorAll('pre')) {
    const text = pre.textContent;
    pre.replaceChildren(...coloured(text));
    pre.parentElement.querySelector('figcaption').append(copyButton(() => text));
  }
  const place = main.querySelector('#playground');
  const tool = { ...place.dataset, schema: JSON.parse(main.querySelector('#input-schema').textContent) };
  const answer = h('div', { class: 'answer', role: 'region', 'aria-label': 'Answer', 'aria-live': 'polite' });
  const form = formOf(tool.schema, 'Call', (values) => call(tool, values, form, answer));
  form.querySelector('.actions').append(h('p', { class: 'fault', role: 'alert', 'data-message': true }));

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

async function call(tool, values, form, answer) {
  if (!session.caller && !await askToSignIn()) return;
  if (form.getAttribute('aria-busy') === 'true') return;
  form.setAttribute('aria-busy', 'true');
  answer.replaceChildren(h('p', { class: 'soft' }, 'Calling…'));
  showProblem(form, null);
  try {
    const started = performance.now();
    const value = await (tool.exact === undefined ? overMcp(tool, values) : overRest(tool, values));
    const took = Math.max(1, Math.round(performance.now() - started));
    const { key, ...known } = value;
    if (key !== undefined) showOnce(value, 'Save your new key');
    const shown = key === undefined ? known : { key: '(shown once)', ...known };
    answer.replaceChildren(h('h3', {}, 'Answer ', soft(`in ${took} ms`)), tabs('Answer', [
      ['Fields', fieldsOf(shown)], ['JSON', h('pre', { tabindex: 0, 'aria-label': 'JSON' }, coloured(print(shown)))],
    ]));
  } catch (error) {
    answer.replaceChildren();
    showProblem(form, error);
  } finally {
    form.removeAttribute('aria-busy');
  }
}

const fieldsOf = ({ key, ...known }) => {
  const list = listOf(known);
  if (key) list.prepend(h('dt', {}, 'key'), h('dd', { class: 'soft' }, key));
  return list;
};

const message = (tool, values) => ({
  jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool.name, arguments: values },
});

async function overMcp(tool, values) {
  const headers = { accept: 'application/json, text/event-stream' };
  const { value } = await session.request('POST', '/mcp', { headers, body: message(tool, values) });
  if (value.error) throw new Problem(400, { detail: value.error.message });
  if (!value.result.isError) return value.result.structuredContent;
  const error = JSON.parse(value.result.content[0].text);
  const detail = [error.kind, error.subject].join(' ').replaceAll('-', ' ').trim();
  throw new Problem(400, { detail, faults: error.faults });
}

async function overRest(tool, values) {
  const { method, path, body, headers } = asRest(tool, values);
  return (await session.request(method, path, { body, headers: Object.fromEntries(headers) })).value;
}

function asRest({ method, path, query }, values) {
  const rest = { ...values };
  const headers = [];
  for (const [name, header] of Object.entries(HEADERS)) {
    if (name in rest) headers.push(header(rest[name]));
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
