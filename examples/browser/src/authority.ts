import { clocks, random } from '@bytecodealliance/preview2-shim';
import type { Error as Failure } from '../generated/interfaces/keycell-api-keys-api-keys.js';
import type { Caller, Policy } from '../generated/interfaces/keycell-api-keys-context.js';
import core from '../generated/keycell.core.wasm';
import core2 from '../generated/keycell.core2.wasm';
import core3 from '../generated/keycell.core3.wasm';
import { instantiate, type ImportObject } from '../generated/keycell.js';
import { checked, type ApiKeys, type Arguments } from './arguments.js';
import { KeycellError, logCause } from './failure.js';
import type { Storage } from './storage.js';

type Functions = { [Name in keyof ApiKeys]: (...args: Arguments<Name>) => ReturnType<ApiKeys[Name]> };
/** jco's code looks imports up without the versions that stand in its types. */
type Imports = { [K in keyof ImportObject as K extends `${infer Name}@${string}` ? Name : K]: ImportObject[K] };
/** Gives storage to the work of one call, in one transaction. */
type Transact = <T>(work: (storage: Storage) => T) => Promise<T>;

const MOST_RANDOM_BYTES = 4096n;

const files = new Map([['keycell.core.wasm', core], ['keycell.core2.wasm', core2], ['keycell.core3.wasm', core3]]);
const modules = new Map([...files].map(([file, bytes]) => [file, new WebAssembly.Module(bytes)]));

/** Calls the component, each time in a fresh instance: no call can reach what another one knew. */
export class Authority {
  constructor(
    private readonly transact: Transact,
    private readonly policy: Policy,
    private readonly clock: Imports['wasi:clocks/wall-clock'] = clocks.wallClock,
    private readonly randomness: Imports['wasi:random/random'] = random.random,
  ) {}

  /** Calls a function for this caller. Verifying a key is for nobody: `undefined`. */
  async call<Name extends keyof ApiKeys>(caller: Caller | undefined, name: Name, ...args: Arguments<Name>) {
    const passed = checked(name, args);
    try {
      return await this.transact((storage) => {
        const functions: Functions = instantiate((file) => modules.get(file)!, this.imports(caller, storage)).apiKeys;
        return functions[name](...passed);
      });
    } catch (thrown) {
      throw new KeycellError(failure(thrown));
    }
  }

  private imports(caller: Caller | undefined, storage: Storage): ImportObject {
    const imports: Imports = {
      'keycell:api-keys/storage': storage,
      'keycell:api-keys/context': {
        // Where there is none, jco throws: the call traps.
        getCaller: () => caller!,
        getPolicy: () => this.policy,
        reportInternal: logCause,
      },
      'wasi:clocks/wall-clock': this.clock,
      'wasi:random/random': {
        getRandomBytes: (length) => {
          if (length > MOST_RANDOM_BYTES) throw new RangeError(`the component asked for ${length} random bytes`);
          return this.randomness.getRandomBytes(length);
        },
      },
    };
    return imports as unknown as ImportObject;
  }
}

/** jco throws the WIT's error as it is, IndexedDB a DOMException, and a trap is another Error. */
function failure(thrown: unknown): Failure {
  if (!(thrown instanceof Error)) return thrown as Failure;
  const correlationId = logCause(thrown);
  return thrown instanceof DOMException ? { tag: 'unavailable' } : { tag: 'internal', val: correlationId };
}
