// The parts of every page: the visitor's account, a banner, and links that keep the key.
import { startConsole } from './console.js';
import { button, h } from './dom.js';
import { session } from './session.js';
import { askToSignIn } from './sign-in.js';
import { startTool } from './tool.js';

let page = new AbortController();

function start() {
  page.abort();
  page = new AbortController();
  const main = document.querySelector('main');
  if (main.querySelector('#console')) startConsole(main, page.signal);
  if (main.querySelector('#playground')) startTool(main);
  for (const link of document.querySelectorAll('nav a')) {
    const { pathname } = link;
    const isHere = pathname === location.pathname || (link.closest('header') && location.pathname.startsWith(`${pathname}/`));
    isHere ? link.setAttribute('aria-current', 'page') : link.removeAttribute('aria-current');
  }
}

function showAccount() {
  const { caller } = session;
  const account = document.getElementById('account');
  account.replaceChildren(caller ? h('div', { class: 'row' }, h('bdi', {}, caller.user_id),
    caller.operator && h('span', { class: 'chip tag' }, 'operator'), button('Sign out', () => session.signOut()))
    : button('Sign in', () => askToSignIn()));
  // Dialogs of the previous visitor are closed. A new key stays until it is saved.
  if (!caller) for (const dialog of document.querySelectorAll('dialog')) dialog.querySelector('.key-once') || dialog.close();
  if (session.reason && !document.querySelector('#console')) askToSignIn();
}

/** Shows another page in this one, because a key in memory does not survive a load. */
async function visit(url) {
  const text = await fetch(url, { cache: 'no-store' }).then((answer) => answer.ok ? answer.text() : '', () => '');
  const next = new DOMParser().parseFromString(text, 'text/html');
  const main = next.querySelector('main');
  if (!main) return location.assign(url);
  shown = location.pathname;
  document.title = next.title;
  document.querySelector('main').replaceWith(document.adoptNode(main));
  start();
  scrollTo(0, 0);
  main.querySelector('h1').focus();
}

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href]');
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!session.caller || !link || !isPlain || link.origin !== location.origin || link.hash) return;
  event.preventDefault();
  history.pushState(null, '', link.href);
  visit(link.href);
});
// A link to a part of this page leads to no other page.
let shown = location.pathname;
addEventListener('popstate', () => location.pathname !== shown && visit(location.href));

const banner = document.getElementById('lost');
session.addEventListener('change', showAccount);
session.addEventListener('lost', () => { banner.textContent = 'The server does not answer. Trying again…'; });
session.addEventListener('found', () => { banner.textContent = ''; });

/** Takes the one-time code out of the address, and exchanges it for a key. */
async function exchange() {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code === null) return;
  history.replaceState(null, '', location.pathname);
  try {
    const { value } = await session.request('POST', '/console/sign-in', { body: { code } });
    await session.signIn(value.key);
  } catch (error) {
    session.signOut(error.message);
  }
}

start();
showAccount();
exchange();
