//! Migrations, also by several hosts at the same moment, and roles.

use keycell::{Action, EventRecord, KeyRecord, ProjectStorage, Storage};
use keycell_postgres::{PostgresError, PostgresStorage, PostgresUrl};

use crate::{documented::grants, server::server};

fn url(text: &str) -> PostgresUrl {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_hosts_that_start_at_the_same_moment_one_migrates() {
    let Some(server) = server() else { return };
    for _ in 0..5 {
        let database = server.database();
        let hosts: Vec<_> = (0..8)
            .map(|_| {
                let database = database.clone();
                tokio::spawn(async move { PostgresStorage::open(&database).await.unwrap().is_new() })
            })
            .collect();
        let mut new = 0;
        for host in hosts {
            new += u32::from(host.await.unwrap());
        }
        assert!(new >= 1);
        assert_eq!(server.run_at(&database, "SELECT version FROM keycell.migrations"), "1");
        assert_eq!(server.run_at(&database, "SELECT count(*) FROM keycell.change_feed"), "16");
    }
}

#[tokio::test]
async fn a_database_without_tables_is_left_alone_on_request() {
    let Some(server) = server() else { return };
    let database = server.database();
    let opened = PostgresStorage::options().migrate(false).open(&url(&database)).await;
    assert!(matches!(opened, Err(PostgresError::Missing)));
    assert_eq!(server.run_at(&database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'keycell'"), "0");

    assert!(PostgresStorage::open(&database).await.unwrap().is_new());
    assert!(!PostgresStorage::open(&database).await.unwrap().is_new());
    PostgresStorage::options().migrate(false).open(&url(&database)).await.unwrap();
}

/// The grants of `docs/scaling.md` are enough for a host, and do not let it change the schema.
#[tokio::test]
async fn a_role_with_the_documented_grants_is_enough() {
    let Some(server) = server() else { return };
    let database = server.database();
    drop(PostgresStorage::open(&database).await.unwrap());
    server.run_at(&database, &grants("host_of_test"));

    let storage = PostgresStorage::open(&database.replace("postgres@", "host_of_test@")).await.unwrap();
    storage.check_ready().await.unwrap();
    let mut key = KeyRecord::default();
    key.id = "id-1".to_owned();
    let event = |id: &str| {
        let mut event = EventRecord::new(Action::Created);
        event.id = id.to_owned();
        event
    };
    storage.insert_key(key.clone(), event("a"), None).await.unwrap();
    storage.record_use("id-1", 5);
    storage.update_key(key, event("b")).await.unwrap();
    storage.close().await;
    assert_eq!(server.run_at(&database, "SELECT last_used_at FROM keycell.api_keys"), "5");
    let denied = server.run_at(
        &database,
        "SELECT has_schema_privilege('host_of_test', 'keycell', 'CREATE')
             OR has_table_privilege('host_of_test', 'keycell.events', 'DELETE')
             OR has_table_privilege('host_of_test', 'keycell.events', 'UPDATE')
             OR has_table_privilege('host_of_test', 'keycell.api_keys', 'DELETE')",
    );
    assert_eq!(denied, "f");
}
