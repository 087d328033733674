/** Makes an element. Texts become text nodes and are never markup; a function is a listener, such as `onclick`. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if ((value ?? false) !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => (child ?? false) !== false));
  return element;
}

export const button = (label, onclick, attributes) => h('button', { type: 'button', onclick, ...attributes }, label);

export const soft = (...text) => h('span', { class: 'soft' }, text);

/** Focuses what stands for an element that left the page: the link to the same key, or the heading. */
export function focusAgain({ dataset: { id } }) {
  (document.querySelector(`[data-id="${id}"]`) ?? document.querySelector('h1')).focus();
}

let count = 0;
/** Returns an id that no other element of the page has. */
export const uid = (name) => `${name}-${++count}`;

/** Announces a text to screen readers, and shows it for a while. They read nothing outside of an open dialog. */
export function say(text) {
  const status = h('p', { class: 'toast', role: 'status' });
  ([...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body).append(status);
  setTimeout(() => { status.textContent = text; }, 100);
  setTimeout(() => status.remove(), 6000);
}

export function copyButton(text) {
  const said = h('span', { class: 'unseen', role: 'status' });
  const copy = async () => {
    // Pages without TLS have no clipboard, except on this machine.
    const done = await navigator.clipboard?.writeText(text()).then(() => 'Copied', () => '') || 'Select it and copy';
    self.textContent = said.textContent = done;
    setTimeout(() => { self.textContent = 'Copy'; said.textContent = ''; }, 3000);
  };
  const self = button('Copy', copy, { class: 'copy' });
  return h('span', {}, self, said);
}

/** Makes tabs: names and panels, of which one is shown. */
export function tabs(label, entries) {
  const select = (selected) => all.forEach(({ tab, panel }) => {
    panel.hidden = tab !== selected;
    tab.ariaSelected = String(!panel.hidden);
    tab.tabIndex = panel.hidden ? -1 : 0;
  });
  const all = entries.map(([name, content]) => {
    const [tabId, panelId] = [uid('tab'), uid('panel')];
    const tab = button(name, () => select(tab), { role: 'tab', id: tabId, 'aria-controls': panelId });
    return { tab, panel: h('div', { role: 'tabpanel', id: panelId, 'aria-labelledby': tabId }, content) };
  });
  const move = ({ key, target }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!step) return;
    const { tab } = all.at((all.findIndex(({ tab }) => tab === target) + step) % all.length);
    select(tab);
    tab.focus();
  };
  select(all[0].tab);
  return h('div', {},
    h('div', { role: 'tablist', 'aria-label': label, onkeydown: move }, all.map(({ tab }) => tab)), all.map(({ panel }) => panel));
}

const UNITS = [['year', 31536000], ['month', 2592000], ['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
// Intl is slow to load, so it waits until a time is shown.
let relative, exact;

/** Makes a time relative to now. */
export function time(iso) {
  if (!iso) return soft('Never');
  const seconds = (Date.parse(iso) - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? [];
  relative ??= new Intl.RelativeTimeFormat('en');
  return h('time', { datetime: iso, title: iso }, unit ? relative.format(Math.trunc(seconds / size), unit) : 'now');
}

/** Makes a time with its date, and how far it is from now. */
export function longTime(iso) {
  if (!iso) return time(iso);
  exact ??= new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });
  return h('span', {}, exact.format(new Date(iso)), ' (', time(iso), ')');
}
