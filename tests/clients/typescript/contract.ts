// The contract of the tools: their pages and their schemas.

import { readFileSync } from "node:fs";

const TESTS = new URL("../../", import.meta.url);

export const GROUP = "API Keys";
export const OFFERED = ["create_api_key", "get_api_key"];
export const ALL = [
  ...OFFERED,
  "issue_api_key",
  "describe_api_key",
  "verify_api_key",
  "list_api_keys",
  "revoke_api_key",
  "rotate_api_key",
  "update_api_key",
  "list_api_key_events",
];

export type Schema = Record<string, unknown>;

/** A tool's page, `tests/seeds/<name>.txt`. */
export interface Page {
  name: string;
  group: string;
  description: string;
  inputSchema: Schema;
  outputSchema: Schema;
}

export function page(tool: string): Page {
  const text = readFileSync(new URL(`seeds/${tool}.txt`, TESTS), "utf8");
  const between = (start: string, end: string): string => text.split(start)[1]?.split(end)[0] ?? "";
  const field = (name: string): string => between(`\n${name}`, "\n");
  const schemaUnder = (heading: string): Schema => JSON.parse(`{${between(`\n${heading}\n{`, "\n}")}}`) as Schema;
  return {
    name: field("Name"),
    group: field("Group"),
    description: between("\n", "\n"),
    inputSchema: schemaUnder("Input schema"),
    outputSchema: schemaUnder("Output schema"),
  };
}

export function schema(tool: string, side: "input" | "output"): Schema {
  return JSON.parse(readFileSync(new URL(`schemas/${tool}.${side}.json`, TESTS), "utf8")) as Schema;
}
