import type * as Wit from '#generated/interfaces/keycell-api-keys-api-keys.js';
import { snakeCase } from './names.js';

/** Returns an answer as its tool's output schema has it: null stands for what is left out. */
export function toolJson(answer: object): unknown {
  if ('tag' in answer) return verificationJson(answer as Wit.Verification);
  if (!('details' in answer)) return json(answer);
  const { key, details } = answer as Wit.IssuedApiKey;
  return json({ key, ...details });
}

/** A verification is one flat object with all fields of both cases. */
function verificationJson({ tag, val }: Wit.Verification): unknown {
  if (tag === 'valid') {
    const { limit, ...state } = val.rateLimit ?? {};
    const none = { reason: null, missingScopes: [], retryAfterMs: null };
    return json({ valid: true, ...none, ...val, rateLimit: limit && { ...limit, ...state } });
  }
  const none = ['id', 'userId', 'projectId', 'name', 'expiresAt', 'metadata', 'rateLimit'];
  return json({
    valid: false,
    reason: val.tag,
    missingScopes: val.tag === 'missing-scopes' ? val.val : [],
    retryAfterMs: val.tag === 'rate-limited' ? val.val.retryAfterMs : null,
    ...Object.fromEntries(none.map((name) => [name, null])),
    scopes: [],
  });
}

export function json(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(json);
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.fromEntries(Object.entries(value).map(([name, field]) =>
    [snakeCase(name), name === 'metadata' && field ? JSON.parse(field) : json(field)]));
}
