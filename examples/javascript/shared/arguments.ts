import type { Fault } from '#generated/interfaces/keycell-api-keys-api-keys.js';
import type { Root } from '#generated/keycell.js';
import { snakeCase } from './json.js';

export type ApiKeys = Root['apiKeys'];
export type Arguments<Name extends keyof ApiKeys> = Parameters<ApiKeys[Name]>;

/** The names of the arguments that are not records. The fields of a record have names of their own. */
const FIELDS: Partial<Record<keyof ApiKeys, string[]>> = {
  createApiKey: ['name', 'project_reference', 'expires_at'],
  verifyApiKey: ['key', 'scopes'],
  revokeApiKey: ['api_key_id', 'reason', 'if_revision'],
  rotateApiKey: ['api_key_id', 'grace_seconds', 'if_revision'],
  authorizeProject: ['action', 'project_reference'],
};
const MESSAGES = {
  'out-of-range': 'must be a whole number from 0 to 4294967295',
  'forbidden-character': 'must not hold control or invisible characters',
  'too-long': 'must be at most 65536 bytes',
};
const MAX_BYTES = 65_536;

/** Returns the arguments for the component, and the faults of those that cannot be passed on. */
export function checked<Name extends keyof ApiKeys>(name: Name, args: Arguments<Name>) {
  const names = FIELDS[name] ?? ['api_key_id'];
  const named = args.flatMap((argument: unknown, index): [string, unknown][] =>
    isRecord(argument) ? Object.entries(argument) : [[names[index]!, argument]]);
  const faults = named.flatMap(([name, value]): Fault[] => {
    const [field, code] = [snakeCase(name), faultOf(value)];
    return code === undefined || field === 'key' ? [] : [{ field, code, message: MESSAGES[code] }];
  });
  // A presented key that cannot be passed on is malformed, as the component then reports.
  const passed = args.map((argument, index) => names[index] === 'key' && faultOf(argument) ? '' : argument);
  return { passed: passed as Arguments<Name>, faults };
}

/** The reason why jco would cut or change a value: it takes the low bits of a number and replaces lone surrogates. */
export function faultOf(value: unknown): keyof typeof MESSAGES | undefined {
  if (typeof value === 'number') return value >>> 0 === value ? undefined : 'out-of-range';
  if (isRecord(value)) return Object.values(value).map(faultOf).find((code) => code !== undefined);
  const texts = [value ?? ''].flat().map(String);
  if (texts.some((text) => /\p{Surrogate}/u.test(text))) return 'forbidden-character';
  // An item of a list takes 8 bytes besides its text.
  const place = Array.isArray(value) ? 8 : 0;
  const bytes = texts.reduce((sum, text) => sum + place + new TextEncoder().encode(text).length, 0);
  return bytes > MAX_BYTES ? 'too-long' : undefined;
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
