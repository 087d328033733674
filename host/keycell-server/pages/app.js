// The parts of every page: the visitor's account, a banner, and links that keep the key.
import { button, h } from './dom.js';
import { session } from './session.js';
import { askToSignIn } from './sign-in.js';

const kinds = [];
let page = new AbortController();
/** The path of the page that is shown, while the next one loads. */
let shown;

/** Adds a kind of page: the element that it has, and what runs there. */
export function addPage(selector, run) {
  kinds.push([selector, run]);
  if (document.querySelector(selector)) start();
}

function start() {
  page.abort();
  page = new AbortController();
  shown = location.pathname;
  closeDialogs();
  for (const link of document.querySelectorAll('nav a')) {
    link.ariaCurrent = `${shown}/`.startsWith(`${link.pathname}/`) ? 'page' : null;
  }
  const main = document.querySelector('main');
  for (const [selector, run] of kinds) if (main.querySelector(selector)) run(main, page.signal);
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
  await import(next.querySelector('script').src);
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

/** Exchanges the one-time code of the address for a key. */
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
