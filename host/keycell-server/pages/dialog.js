import { button, h, uid } from './dom.js';
import { showFaults } from './form.js';

/** Opens a dialog, which leaves the page when it is closed. `guard` returns whether Escape may close it. */
export function openDialog(title, content, { kind = '', guard } = {}) {
  const id = uid('title');
  const close = button('×', () => dialog.close(), { class: 'close', 'aria-label': 'Close' });
  const dialog = h('dialog', { 'aria-labelledby': id, class: kind },
    h('header', {}, h('h2', { id }, title), !guard && close), content);
  dialog.addEventListener('cancel', (event) => { if (guard && !guard()) event.preventDefault(); });
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export const footer = (action, kind = 'primary') => h('footer', {},
  h('p', { class: 'fault', role: 'alert', 'data-message': true }),
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
export function onSubmit(form, send) {
  form.noValidate = true;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (form.getAttribute('aria-busy') === 'true') return;
    form.setAttribute('aria-busy', 'true');
    showProblem(form, null);
    try {
      await send();
    } catch (error) {
      showProblem(form, error);
    } finally {
      form.removeAttribute('aria-busy');
    }
  });
  return form;
}
