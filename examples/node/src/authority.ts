import { readFileSync } from 'node:fs';
import { clocks, random } from '@bytecodealliance/preview2-shim';
import type { Error as Failure } from '../generated/interfaces/keycell-api-keys-api-keys.js';
import type { Caller, Policy } from '../generated/interfaces/keycell-api-keys-context.js';
import { instantiate, type ImportObject } from '../generated/keycell.js';
import { checked, type ApiKeys, type Arguments } from './arguments.js';
import { KeycellError, logCause } from './failure.js';

type Functions = { [Name in keyof ApiKeys]: (...args: Arguments<Name>) => ReturnType<ApiKeys[Name]> };
/** jco's code looks imports up without the versions that stand in its types. */
type Imports = { [K in keyof ImportObject as K extends `${infer Name}@${string}` ? Name : K]: ImportObject[K] };

const MOST_RANDOM_BYTES = 4096n;

/** Calls the component, each time in a fresh instance: no call can reach what another one knew. */
export class Authority {
  constructor(
    private readonly storage: Imports['keycell:api-keys/storage'],
    private readonly policy: Policy,
    private readonly clock: Imports['wasi:clocks/wall-clock'] = clocks.wallClock,
    private readonly randomness: Imports['wasi:random/random'] = random.random,
  ) {}

  /** Calls a function for this caller, whom you have made sure of. Verifying a key is for nobody: `undefined`. */
  call<Name extends keyof ApiKeys>(caller: Caller | undefined, name: Name, ...args: Arguments<Name>) {
    const passed = checked(name, args);
    try {
      const functions: Functions = instantiate(coreModule, this.imports(caller)).apiKeys;
      return functions[name](...passed);
    } catch (thrown) {
      // jco throws the WIT's error as it is, and an Error where the component traps.
      throw new KeycellError(thrown instanceof Error ? { tag: 'internal', val: logCause(thrown) } : thrown as Failure);
    }
  }

  private imports(caller: Caller | undefined): ImportObject {
    return {
      'keycell:api-keys/storage': this.storage,
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
    } satisfies Imports as unknown as ImportObject;
  }
}

const modules = new Map<string, WebAssembly.Module>();

/** Compiles each of the component's core modules once. */
function coreModule(file: string): WebAssembly.Module {
  const compile = () => new WebAssembly.Module(readFileSync(new URL(`../generated/${file}`, import.meta.url)));
  return modules.get(file) ?? modules.set(file, compile()).get(file)!;
}
