//! Every statement.
//!
//! Each one is a transaction of its own, without a name, so that it passes through a pooler. A
//! write that consists of several changes makes them in one statement, whose parts depend on each
//! other: if a part finds no row, the later ones do nothing, and no row is returned.

/// The columns of a key, in the order of [`key_record`](crate::rows::key_record).
macro_rules! key_columns {
    () => {
        "id, prefix, lookup, hash, user_id, project_id, name, scopes, metadata, rate_limit_requests,
         rate_limit_window_seconds, created_at, updated_at, expires_at, last_used_at, revoked_at, revocation_reason,
         rotated_from, rotated_to, revision"
    };
}

/// The columns of an event, in the order of [`event_record`](crate::rows::event_record).
macro_rules! event_columns {
    () => {
        "id, time, action, key_id, user_id, project_id, actor_user_id, actor_key_id, fields"
    };
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub const $name: &str = $sql;)*

        /// Every statement with its name, for tests.
        #[cfg(test)]
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

/// Takes the next position of the shard `$shard` for the change of the key `$1`, if there is a row
/// in `changed`.
macro_rules! feed {
    ($shard:literal, $event_id:literal) => {
        concat!(
            "feed AS (
                UPDATE keycell.change_feed SET position = position + 1
                WHERE shard = ",
            $shard,
            " AND EXISTS (SELECT 1 FROM changed)
                RETURNING shard, position
             ), change AS (
                INSERT INTO keycell.key_changes (shard, position, key_id, event_id)
                SELECT shard, position, $1, ",
            $event_id,
            " FROM feed
                RETURNING position
             )"
        )
    };
}

/// Changes the key `$1` of the revision `$2`.
macro_rules! changed {
    () => {
        "changed AS (
            UPDATE keycell.api_keys
            SET name = $3, metadata = $4, rate_limit_requests = $5, rate_limit_window_seconds = $6, updated_at = $7,
                expires_at = $8, revoked_at = $9, revocation_reason = $10, rotated_to = $11, revision = revision + 1
            WHERE id = $1 AND revision = $2
            RETURNING id
         )"
    };
}

