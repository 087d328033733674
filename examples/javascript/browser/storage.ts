import type * as Wit from '#generated/interfaces/keycell-api-keys-storage.js';
import type { Storage } from '../shared/authority.js';
import { StorageError } from '../shared/failure.js';

/** A project and the roles of its members by user id. */
export type Project = { id: string; slug: string; members: Record<string, Wit.Role> };

/** Everything that is stored. */
export interface Tables {
  keys: Wit.KeyRecord[];
  events: Wit.EventRecord[];
  requests: Wit.IdempotentRequest[];
  projects: Project[];
}

/** Receives each record that is new or changed. */
export type Write = <Name extends keyof Tables>(table: Name, record: Tables[Name][number]) => void;

/** Storage for one call, which has all tables to itself. */
export function storageOf(tables: Tables, write: Write): Storage {
  const keys = new Map(tables.keys.map((key) => [key.id, key]));
  const events = new Map(tables.events.map((event) => [event.id, event]));
  const requests = new Map(tables.requests.map((request) => [placeOf(request), request]));

  const put = (key: Wit.KeyRecord, event: Wit.EventRecord) => {
    keys.set(key.id, key);
    events.set(event.id, event);
    write('keys', key);
    write('events', event);
  };
  const isLookupFree = (lookup: string) => ![...keys.values()].some((key) => key.lookup === lookup);
  const checkNew = (key: Wit.KeyRecord) => check(!keys.has(key.id) && isLookupFree(key.lookup));
  const current = (key: Wit.KeyRecord): Wit.KeyRecord => {
    const stored = keys.get(key.id);
    check(stored?.revision === key.revision);
    return { ...stored!, revision: key.revision + 1 };
  };
  const changed = (key: Wit.KeyRecord): Wit.KeyRecord => {
    const { name, updatedAt, expiresAt, revokedAt, revocationReason, rotatedTo, rateLimit, metadata } = key;
    const changes = { name, updatedAt, expiresAt, revokedAt, revocationReason, rotatedTo, rateLimit, metadata };
    return { ...current(key), ...changes };
  };
  // Each function checks everything before it writes anything.
  return {
    insertKey: (key, event, request) => {
      checkNew(key);
      if (request !== undefined) {
        check((requests.get(placeOf(request))?.expiresAt ?? 0n) <= key.createdAt);
        requests.set(placeOf(request), request);
        write('requests', request);
      }
      put(key, event);
    },
    findKey: (id, viewer) => {
      const key = found(keys.get(id));
      const project = tables.projects.find((project) => project.id === key.projectId);
      return { key, role: project?.members[viewer] };
    },
    findKeyByLookup: (lookup) => found([...keys.values()].find((key) => key.lookup === lookup)),
    findRequest: (userId, idempotencyKey, now) => {
      const request = found(requests.get(placeOf({ userId, idempotencyKey })));
      return found(request.expiresAt > now ? request : undefined);
    },
    listKeys: (filter) => newest(keys, filter.limit, (key) => hasStatus(key, filter)
      && isOf(key.userId, filter.userId) && isOf(key.projectId, filter.projectId) && isBefore(key.id, filter.before)),
    listEvents: ({ keyId, userId, projectId, since, before, limit }) => newest(events, limit, (event) =>
      isOf(event.keyId, keyId) && isOf(event.userId, userId) && isOf(event.projectId, projectId)
      && (since === undefined || event.id >= since) && isBefore(event.id, before)),
    updateKey: (key, event) => put(changed(key), event),
    rotateKey: (key, event, replacement, replacementEvent) => {
      const rotated = changed(key);
      checkNew(replacement);
      put(replacement, replacementEvent);
      put(rotated, event);
    },
    replaceSecret: (key, event) => {
      const stored = current(key);
      check(stored.lastUsedAt === undefined && isLookupFree(key.lookup));
      const { prefix, lookup, hash, updatedAt } = key;
      put({ ...stored, prefix, lookup, hash, updatedAt }, event);
    },
    recordUse: (id, at) => {
      const key = keys.get(id);
      if (key === undefined || (key.lastUsedAt ?? 0n) >= at) return;
      keys.set(id, { ...key, lastUsedAt: at });
      write('keys', keys.get(id)!);
    },
    findProject: ({ tag, val }, userId) => {
      const project = found(tables.projects.find((project) => project[tag] === val));
      return { projectId: project.id, role: project.members[userId] };
    },
  };
}

function check(holds: boolean): void {
  if (!holds) throw new StorageError({ tag: 'conflict' });
}

function found<T>(record: T | undefined): T {
  if (record === undefined) throw new StorageError({ tag: 'not-found' });
  return record;
}

const placeOf = (request: Pick<Wit.IdempotentRequest, 'userId' | 'idempotencyKey'>) =>
  JSON.stringify([request.userId, request.idempotencyKey]);
const isOf = (value: string | undefined, wanted: string | undefined) => wanted === undefined || value === wanted;
const isBefore = (id: string, before: string | undefined) => before === undefined || id < before;

function hasStatus({ revokedAt, expiresAt }: Wit.KeyRecord, { status, now }: Wit.KeyFilter): boolean {
  const unrevoked = expiresAt !== undefined && expiresAt <= now ? 'expired' : 'active';
  return status === 'all' || status === (revokedAt === undefined ? unrevoked : 'revoked');
}

function newest<T extends { id: string }>(records: Map<string, T>, limit: number, passes: (record: T) => boolean): T[] {
  return [...records.values()].filter(passes).sort((one, other) => (one.id < other.id ? 1 : -1)).slice(0, limit);
}
