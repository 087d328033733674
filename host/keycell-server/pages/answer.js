import { copyButton, h } from './dom.js';
import { print } from './json.js';

/** Makes a new key as a text that can be copied, with what to do with it. */
export function keyOnce(key) {
  return h('div', { class: 'key-once' },
    h('p', { class: 'row' }, h('code', { class: 'key' }, key), copyButton(() => key)),
    h('p', {}, 'Copy it now: it is not stored and cannot be shown again.'));
}

/** Makes a list of names and values. A new key comes first. */
export function listOf({ key, ...known }) {
  const list = h('dl');
  if (key !== undefined) list.append(h('dt', {}, 'key'), h('dd', {}, keyOnce(key)));
  for (const [name, value] of Object.entries(known)) {
    list.append(h('dt', {}, words(name)), h('dd', {}, shown(value)));
  }
  return list;
}

/** Turns the name of a field, in either case, into words. */
export const words = (name) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll('_', ' ');

function shown(value) {
  if (value === null || value === undefined || value === '') return '—';
  if (!Array.isArray(value)) return typeof value === 'object' ? h('pre', {}, print(value)) : String(value);
  if (value.length === 0) return 'none';
  if (typeof value[0] !== 'object') return value.join(' ');
  return value.map((item) => h('details', {},
    h('summary', {}, String(item.name ?? item.action ?? item.id)), listOf(item)));
}
