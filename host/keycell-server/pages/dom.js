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

let count = 0;
/** Returns an id that no other element of the page has. */
export const uid = (name) => `${name}-${++count}`;

/** Announces a text to screen readers, and shows it for a while. */
export function say(text) {
  const status = document.getElementById('status');
  status.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { status.textContent = ''; }, 6000);
}

export function copyButton(text, label = 'Copy') {
  const said = h('span', { class: 'unseen', role: 'status' });
  const copy = async () => {
    // Pages without TLS have no clipboard, except on this machine.
    const done = await navigator.clipboard?.writeText(text()).then(() => 'Copied', () => '') || 'Select it and copy';
    self.textContent = said.textContent = done;
    setTimeout(() => { self.textContent = label; said.textContent = ''; }, 3000);
  };
  const self = button(label, copy, { class: 'copy' });
  return h('span', {}, self, said);
}

/** Makes tabs: names and panels, of which one is shown. */
export function tabs(label, entries) {
  const panels = entries.map(([, content]) => h('div', { role: 'tabpanel', id: uid('panel') }, content));
  const buttons = entries.map(([name], index) =>
    button(name, () => select(index), { role: 'tab', id: uid('tab'), 'aria-controls': panels[index].id }));
  const select = (selected) => buttons.forEach((button, index) => {
    button.setAttribute('aria-selected', String(index === selected));
    button.tabIndex = index === selected ? 0 : -1;
    panels[index].setAttribute('aria-labelledby', button.id);
    panels[index].hidden = index !== selected;
  });
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (buttons.indexOf(event.target) + step + buttons.length) % buttons.length;
    select(next);
    buttons[next].focus();
  };
  select(0);
  return h('div', { class: 'tabs' },
    h('div', { role: 'tablist', 'aria-label': label, onkeydown: move }, buttons), panels);
}

const UNITS = [['year', 31536000], ['month', 2592000], ['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const exact = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

/** Makes a time relative to now, or a text in place of none. */
export function time(iso, none = 'Never') {
  if (!iso) return soft(none);
  const seconds = (Date.parse(iso) - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  return h('time', { datetime: iso, title: iso }, relative.format(Math.trunc(seconds / size), unit));
}

/** Makes a time with its date, and how far it is from now. */
export const longTime = (iso, none) =>
  iso ? h('span', {}, exact.format(new Date(iso)), ' (', time(iso), ')') : time(iso, none);
