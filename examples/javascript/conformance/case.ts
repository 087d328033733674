import { isSafeNumber, parse } from 'lossless-json';
import { substitute, type Variables } from './expect.js';

/** One case: a set-up, and steps that each must go as they say. */
export interface Case {
  /** The file, the case's name in it, and the row where it stands for several. */
  name: string;
  setUp: SetUp;
  steps: Step[];
}

/** The world in which a case begins. */
export interface SetUp {
  now: string;
  random_seed: number;
  policy: { prefix: string; default_scopes: string[]; longest_life_ms: number | bigint | null };
  projects: Project[];
  storage_fails?: StorageFailure[];
}

export interface Project {
  id: string;
  slug: string;
  members: string[];
}

/** The next `times` calls of a storage function fail without doing anything. */
export interface StorageFailure {
  call: string;
  with: 'conflict' | 'unavailable' | 'internal';
  times: number;
}

export type Step = ClockStep | CallStep;

export interface ClockStep {
  now: string;
}

export interface CallStep {
  call: string;
  as?: { user: string; project_id?: string; expires_at?: string; scopes?: string[] };
  arguments: Record<string, unknown>;
  returns?: unknown;
  fails?: unknown;
  storage_calls?: string[];
  save?: Record<string, string>;
  stored?: unknown;
}

interface CaseFile {
  set_up: object;
  cases: { name: string; set_up?: object; each?: Variables[]; steps: unknown[] }[];
}

/** The cases of a file, each row of an `each` being one. The form of the files is the Rust runner's to check. */
export function cases(file: string, text: string): Case[] {
  const { set_up: defaults, cases } = parseLosslessly(text) as CaseFile;
  return cases.flatMap(({ name, set_up, each = [], steps }) => {
    const expand = (row: Variables, number: string): Case => ({
      name: `${file}: ${name}${number}`,
      setUp: substitute({ ...defaults, ...set_up }, row) as SetUp,
      steps: substitute(steps, row) as Step[],
    });
    return each.length === 0 ? [expand({}, '')] : each.map((row, index) => expand(row, ` [${index + 1}]`));
  });
}

/** Numbers that JavaScript's do not hold become bigints. */
function parseLosslessly(text: string): unknown {
  return parse(text, undefined, (number) => (isSafeNumber(number) ? Number(number) : BigInt(number)));
}
