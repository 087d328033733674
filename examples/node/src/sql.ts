/** What a record has, in the WIT's order. */
const FIELDS = `id prefix lookup hash userId projectId name scopes createdAt updatedAt expiresAt lastUsedAt revokedAt
  revocationReason rotatedFrom rotatedTo revision`.split(/\s+/);
const column = (field: string) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Its columns are named like the fields of a record. */
export const SELECT = `SELECT ${FIELDS.map((field) => `${column(field)} AS ${field}`).join()} FROM api_keys`;
export const INSERT = `INSERT INTO api_keys (${FIELDS.map(column).join()}) VALUES (@${FIELDS.join(', @')})`;
export const UPDATE = `UPDATE api_keys SET name = @name, updated_at = @updatedAt, expires_at = @expiresAt,
    revoked_at = @revokedAt, revocation_reason = @revocationReason, rotated_to = @rotatedTo, revision = revision + 1
  WHERE id = @id AND revision = @revision`;
export const USE = 'UPDATE api_keys SET last_used_at = @at WHERE id = @id AND coalesce(last_used_at, 0) < @at';
export const LIST = `${SELECT} WHERE user_id = @userId AND id < coalesce(@before, '~')
    AND (@projectId IS NULL OR project_id = @projectId) AND (@expiresUntil IS NULL OR expires_at <= @expiresUntil)
    AND (@revoked IS NULL OR @revoked = iif(revoked_at IS NULL, 'false', 'true'))
    AND (@expiresAfter IS NULL OR expires_at IS NULL OR expires_at > @expiresAfter) ORDER BY id DESC LIMIT @limit`;
export const PROJECT = 'SELECT id FROM projects JOIN project_members ON project_id = id WHERE user_id = ?';
