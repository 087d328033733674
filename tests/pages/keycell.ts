// keycell's command and server, each with a database of its own.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';

export const KEYCELL = process.env.KEYCELL ?? new URL('../../target/debug/keycell', import.meta.url).pathname;

export type Json = Record<string, any>;

/** A database in a directory that is removed when the tests of the file are done. */
export class Authority {
  readonly dir = mkdtempSync(join(tmpdir(), 'keycell-pages-'));
  readonly env = { ...process.env, HOME: this.dir, XDG_CONFIG_HOME: this.dir, XDG_DATA_HOME: this.dir, KEYCELL_DATABASE: join(this.dir, 'keycell.db') };

  constructor(config = '') {
    if (config) {
      const file = join(this.dir, 'keycell.toml');
      writeFileSync(file, config);
      Object.assign(this.env, { KEYCELL_CONFIG: file });
    }
    this.run('init');
    after(() => rmSync(this.dir, { recursive: true, force: true }));
  }

  /** Runs a command and returns its JSON. */
  run(...args: string[]): Json {
    const output = execFileSync(KEYCELL, [...args, '--json'], { env: this.env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    return output ? JSON.parse(output) : {};
  }

  /** Creates a key of a user with these scopes. */
  create(user: string, scopes: string[], ...args: string[]): Json {
    const given = scopes.length ? scopes.flatMap((scope) => ['--scope', scope]) : ['--no-scopes'];
    return this.run('create', '--operator', '--user', 'root', '--owner', user, '--name', `${user}'s key`, ...given, ...args);
  }

  /** Starts a server, on the port of an earlier one if given. */
  async serve(args: string[] = [], port = 0): Promise<Server> {
    const process = spawn(KEYCELL, ['serve', '--listen', `127.0.0.1:${port}`, ...args], { env: this.env, stdio: ['ignore', 'ignore', 'pipe'] });
    const server = new Server(process);
    after(() => server.stop());
    for await (const line of createInterface({ input: process.stderr! })) {
      const { message, address } = JSON.parse(line).fields;
      if (message !== 'listening') continue;
      process.stderr!.resume();
      server.origin = `http://${address}`;
      return server;
    }
    throw new Error('the server ended');
  }
}

export class Server {
  origin = '';
  constructor(readonly process: ChildProcess) {}

  get port(): number {
    return Number(new URL(this.origin).port);
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
  }

  /** A request without a browser, as the holder of a key. */
  async request(key: string, method: string, path: string, body?: Json): Promise<{ status: number; body: Json }> {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const response = await fetch(this.origin + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : {} };
  }
}
