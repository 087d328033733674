import { parse } from './json.js';

export class Problem extends Error {
  constructor(status, problem) {
    super(sentence(problem?.detail ?? problem?.title ?? `the server answered ${status}`));
    this.status = status;
    this.kind = problem?.type?.split(':').at(-1);
    this.faults = problem?.faults ?? [];
  }
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

/**
 * The visitor's key, which is stored nowhere else, and its rights. Events: `change` at signing in and out, `lost` and
 * `found` when the server stops and starts to answer.
 */
class Session extends EventTarget {
  #key;
  #isLost = false;
  caller = null;
  /** The slugs of the projects that the caller may see, by their ids. */
  projects = new Map();
  /** Why the visitor was signed out, if they did not ask for it. */
  reason = '';

  async signIn(key) {
    // A text that is not a token cannot be sent in a header.
    if (!/^[\x21-\x7e]+$/.test(key)) throw new Problem(401, { detail: 'this is not an API key' });
    const caller = await this.request('GET', '/v1/caller', { key });
    this.#key = key;
    this.#set(caller, '');
  }

  async loadProjects() {
    // Without the scope for it, projects are shown by their ids.
    const { projects } = await this.request('GET', '/v1/projects').catch(() => ({ projects: [] }));
    this.projects = new Map(projects.map(({ id, slug }) => [id, slug]));
  }

  signOut(reason = '') {
    this.#key = undefined;
    this.#set(null, reason);
  }

  #set(caller, reason) {
    this.caller = caller;
    this.reason = reason;
    this.dispatchEvent(new Event('change'));
  }

  /** Fetches a text from the server, and reports when it does not answer. */
  async fetch(url, options) {
    try {
      const response = await fetch(url, { cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(30_000), ...options });
      return { response, text: await response.text() };
    } catch {
      this.#lose();
      throw new Error('The server does not answer. Try again when it is back.');
    }
  }

  async request(method, path, { body, headers = {}, key = this.#key } = {}) {
    if (key) headers = { ...headers, authorization: `Bearer ${key}` };
    if (body !== undefined) headers = { ...headers, 'content-type': 'application/json' };
    const { response, text } = await this.fetch(path, { method, headers, body: body && JSON.stringify(body) });
    let value = null;
    try {
      value = parse(text);
    } catch {
      // Not from the server, but from a proxy before it.
    }
    if (response.ok) return value;
    if (response.status === 401 && this.#key && key === this.#key) {
      this.signOut('Your key is not valid any more: it was revoked, rotated or has expired.');
    }
    throw new Problem(response.status, value);
  }

  /** Asks until the server answers again. */
  async #lose() {
    if (this.#isLost) return;
    this.#isLost = true;
    this.dispatchEvent(new Event('lost'));
    for (let pause = 500; ; pause = Math.min(pause * 1.5, 5000)) {
      await new Promise((resume) => setTimeout(resume, pause));
      if (await fetch('/healthz', { cache: 'no-store' }).then(({ ok }) => ok, () => false)) break;
    }
    this.#isLost = false;
    this.dispatchEvent(new Event('found'));
  }
}

export const session = new Session();
