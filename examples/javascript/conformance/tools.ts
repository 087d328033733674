import { Ajv, type ValidateFunction } from 'ajv';
import { stringify } from 'lossless-json';
import { camelCase } from '../node/names.js';
import type { Variables } from './expect.js';

/** The schemas of a tool. */
export interface Tool {
  isInput: ValidateFunction;
  isOutput: ValidateFunction;
}

/** The two schemas of a tool, as text. */
export type Schemas = [name: string, input: string, output: string];

/** Compiles the schemas of all tools. */
export function compile(schemas: Schemas[]): Map<string, Tool> {
  const validator = (schema: string) => new Ajv({ strict: true, allowUnionTypes: true }).compile(JSON.parse(schema));
  return new Map(schemas.map(([name, input, output]) =>
    [name, { isInput: validator(input), isOutput: validator(output) }]));
}

/** The component's function for a tool, as jco names it, and its parameters. */
export function functionCall(tool: string, args: Variables): [name: string, parameters: unknown[]] {
  const name = tool === 'list_api_key_events' ? 'listEvents' : camelCase(tool);
  return [name, parameters(name, record({ ...args, ...metadata(args) }))];
}

function parameters(name: string, { apiKeyId: id, ...rest }: Variables): unknown[] {
  switch (name) {
    case 'describeCaller': return [];
    case 'createApiKey': return [rest.name, rest.projectReference, rest.expiresAt];
    case 'getApiKey': case 'describeApiKey': return [id];
    case 'verifyApiKey': return [rest.key, rest.scopes ?? []];
    case 'revokeApiKey': return [id, rest.reason, rest.ifRevision];
    case 'rotateApiKey': return [id, rest.graceSeconds, rest.ifRevision];
    case 'authorizeProject': return [rest.action, rest.projectReference];
    case 'updateApiKey': return [id, { ...rest, rateLimit: change(rest.rateLimit) }];
    default: return [{ apiKeyId: id, ...rest }];
  }
}

function change(limit: unknown): object {
  if (limit === undefined) return { tag: 'keep' };
  return limit === null ? { tag: 'remove' } : { tag: 'set', val: limit };
}

/** Metadata as text. `$text` stands for a text that need not be JSON. */
function metadata({ metadata }: Variables): Variables {
  if (metadata === undefined) return {};
  return { metadata: hasText(metadata) ? metadata.$text : stringify(metadata) };
}

export function hasText(metadata: unknown): metadata is { $text: string } {
  return typeof metadata === 'object' && metadata !== null && '$text' in metadata;
}

function record(value: Variables): Variables {
  const isObject = (field: unknown) => typeof field === 'object' && field !== null && !Array.isArray(field);
  return Object.fromEntries(Object.entries(value).map(([name, field]) =>
    [camelCase(name), isObject(field) ? record(field as Variables) : field]));
}
