import { keyOnce } from './answer.js';
import { button, focusAgain, h, uid } from './dom.js';
import { showFaults } from './form.js';

/** Opens a dialog, which leaves the page when it is closed. `mayClose` may keep it open. */
export function openDialog(title, content, { kind = '', mayClose } = {}) {
  const id = uid('title');
  const close = button('×', () => dialog.close(), { class: 'close', 'aria-label': 'Close' });
  const dialog = h('dialog', { 'aria-labelledby': id, class: kind },
    h('header', {}, h('h2', { id }, title), !mayClose && close), content);
  const opener = document.activeElement;
  const isKept = () => mayClose?.() === false;
  const leave = () => {
    dialog.remove();
    if (document.activeElement === document.body) focusAgain(opener);
  };
  dialog.addEventListener('cancel', (event) => isKept() && event.preventDefault());
  // A browser may close it in any case, such as Chromium at a second Escape.
  dialog.addEventListener('close', () => isKept() ? dialog.showModal() : leave());
  document.body.append(dialog);
  dialog.showModal();
  content.querySelector('input, button')?.focus();
  return dialog;
}

/** Shows a new key once. It leaves the page with the dialog, which asks before the key is lost. */
export function showOnce({ name, key }, saved = () => {}) {
  const shown = new AbortController();
  const warning = h('p', { class: 'fault', role: 'alert' });
  const mayClose = () => {
    warning.textContent = shown.signal.aborted ? '' : 'Copy the key first, then confirm that you have saved it.';
    return shown.signal.aborted;
  };
  const finish = () => {
    shown.abort();
    dialog.close();
    saved();
  };
  addEventListener('beforeunload', (event) => event.preventDefault(), shown);
  const dialog = openDialog('Save your new key', h('div', { class: 'body' },
    h('p', {}, 'The new key ', h('strong', {}, h('bdi', {}, name)), ':'), keyOnce(key),
    h('footer', {}, warning, button('I have saved it', finish, { class: 'primary' }))), { mayClose });
}

/** Makes the place for errors that are about no field. */
export const messagePlace = () => h('p', { class: 'fault', role: 'alert', 'data-message': true });

export const footer = (action, kind = 'primary') => h('footer', {}, messagePlace(),
  button('Cancel', (event) => event.target.closest('dialog').close()),
  h('button', { class: kind }, action));

/** Shows an error in a form: its faults at their fields, the rest at the end. */
export function showProblem(form, error) {
  const rest = showFaults(form, error?.faults ?? []);
  const others = rest.map(({ field, message }) => `${field} ${message}`).join('; ');
  const message = error && (error.faults?.length ? others : error.message);
  form.querySelector('[data-message]').textContent = message || '';
}

/** Sends a form, once at a time, and shows the error if it fails. */
export async function submit(form, send) {
  if (form.ariaBusy) return;
  form.ariaBusy = 'true';
  showProblem(form, null);
  try {
    await send();
  } catch (error) {
    showProblem(form, error);
  } finally {
    form.ariaBusy = null;
  }
}

export function onSubmit(form, send) {
  form.noValidate = true;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit(form, send);
  });
  return form;
}
