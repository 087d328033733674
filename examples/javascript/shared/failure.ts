import type { Error as Failure } from '#generated/interfaces/keycell-api-keys-api-keys.js';
import type { Error as StorageFailure } from '#generated/interfaces/keycell-api-keys-storage.js';

/** A call that failed, and the reason. */
export class KeycellError extends Error {
  constructor(readonly failure: Failure) { super(failure.tag); }
}

/** A storage function that failed. jco passes the payload to the component. */
export class StorageError extends Error {
  constructor(readonly payload: StorageFailure) { super(payload.tag); }
}

/** Returns a record that was looked up. */
export function found<T>(record: T | undefined): T {
  if (record === undefined) throw new StorageError({ tag: 'not-found' });
  return record;
}

/** Refuses a write if its condition does not hold. */
export function check(holds: boolean): void {
  if (!holds) throw new StorageError({ tag: 'conflict' });
}

/** Logs the cause of an internal error and returns the correlation id of the log entry. */
export function logCause(cause: unknown): string {
  const correlationId = crypto.randomUUID();
  console.error(correlationId, cause);
  return correlationId;
}
