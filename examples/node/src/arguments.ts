import type { Fault } from '../generated/interfaces/keycell-api-keys-api-keys.js';
import type { Root } from '../generated/keycell.js';
import { KeycellError } from './failure.js';

export type ApiKeys = Root['apiKeys'];
export type Arguments<Name extends keyof ApiKeys> = Parameters<ApiKeys[Name]>;

type Names<Values extends unknown[]> = { [Index in keyof Values]: string };
/** What the tools' input schemas call the arguments. */
const FIELDS: { [Name in keyof ApiKeys]: Names<Arguments<Name>> } = {
  createApiKey: ['name', 'project_reference', 'expires_at'],
  getApiKey: ['api_key_id'],
  verifyApiKey: ['key', 'scopes'],
  listApiKeys: ['status', 'project_reference', 'limit', 'cursor'],
  revokeApiKey: ['api_key_id', 'reason'],
  rotateApiKey: ['api_key_id', 'grace_seconds'],
  updateApiKey: ['api_key_id', 'name', 'expires_at'],
};
const MESSAGES = {
  'out-of-range': 'is out of range',
  'forbidden-character': 'holds a character that people can not see',
  'too-long': 'is longer than allowed',
};
const LONGEST_ARGUMENT = 64 * 1024;
/** Each item takes its place in a list, too, so that many empty ones are too long. */
const PLACE = ' '.repeat(8);

/** The arguments, if all of them can be handed over. */
export function checked<Name extends keyof ApiKeys>(name: Name, args: Arguments<Name>): Arguments<Name> {
  const faults: Fault[] = [];
  const passed = args.map((argument, index) => {
    const [field, code] = [FIELDS[name][index]!, misfit(argument)];
    if (code === undefined) return argument;
    if (field === 'key') return ''; // What can't be handed over is no key.
    faults.push({ field, code, message: MESSAGES[code] });
    return argument;
  });
  if (faults.length > 0) throw new KeycellError({ tag: 'invalid-input', val: faults });
  return passed as Arguments<Name>;
}

/** What is wrong with an argument that jco would make another of: it takes the low bits of any number. */
function misfit(argument: string | string[] | number | undefined): keyof typeof MESSAGES | undefined {
  if (typeof argument === 'number') return argument >>> 0 === argument ? undefined : 'out-of-range';
  const text = [argument].flat().join(PLACE);
  if (/\p{Surrogate}/u.test(text)) return 'forbidden-character';
  return new TextEncoder().encode(text).length > LONGEST_ARGUMENT ? 'too-long' : undefined;
}
