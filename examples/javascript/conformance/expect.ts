import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

export type Variables = Record<string, unknown>;

/**
 * Replaces `${name}` by values. A text that is exactly one name becomes the value itself. Names without a value
 * stay as they are.
 */
export function substitute(value: unknown, variables: Variables): unknown {
  if (typeof value === 'string') return substituteText(value, variables);
  if (Array.isArray(value)) return value.map((item) => substitute(item, variables));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, substitute(field, variables)]));
}

/** Replaces `{"$repeat": [text, count]}` by the repeated text. */
export function repeat(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(repeat);
  if (!isObject(value)) return value;
  if (Array.isArray(value.$repeat)) return String(value.$repeat[0]).repeat(Number(value.$repeat[1]));
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, repeat(field)]));
}

function substituteText(text: string, variables: Variables): unknown {
  const whole = /^\$\{([^}]*)\}$/.exec(text)?.[1];
  if (whole !== undefined && whole in variables) return variables[whole];
  return text.replace(/\$\{([^}]*)\}/g, (place, name: string) => {
    const value = variables[name];
    return typeof value === 'string' ? value : place;
  });
}

/** The first difference between the expected and the actual value, without the actual value. */
export function difference(path: string, expected: unknown, actual: unknown): string | undefined {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return `${path} is not an array`;
    if (actual.length !== expected.length) return `${path} has ${actual.length} items and not ${expected.length}`;
    return firstOf(expected, (item, index) => difference(`${path}[${index}]`, item, actual[index]));
  }
  if (!isObject(expected)) return expected === actual ? undefined : `${path} is not ${expected}`;
  const [first] = Object.entries(expected);
  if (first?.[0].startsWith('$')) return matches(first[0], first[1], actual) ? undefined : `${path} does not match`;
  return firstOf(Object.entries(expected), ([name, field]) => {
    if (!isObject(actual) || !(name in actual)) return `${path}.${name} is missing`;
    return difference(`${path}.${name}`, field, actual[name]);
  });
}

function matches(pattern: string, operand: unknown, actual: unknown): boolean {
  switch (pattern) {
    case '$matches':
      return typeof actual === 'string' && new RegExp(String(operand), 'u').test(actual);
    case '$not':
      return difference('', operand, actual) !== undefined;
    case '$sha256':
      return actual === bytesToHex(sha256(utf8ToBytes(String(operand))));
    default:
      throw new Error(`the case has an unknown pattern ${pattern}`);
  }
}

/** The part of a value that a JSON pointer names. No name in the cases has a `~`. */
export function pointer(value: unknown, path: string): unknown {
  return path.split('/').slice(1).reduce((part: unknown, name) => (isObject(part) ? part[name] : undefined), value);
}

function firstOf<T>(items: T[], find: (item: T, index: number) => string | undefined): string | undefined {
  for (const [index, item] of items.entries()) {
    const found = find(item, index);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
