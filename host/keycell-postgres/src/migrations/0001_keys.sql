-- Only what PostgreSQL, CockroachDB, YugabyteDB and Aurora DSQL share, and COLLATE "C". Texts are
-- compared byte by byte. Times are milliseconds since 1970-01-01T00:00:00Z. Lists of texts are JSON arrays.
CREATE TABLE keycell.projects (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    slug       text COLLATE "C" NOT NULL UNIQUE,
    created_at bigint           NOT NULL
);

CREATE TABLE keycell.project_members (
    user_id    text COLLATE "C" NOT NULL,
    project_id text COLLATE "C" NOT NULL,
    role       text COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, project_id)
);

CREATE INDEX project_members_of_project ON keycell.project_members (project_id, user_id);

-- `hash` is SHA-256 of the whole key; the key itself is nowhere.
CREATE TABLE keycell.api_keys (
    id                        text COLLATE "C" NOT NULL PRIMARY KEY,
    prefix                    text COLLATE "C" NOT NULL,
    lookup                    text COLLATE "C" NOT NULL UNIQUE,
    hash                      bytea            NOT NULL,
    user_id                   text COLLATE "C" NOT NULL,
    project_id                text COLLATE "C",
    name                      text COLLATE "C" NOT NULL,
    scopes                    text COLLATE "C" NOT NULL,
    metadata                  text COLLATE "C",
    rate_limit_requests       bigint,
    rate_limit_window_seconds bigint,
    created_at                bigint           NOT NULL,
    updated_at                bigint           NOT NULL,
    expires_at                bigint,
    last_used_at              bigint,
    revoked_at                bigint,
    revocation_reason         text COLLATE "C",
    rotated_from              text COLLATE "C",
    rotated_to                text COLLATE "C",
    revision                  bigint           NOT NULL
);

CREATE INDEX api_keys_of_user ON keycell.api_keys (user_id, id);
CREATE INDEX api_keys_of_project ON keycell.api_keys (project_id, id);

-- Append-only.
CREATE TABLE keycell.events (
    id            text COLLATE "C" NOT NULL PRIMARY KEY,
    time          bigint           NOT NULL,
    action        text COLLATE "C" NOT NULL,
    key_id        text COLLATE "C" NOT NULL,
    user_id       text COLLATE "C" NOT NULL,
    project_id    text COLLATE "C",
    actor_user_id text COLLATE "C" NOT NULL,
    actor_key_id  text COLLATE "C",
    fields        text COLLATE "C" NOT NULL
);

CREATE INDEX events_of_key ON keycell.events (key_id, id);
CREATE INDEX events_of_user ON keycell.events (user_id, id);
CREATE INDEX events_of_project ON keycell.events (project_id, id);

-- `digest` is SHA-256 of the arguments.
CREATE TABLE keycell.idempotent_requests (
    user_id         text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    key_id          text COLLATE "C" NOT NULL,
    expires_at      bigint           NOT NULL,
    digest          bytea            NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
);

CREATE INDEX idempotent_requests_by_expiry ON keycell.idempotent_requests (expires_at);

-- The change feed. Each change of a key takes the next position of the key's shard and holds the
-- row of the shard until it commits, so positions of one shard are in the order of the commits.
CREATE TABLE keycell.change_feed (
    shard    bigint NOT NULL PRIMARY KEY,
    position bigint NOT NULL
);

INSERT INTO keycell.change_feed (shard, position)
VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 0), (12, 0),
       (13, 0), (14, 0), (15, 0);

-- The latest changes of each shard; old ones are deleted. `event_id` tells a change from another one
-- that has its position after a restore.
CREATE TABLE keycell.key_changes (
    shard    bigint           NOT NULL,
    position bigint           NOT NULL,
    key_id   text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (shard, position)
);
