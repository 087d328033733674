// Calls of tools, with checks that hold for every result.

import assert from "node:assert/strict";

import { Ajv } from "ajv";

import type { Connected } from "./connection.ts";
import { schema } from "./contract.ts";

export type Output = Record<string, unknown>;

/** The part of a result that both generations of the SDK have. */
interface Result {
  isError?: boolean;
  structuredContent?: Output;
  content: { type: string; text?: string }[];
}

const ajv = new Ajv();

export async function call({ client }: Connected, tool: string, args: Output): Promise<Result> {
  return (await client.callTool({ name: tool, arguments: args })) as Result;
}

export function text(result: Result): string {
  const [content, ...others] = result.content;
  assert.deepEqual(others, []);
  assert.equal(content?.type, "text");
  return content.text ?? "";
}

export function assertOutput(tool: string, output: unknown): asserts output is Output {
  assert.ok(ajv.validate(schema(tool, "output"), output), ajv.errorsText());
}

/** Returns the output of a call, and checks that the text has it too, for older clients. */
export async function succeed(connected: Connected, tool: string, args: Output): Promise<Output> {
  const result = await call(connected, tool, args);
  assert.ok(!result.isError, text(result));
  const output: unknown = result.structuredContent;
  assertOutput(tool, output);
  assert.deepEqual(JSON.parse(text(result)), output);
  return output;
}

/** Returns the error of a call, which is in the text only, because it is not an output. */
export async function fail(connected: Connected, tool: string, args: Output): Promise<Output> {
  const result = await call(connected, tool, args);
  assert.equal(result.isError, true);
  assert.equal(result.structuredContent, undefined);
  return JSON.parse(text(result)) as Output;
}

/** The faults of the arguments: a code for each field. */
export async function faults(connected: Connected, tool: string, args: Output): Promise<Record<string, string>> {
  const error = await fail(connected, tool, args);
  assert.equal(error["kind"], "invalid-input");
  const all = error["faults"] as { field: string; code: string; message: string }[];
  assert.ok(all.every(({ message }) => message));
  return Object.fromEntries(all.map(({ field, code }) => [field, code]));
}
