// The page of keys.
import { addPage } from './app.js';
import { button, copyButton, focusAgain, h, time } from './dom.js';
import { field, showFaults } from './form.js';
import { chip, openCreate, openDetails, projectOf, scopeList } from './key.js';
import { session } from './session.js';
import { signInForm } from './sign-in.js';

const STATUSES = ['active', 'expired', 'revoked', 'all'];
const COLUMNS = ['Name', 'Prefix', 'Status', 'Scopes', 'Owner', 'Project', 'Last used', 'Expires'];

function start(main, signal) {
  const content = main.querySelector('#console');
  const show = () => content.replaceChildren(...(session.caller ? keys(signal) : [
    h('section', { class: 'card narrow' }, h('h2', {}, 'Sign in'), signInForm()),
  ]));
  session.addEventListener('change', () => {
    show();
    (content.querySelector('.sign-in input') ?? main.querySelector('h1')).focus();
  }, { signal });
  show();
}

function keys(signal) {
  const { caller } = session;
  // The cursors of the pages up to this one, of which the first needs none.
  let cursors = [''];
  let newest = 0;

  const status = h('select', {}, STATUSES.map((name) => h('option', {}, name)));
  const project = h('input', { placeholder: 'Any' });
  const owner = h('input', { placeholder: 'Any' });
  const create = () => openCreate(first);
  const filters = h('form', { class: 'filters', role: 'search', novalidate: true },
    field('status', 'Status', status), field('project_reference', 'Project', project),
    caller.operator && field('owner', 'Owner', owner),
    h('button', {}, 'Filter'),
    button('Create key', create, { class: 'primary' }));
  const list = h('div', { class: 'list' });
  const page = h('span', { role: 'status' });
  const [older, newer] = [button('Older'), button('Newer')];
  const paging = h('nav', { class: 'row paging', 'aria-label': 'Pages of keys', hidden: true }, newer, older, page);

  const load = async () => {
    const turn = ++newest;
    list.ariaBusy = 'true';
    if (!list.firstChild) list.replaceChildren(skeleton());
    const query = { status: status.value, project_reference: project.value.trim(), owner: owner.value.trim(), limit: 20, cursor: cursors.at(-1) };
    const given = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
    try {
      const [found] = await Promise.all([session.request('GET', `/v1/keys?${given}`), session.loadProjects()]);
      if (turn === newest) showPage(found);
    } catch (error) {
      if (turn === newest && session.caller) showError(error);
    } finally {
      if (turn === newest) list.ariaBusy = null;
    }
  };
  const first = () => {
    cursors = [''];
    load();
  };
  const replace = (content) => {
    const focused = document.activeElement;
    const isHere = list.contains(focused);
    list.replaceChildren(content);
    if (isHere) focusAgain(focused);
  };
  const showPage = ({ api_keys: found, next_cursor: next }) => {
    showFaults(filters, []);
    replace(found.length ? table(found, open) : empty());
    newer.disabled = cursors.length === 1;
    older.disabled = next === null;
    older.onclick = () => turn([...cursors, next]);
    newer.onclick = () => turn(cursors.slice(0, -1));
    paging.hidden = newer.disabled && older.disabled;
    const count = `${found.length} ${found.length === 1 ? 'key' : 'keys'}`;
    page.textContent = paging.hidden ? count : `Page ${cursors.length}, ${count}`;
  };
  const turn = async (next) => {
    cursors = next;
    await load();
    list.querySelector('[data-id]')?.focus();
  };
  const showError = (error) => {
    const others = showFaults(filters, error.faults ?? []);
    const message = error.faults?.length && !others.length ? 'Correct the filters above.' : error.message;
    replace(h('div', { class: 'state', role: 'alert' }, h('p', {}, message), button('Try again', load)));
    paging.hidden = true;
  };
  const open = (id) => openDetails(id, load);
  const empty = () => {
    const isFiltered = status.value !== 'active' || project.value || owner.value;
    if (isFiltered || cursors.length > 1) return h('div', { class: 'state' }, h('p', {}, 'No key matches these filters.'),
      button('Clear the filters', () => { filters.reset(); first(); }));
    const line = `curl ${location.origin}/v1/keys -H "Authorization: Bearer $KEYCELL_KEY" \\\n`
      + '  -H "Content-Type: application/json" -d \'{"name": "my first key"}\'';
    return h('div', { class: 'state' }, h('h2', {}, 'No active keys'),
      h('p', {}, 'Create one here, or from a program:'),
      h('figure', { class: 'code' }, h('figcaption', {}, 'curl', copyButton(() => line)), h('pre', { tabindex: 0 }, line)),
      button('Create key', create, { class: 'primary' }));
  };

  filters.addEventListener('submit', (event) => { event.preventDefault(); first(); });
  status.addEventListener('change', first);
  // Another tab may have changed something, and so may others while the server was away.
  const refresh = () => !document.hidden && session.caller === caller && list.isConnected && load();
  document.addEventListener('visibilitychange', refresh, { signal });
  session.addEventListener('found', refresh, { signal });
  load();
  return [filters, list, paging];
}

function table(found, open) {
  const row = (key) => {
    const cells = [
      button(h('bdi', {}, key.name), () => open(key.id), { class: 'link', 'data-id': key.id }),
      h('code', {}, key.key_prefix), chip(key.status), scopeList(key.scopes, 2), h('bdi', {}, key.user_id),
      projectOf(key),
      time(key.last_used_at), time(key.expires_at),
    ];
    // The roles stay when the style sheet makes rows of cells into cards.
    return h('tr', { role: 'row' }, cells.map((cell, index) =>
      h(index ? 'td' : 'th', { role: index ? 'cell' : 'rowheader', scope: !index && 'row', 'data-label': COLUMNS[index] }, cell)));
  };
  return h('table', { role: 'table', class: 'keys' }, h('caption', { class: 'unseen' }, 'API keys, newest first'),
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, COLUMNS.map((name) => h('th', { role: 'columnheader', scope: 'col' }, name)))),
    h('tbody', { role: 'rowgroup' }, found.map(row)));
}

const skeleton = () => h('div', { class: 'skeleton' }, h('span', { class: 'unseen', role: 'status' }, 'Loading keys'),
  [1, 2, 3].map(() => h('div')));

addPage('#console', start);
