import type { IssuedApiKey, Verification } from '#generated/interfaces/keycell-api-keys-api-keys.js';

/** Returns an answer as its tool's output schema has it: in snake_case, with null for what is left out. */
export function toolJson(answer: object): unknown {
  if ('tag' in answer) return verificationJson(answer as Verification);
  if (!('details' in answer)) return json(answer);
  const { key, details } = answer as IssuedApiKey;
  return json({ key, ...details });
}

/** A verification is one flat object with all fields of both cases. */
function verificationJson({ tag, val }: Verification): unknown {
  const empty = { reason: null, missingScopes: [], retryAfterMs: null };
  if (tag === 'valid') {
    const { limit, ...state } = val.rateLimit ?? {};
    return json({ ...empty, valid: true, ...val, rateLimit: limit && { ...limit, ...state } });
  }
  const key = { id: null, userId: null, projectId: null, name: null, expiresAt: null, metadata: null, rateLimit: null };
  const missingScopes = val.tag === 'missing-scopes' ? val.val : [];
  const retryAfterMs = val.tag === 'rate-limited' ? val.val.retryAfterMs : null;
  return json({ valid: false, reason: val.tag, missingScopes, retryAfterMs, ...key, scopes: [] });
}

export function json(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(json);
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.fromEntries(Object.entries(value).map(([name, field]) =>
    [snakeCase(name), name === 'metadata' && field ? JSON.parse(field) : json(field)]));
}

export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
