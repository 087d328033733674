import { bytesToHex } from '@noble/hashes/utils.js';
import type * as Wit from '../../generated/interfaces/keycell-api-keys-storage.js';
import { json } from '../../src/json.js';
import type { StorageFailure } from './case.js';

type Storage = typeof Wit;

/** Stands before a storage, remembers its calls, and lets them fail when it is told to. */
export class Recorder {
  /** The functions called, oldest first. */
  calls: string[] = [];
  /** The records that were handed over, oldest first. */
  readonly written: unknown[] = [];
  private readonly failures: StorageFailure[];

  constructor(failures: StorageFailure[]) {
    this.failures = failures.map((failure) => ({ ...failure }));
  }

  before(storage: Storage): Storage {
    return {
      insertKey: (key) => {
        this.handedOver(key);
        this.called('insert-key');
        storage.insertKey(key);
      },
      findKey: (id) => {
        this.called('find-key');
        return storage.findKey(id);
      },
      findKeyByLookup: (lookup) => {
        this.called('find-key-by-lookup');
        return storage.findKeyByLookup(lookup);
      },
      listKeys: (filter) => {
        this.called('list-keys');
        return storage.listKeys(filter);
      },
      updateKey: (key) => {
        this.handedOver(key);
        this.called('update-key');
        storage.updateKey(key);
      },
      rotateKey: (key, replacement) => {
        this.handedOver(key);
        this.handedOver(replacement);
        this.called('rotate-key');
        storage.rotateKey(key, replacement);
      },
      recordUse: (id, at) => {
        this.calls.push('record-use');
        storage.recordUse(id, at);
      },
      findProject: (reference, userId) => {
        this.called('find-project');
        return storage.findProject(reference, userId);
      },
    };
  }

  private called(call: string): void {
    this.calls.push(call);
    const failure = this.failures.find((failure) => failure.call === call && failure.times > 0);
    if (failure === undefined) return;
    failure.times -= 1;
    const tag = failure.with;
    const payload: Wit.Error = tag === 'internal' ? { tag, val: crypto.randomUUID() } : { tag };
    throw Object.assign(new Error(`the case says ${tag}`), { payload });
  }

  private handedOver(key: Wit.KeyRecord): void {
    const number = (value: unknown) => (typeof value === 'bigint' ? Number(value) : value);
    const record = Object.entries(key).map(([name, value]) => [name, number(value)]);
    this.written.push(json({ ...Object.fromEntries(record), hash: bytesToHex(key.hash) }));
  }
}
