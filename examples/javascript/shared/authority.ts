import type { Error as Failure } from '#generated/interfaces/keycell-api-keys-api-keys.js';
import type { Caller, Policy } from '#generated/interfaces/keycell-api-keys-context.js';
import type * as Wit from '#generated/interfaces/keycell-api-keys-storage.js';
import { instantiate, type ImportObject } from '#generated/keycell.js';
import { checked, faultOf, type ApiKeys, type Arguments } from './arguments.js';
import { KeycellError, logCause } from './failure.js';
import { Limits } from './limits.js';

/** The functions of `wit/storage.wit`, which defines what each guarantees. */
export type Storage = typeof Wit;

type Functions = { [Name in keyof ApiKeys]: (...args: Arguments<Name>) => ReturnType<ApiKeys[Name]> };
/** jco's code looks imports up without the versions that its types have. */
type Imports = { [K in keyof ImportObject as K extends `${infer Name}@${string}` ? Name : K]: ImportObject[K] };

const MAX_RANDOM_BYTES = 4096n;

const systemClock: Imports['wasi:clocks/wall-clock'] = {
  now: () => {
    const now = Date.now();
    return { seconds: BigInt(Math.floor(now / 1000)), nanoseconds: (now % 1000) * 1_000_000 };
  },
};
const systemRandom: Imports['wasi:random/random'] = {
  getRandomBytes: (length) => crypto.getRandomValues(new Uint8Array(Number(length))),
};

/** Calls the component. `coreModule` returns a compiled module of jco's output by its file name. */
export class Authority {
  private readonly limits = new Limits();

  constructor(
    private readonly coreModule: (file: string) => WebAssembly.Module,
    private readonly policy: Policy,
    private readonly clock = systemClock,
    private readonly random = systemRandom,
  ) {}

  /** Calls a function in a fresh instance, so that no call can reach the secrets of another. */
  call<Name extends keyof ApiKeys>(storage: Storage, caller: Caller, name: Name, ...args: Arguments<Name>) {
    if (caller.tag === 'bearer' && faultOf(caller.val)) throw new KeycellError({ tag: 'unauthenticated' });
    const { passed, faults } = checked(name, args);
    // As in the component, authentication comes before faults of the arguments.
    if (faults.length > 0 && caller.tag !== 'host') this.run(storage, caller, 'describeCaller', []);
    if (faults.length > 0) throw new KeycellError({ tag: 'invalid-input', val: faults });
    return this.run(storage, caller, name, passed);
  }

  private run<Name extends keyof ApiKeys>(storage: Storage, caller: Caller, name: Name, args: Arguments<Name>) {
    try {
      const functions: Functions = instantiate(this.coreModule, this.imports(storage, caller)).apiKeys;
      return functions[name](...args);
    } catch (thrown) {
      // jco throws the WIT's error as it is, and an Error if the component traps.
      throw new KeycellError(thrown instanceof Error ? { tag: 'internal', val: logCause(thrown) } : thrown as Failure);
    }
  }

  private imports(storage: Storage, caller: Caller): ImportObject {
    const imports: Imports = {
      'keycell:api-keys/storage': storage,
      'keycell:api-keys/context': {
        getCaller: () => caller,
        getPolicy: () => this.policy,
        reportInternal: (cause) => logCause(`the component reports: ${cause}`),
      },
      'keycell:api-keys/limits': this.limits,
      'wasi:clocks/wall-clock': this.clock,
      'wasi:random/random': {
        getRandomBytes: (length) => {
          if (length > MAX_RANDOM_BYTES) throw new RangeError(`the component asked for ${length} random bytes at once`);
          return this.random.getRandomBytes(length);
        },
      },
    };
    return imports as unknown as ImportObject;
  }
}
