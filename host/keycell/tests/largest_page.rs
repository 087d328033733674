//! The largest page of a list, which bounds the size of a response.

use keycell::{Action, Caller, EventRecord, KeyRecord, Keycell, ListApiKeys, MemoryStorage, RateLimit, Storage};

/// A record in which each field is as large as it can be.
fn largest(n: u32) -> KeyRecord {
    let id = |n: u32| format!("03a35294-407b-7000-8000-{n:012x}");
    let mut key = KeyRecord::default();
    key.id = id(n);
    key.prefix = "keycellkey".to_owned();
    key.lookup = format!("{n:012}");
    key.hash = vec![0; 32];
    key.user_id = "u".repeat(255);
    key.project_id = Some(id(7));
    key.name = "\u{1f511}".repeat(100);
    key.scopes = (0..32).map(|scope| format!("{scope:064}")).collect();
    key.metadata = Some(format!("{{\"a\":\"{}\"}}", "x".repeat(4088)));
    key.rate_limit = Some(RateLimit { requests: 1_000_000, window_seconds: 86_400 });
    key.created_at = 1;
    key.updated_at = 1;
    key.expires_at = Some(2);
    key.last_used_at = Some(1);
    key.revoked_at = Some(1);
    key.revocation_reason = Some("\u{1f511}".repeat(200));
    key.rotated_from = Some(id(n));
    key.rotated_to = Some(id(n));
    key.revision = 3;
    key
}

#[tokio::test]
async fn the_largest_page_is_listed() {
    let storage = MemoryStorage::default();
    for n in 0..101 {
        let key = largest(n);
        let mut event = EventRecord::new(Action::Created);
        event.id.clone_from(&key.id);
        storage.insert_key(key, event, None).await.unwrap();
    }
    let keycell = Keycell::new(storage).unwrap();
    let mut request = ListApiKeys::default();
    request.status = Some("all".to_owned());
    request.limit = Some(100);
    let page = keycell.list_api_keys(&Caller::user("u".repeat(255)), request).await.unwrap();
    assert_eq!(page.api_keys.len(), 100);
    assert!(page.next_cursor.is_some());
}
