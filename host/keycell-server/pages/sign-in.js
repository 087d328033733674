import { h } from './dom.js';
import { messagePlace, onSubmit, openDialog } from './dialog.js';
import { field } from './form.js';
import { session } from './session.js';

/** Makes the form in which the visitor pastes a key. */
export function signInForm(isDone = () => {}) {
  const key = h('input', { type: 'password' });
  const form = h('form', { class: 'sign-in' },
    session.reason && h('p', { class: 'notice', role: 'alert' }, session.reason),
    field('key', 'API key', key, { isRequired: true }),
    h('p', { class: 'hint' }, 'The key stays in the memory of this page. It is in no URL, cookie or storage, and is gone when you reload. On this machine, ', h('code', {}, 'keycell console'), ' opens the page signed in.'),
    h('footer', {}, messagePlace(), h('button', { class: 'primary' }, 'Sign in')));
  return onSubmit(form, async () => {
    try {
      await session.signIn(key.value.trim());
    } catch (error) {
      // A wrong key is a fault of the only field.
      throw error.status === 401 ? { faults: [{ field: 'key', message: error.message }] } : error;
    }
    key.value = '';
    isDone();
  });
}

/** Asks for a key in a dialog. Returns whether the visitor has signed in. */
export function askToSignIn() {
  return new Promise((answer) => {
    const dialog = openDialog('Sign in', signInForm(() => dialog.close()), { kind: 'narrow' });
    dialog.addEventListener('close', () => answer(session.caller !== null));
  });
}
