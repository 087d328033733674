import type * as Wit from '../generated/interfaces/keycell-api-keys-storage.js';

/** `wit/storage.wit` says what each of its functions promises. */
export type Storage = typeof Wit;

/** A project, and the users who are its members. */
export type Project = { id: string; slug: string; members: string[] };

/** What a function of storage throws. jco hands the payload to the component. */
class StorageError extends Error {
  constructor(readonly payload: Wit.Error) { super(payload.tag); }
}

/** Storage for one call, which has everything to itself. `write` is told each record that is new or changed. */
export function storageOf(records: Wit.KeyRecord[], projects: Project[], write: (key: Wit.KeyRecord) => void): Storage {
  const keys = new Map(records.map((key) => [key.id, key]));
  const put = (key: Wit.KeyRecord) => {
    keys.set(key.id, key);
    write(key);
  };
  const changed = (key: Wit.KeyRecord): Wit.KeyRecord => {
    const stored = keys.get(key.id);
    if (stored?.revision !== key.revision) throw new StorageError({ tag: 'conflict' });
    const { name, updatedAt, expiresAt, revokedAt, revocationReason, rotatedTo, revision } = key;
    return { ...stored, name, updatedAt, expiresAt, revokedAt, revocationReason, rotatedTo, revision: revision + 1 };
  };
  const insertKey = (key: Wit.KeyRecord) => {
    const isTaken = [...keys.values()].some(({ id, lookup }) => id === key.id || lookup === key.lookup);
    if (isTaken) throw new StorageError({ tag: 'conflict' });
    put(key);
  };
  return {
    insertKey,
    findKey: (id) => found(keys.get(id)),
    findKeyByLookup: (lookup) => found([...keys.values()].find((key) => key.lookup === lookup)),
    listKeys: (filter) => [...keys.values()].filter((key) => passes(key, filter))
      .sort((one, other) => (one.id < other.id ? 1 : -1)).slice(0, filter.limit),
    updateKey: (key) => put(changed(key)),
    rotateKey: (key, replacement) => {
      const rotated = changed(key); // Before anything is written: both or neither.
      insertKey(replacement);
      put(rotated);
    },
    recordUse: (id, at) => {
      const key = keys.get(id);
      if (key !== undefined && (key.lastUsedAt ?? 0n) < at) put({ ...key, lastUsedAt: at });
    },
    findProject: ({ tag, val }, userId) =>
      found(projects.find((project) => project[tag] === val && project.members.includes(userId))).id,
  };
}

function found<T>(thing: T | undefined): T {
  if (thing === undefined) throw new StorageError({ tag: 'not-found' });
  return thing;
}

function passes(key: Wit.KeyRecord, filter: Wit.KeyFilter): boolean {
  const { projectId, revoked, expiresAfter, expiresUntil, before } = filter;
  return key.userId === filter.userId && (projectId === undefined || key.projectId === projectId)
    && (revoked === undefined || revoked === (key.revokedAt !== undefined))
    && (expiresAfter === undefined || key.expiresAt === undefined || key.expiresAt > expiresAfter)
    && (expiresUntil === undefined || (key.expiresAt !== undefined && key.expiresAt <= expiresUntil))
    && (before === undefined || key.id < before);
}
