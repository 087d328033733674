import { isSafeNumber, parse } from 'lossless-json';
import type { Role } from '#generated/interfaces/keycell-api-keys-storage.js';
import { substitute, type Variables } from './expect.js';

/** A case: a set-up, and steps with their expected results. */
export interface Case {
  /** The file, the name of the case in it, and the number of the row. */
  name: string;
  setUp: SetUp;
  steps: Step[];
}

/** The world in which a case begins. */
export interface SetUp {
  now: string;
  random_seed: number;
  policy: PolicySetUp;
  projects?: ProjectSetUp[];
  storage_fails?: StorageFailure[];
}

export interface PolicySetUp {
  prefix: string;
  default_scopes: string[];
  grantable_scopes?: string[] | null;
  longest_life_ms?: number | bigint | null;
  default_life_ms?: number | bigint | null;
}

export interface ProjectSetUp {
  id: string;
  slug: string;
  members: (string | { user: string; role: Role })[];
}

/** The next `times` calls of a storage function fail and do nothing else. */
export interface StorageFailure {
  call: string;
  with: 'conflict' | 'unavailable' | 'internal';
  times: number;
}

export type Step = { now: string } | { policy: PolicySetUp } | RoleStep | CallStep;

export interface RoleStep {
  project: string;
  user: string;
  role: Role | null;
}

export interface CallStep {
  call: string;
  as?: { user: string; scopes?: string[]; operator?: boolean } | { bearer: string } | { host: true };
  arguments?: Variables;
  returns?: unknown;
  fails?: unknown;
  storage_calls?: string[];
  save?: Record<string, string>;
  stored?: unknown;
  stored_events?: unknown;
  stored_request?: unknown;
}

interface CaseFile {
  set_up: object;
  cases: { name: string; set_up?: object; each?: Variables[]; steps: unknown[] }[];
}

/** The cases of a file, one for each row of an `each`. The Rust runner checks the form of the files. */
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

/** Parses JSON. An integer that a number cannot hold becomes a bigint. */
function parseLosslessly(text: string): unknown {
  return parse(text, undefined, (number) =>
    (isSafeNumber(number) || !/^-?\d+$/.test(number) ? Number(number) : BigInt(number)));
}
