import { readdirSync, readFileSync } from 'node:fs';
import type { Schemas } from './tools.js';

const TESTS = new URL('../../../tests/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, TESTS), 'utf8');

/** The minimum number of cases, so that none is skipped. */
export const MIN_CASES = 4960;

/** The text of each file of cases by the file's name. */
export const files = new Map(
  readdirSync(new URL('cases/', TESTS)).map((file) => [file.replace('.json', ''), read(`cases/${file}`)]));

/** The schemas of each tool. */
export const schemas = [...new Set(readdirSync(new URL('schemas/', TESTS)).map((file) => file.split('.')[0]!))]
  .map((name): Schemas => [name, read(`schemas/${name}.input.json`), read(`schemas/${name}.output.json`)]);

/** The number of cases in a file. Counted independently of `case.ts`, so that it cannot leave one out unnoticed. */
export function count(text: string): number {
  const { cases }: { cases: { each?: unknown[] }[] } = JSON.parse(text);
  return cases.reduce((sum, { each }) => sum + (each?.length || 1), 0);
}
