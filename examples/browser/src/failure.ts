import type { Error as Failure } from '../generated/interfaces/keycell-api-keys-api-keys.js';

/** A call that failed, and why. */
export class KeycellError extends Error {
  constructor(readonly failure: Failure) { super(failure.tag); }
}

/** Logs why something failed inside. The caller is told the correlation id alone, which this gives. */
export function logCause(cause: unknown): string {
  const correlationId = crypto.randomUUID();
  console.error(correlationId, cause);
  return correlationId;
}
