import type { Error as Failure } from '#generated/interfaces/keycell-api-keys-api-keys.js';
import type { Caller, Policy } from '#generated/interfaces/keycell-api-keys-context.js';
import type * as Wit from '#generated/interfaces/keycell-api-keys-storage.js';
import { instantiate, type ImportObject, type Root } from '#generated/keycell.js';
import { KeycellError, logCause } from './failure.js';
import { Limits } from './limits.js';

/** The functions of `wit/storage.wit`, which defines what each guarantees. */
export type Storage = typeof Wit;
export type ApiKeys = Root['apiKeys'];
export type Arguments<Name extends keyof ApiKeys> = Parameters<ApiKeys[Name]>;
type Call<Name extends keyof ApiKeys> = (...args: Arguments<Name>) => ReturnType<ApiKeys[Name]>;
type Clock = ImportObject['wasi:clocks/wall-clock@0.2.12'];
type Random = ImportObject['wasi:random/random@0.2.12'];

const systemClock: Clock = {
  now: () => {
    const now = Date.now();
    return { seconds: BigInt(Math.floor(now / 1000)), nanoseconds: (now % 1000) * 1_000_000 };
  },
};
const systemRandom: Random = {
  // Throws if the component asks for more than 65,536 bytes.
  getRandomBytes: (length) => crypto.getRandomValues(new Uint8Array(Number(length))),
};

/** The core modules of the component, compiled once. */
const modules = new Map<string, WebAssembly.Module>();

/** Calls the component. `coreBytes` returns a core module of jco's output by its file name. */
export class Authority {
  private readonly limits = new Limits();

  constructor(
    private readonly coreBytes: (file: string) => BufferSource,
    private readonly policy: Policy,
    private readonly clock = systemClock,
    private readonly random = systemRandom,
  ) {}

  /** Calls a function in a fresh instance, so that no call can reach the secrets of another. */
  call<Name extends keyof ApiKeys>(
    storage: Storage, caller: Caller, name: Name, ...args: Arguments<Name>
  ): ReturnType<ApiKeys[Name]> {
    checkNumbers(args);
    try {
      const { apiKeys } = instantiate(this.coreModule, this.imports(storage, caller));
      return (apiKeys[name] as Call<Name>)(...args);
    } catch (thrown) {
      // jco throws the WIT's error as it is, and an Error if the component traps.
      const failure = thrown as Failure;
      const isTrap = failure instanceof Error;
      throw new KeycellError(isTrap ? { tag: 'internal', val: logCause(thrown) } : failure);
    }
  }

  private readonly coreModule = (file: string): WebAssembly.Module => {
    const module = modules.get(file) ?? new WebAssembly.Module(this.coreBytes(file));
    modules.set(file, module);
    return module;
  };

  private imports(storage: Storage, caller: Caller): ImportObject {
    const imports: ImportObject = {
      'keycell:api-keys/storage@0.2.0': storage,
      'keycell:api-keys/context@0.2.0': {
        getCaller: () => caller,
        getPolicy: () => this.policy,
        reportInternal: (cause) => logCause(`the component reports: ${cause}`),
      },
      'keycell:api-keys/limits@0.2.0': this.limits,
      'wasi:clocks/wall-clock@0.2.12': this.clock,
      'wasi:random/random@0.2.12': this.random,
    };
    // jco's code looks imports up without the versions that its types have.
    const unversioned = Object.entries(imports).map(([name, value]) => [name.split('@')[0], value]);
    return Object.fromEntries(unversioned);
  }
}

/** Refuses a number that is not a u32: jco would take its low bits. */
function checkNumbers(value: unknown): void {
  if (typeof value === 'number' && value >>> 0 !== value) throw new RangeError('not a u32');
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(checkNumbers);
}
