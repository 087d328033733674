// The dialogs about one key: create, look at, rotate, revoke.
import { words } from './answer.js';
import { footer, onSubmit, openDialog, showOnce } from './dialog.js';
import { button, copyButton, h, longTime, say, soft, time, uid } from './dom.js';
import { field, group, valuesOf } from './form.js';
import { print } from './json.js';
import { session } from './session.js';

const DAY = 86400;
const LIVES = [['In 7 days', 7 * DAY], ['In 30 days', 30 * DAY], ['In 90 days', 90 * DAY], ['In a year', 365 * DAY]];
const GRACES = [['At once', 0], ['In 15 minutes', 900], ['In 1 hour', 3600], ['In 6 hours', 21600], ['In 24 hours', DAY]];

const number = { type: 'integer' };
const FIELDS = { properties: {
  name: {}, project_reference: {}, owner: {}, metadata: { type: 'object' },
  rate_limit: { properties: { requests: number, window_seconds: number } },
} };

const lifeOf = (seconds) => seconds < 2 * DAY ? `${Math.ceil(seconds / 3600)} hours` : `${Math.round(seconds / DAY)} days`;

function choice(name, legend, options, hint) {
  const radios = options.map(([label, value], index) => {
    const input = h('input', { type: 'radio', name, value: String(value), checked: index === 0 });
    return h('label', { class: 'pill' }, input, label);
  });
  return group(name, legend, h('div', { class: 'row' }, radios), { hint });
}

export const chip = (status) => h('span', { class: `chip ${status}` }, status);

/** Makes the marks of scopes: all, or as many as fit. */
export const scopeList = (scopes, most = scopes.length) => scopes.length === 0 ? soft('None')
  : h('span', { class: 'scopes' }, scopes.slice(0, most).map((scope) => h('code', {}, scope)),
    scopes.length > most && h('span', { class: 'soft', title: scopes.slice(most).join(' ') }, `+${scopes.length - most}`));

export const projectOf = ({ project_id: id }) => id === null ? soft('None')
  : session.projects.get(id) ?? h('code', {}, id);

export function openCreate(created) {
  const { caller } = session;
  const own = caller.expires_at ? (Date.parse(caller.expires_at) - Date.now()) / 1000 : Infinity;
  const longest = Math.min(caller.longest_life_seconds ?? Infinity, own);
  const standard = Math.min(caller.default_life_seconds ?? Infinity, longest);
  const label = standard === Infinity ? 'Never' : standard === own ? 'With your key' : `In ${lifeOf(standard)} (default)`;
  const isPossible = ([, life]) => life < longest && life !== standard;
  const lives = [[label, ''], ...LIVES.filter(isPossible), ['On a date', 'date']];

  const projects = h('datalist', { id: uid('projects') }, [...session.projects.values()].map((value) => h('option', { value })));
  const project = h('input', { value: caller.project_id, readonly: caller.project_id !== null, list: projects.id });
  const date = field('date', 'Date and time', h('input', { type: 'datetime-local' }));
  date.hidden = true;
  const scopes = caller.grantable_scopes.map((scope) => {
    const input = h('input', { type: 'checkbox', value: scope, checked: caller.default_scopes.includes(scope) });
    return h('label', { class: 'check' }, input, h('code', {}, scope));
  });
  const number = (name, label) => field(`rate_limit.${name}`, label, h('input', { inputmode: 'numeric' }));
  const end = caller.expires_at && ['Your key ends ', time(caller.expires_at), '. What it makes ends no later.'];
  const expiry = choice('expires_at', 'Expires', lives, end);
  expiry.addEventListener('change', () => { date.hidden = form.elements.expires_at.value !== 'date'; });

  const form = h('form', {},
    field('name', 'Name', h('input'), { isRequired: true, hint: 'What the key is for. Up to 100 characters.' }),
    expiry, date,
    group('scopes', 'Scopes', scopes.length ? h('div', { class: 'checks' }, scopes) : soft('Your key can grant no scopes.')),
    h('div', { class: 'columns' },
      field('project_reference', 'Project', project, { hint: 'Id or slug. Empty: your own key.' }), projects,
      caller.operator && field('owner', 'Owner', h('input', { placeholder: caller.user_id }), { hint: 'A user id. Empty: you.' })),
    group('rate_limit', 'Rate limit', h('div', { class: 'columns' }, number('requests', 'Verifications'), number('window_seconds', 'In seconds'))),
    field('metadata', 'Metadata', h('textarea', { rows: 3, placeholder: '{"plan": "pro"}' }), { hint: 'A JSON object that each verification returns.' }),
    footer('Create key'));

  const read = () => {
    const { values: body, faults } = valuesOf(form, FIELDS);
    body.scopes = [...form.querySelectorAll(':checked[type=checkbox]')].map(({ value }) => value);
    const life = form.elements.expires_at.value;
    const end = new Date(life === 'date' ? form.elements.date.value : opened + Number(life) * 1000);
    if (Number.isNaN(end.getTime())) faults.push({ field: 'date', message: 'must be a date and a time' });
    else if (life) body.expires_at = end.toISOString();
    if (faults.length) throw { faults };
    return body;
  };
  // A repeat after a lost answer makes no second key. Other arguments are another request.
  const opened = Date.now();
  let sent, headers;
  onSubmit(form, async () => {
    const body = read();
    const text = JSON.stringify(body);
    if (text !== sent) headers = { 'idempotency-key': crypto.getRandomValues(new Uint8Array(16)).join('-') };
    sent = text;
    const made = await session.request('POST', '/v1/keys', { body, headers }).catch(explained);
    dialog.close();
    showOnce(made, () => {
      say('The key was created.');
      created();
    });
  });
  const dialog = openDialog('Create an API key', form);
}

