import { bytesToHex } from '@noble/hashes/utils.js';
import type { Storage } from '../shared/authority.js';
import { StorageError } from '../shared/failure.js';
import { snakeCase } from '../node/names.js';
import type { StorageFailure } from './case.js';

type Function_ = (...args: unknown[]) => unknown;

/** Wraps a storage, records its calls, and lets them fail as the case says. */
export class Recorder {
  /** The functions called since the step began. */
  calls: string[] = [];
  /** The event records received since the step began. */
  events: unknown[] = [];
  readonly keys: unknown[] = [];
  readonly requests: unknown[] = [];
  /** Every record received, as one text. */
  written = '';
  private readonly failures: StorageFailure[];

  constructor(failures: StorageFailure[]) {
    this.failures = failures.map((failure) => ({ ...failure }));
  }

  beginStep(): void {
    this.calls = [];
    this.events = [];
  }

  before(storage: Storage): Storage {
    const recorded = Object.entries(storage).map(([name, run]) => [name, (...args: unknown[]) => {
      this.called(snakeCase(name).replaceAll('_', '-'), args);
      return (run as Function_)(...args);
    }]);
    return Object.fromEntries(recorded);
  }

  private called(call: string, args: unknown[]): void {
    this.calls.push(call);
    for (const argument of args) this.received(argument);
    const failure = this.failures.find((failure) => failure.call === call && failure.times > 0);
    if (failure === undefined) return;
    failure.times -= 1;
    const tag = failure.with;
    throw new StorageError(tag === 'internal' ? { tag, val: crypto.randomUUID() } : { tag });
  }

  private received(argument: unknown): void {
    if (typeof argument !== 'object' || argument === null) return;
    const kept = 'hash' in argument ? this.keys
      : 'action' in argument ? this.events : 'digest' in argument ? this.requests : undefined;
    if (kept === undefined) return;
    const record = recordJson(argument);
    kept.push(record);
    this.written += JSON.stringify(record);
  }
}

function recordJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array) return bytesToHex(value);
  if (Array.isArray(value) || typeof value !== 'object' || value === null) return value ?? null;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [snakeCase(name), recordJson(field)]));
}
