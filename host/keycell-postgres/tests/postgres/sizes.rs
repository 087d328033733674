//! The sizes of the tables at one million keys.

use keycell_postgres::PostgresStorage;

use crate::server::{Server, server};

/// A million keys as a deployment might have them: ten of each user, every second one in a project,
/// with an event each. Every tenth one is revoked, and one in 256 was issued with an idempotency key
/// in the last 24 hours. The rows are inserted one after another, so that the indexes have the density
/// that such inserts leave.
const FILL: &str = r#"
    CREATE FUNCTION pg_temp.id(at bigint, seed text) RETURNS text LANGUAGE sql AS $$
        SELECT substr(t, 1, 8) || '-' || substr(t, 9) || '-7' || substr(r, 1, 3) || '-8' || substr(r, 4, 3) || '-'
               || substr(r, 7, 12)
        FROM (SELECT lpad(to_hex(at), 12, '0'), md5(seed)) AS x (t, r)
    $$;
    WITH new_keys AS (
        INSERT INTO keycell.api_keys
        SELECT pg_temp.id(time, 'key' || n), 'keycell', substr(md5('lookup' || n), 1, 12), sha256(n::text::bytea),
               'auth0|' || substr(md5('user' || n % 100000), 1, 24),
               CASE WHEN n % 2 = 0 THEN pg_temp.id(1764000000000, 'project' || n % 5000) END,
               'nightly export ' || n, '["orders:read","orders:write"]', NULL, NULL, NULL, time, time, 1798761600000,
               NULL, CASE WHEN n % 10 = 0 THEN time + 1 END, CASE WHEN n % 10 = 0 THEN 'leaked' END, NULL, NULL, 0
        FROM (SELECT n, 1764000000000 + 1000 * n::bigint FROM generate_series(1, 1000000) AS n) AS x (n, time)
        RETURNING *
    ), new_events AS (
        INSERT INTO keycell.events
        SELECT pg_temp.id(e.time, e.action || id), e.time, e.action, id, user_id, project_id, user_id, NULL, e.fields
        FROM new_keys CROSS JOIN LATERAL (VALUES
            (created_at, 'created', '["name","scopes","expires_at"]'),
            (revoked_at, 'revoked', '["revoked_at","revocation_reason"]')
        ) AS e (time, action, fields)
        WHERE e.time IS NOT NULL
    )
    INSERT INTO keycell.idempotent_requests
    SELECT user_id, id, id, created_at, hash FROM new_keys WHERE get_byte(hash, 0) = 0"#;

/// Prints the size of each table.
fn print(server: &Server, database: &str, when: &str) {
    server.run_at(database, "ANALYZE");
    let sizes =
        "SELECT relname, reltuples::bigint, pg_table_size(oid), pg_indexes_size(oid), pg_total_relation_size(oid)
                 FROM pg_class WHERE relkind = 'r' AND relnamespace = 'keycell'::regnamespace
                 ORDER BY pg_total_relation_size(oid) DESC, relname";
    println!("\n{when}: table|rows|bytes of the table|of its indexes|of both");
    println!("{}", server.run_at(database, sizes));
}

#[tokio::test]
#[ignore = "takes minutes; run it with --ignored --nocapture"]
async fn the_sizes_of_the_tables_at_a_million_keys() {
    let Some(server) = server() else { return };
    let database = server.database();
    drop(PostgresStorage::open(&database).await.unwrap());
    server.run_at(&database, "ALTER TABLE keycell.api_keys SET (autovacuum_enabled = off)");
    server.run_at(&database, FILL);
    print(server, &database, "filled");
    // The last uses of all keys are stored, and a vacuum follows each fifth of them: autovacuum's
    // default.
    for use_of_each in 1..=3 {
        for part in 0..5 {
            let uses = format!(
                "UPDATE keycell.api_keys SET last_used_at = {use_of_each} WHERE get_byte(hash, 1) % 5 = {part}"
            );
            server.run_at(&database, &uses);
            server.run_at(&database, "VACUUM keycell.api_keys");
        }
    }
    print(server, &database, "after three uses of each key");
}
