// Descriptions, results and errors of the tools, over both transports and in both revisions.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connect, REVISIONS, TRANSPORTS, type Connected } from "./connection.ts";
import { ALL, GROUP, OFFERED, page, schema } from "./contract.ts";
import { locked, storeScopes } from "./database.ts";
import { Keycell, type CreatedKey } from "./keycell.ts";
import { assertOutput, call, fail, faults, succeed, text } from "./results.ts";

const KEY = /^keycell_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/;
const NOT_FOUND = { kind: "not-found", subject: "api-key" };
const UNKNOWN_ID = "019cebab-8995-7101-854f-d1d01ab22574";
const INVALID_PARAMS = -32602;

// Read-only, destructive, idempotent.
const HINTS: Record<string, (boolean | undefined)[]> = {
  create_api_key: [false, false, false],
  get_api_key: [true, false, true],
  issue_api_key: [false, false, false],
  describe_api_key: [true, false, true],
  verify_api_key: [false, false, false],
  list_api_keys: [true, false, true],
  revoke_api_key: [false, true, true],
  rotate_api_key: [false, true, false],
  update_api_key: [false, true, false],
  list_api_key_events: [true, false, true],
};

for (const transport of TRANSPORTS) {
  for (const revision of REVISIONS) {
    describe(`${transport}, ${revision}`, () => {
      function scenario(
        name: string,
        options: string[],
        work: (connected: Connected, keycell: Keycell) => Promise<void>,
      ): void {
        test(name, async () => {
          await using keycell = await Keycell.fresh();
          await using connected = await connect(keycell, transport, revision, options);
          await work(connected, keycell);
        });
      }

      scenario("client and server agree on the newest revision that both know", [], async (connected) => {
        assert.equal(connected.revision, revision);
        assert.equal(connected.client.getServerVersion()?.name, "keycell");
        assert.deepEqual(connected.client.getServerCapabilities(), { tools: {} });
        assert.ok(connected.client.getInstructions());
      });

      scenario("the two tools are those of their pages", [], async ({ client }) => {
        const { tools } = await client.listTools();
        const offered = tools.map(({ name, description, inputSchema, outputSchema, _meta }) => {
          return { name, group: _meta?.["group"], description, inputSchema, outputSchema };
        });
        assert.deepEqual(offered, OFFERED.map(page));
      });

      scenario("all tools have their schemas and hints", ["--all-tools"], async ({ client }) => {
        const { tools } = await client.listTools();
        assert.deepEqual(tools.map(({ name }) => name), ALL);
        for (const { name, title, inputSchema, outputSchema, annotations, _meta } of tools) {
          assert.deepEqual(inputSchema, schema(name, "input"));
          assert.deepEqual(outputSchema, schema(name, "output"));
          assert.ok(title && title !== name);
          assert.deepEqual(_meta, { group: GROUP });
          const { readOnlyHint, destructiveHint, idempotentHint } = annotations ?? {};
          assert.deepEqual([readOnlyHint, destructiveHint, idempotentHint], HINTS[name]);
        }
      });

      scenario("a key is created and read", [], async (connected) => {
        const created = await succeed(connected, "create_api_key", { name: " laptop ", expires_at: "2999-12-31" });
        const { key, ...record } = created;
        assert.match(String(key), KEY);
        assert.ok(String(key).startsWith(`${record["key_prefix"]}_`));
        assert.equal(record["name"], "laptop");
        assert.equal(record["user_id"], "ann");
        assert.equal(record["expires_at"], "2999-12-31T00:00:00.000Z");
        assert.deepEqual(record["scopes"], ["api-keys:read", "api-keys:write"]);

        const read = await succeed(connected, "get_api_key", { api_key_id: record["id"] });
        assert.deepEqual(read, { ...record, updated_at: record["created_at"], last_used_at: null });
      });

      scenario("a key is created for a project", [], async (connected, keycell) => {
        const project = await keycell.run<{ id: string }>(["project", "create", "web"]);
        const args = { name: "deploy", project_reference: "web" };
        assert.equal((await succeed(connected, "create_api_key", args))["project_id"], project.id);
      });

      scenario("the text can leave the key out", ["--redact-text"], async (connected) => {
        const result = await call(connected, "create_api_key", { name: "laptop" });
        assertOutput("create_api_key", result.structuredContent);
        const { key, ...record } = result.structuredContent;
        assert.match(String(key), KEY);
        assert.deepEqual(JSON.parse(text(result)), record);
      });

      scenario("a key lives through all tools", ["--all-tools"], async (connected) => {
        const first = await succeed(connected, "create_api_key", { name: "laptop" });
        const verified = await succeed(connected, "verify_api_key", { key: first["key"], scopes: ["api-keys:read"] });
        assert.deepEqual([verified["valid"], verified["id"]], [true, first["id"]]);

        const renamed = await succeed(connected, "update_api_key", { api_key_id: first["id"], name: "desktop" });
        assert.equal(renamed["name"], "desktop");

        const second = await succeed(connected, "rotate_api_key", { api_key_id: first["id"], grace_seconds: 0 });
        const refused = await succeed(connected, "verify_api_key", { key: first["key"] });
        assert.deepEqual([refused["valid"], refused["reason"]], [false, "expired"]);

        const revoked = await succeed(connected, "revoke_api_key", { api_key_id: second["id"], reason: "lost" });
        assert.deepEqual([revoked["status"], revoked["revocation_reason"]], ["revoked", "lost"]);

        const listed = await succeed(connected, "list_api_keys", { status: "all", limit: 2 });
        const ids = (listed["api_keys"] as CreatedKey[]).map(({ id }) => id);
        assert.deepEqual(ids, [second["id"], first["id"]]);
      });

      scenario("every fault is returned at once", [], async (connected) => {
        const args = { name: "", project_reference: "No!", expires_at: "yesterday" };
        assert.deepEqual(await faults(connected, "create_api_key", args), {
          name: "empty",
          project_reference: "not-a-reference",
          expires_at: "not-a-time",
        });
      });

      scenario("every fault of the schema is returned at once", [], async (connected) => {
        assert.deepEqual(await faults(connected, "create_api_key", { owner: "bob", expires_at: 7 }), {
          name: "missing",
          owner: "unknown-argument",
          expires_at: "wrong-type",
        });
      });

      scenario("a key in the place of an id is not repeated", [], async (connected) => {
        const { key } = await succeed(connected, "create_api_key", { name: "laptop" });
        const result = await call(connected, "get_api_key", { api_key_id: key });
        assert.ok(!JSON.stringify(result).includes(String(key)));
        const found = await faults(connected, "get_api_key", { api_key_id: key });
        assert.deepEqual(found, { api_key_id: "secret-passed-as-id" });
      });

      scenario("a missing key and another user's are the same error", [], async (connected, keycell) => {
        const other = await keycell.create("laptop", [], "bob");
        for (const id of [other.id, UNKNOWN_ID]) {
          assert.deepEqual(await fail(connected, "get_api_key", { api_key_id: id }), NOT_FOUND);
        }
      });

      scenario("a project that the caller is no member of is not found", [], async (connected, keycell) => {
        await keycell.run(["project", "create", "web"], "bob");
        const error = await fail(connected, "create_api_key", { name: "deploy", project_reference: "web" });
        assert.deepEqual(error, { kind: "not-found", subject: "project" });
      });

      scenario("a revoked key is not rotated", ["--all-tools"], async (connected, keycell) => {
        const { id } = await keycell.create("laptop");
        await keycell.run(["revoke", id]);
        assert.deepEqual(await fail(connected, "rotate_api_key", { api_key_id: id }), { kind: "not-active" });
      });

      // The server waits for a busy database, so one revision is enough.
      if (revision === "2026-07-28") {
        scenario("a busy database is unavailable, and then available", [], async (connected, keycell) => {
          await locked(keycell, async () => {
            assert.deepEqual(await fail(connected, "create_api_key", { name: "laptop" }), { kind: "unavailable" });
          });
          await succeed(connected, "create_api_key", { name: "laptop" });
        });
      }

      scenario("the cause of an internal error stays in the log", [], async (connected, keycell) => {
        const { id } = await succeed(connected, "create_api_key", { name: "laptop" });
        storeScopes(keycell, String(id), [7]);
        const error = await fail(connected, "get_api_key", { api_key_id: id });
        assert.deepEqual(Object.keys(error).sort(), ["correlation_id", "kind"]);
        assert.equal(error["kind"], "internal");
        assert.match(String(error["correlation_id"]), /^[0-9a-f-]{36}$/);
      });

      scenario("a tool that is not served is an error of the protocol", [], async (connected) => {
        for (const tool of [...ALL.slice(2), "drop_api_keys"]) {
          await assert.rejects(call(connected, tool, {}), { code: INVALID_PARAMS });
        }
      });
    });
  }
}
