// Authentication over HTTP: the statuses that the SDK's client receives.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { overHttp, REVISIONS, type Answer } from "./connection.ts";
import { Keycell } from "./keycell.ts";
import { call, fail, succeed } from "./results.ts";

// The checksum is right, and the key does not exist.
const UNKNOWN = "keycell_HtEoxr88LPpz_nHuffgX0PK1ecwe27tQ5dxl7Mn9xtIRuQQMPHlc0DYq1wQvRx";
const LACKING = [
  { held: "api-keys:read", lacking: "api-keys:write", tool: "create_api_key", args: { name: "laptop" } },
  {
    held: "api-keys:write",
    lacking: "api-keys:read",
    tool: "get_api_key",
    args: { api_key_id: "019cebab-8995-7101-854f-d1d01ab22574" },
  },
];

for (const revision of REVISIONS) {
  describe(`http, ${revision}`, () => {
    async function refusal(url: URL, key?: string): Promise<Answer | undefined> {
      const answers: Answer[] = [];
      await assert.rejects(overHttp(revision, url, key, answers));
      return answers.at(-1);
    }

    test("without a key nothing is served", async () => {
      await using keycell = await Keycell.fresh();
      await using server = await keycell.serve();
      assert.deepEqual(await refusal(server.url), { status: 401, challenge: 'Bearer realm="keycell"' });
    });

    test("every invalid key gets the same challenge", async () => {
      await using keycell = await Keycell.fresh();
      const revoked = await keycell.create("laptop");
      await keycell.run(["revoke", revoked.id]);
      await using server = await keycell.serve();
      for (const key of [UNKNOWN, revoked.key, "laptop"]) {
        const challenge = 'Bearer realm="keycell", error="invalid_token"';
        assert.deepEqual(await refusal(server.url, key), { status: 401, challenge });
      }
    });

    for (const { held, lacking, tool, args } of LACKING) {
      test(`a key with ${held} alone lacks ${lacking}`, async () => {
        await using keycell = await Keycell.fresh();
        const { key } = await keycell.create("narrow", ["--scope", held]);
        await using server = await keycell.serve();
        const answers: Answer[] = [];
        await using connected = await overHttp(revision, server.url, key, answers);
        await assert.rejects(call(connected, tool, args));
        const challenge = `Bearer realm="keycell", error="insufficient_scope", scope="${lacking}"`;
        assert.deepEqual(answers.at(-1), { status: 403, challenge });
      });
    }

    test("a caller is the key's user", async () => {
      await using keycell = await Keycell.fresh();
      const anns = await keycell.create("laptop");
      const bobs = await keycell.create("laptop", [], "bob");
      await using server = await keycell.serve();
      await using connected = await overHttp(revision, server.url, bobs.key);
      assert.equal((await succeed(connected, "get_api_key", { api_key_id: bobs.id }))["user_id"], "bob");
      assert.equal((await fail(connected, "get_api_key", { api_key_id: anns.id }))["kind"], "not-found");
      assert.equal((await succeed(connected, "create_api_key", { name: "next" }))["user_id"], "bob");
    });

    test("a project's key creates no key outside of it", async () => {
      await using keycell = await Keycell.fresh();
      await keycell.run(["project", "create", "web"]);
      const { key } = await keycell.create("deploy", ["--project", "web"]);
      await using server = await keycell.serve();
      await using connected = await overHttp(revision, server.url, key);
      assert.deepEqual(await fail(connected, "create_api_key", { name: "laptop" }), { kind: "forbidden" });
    });
  });
}
