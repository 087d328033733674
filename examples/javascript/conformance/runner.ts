import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Error as Failure } from '#generated/interfaces/keycell-api-keys-api-keys.js';
import type { Caller, Policy } from '#generated/interfaces/keycell-api-keys-context.js';
import type * as WallClock from '#generated/interfaces/wasi-clocks-wall-clock.js';
import type * as Random from '#generated/interfaces/wasi-random-random.js';
import { KeycellError } from '../shared/failure.js';
import { toolJson } from '../node/json.js';
import type { CallStep, Case, PolicySetUp, ProjectSetUp, RoleStep, SetUp } from './case.js';
import { difference, pointer, repeat, substitute, type Variables } from './expect.js';
import { xorshift32 } from './random.js';
import { Recorder } from './recorder.js';
import { functionCall, hasText, type Tool } from './tools.js';

/** Opens an authority of a host on storage that is empty except for the projects, with the recorder before it. */
export type Host = (
  projects: ProjectSetUp[], recorder: Recorder, policy: Policy, clock: typeof WallClock, random: typeof Random,
) => Opened | Promise<Opened>;

export interface Opened {
  call(caller: Caller, name: string, args: unknown[]): unknown;
  setRole(step: RoleStep): unknown;
}

/** The number of cases that passed, and the faults of the others. */
export interface Report {
  passed: number;
  failures: string[];
}

/** The functions that cases call in addition to the tools. */
const NO_TOOLS = ['describe_caller', 'authorize_project'];

type Answer = { isSuccess: boolean; answer: Variables };

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

/** Runs a case. Throws the first fault, without the actual value: it may be a secret. */
async function run({ setUp, steps }: Case, tools: Map<string, Tool>, host: Host): Promise<void> {
  const world = new World(setUp, tools, host);
  for (const [index, step] of steps.entries()) {
    const fault = await world.take(step);
    if (fault !== undefined) throw new Error(`step ${index + 1}: ${fault}`);
  }
}

/** A host with the clock and the random bytes of a case. */
class World {
  private now: number;
  private readonly policy: Policy;
  private readonly recorder: Recorder;
  private readonly opened: Promise<Opened>;
  private readonly saved: Variables = {};
  /** The secrets that were returned. They must not be returned again, nor be stored. */
  private readonly secrets: string[] = [];

  constructor(setUp: SetUp, private readonly tools: Map<string, Tool>, host: Host) {
    this.now = Date.parse(setUp.now);
    this.policy = policyOf(setUp.policy);
    this.recorder = new Recorder(setUp.storage_fails ?? []);
    const clock = {
      now: () => ({ seconds: BigInt(Math.floor(this.now / 1000)), nanoseconds: (this.now % 1000) * 1_000_000 }),
    };
    const random = { getRandomBytes: xorshift32(setUp.random_seed) };
    this.opened = Promise.resolve(host(setUp.projects ?? [], this.recorder, this.policy, clock, random));
  }

  /** Takes a step and returns its fault. */
  async take(step: Case['steps'][number]): Promise<string | undefined> {
    if ('call' in step) return this.call(step);
    if ('now' in step) this.now = Date.parse(step.now);
    else if ('policy' in step) Object.assign(this.policy, policyOf(step.policy));
    else await (await this.opened).setRole(step);
    return undefined;
  }

  private async call(step: CallStep): Promise<string | undefined> {
    const tool = this.tools.get(step.call);
    if (tool === undefined && !NO_TOOLS.includes(step.call)) return 'the case calls no tool';
    if (('returns' in step) === ('fails' in step)) return 'the case must have either returns or fails';
    const args = repeat(this.substituted(step.arguments ?? {})) as Variables;
    const { metadata, ...others } = args;
    if (tool?.isInput(hasText(metadata) ? others : args) === false) return 'the arguments break the input schema';
    this.recorder.beginStep();

    const { isSuccess, answer } = await this.answer(step, args);
    if (isSuccess !== 'returns' in step) return isSuccess ? 'succeeded, and must fail' : `failed: ${answer.kind}`;
    if (isSuccess && tool?.isOutput(answer) === false) return 'the result breaks the output schema';
    return difference('result', this.substituted(isSuccess ? step.returns : step.fails), answer)
      ?? this.afterwards(step, answer);
  }

  private async answer(step: CallStep, args: Variables): Promise<Answer> {
    const [name, parameters] = functionCall(step.call, args);
    const { call } = await this.opened;
    try {
      const answer = await call(callerOf(repeat(this.substituted(step.as)) as CallStep['as']), name, parameters);
      return { isSuccess: true, answer: toolJson(answer as object) as Variables };
    } catch (thrown) {
      if (!(thrown instanceof KeycellError)) throw thrown;
      return { isSuccess: false, answer: failureJson(thrown.failure) };
    }
  }

  private afterwards(step: CallStep, answer: Variables): string | undefined {
    const { calls, events, keys, requests } = this.recorder;
    const fault = step.storage_calls && difference('storage_calls', step.storage_calls, calls);
    if (fault !== undefined) return fault;
    for (const [name, path] of Object.entries(step.save ?? {})) {
      const part = pointer(answer, path);
      if (part === undefined) return `there is no ${path} to save`;
      this.saved[name] = part;
    }
    const received = { stored: keys.at(-1), stored_events: events, stored_request: requests.at(-1) };
    for (const [name, actual] of Object.entries(received)) {
      const expected = step[name as keyof typeof received];
      const fault = expected === undefined ? undefined : difference(name, this.substituted(expected), actual);
      if (fault !== undefined) return fault;
    }
    return this.leakedSecret(answer);
  }

  private leakedSecret(answer: Variables): string | undefined {
    const text = JSON.stringify(answer);
    if (this.secrets.some((secret) => text.includes(secret))) return "the result holds an earlier key's secret";
    if (typeof answer.key === 'string') {
      // Without the checksum, which can be computed.
      this.secrets.push(answer.key.slice(answer.key.lastIndexOf('_') + 1).slice(0, 43));
    }
    const { written } = this.recorder;
    const isWritten = (secret: string) => written.includes(secret) || written.includes(bytesToHex(utf8ToBytes(secret)));
    return this.secrets.some(isWritten) ? 'storage received a secret' : undefined;
  }

  private substituted(value: unknown): unknown {
    return substitute(value, this.saved);
  }
}

function policyOf(policy: PolicySetUp): Policy {
  const life = (ms?: number | bigint | null) => (ms === undefined || ms === null ? undefined : BigInt(ms));
  return {
    prefix: policy.prefix,
    defaultScopes: policy.default_scopes,
    grantableScopes: policy.grantable_scopes ?? undefined,
    longestLife: life(policy.longest_life_ms),
    defaultLife: life(policy.default_life_ms),
  };
}

function callerOf(caller: CallStep['as'] = { host: true }): Caller {
  if ('host' in caller) return { tag: 'host' };
  if ('bearer' in caller) return { tag: 'bearer', val: caller.bearer };
  return { tag: 'user', val: { id: caller.user, operator: caller.operator ?? false, scopes: caller.scopes ?? [] } };
}

function failureJson(failure: Failure): Variables {
  const kind = failure.tag;
  switch (kind) {
    case 'invalid-input':
      return { kind, faults: failure.val.map((fault) => ({ ...fault })) };
    case 'insufficient-scope':
      return { kind, scope: failure.val };
    case 'not-found':
      return { kind, subject: failure.val };
    case 'internal':
      return { kind, correlation_id: failure.val };
    default:
      return { kind };
  }
}