statements! {
    /// `$1` to `$20` are the key, `$21` to `$29` the event.
    INSERT_KEY = concat!(
        "WITH inserted AS (
            INSERT INTO keycell.api_keys (", key_columns!(), ")
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
            RETURNING id
         )
         INSERT INTO keycell.events (", event_columns!(), ")
         SELECT $21, $22, $23, $24, $25, $26, $27, $28, $29 FROM inserted
         RETURNING id"
    );

    /// As [`INSERT_KEY`]; `$30` to `$34` are the request. An expired request is replaced.
    INSERT_KEY_WITH_REQUEST = concat!(
        "WITH request AS (
            INSERT INTO keycell.idempotent_requests AS r (user_id, idempotency_key, key_id, expires_at, digest)
            VALUES ($30, $31, $32, $33, $34)
            ON CONFLICT (user_id, idempotency_key) DO UPDATE
            SET key_id = excluded.key_id, expires_at = excluded.expires_at, digest = excluded.digest
            WHERE r.expires_at <= $12
            RETURNING r.key_id
         ), inserted AS (
            INSERT INTO keycell.api_keys (", key_columns!(), ")
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20
            FROM request
            RETURNING id
         )
         INSERT INTO keycell.events (", event_columns!(), ")
         SELECT $21, $22, $23, $24, $25, $26, $27, $28, $29 FROM inserted
         RETURNING id"
    );

    /// `$12` is the shard of the key, `$13` to `$21` the event.
    UPDATE_KEY = concat!(
        "WITH ", changed!(), ", ", feed!("$12", "$13"), "
         INSERT INTO keycell.events (", event_columns!(), ")
         SELECT $13, $14, $15, $16, $17, $18, $19, $20, $21 FROM feed
         RETURNING id"
    );

    /// As [`UPDATE_KEY`]; `$22` to `$41` are the replacement, `$42` to `$50` its event.
    ROTATE_KEY = concat!(
        "WITH ", changed!(), ", ", feed!("$12", "$13"), ", replacement AS (
            INSERT INTO keycell.api_keys (", key_columns!(), ")
            SELECT $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41
            FROM changed
            RETURNING id
         )
         INSERT INTO keycell.events (", event_columns!(), ")
         SELECT $13, $14, $15, $16, $17, $18, $19, $20, $21 FROM feed
         UNION ALL
         SELECT $42, $43, $44, $45, $46, $47, $48, $49, $50 FROM replacement
         RETURNING id"
    );

    /// `$1` is the key, `$2` its revision, `$7` its shard, `$8` to `$16` the event.
    REPLACE_SECRET = concat!(
        "WITH changed AS (
            UPDATE keycell.api_keys
            SET prefix = $3, lookup = $4, hash = $5, updated_at = $6, revision = revision + 1
            WHERE id = $1 AND revision = $2 AND last_used_at IS NULL
            RETURNING id
         ), ", feed!("$7", "$8"), "
         INSERT INTO keycell.events (", event_columns!(), ")
         SELECT $8, $9, $10, $11, $12, $13, $14, $15, $16 FROM feed
         RETURNING id"
    );

    /// `$2` is the viewer.
    FIND_KEY = concat!(
        "SELECT ", key_columns!(), ",
                (SELECT m.role FROM keycell.project_members m WHERE m.user_id = $2 AND m.project_id = k.project_id)
         FROM keycell.api_keys k WHERE id = $1"
    );

    FIND_KEY_BY_LOOKUP = concat!("SELECT ", key_columns!(), " FROM keycell.api_keys WHERE lookup = $1");

    FIND_REQUEST =
        "SELECT user_id, idempotency_key, key_id, expires_at, digest FROM keycell.idempotent_requests
         WHERE user_id = $1 AND idempotency_key = $2 AND expires_at > $3";

    /// A condition on a parameter that is NULL is left out by the planner, which sees the values.
    LIST_KEYS = concat!(
        "SELECT ", key_columns!(), " FROM keycell.api_keys
         WHERE ($1 IS NULL OR user_id = $1)
           AND ($2 IS NULL OR project_id = $2)
           AND ($3 IS NULL OR id < $3)
           AND ($4 = 'all'
                OR $4 = 'active' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $5)
                OR $4 = 'expired' AND revoked_at IS NULL AND expires_at <= $5
                OR $4 = 'revoked' AND revoked_at IS NOT NULL)
         ORDER BY id DESC LIMIT $6"
    );

    LIST_EVENTS = concat!(
        "SELECT ", event_columns!(), " FROM keycell.events
         WHERE ($1 IS NULL OR key_id = $1)
           AND ($2 IS NULL OR user_id = $2)
           AND ($3 IS NULL OR project_id = $3)
           AND ($4 IS NULL OR id >= $4)
           AND ($5 IS NULL OR id < $5)
         ORDER BY id DESC LIMIT $6"
    );

    /// Moves last uses forward, never back.
    RECORD_USES =
        "UPDATE keycell.api_keys k SET last_used_at = u.at
         FROM unnest($1::text[], $2::bigint[]) AS u (id, at)
         WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)";

    DELETE_EXPIRED_REQUESTS =
        "DELETE FROM keycell.idempotent_requests WHERE (user_id, idempotency_key) IN
         (SELECT user_id, idempotency_key FROM keycell.idempotent_requests WHERE expires_at <= $1 LIMIT $2)
         RETURNING key_id";

    /// `$1` is an id or NULL, `$2` a slug or NULL, `$3` the user.
    FIND_PROJECT =
        "SELECT p.id, (SELECT m.role FROM keycell.project_members m WHERE m.user_id = $3 AND m.project_id = p.id)
         FROM keycell.projects p WHERE p.id = $1 OR p.slug = $2";

    INSERT_PROJECT =
        "WITH inserted AS (
            INSERT INTO keycell.projects (id, slug, created_at) VALUES ($1, $2, $3) RETURNING id
         ), members AS (
            INSERT INTO keycell.project_members (user_id, project_id, role)
            SELECT m.user_id, i.id, m.role FROM inserted i, unnest($4::text[], $5::text[]) AS m (user_id, role)
            RETURNING user_id
         )
         SELECT id FROM inserted";

    LIST_PROJECTS =
        "SELECT id, slug FROM keycell.projects
         WHERE $1 IS NULL OR id IN (SELECT project_id FROM keycell.project_members WHERE user_id = $1)
         ORDER BY slug";

    PUT_MEMBER =
        "INSERT INTO keycell.project_members (user_id, project_id, role)
         SELECT $3, id, $4 FROM keycell.projects WHERE id = $1 OR slug = $2
         ON CONFLICT (user_id, project_id) DO UPDATE SET role = excluded.role
         RETURNING project_id";

    REMOVE_MEMBER =
        "DELETE FROM keycell.project_members
         WHERE user_id = $3 AND project_id = (SELECT id FROM keycell.projects WHERE id = $1 OR slug = $2)
         RETURNING project_id";

    /// A project without members is one row without a user.
    LIST_MEMBERS =
        "SELECT m.user_id, m.role
         FROM keycell.projects p LEFT JOIN keycell.project_members m ON m.project_id = p.id
         WHERE p.id = $1 OR p.slug = $2 ORDER BY m.user_id";

    /// The changes of each shard from the position `$2` of the reader on, that one included. A
    /// reader that is ahead of the shard, or has no position, gets the latest change. A standby, to
    /// which a pooler may have passed the statement, returns nothing.
    READ_CHANGES =
        "SELECT f.shard, f.position, c.position, c.key_id, c.event_id
         FROM unnest($1::bigint[], $2::bigint[]) AS r (shard, position)
         JOIN keycell.change_feed f ON f.shard = r.shard
         LEFT JOIN keycell.key_changes c ON c.shard = f.shard AND c.position >= least(r.position, f.position)
         WHERE current_setting('transaction_read_only') = 'off'
         ORDER BY f.shard, c.position";

    DELETE_OLD_CHANGES =
        "DELETE FROM keycell.key_changes c
         WHERE c.position <= (SELECT f.position FROM keycell.change_feed f WHERE f.shard = c.shard) - $1";

    READ_PROJECTS = "SELECT id, slug, created_at FROM keycell.projects WHERE id > $1 ORDER BY id LIMIT $2";

    READ_MEMBERS =
        "SELECT user_id, project_id, role FROM keycell.project_members
         WHERE (user_id, project_id) > ($1, $2) ORDER BY user_id, project_id LIMIT $3";

    READ_KEYS =
        concat!("SELECT ", key_columns!(), " FROM keycell.api_keys WHERE id > $1 ORDER BY id LIMIT $2");

    READ_REQUESTS =
        "SELECT user_id, idempotency_key, key_id, expires_at, digest FROM keycell.idempotent_requests
         WHERE (user_id, idempotency_key) > ($1, $2) ORDER BY user_id, idempotency_key LIMIT $3";

    READ_EVENTS =
        concat!("SELECT ", event_columns!(), " FROM keycell.events WHERE id > $1 ORDER BY id LIMIT $2");

    /// An insert of one row, which [`with_rows`] extends. The inserts below are of this form, too.
    INSERT_PROJECTS = "INSERT INTO keycell.projects (id, slug, created_at) VALUES ($1, $2, $3)";

    INSERT_MEMBERS = "INSERT INTO keycell.project_members (user_id, project_id, role) VALUES ($1, $2, $3)";

    INSERT_KEYS = concat!(
        "INSERT INTO keycell.api_keys (", key_columns!(), ")
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)"
    );

    INSERT_REQUESTS =
        "INSERT INTO keycell.idempotent_requests (user_id, idempotency_key, key_id, expires_at, digest)
         VALUES ($1, $2, $3, $4, $5)";

    INSERT_EVENTS = concat!(
        "INSERT INTO keycell.events (", event_columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    );

    VERSIONS = "SELECT version FROM keycell.migrations ORDER BY version";

    /// A column that is not the one of the table of versions.
    OTHER_COLUMNS =
        "SELECT column_name FROM information_schema.columns
         WHERE table_schema = 'keycell'
           AND NOT (table_name = 'migrations' AND column_name = 'version' AND data_type = 'bigint')
         LIMIT 1";

    /// A durable write that changes nothing.
    REWRITE_VERSION =
        "UPDATE keycell.migrations SET version = version
         WHERE version = (SELECT max(version) FROM keycell.migrations)
         RETURNING version";

    ADD_VERSION =
        "INSERT INTO keycell.migrations (version) VALUES ($1) ON CONFLICT (version) DO NOTHING RETURNING version";
}

/// An insert of one row, which ends with its values, as an insert of many.
pub fn with_rows(insert: &str, rows: usize, columns: usize) -> String {
    let more = (1..rows).map(|row| {
        let values: Vec<_> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!(", ({})", values.join(", "))
    });
    std::iter::once(insert.to_owned()).chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::{ALL, with_rows};

    #[test]
    fn an_insert_of_many_rows_numbers_its_values() {
        let insert = "INSERT INTO t (a, b) VALUES ($1, $2)";
        assert_eq!(with_rows(insert, 1, 2), insert);
        assert_eq!(with_rows(insert, 3, 2), format!("{insert}, ($3, $4), ($5, $6)"));
    }

    /// `tests/sql` parses them.
    #[test]
    fn the_statements_are_written_for_the_parser() {
        let Some(path) = std::env::var_os("KEYCELL_SQL") else { return };
        let statements: serde_json::Map<_, _> =
            ALL.iter().map(|(name, sql)| ((*name).to_owned(), (*sql).into())).collect();
        std::fs::write(path, serde_json::Value::from(statements).to_string()).unwrap();
    }
}
