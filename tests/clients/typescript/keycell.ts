// The `keycell` command: on a database of its own, as a user, as a server.

import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

/** The command's output for a new key. */
export interface CreatedKey {
  id: string;
  key: string;
}

export class Keycell implements AsyncDisposable {
  private constructor(private readonly directory: string) {}

  static async fresh(): Promise<Keycell> {
    return new Keycell(await mkdtemp(join(tmpdir(), "keycell-")));
  }

  get database(): string {
    return join(this.directory, "keycell.db");
  }

  command(args: string[], user = "ann"): { command: string; args: string[] } {
    const command = process.env["KEYCELL"];
    if (!command) throw new Error("KEYCELL must be the path of the keycell executable");
    return { command, args: ["--database", this.database, "--user", user, ...args] };
  }

  async run<Output>(args: string[], user?: string): Promise<Output> {
    const { command, args: all } = this.command([...args, "--json"], user);
    const { stdout } = await promisify(execFile)(command, all);
    return JSON.parse(stdout) as Output;
  }

  create(name: string, options: string[] = [], user?: string): Promise<CreatedKey> {
    return this.run(["create", "--name", name, ...options], user);
  }

  async serve(options: string[] = []): Promise<Server> {
    const { command, args } = this.command(["serve", "--listen", "127.0.0.1:0", ...options]);
    const process = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
    try {
      return new Server(process, await listening(process.stderr));
    } catch (error) {
      process.kill("SIGKILL");
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true });
  }
}

/** A server until it is disposed of, when it must stop at SIGTERM. */
export class Server implements AsyncDisposable {
  constructor(
    private readonly process: ChildProcess,
    readonly address: string,
  ) {}

  get url(): URL {
    return new URL(`http://${this.address}/mcp`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.process, "exit");
    this.process.kill("SIGTERM");
    const [code] = (await exited) as [number | null];
    if (code !== 0) throw new Error(`the server stopped with ${code}`);
  }
}

/** The address in the log, which is read to its end to keep the pipe empty. */
function listening(log: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    createInterface(log)
      .on("line", (line) => {
        const { fields } = JSON.parse(line) as { fields: { message: string; address?: string } };
        if (fields.message === "listening" && fields.address) resolve(fields.address);
      })
      .on("close", () => reject(new Error("the server ended before it listened")));
  });
}
