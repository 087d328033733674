import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import type { KeyRecord } from '../generated/interfaces/keycell-api-keys-storage.js';
import { storageOf, type Project, type Storage } from './storage.js';

interface Schema extends DBSchema {
  keys: { key: string; value: KeyRecord };
  projects: { key: string; value: Project };
}

export type Database = IDBPDatabase<Schema>;

const STORES = ['keys', 'projects'] as const;

/** Opens the origin's database of this name, and creates it where there is none. */
export function openDatabase(name: string): Promise<Database> {
  const create = (database: Database) => STORES.forEach((each) => database.createObjectStore(each, { keyPath: 'id' }));
  return openDB<Schema>(name, 1, { upgrade: create });
}

/**
 * Gives storage to `work`, in one transaction: no other tab reads or writes meanwhile, and what was written is on
 * the disk before the answer is given. IndexedDB answers later and the component asks at once, so all keys are read
 * first.
 */
export async function transact<T>(database: Database, work: (storage: Storage) => T): Promise<T> {
  const transaction = database.transaction(STORES, 'readwrite', { durability: 'strict' });
  const keys = transaction.objectStore('keys');
  const [records, projects] = await Promise.all([keys.getAll(), transaction.objectStore('projects').getAll()]);
  const writes: Promise<unknown>[] = [];
  try {
    return work(storageOf(records, projects, (key) => writes.push(keys.put(key))));
  } finally {
    await Promise.all([...writes, transaction.done]);
  }
}
