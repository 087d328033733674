// The suite, run against a server.

import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface Check {
  id: string;
  status: "SUCCESS" | "INFO" | "SKIPPED" | "WARNING" | "FAILURE";
  errorMessage?: string;
}

const COMMAND = fileURLToPath(new URL("node_modules/.bin/conformance", import.meta.url));
const GLOB = new URL("glob-on-node-20.mjs", import.meta.url).href;

/** The names of all scenarios that the suite has for a server. */
export async function scenarios(): Promise<string[]> {
  const listed = await suite("list", "--server");
  return [...listed.matchAll(/^ +- (\S+)/gm)].map(([, name = ""]) => name);
}

/** The scenarios that it runs for a server of this revision, and what each checked. */
export async function run(revision: string, url: URL): Promise<Map<string, Check[]>> {
  const directory = await mkdtemp(join(tmpdir(), "mcp-conformance-"));
  try {
    await suite("server", "--url", url.href, "--requirements", revision, "--output-dir", directory).catch(
      (error: unknown) => {
        // A check failed. The test decides whether it had to pass.
        if (!(error instanceof Error && "code" in error && error.code === 1)) throw error;
      },
    );
    const results = new Map<string, Check[]>();
    for (const entry of await readdir(directory)) {
      // server-<scenario>-<time>
      const scenario = entry.replace(/^server-/, "").replace(/-\d{4}-\d\d-\d\dT.*$/, "");
      const checks = await readFile(join(directory, entry, "checks.json"), "utf8");
      results.set(scenario, JSON.parse(checks) as Check[]);
    }
    return results;
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function suite(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", GLOB, COMMAND, ...args]);
  return stdout;
}
