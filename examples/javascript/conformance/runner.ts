import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Error as Failure, Verification } from '../../generated/interfaces/keycell-api-keys-api-keys.js';
import type { Caller, Policy } from '../../generated/interfaces/keycell-api-keys-context.js';
import type * as WallClock from '../../generated/interfaces/wasi-clocks-wall-clock.js';
import type * as Random from '../../generated/interfaces/wasi-random-random.js';
import { json, verificationJson } from '../../src/json.js';
import type { CallStep, Case, Project, SetUp } from './case.js';
import { difference, pointer, substitute, type Variables } from './expect.js';
import { xorshift32 } from './random.js';
import { Recorder } from './recorder.js';
import type { Tool } from './tools.js';

/** A host whose answers are compared with the cases. */
export interface Host {
  /** Its authority, on storage that is empty but for the projects, with the recorder before it. */
  authority(
    projects: Project[], recorder: Recorder, policy: Policy, clock: typeof WallClock, random: typeof Random,
  ): Call | Promise<Call>;
  /** Why a call failed that threw this. */
  failure(thrown: unknown): Failure;
}

export type Call = (caller: Caller | undefined, name: string, args: unknown[]) => unknown;

type Answer = { isSuccess: boolean; answer: Variables };

/** How many cases passed, and what went otherwise than it must in the others. */
export interface Report {
  passed: number;
  failures: string[];
}

/** Runs cases, one after another. */
export async function runAll(cases: Case[], tools: Map<string, Tool>, host: Host): Promise<Report> {
  const report: Report = { passed: 0, failures: [] };
  for (const one of cases) {
    try {
      await run(one, tools, host);
      report.passed += 1;
    } catch (fault) {
      report.failures.push(`${one.name}: ${fault}`);
    }
  }
  return report;
}

/** Runs a case. What goes otherwise than it must is thrown, without the value that came: it may be a secret. */
async function run({ setUp, steps }: Case, tools: Map<string, Tool>, host: Host): Promise<void> {
  const world = new World(setUp, tools, host);
  for (const [index, step] of steps.entries()) {
    if (!('call' in step)) {
      world.now = Date.parse(step.now);
      continue;
    }
    const fault = await world.call(step);
    if (fault !== undefined) throw new Error(`step ${index + 1}: ${fault}`);
  }
}

/** A host whose clock and random bytes are the case's. */
class World {
  now: number;
  private readonly recorder: Recorder;
  private readonly authority: Promise<Call>;
  private readonly saved: Variables = {};
  /** The secrets that were told so far. They must not be told again, nor be stored. */
  private readonly secrets: string[] = [];

  constructor(setUp: SetUp, private readonly tools: Map<string, Tool>, private readonly host: Host) {
    this.now = Date.parse(setUp.now);
    this.recorder = new Recorder(setUp.storage_fails ?? []);
    const { prefix, default_scopes: defaultScopes, longest_life_ms: longestLife } = setUp.policy;
    const policy = { prefix, defaultScopes, longestLife: longestLife === null ? undefined : BigInt(longestLife) };
    const clock = {
      now: () => ({ seconds: BigInt(Math.floor(this.now / 1000)), nanoseconds: (this.now % 1000) * 1_000_000 }),
    };
    const random = { getRandomBytes: xorshift32(setUp.random_seed) };
    this.authority = Promise.resolve(host.authority(setUp.projects, this.recorder, policy, clock, random));
  }

  /** What goes otherwise than the step says. */
  async call(step: CallStep): Promise<string | undefined> {
    const tool = this.tools.get(step.call);
    if (tool === undefined) return 'the case calls no tool';
    if (('returns' in step) === ('fails' in step)) return 'the case must say either what returns or what fails';
    const args = substitute(step.arguments, this.saved) as Variables;
    if (!tool.isInput(args)) return 'the arguments break the input schema';
    this.recorder.calls = [];

    const { isSuccess, answer } = await this.answer(step, tool, args);
    if (isSuccess !== 'returns' in step) return isSuccess ? 'succeeded, and must fail' : `failed: ${answer.kind}`;
    if (isSuccess && !tool.isOutput(answer)) return 'the answer breaks the output schema';
    const expected = substitute(isSuccess ? step.returns : step.fails, this.saved);
    return difference('answer', expected, answer) ?? this.afterwards(step, answer);
  }

  private async answer(step: CallStep, tool: Tool, args: Variables): Promise<Answer> {
    const isVerification = step.call === 'verify_api_key';
    const { user, project_id: projectId, expires_at, scopes = [] } = step.as ?? { user: 'nobody' };
    const expiresAt = expires_at === undefined ? undefined : BigInt(Date.parse(expires_at));
    // A verification must not ask who is calling.
    const caller = isVerification ? undefined : { userId: user, projectId, expiresAt, scopes };
    const given: Variables = isVerification ? { scopes: [], ...args } : args;
    const values = tool.parameters.map((parameter) => given[parameter]);
    const call = await this.authority;
    try {
      const answer = await call(caller, tool.function, values);
      const value = isVerification ? verificationJson(answer as Verification) : json(answer);
      return { isSuccess: true, answer: value as Variables };
    } catch (thrown) {
      return { isSuccess: false, answer: failureJson(this.host.failure(thrown)) };
    }
  }

  private afterwards(step: CallStep, answer: Variables): string | undefined {
    if (step.storage_calls !== undefined) {
      const fault = difference('storage_calls', step.storage_calls, this.recorder.calls);
      if (fault !== undefined) return fault;
    }
    for (const [name, path] of Object.entries(step.save ?? {})) {
      const part = pointer(answer, path);
      if (part === undefined) return `there is no ${path} to save`;
      this.saved[name] = part;
    }
    if (step.stored !== undefined) {
      const fault = difference('stored', substitute(step.stored, this.saved), this.recorder.written.at(-1));
      if (fault !== undefined) return fault;
    }
    return this.toldSecret(answer);
  }

  private toldSecret(answer: Variables): string | undefined {
    const told = JSON.stringify(answer);
    if (this.secrets.some((secret) => told.includes(secret))) return "the answer tells an earlier key's secret";
    if (typeof answer.key === 'string') {
      // Without the checksum, which may be made again.
      this.secrets.push(answer.key.slice(answer.key.lastIndexOf('_') + 1).slice(0, 43));
    }
    const written = JSON.stringify(this.recorder.written);
    const isWritten = (secret: string) => written.includes(secret) || written.includes(bytesToHex(utf8ToBytes(secret)));
    return this.secrets.some(isWritten) ? 'storage was handed a secret' : undefined;
  }
}

function failureJson(failure: Failure): Variables {
  switch (failure.tag) {
    case 'invalid-input':
      return { kind: failure.tag, faults: failure.val.map((fault) => ({ ...fault })) };
    case 'not-found':
      return { kind: failure.tag, subject: failure.val };
    case 'internal':
      return { kind: failure.tag, correlation_id: failure.val };
    default:
      return { kind: failure.tag };
  }
}
