// The end of a stdio server after its client has disconnected.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { overStdio, REVISIONS } from "./connection.ts";
import { Keycell } from "./keycell.ts";
import { succeed } from "./results.ts";

for (const revision of REVISIONS) {
  test(`stdio, ${revision}: the server ends with its client`, async () => {
    await using keycell = await Keycell.fresh();
    // The SDK does not report the exit code, so a shell in between writes it to a file.
    const written = `${keycell.database}.exit-code`;
    const { command, args } = keycell.command(["mcp"]);
    const shell = { command: "sh", args: ["-c", `"$@"; echo $? > '${written}'`, "sh", command, ...args] };
    {
      await using connected = await overStdio(revision, shell);
      await succeed(connected, "create_api_key", { name: "laptop" });
    }
    assert.equal(await readFile(written, "utf8"), "0\n");
  });
}
