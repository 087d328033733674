-- The ASCII codes of "keyc". A file with another number belongs to another program.
PRAGMA application_id = 1801812323;

ALTER TABLE project_members ADD COLUMN role TEXT NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'admin'));

CREATE INDEX project_members_of_project ON project_members (project_id, user_id);

-- A JSON object as compact text.
ALTER TABLE api_keys ADD COLUMN metadata TEXT CHECK (json_type(metadata) = 'object');
ALTER TABLE api_keys ADD COLUMN rate_limit_requests INTEGER;
ALTER TABLE api_keys ADD COLUMN rate_limit_window_seconds INTEGER;

-- `state` groups the keys for lists: 0 active, 1 revoked, 2 expired. A key becomes expired when a
-- sweep copies `expires_at` into `swept_expiry`, some time after the key has expired, so a list
-- compares `expires_at` with its own time besides. Only the sweep writes `swept_expiry`.
ALTER TABLE api_keys ADD COLUMN swept_expiry INTEGER;
ALTER TABLE api_keys ADD COLUMN state INTEGER GENERATED ALWAYS AS (
    CASE WHEN revoked_at IS NOT NULL THEN 1 WHEN swept_expiry = expires_at THEN 2 ELSE 0 END
) VIRTUAL;

UPDATE api_keys SET swept_expiry = expires_at WHERE expires_at <= 1000 * CAST(strftime('%s', 'now') AS INTEGER);

-- Lists go from new to old ids. Each filter has an index in which its keys stand together, in order.
-- `expires_at` is there for keys that are not swept yet: they are skipped without a look at the table.
DROP INDEX api_keys_of_user;
CREATE INDEX api_keys_by_state ON api_keys (state, id, expires_at);
CREATE INDEX api_keys_of_user ON api_keys (user_id, state, id, expires_at);
CREATE INDEX api_keys_of_project ON api_keys (project_id, state, id, expires_at) WHERE project_id IS NOT NULL;
CREATE INDEX api_keys_of_user_in_project ON api_keys (user_id, project_id, state, id, expires_at)
    WHERE project_id IS NOT NULL;
-- The keys whose `state` is behind, and those that a sweep has next. Each filter has an index of its
-- own, because very many keys can expire at the same time, and the sweep takes a while.
CREATE INDEX api_keys_by_expiry ON api_keys (state, expires_at, id) WHERE expires_at IS NOT NULL;
CREATE INDEX api_keys_of_user_by_expiry ON api_keys (user_id, state, expires_at, id, project_id)
    WHERE expires_at IS NOT NULL;
CREATE INDEX api_keys_of_project_by_expiry ON api_keys (project_id, state, expires_at, id)
    WHERE expires_at IS NOT NULL AND project_id IS NOT NULL;

-- Append-only. `fields` is a JSON array of text.
CREATE TABLE events (
    id            TEXT    NOT NULL PRIMARY KEY,
    time          INTEGER NOT NULL,
    action        TEXT    NOT NULL,
    key_id        TEXT    NOT NULL REFERENCES api_keys (id),
    user_id       TEXT    NOT NULL,
    project_id    TEXT             REFERENCES projects (id),
    actor_user_id TEXT    NOT NULL,
    actor_key_id  TEXT,
    fields        TEXT    NOT NULL CHECK (json_type(fields) = 'array')
) STRICT, WITHOUT ROWID;

CREATE INDEX events_of_key ON events (key_id, id);
CREATE INDEX events_of_user ON events (user_id, id);
CREATE INDEX events_of_project ON events (project_id, id) WHERE project_id IS NOT NULL;
CREATE INDEX events_of_user_in_project ON events (user_id, project_id, id) WHERE project_id IS NOT NULL;

-- `digest` is SHA-256 of the arguments.
CREATE TABLE idempotent_requests (
    user_id         TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    key_id          TEXT    NOT NULL REFERENCES api_keys (id),
    expires_at      INTEGER NOT NULL,
    digest          BLOB    NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (user_id, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotent_requests_by_expiry ON idempotent_requests (expires_at);
