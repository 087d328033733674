import type * as Wit from '#generated/interfaces/keycell-api-keys-storage.js';
import type { Storage } from '../shared/authority.js';
import { check, found } from '../shared/failure.js';

/** Everything that is stored. A project has the roles of its members by user id. */
export interface Tables {
  keys: Wit.KeyRecord[];
  events: Wit.EventRecord[];
  requests: Wit.IdempotentRequest[];
  projects: { id: string; slug: string; members: Record<string, Wit.Role> }[];
}

/** Receives each record that is new or changed. */
export type Write = <Name extends keyof Tables>(table: Name, record: Tables[Name][number]) => void;

const CHANGES = ['name', 'updatedAt', 'expiresAt', 'revokedAt', 'revocationReason', 'rotatedTo',
  'metadata', 'rateLimit'] as const;
const SECRET = ['prefix', 'lookup', 'hash', 'updatedAt'] as const;

/** Storage for one call, which has all tables to itself. Each function checks, and then writes. */
export function storageOf(tables: Tables, write: Write): Storage {
  const keys = new Map(tables.keys.map((key) => [key.id, key]));
  const findLookup = (lookup: string) => [...keys.values()].find((key) => key.lookup === lookup);
  const findRequest = (userId: string, idempotencyKey: string) => tables.requests.find(
    (request) => request.userId === userId && request.idempotencyKey === idempotencyKey);
  const checkNew = (key: Wit.KeyRecord) => check(!keys.has(key.id) && !findLookup(key.lookup));
  const put = (key: Wit.KeyRecord, event: Wit.EventRecord) => {
    keys.set(key.id, key);
    write('keys', key);
    write('events', event);
  };
  /** Returns the stored key with these fields of `key`, if its revision is still the same. */
  const changed = (key: Wit.KeyRecord, fields: readonly (keyof Wit.KeyRecord)[]) => {
    const stored = keys.get(key.id);
    check(stored?.revision === key.revision);
    const changes = Object.fromEntries(fields.map((field) => [field, key[field]]));
    return { ...stored!, ...changes, revision: key.revision + 1 };
  };
  return {
    insertKey: (key, event, request) => {
      checkNew(key);
      if (request !== undefined) {
        const taken = findRequest(request.userId, request.idempotencyKey);
        check(taken === undefined || taken.expiresAt <= key.createdAt);
        write('requests', request);
      }
      put(key, event);
    },
    findKey: (id, viewer) => {
      const key = found(keys.get(id));
      const project = tables.projects.find((project) => project.id === key.projectId);
      return { key, role: project?.members[viewer] };
    },
    findKeyByLookup: (lookup) => found(findLookup(lookup)),
    findRequest: (userId, idempotencyKey, now) => {
      const request = found(findRequest(userId, idempotencyKey));
      return found(request.expiresAt > now ? request : undefined);
    },
    listKeys: (filter) => newest([...keys.values()], filter, (key) => hasStatus(key, filter)),
    listEvents: (filter) => newest(tables.events, filter,
      (event) => isOf(event.keyId, filter.keyId) && event.id >= (filter.since ?? '')),
    updateKey: (key, event) => put(changed(key, CHANGES), event),
    rotateKey: (key, event, replacement, replacementEvent) => {
      const rotated = changed(key, CHANGES);
      checkNew(replacement);
      put(replacement, replacementEvent);
      put(rotated, event);
    },
    replaceSecret: (key, event) => {
      check(!findLookup(key.lookup) && keys.get(key.id)?.lastUsedAt === undefined);
      put(changed(key, SECRET), event);
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

const isOf = (value?: string, wanted?: string) => wanted === undefined || value === wanted;

function hasStatus({ revokedAt, expiresAt }: Wit.KeyRecord, filter: Wit.KeyFilter): boolean {
  const { status, now } = filter;
  const unrevoked = expiresAt !== undefined && expiresAt <= now ? 'expired' : 'active';
  return status === 'all' || status === (revokedAt === undefined ? unrevoked : 'revoked');
}

/** The newest records that pass the part that both filters have, and `passes`. */
function newest<T extends { id: string; userId: string; projectId?: string }>(
  records: T[], filter: Wit.KeyFilter | Wit.EventFilter, passes: (record: T) => boolean,
): T[] {
  const { userId, projectId, before, limit } = filter;
  return records
    .filter((record) => isOf(record.userId, userId) && isOf(record.projectId, projectId)
      && (before === undefined || record.id < before) && passes(record))
    .sort((one, other) => (one.id < other.id ? 1 : -1))
    .slice(0, limit);
}
