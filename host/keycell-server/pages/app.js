// The parts of every page: the visitor's account, a banner, and links that keep the key.
import { button, h } from './dom.js';
import { session } from './session.js';
import { askToSignIn } from './sign-in.js';

let page = new AbortController();
/** The path of the page that is shown, while the next one loads. */
let shown;

/** Runs the module of the page that is shown. */
async function start() {
  page.abort();
  page = new AbortController();
  const { signal } = page;
  shown = location.pathname;
  closeDialogs();
  for (const link of document.querySelectorAll('nav a')) {
    const isHere = shown === link.pathname || shown.startsWith(`${link.pathname}/`);
    link.ariaCurrent = isHere ? 'page' : null;
  }
  const main = document.querySelector('main');
  if (!main.dataset.module) return;
  const { start } = await import(main.dataset.module);
  if (!signal.aborted) start(main, signal);
}

// A new key stays until it is saved.
function closeDialogs() {
  for (const dialog of document.querySelectorAll('dialog')) dialog.querySelector('.key-once') || dialog.close();
}

function showAccount() {
  const { caller } = session;
  const account = document.getElementById('account');
  const hadFocus = account.contains(document.activeElement);
  account.replaceChildren(caller ? h('div', { class: 'row' }, h('bdi', {}, caller.user_id),
    caller.operator && h('span', { class: 'chip tag' }, 'operator'), button('Sign out', () => session.signOut()))
    : button('Sign in', () => askToSignIn()));
  if (hadFocus) account.querySelector('button').focus();
  // Dialogs of the previous visitor are closed.
  if (!caller) closeDialogs();
  if (session.reason && !document.querySelector('#console')) askToSignIn();
}

/** Shows the page of the address in place of this one, because a key in memory does not survive a load. */
async function visit() {
  const { href } = location;
  // Without an answer, it is tried again when the server is back.
  const answer = await session.fetch(href).catch(() => null);
  if (!answer || href !== location.href) return;
  const next = new DOMParser().parseFromString(answer.text, 'text/html');
  const main = next.querySelector('main');
  if (!main) return location.reload();
  document.title = next.title;
  document.querySelector('main').replaceWith(document.adoptNode(main));
  start();
  scrollTo(0, 0);
  main.querySelector('h1').focus();
}

// A link to a part of this page leads to no other page.
const follow = () => location.pathname === shown || visit();

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href]');
  const isSpecial = event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (!session.caller || !link || isSpecial || link.origin !== location.origin || link.hash) return;
  event.preventDefault();
  history.pushState(null, '', link.href);
  visit();
});
addEventListener('popstate', follow);

const banner = document.getElementById('lost');
session.addEventListener('change', showAccount);
session.addEventListener('lost', () => { banner.textContent = 'The server does not answer. Trying again…'; });
session.addEventListener('found', () => { banner.textContent = ''; follow(); });

/** Takes the one-time code out of the address, and exchanges it for a key. */
async function exchange() {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code === null) return;
  history.replaceState(null, '', location.pathname);
  try {
    const { key } = await session.request('POST', '/console/sign-in', { body: { code } });
    await session.signIn(key);
  } catch (error) {
    session.signOut(error.message);
  }
}

start();
showAccount();
exchange();
