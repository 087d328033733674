import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, test } from "node:test";

import { Keycell } from "../typescript/keycell.ts";
import { BearerProxy } from "./bearer-proxy.ts";
import { APPLICABLE, INAPPLICABLE, REVISIONS } from "./scenarios.ts";
import { run, scenarios, type Check } from "./suite.ts";

const inapplicable = INAPPLICABLE.flatMap(([, names]) => names);
const known = new Set([...Object.values(APPLICABLE).flatMap(Object.keys), ...inapplicable]);

for (const revision of REVISIONS) {
  const applicable = APPLICABLE[revision];

  describe(revision, () => {
    let results: Map<string, Check[]>;

    before(async () => {
      await using keycell = await Keycell.fresh();
      const { key } = await keycell.create("conformance");
      await using server = await keycell.serve();
      await using proxy = await BearerProxy.listen(server.url, key);
      results = await run(revision, proxy.url);
    });

    test("each scenario that is run applies, or it is said why not", () => {
      const unknown = [...results.keys()].filter((name) => !(name in applicable) && !inapplicable.includes(name));
      assert.deepEqual(unknown, []);
    });

    for (const [scenario, exceptions] of Object.entries(applicable)) {
      test(scenario, () => {
        const checks = results.get(scenario) ?? [];
        assert.ok(checks.some(({ status }) => status === "SUCCESS"));
        const failed = checks.filter(({ status }) => status === "FAILURE" || status === "WARNING");
        const unexpected = failed.filter(({ id }) => !(id in exceptions));
        assert.deepEqual(unexpected, []);
        // An exception that no longer applies must be removed.
        const stale = Object.keys(exceptions).filter((id) => !failed.some((check) => check.id === id));
        assert.deepEqual(stale, []);
      });
    }
  });
}

test("the lists name every scenario of the suite, and no other", async () => {
  assert.deepEqual([...known].sort(), (await scenarios()).sort());
});

test("the docs name every scenario", async () => {
  const page = await readFile(new URL("../../../docs/mcp-conformance.md", import.meta.url), "utf8");
  assert.deepEqual([...known].filter((name) => !page.includes(`\`${name}\``)), []);
});
