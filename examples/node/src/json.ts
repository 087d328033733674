import type { Verification } from '../generated/interfaces/keycell-api-keys-api-keys.js';

/** An answer as its tool's output schema has it: in snake_case, and with null for what there is not. */
export function json(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(json);
  if (typeof answer !== 'object' || answer === null) return answer ?? null;
  return Object.fromEntries(Object.entries(answer).map(([name, field]) => [snakeCase(name), json(field)]));
}

/** A verification is flat, with all fields of both sides. */
export function verificationJson({ tag, val }: Verification): unknown {
  if (tag === 'valid') return json({ valid: true, reason: null, missingScopes: [], ...val });
  const nobody = { id: null, userId: null, projectId: null, expiresAt: null, scopes: [] };
  const missingScopes = val.tag === 'missing-scopes' ? val.val : [];
  return json({ valid: false, reason: val.tag, missingScopes, ...nobody });
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