/** Adds the rule by which a key may not create or replace another one. */
const explained = (error) => {
  if (error.kind === 'forbidden') error.message += ' A key cannot create keys with more scopes, another project or a longer life than its own.';
  throw error;
};
const path = (id) => `/v1/keys/${encodeURIComponent(id)}`;

export function openDetails(id, changed) {
  const content = h('div', { class: 'body', 'aria-busy': 'true' }, soft('Loading…'));
  const dialog = openDialog('API key', content, { kind: 'sheet' });
  const load = async () => {
    try {
      const events = new URLSearchParams({ api_key_id: id, limit: '100' });
      const [key, page] = await Promise.all(
        [session.request('GET', path(id)), session.request('GET', `/v1/events?${events}`)]);
      dialog.querySelector('h2').replaceChildren(h('bdi', {}, key.name), ' ', chip(key.status));
      content.replaceChildren(facts(key), actions(key), h('h3', {}, 'Events'), timeline(page));
    } catch (error) {
      if (!session.caller) return;
      content.replaceChildren(h('p', { class: 'notice', role: 'alert' }, error.message),
        h('p', {}, button('Try again', load)));
    } finally {
      content.ariaBusy = null;
    }
  };
  const again = () => {
    load();
    changed();
  };
  const link = (other) => button(other, () => {
    dialog.close();
    openDetails(other, changed);
  }, { class: 'link' });
  const facts = (key) => {
    const rows = [
      ['Prefix', h('code', {}, key.key_prefix)], ['Owner', h('bdi', {}, key.user_id)],
      ['Project', projectOf(key)], ['Scopes', scopeList(key.scopes)],
      ['Last used', longTime(key.last_used_at)], ['Expires', longTime(key.expires_at)],
      ['Created', longTime(key.created_at)],
      key.revoked_at && ['Revoked', longTime(key.revoked_at)],
      key.revocation_reason && ['Reason', h('bdi', {}, key.revocation_reason)],
      key.rotated_from && ['Replaces', link(key.rotated_from)], key.rotated_to && ['Replaced by', link(key.rotated_to)],
      key.rate_limit && ['Rate limit', `${key.rate_limit.requests} verifications in ${key.rate_limit.window_seconds} seconds`],
      key.metadata && ['Metadata', h('pre', { tabindex: 0 }, print(key.metadata))],
      ['Id', h('span', { class: 'row' }, h('code', {}, key.id), copyButton(() => key.id))],
    ];
    return h('dl', { class: 'facts' }, rows.filter(Boolean).map(([term, value]) => h('div', {}, h('dt', {}, term), h('dd', {}, value))));
  };
  const actions = (key) => key.status !== 'active' ? '' : h('p', { class: 'actions' },
    !key.rotated_to && button('Rotate…', () => openRotate(key, again)),
    button('Revoke…', () => openRevoke(key, again), { class: 'danger' }));
  load();
}

function timeline({ events, next_cursor: next }) {
  const entry = ({ time: at, action, actor_user_id: user, actor_api_key_id: by, fields }) => h('li', { class: action },
    h('strong', {}, words(action.replace('-', '_'))), ' ', time(at), h('br'),
    soft('by ', h('bdi', {}, user), by && [' with the key ', h('code', {}, by)], ': ', fields.map(words).join(', ')));
  return h('div', {}, h('ol', { class: 'timeline' }, events.map(entry)), next && soft('Earlier events are not shown.'));
}

/** Changes a key, unless it has changed since it was shown. */
const change = (key, action, body, done) =>
  session.request('POST', `${path(key.id)}/${action}`, { body, headers: { 'if-match': `"${key.revision}"` } }).catch((error) => {
    if (error.status !== 412) throw error;
    done();
    throw { message: 'The key has changed in the meantime. Close this dialog, look at the key, and try again.' };
  });
const isOwn = ({ id }) => id === session.caller.api_key_id
  && h('p', { class: 'notice' }, 'You are signed in with this key.');

function openRotate(key, done) {
  const form = h('form', {}, isOwn(key),
    h('p', {}, 'A new key takes the place of ', h('strong', {}, h('bdi', {}, key.name)), ', with the same scopes, limit and metadata.'),
    choice('grace_seconds', 'The old key ends', GRACES),
    footer('Rotate key'));
  onSubmit(form, async () => {
    const body = { grace_seconds: Number(form.elements.grace_seconds.value) };
    const made = await change(key, 'rotate', body, done).catch(explained);
    dialog.close();
    showOnce(made, () => {
      say('The key was rotated.');
      done();
    });
  });
  const dialog = openDialog('Rotate the key', form);
}

function openRevoke(key, done) {
  const confirm = h('input');
  const reason = h('input', { maxlength: 800 });
  const form = h('form', {}, isOwn(key),
    h('p', {}, 'Programs that use this key are refused from now on. A revoked key stays revoked.'),
    field('confirm', ['Type ', h('strong', {}, h('bdi', {}, key.name)), ' to confirm'], confirm, { isRequired: true }),
    field('reason', 'Reason', reason, { hint: 'It is kept with the key. Optional.' }),
    footer('Revoke key', 'danger'));
  onSubmit(form, async () => {
    if (confirm.value.normalize('NFC').trim() !== key.name) throw { faults: [{ field: 'confirm', message: 'must be the name of the key' }] };
    await change(key, 'revoke', reason.value ? { reason: reason.value } : {}, done);
    dialog.close();
    say('The key was revoked.');
    done();
  });
  const dialog = openDialog('Revoke the key', form);
}
