CREATE TABLE projects (
    id         TEXT    NOT NULL PRIMARY KEY,
    slug       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE project_members (
    project_id TEXT NOT NULL REFERENCES projects (id),
    user_id    TEXT NOT NULL,
    PRIMARY KEY (user_id, project_id)
) STRICT, WITHOUT ROWID;

-- Times are milliseconds since 1970-01-01T00:00:00Z. `hash` is SHA-256 of the whole key; the key
-- itself is nowhere. `scopes` is a JSON array of text.
CREATE TABLE api_keys (
    id                TEXT    NOT NULL PRIMARY KEY,
    prefix            TEXT    NOT NULL,
    lookup            TEXT    NOT NULL UNIQUE,
    hash              BLOB    NOT NULL CHECK (length(hash) = 32),
    user_id           TEXT    NOT NULL,
    project_id        TEXT             REFERENCES projects (id),
    name              TEXT    NOT NULL,
    scopes            TEXT    NOT NULL CHECK (json_type(scopes) = 'array'),
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    expires_at        INTEGER,
    last_used_at      INTEGER,
    revoked_at        INTEGER,
    revocation_reason TEXT,
    rotated_from      TEXT             REFERENCES api_keys (id),
    rotated_to        TEXT             REFERENCES api_keys (id),
    revision          INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Lists go from new to old ids of one user.
CREATE INDEX api_keys_of_user ON api_keys (user_id, id);
