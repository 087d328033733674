//! Events in partitions, as `docs/scaling.md` makes and deletes them.

use keycell::{Action, EventFilter, EventRecord, KeyRecord, Storage};
use keycell_postgres::PostgresStorage;

use crate::{documented, server::server};

/// Days in October, January and March, as the beginnings of ids.
const TIMES: [&str; 3] = ["0199f0a4-5c00-7", "01a30000-0000-7", "01a40000-0000-7"];

#[tokio::test]
async fn events_are_stored_and_deleted_by_the_month() {
    let Some(server) = server() else { return };
    let database = server.database();
    let storage = PostgresStorage::open(&database).await.unwrap();
    let insert = async |n: usize, time: &str| {
        let mut key = KeyRecord::default();
        key.id = n.to_string();
        key.lookup = n.to_string();
        let mut event = EventRecord::new(Action::Created);
        event.id = format!("{time}000-8000-{n:012}");
        storage.insert_key(key, event, None).await.unwrap();
    };
    let listed = async || {
        let mut filter = EventFilter::default();
        filter.limit = 10;
        let events = storage.list_events(filter).await.unwrap();
        events.into_iter().map(|event| event.id).collect::<Vec<_>>()
    };
    // An event from before the partitions.
    insert(0, TIMES[0]).await;
    server.run_at(&database, &documented::sql("ALTER TABLE keycell.events RENAME"));
    for (n, time) in (1..).zip(TIMES) {
        insert(n, time).await;
    }

    let counts = "SELECT tableoid::regclass::text, count(*) FROM keycell.events GROUP BY 1 ORDER BY 1";
    let expected = "keycell.events_2027_01|1\nkeycell.events_before_2027|2\nkeycell.events_other|1";
    assert_eq!(server.run_at(&database, counts), expected);
    let all = listed().await;
    assert!(all.len() == 4 && all.is_sorted_by(|newer, older| newer > older), "{all:?}");

    server.run_at(&database, &documented::sql("ALTER TABLE keycell.events DETACH"));
    assert_eq!(listed().await, all[..2]);
}

#[tokio::test]
async fn events_are_deleted_by_their_time() {
    let Some(server) = server() else { return };
    let database = server.database();
    drop(PostgresStorage::open(&database).await.unwrap());
    let insert = "INSERT INTO keycell.events (id, time, action, key_id, user_id, actor_user_id, fields)
                  VALUES ('0199f0a4-5c00-7', 0, '', '', '', '', ''), ('01a30000-0000-7', 0, '', '', '', '', '')";
    server.run_at(&database, insert);
    server.run_at(&database, &documented::sql("DELETE FROM keycell.events"));
    assert_eq!(server.run_at(&database, "SELECT id FROM keycell.events"), "01a30000-0000-7");
}
