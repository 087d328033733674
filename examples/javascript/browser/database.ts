import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import type { Storage } from '../shared/authority.js';
import { KeycellError, logCause } from '../shared/failure.js';
import { storageOf, type Tables } from './storage.js';

type Stores = { [Name in keyof Tables]: { key: string | string[]; value: Tables[Name][number] } };
interface Schema extends DBSchema, Stores {}

export type Database = IDBPDatabase<Schema>;

const KEY_PATHS = { keys: 'id', events: 'id', projects: 'id',
  requests: ['userId', 'idempotencyKey'] };
export const STORES = ['keys', 'events', 'requests', 'projects'] as const;

/** Opens the origin's database of this name, and creates it or the stores that it lacks. */
export function openDatabase(name: string): Promise<Database> {
  const upgrade = (database: Database) => STORES.forEach((store) => {
    const isMissing = !database.objectStoreNames.contains(store);
    if (isMissing) database.createObjectStore(store, { keyPath: KEY_PATHS[store] });
  });
  return openDB<Schema>(name, 2, { upgrade });
}

/**
 * Runs `work` on storage in one transaction: no other tab reads or writes meanwhile, and changes
 * are on the disk before the answer is returned. IndexedDB is asynchronous and the component is
 * synchronous, so everything is read first.
 */
export async function transact<T>(
  database: Database, work: (storage: Storage) => T,
): Promise<T> {
  try {
    const transaction = database.transaction(STORES, 'readwrite', { durability: 'strict' });
    const all = <Name extends keyof Tables>(store: Name) =>
      transaction.objectStore(store).getAll();
    const [keys, events, requests, projects] = await Promise.all(
      [all('keys'), all('events'), all('requests'), all('projects')]);
    const writes: Promise<unknown>[] = [];
    try {
      return work(storageOf({ keys, events, requests, projects },
        (store, record) => writes.push(transaction.objectStore(store).put(record))));
    } finally {
      await Promise.all([...writes, transaction.done]);
    }
  } catch (thrown) {
    if (!(thrown instanceof DOMException)) throw thrown;
    logCause(thrown);
    throw new KeycellError({ tag: 'unavailable' });
  }
}
