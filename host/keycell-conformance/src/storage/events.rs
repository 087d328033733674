//! `list_events`, and events as a part of each write.

use keycell::{Action, AnyStorage, EventFilter, EventRecord, KeyRecord, Role, Storage};

use super::samples::{
    NOW, all_events, assert_conflict, event, id, insert, insert_project, key, lookup, request, snapshot, with,
};

pub async fn an_event_comes_back_as_it_was_stored(storage: AnyStorage) {
    let project = insert_project(&storage, 7, "web", &[("ann", Role::Member)]).await;
    let in_project = with(key(1), |key| key.project_id = Some(project));
    insert(&storage, 1, &in_project).await;
    let mut stored = vec![event(1, Action::Created, &in_project)];
    for (action, revision) in Action::ALL.into_iter().zip(0..) {
        let key = with(in_project.clone(), |key| key.revision = revision);
        let change = with(event(revision + 2, action, &key), |event| {
            event.actor_key_id = Some(id(9));
            event.fields = Action::ALL[..revision as usize].iter().map(|action| action.as_str().to_owned()).collect();
        });
        storage.update_key(key, change.clone()).await.unwrap();
        stored.insert(0, change);
    }
    assert_eq!(all_events(&storage).await, stored);
}

/// Reads every page, and checks that each is as long as it can be.
async fn pages(storage: &AnyStorage, filter: &EventFilter, limit: u32) -> Vec<EventRecord> {
    let mut events: Vec<EventRecord> = Vec::new();
    let mut before = filter.before.clone();
    loop {
        let page = with(filter.clone(), |filter| {
            filter.before = before;
            filter.limit = limit;
        });
        let found = storage.list_events(page).await.unwrap();
        assert!(found.len() <= limit as usize, "a page must not be longer than its limit");
        let is_full = found.len() == limit as usize;
        before = found.last().map(|event| event.id.clone());
        events.extend(found);
        if !is_full {
            return events;
        }
    }
}

pub async fn every_filter_of_events_lists_what_it_says_on_every_page(storage: AnyStorage) {
    let web = insert_project(&storage, 7, "web", &[("ann", Role::Admin)]).await;
    let api = insert_project(&storage, 8, "api", &[]).await;
    let mut stored = Vec::new();
    for n in 0..12_u32 {
        let key = with(key(n), |key| {
            key.user_id = ["ann", "bob"][n as usize % 2].to_owned();
            key.project_id = [None, Some(&web), Some(&api)][n as usize / 2 % 3].cloned();
        });
        // Not in the order of their ids.
        let created = event(50 - n, Action::Created, &key);
        storage.insert_key(key.clone(), created.clone(), None).await.unwrap();
        stored.push(created);
        for revision in 0..3 {
            let key = with(key.clone(), |key| key.revision = revision);
            let updated = event(100 + revision * 12 + n, Action::Updated, &key);
            storage.update_key(key, updated.clone()).await.unwrap();
            stored.push(updated);
        }
    }
    stored.sort_by(|a, b| b.id.cmp(&a.id));

    let missing = "00000000-0000-0000-0000-000000000009".to_owned();
    for key_id in [None, Some(id(0)), Some(id(3)), Some(id(99))] {
        for user_id in [None, Some("ann"), Some("bob"), Some("eve")] {
            for project_id in [None, Some(&web), Some(&api), Some(&missing)] {
                for (since, before) in
                    [(None, None), (Some(105), None), (None, Some(105)), (Some(45), Some(120)), (Some(9), Some(9))]
                {
                    let filter = with(EventFilter::default(), |filter| {
                        filter.key_id.clone_from(&key_id);
                        filter.user_id = user_id.map(str::to_owned);
                        filter.project_id = project_id.cloned();
                        filter.since = since.map(id);
                        filter.before = before.map(id);
                    });
                    let expected: Vec<_> = stored.iter().filter(|event| filter.passes(event)).cloned().collect();
                    for limit in [3, 101] {
                        assert_eq!(pages(&storage, &filter, limit).await, expected, "{filter:?}");
                    }
                }
            }
        }
    }
}

pub async fn a_taken_event_id_is_a_conflict_and_changes_nothing(storage: AnyStorage) {
    insert(&storage, 1, &key(1)).await;
    insert(&storage, 2, &key(2)).await;
    let before = snapshot(&storage).await;
    let taken = |key: &KeyRecord| event(1, Action::Updated, key);
    let free = |key: &KeyRecord| event(3, Action::Updated, key);

    let request = request("first", &key(3));
    assert_conflict(storage.insert_key(key(3), taken(&key(3)), Some(request)).await);
    assert_eq!(storage.find_request("ann", "first", NOW).await.unwrap(), None);
    let renamed = with(key(1), |key| key.name = "other".to_owned());
    assert_conflict(storage.update_key(renamed.clone(), taken(&renamed)).await);
    assert_conflict(storage.rotate_key(renamed.clone(), taken(&renamed), key(3), free(&key(3))).await);
    assert_conflict(storage.rotate_key(renamed.clone(), free(&renamed), key(3), taken(&key(3))).await);
    let minted = with(key(1), |key| key.lookup = lookup(3));
    assert_conflict(storage.replace_secret(minted.clone(), taken(&minted)).await);

    assert_eq!(snapshot(&storage).await, before);
    assert_eq!(storage.find_key_by_lookup(&lookup(3)).await.unwrap(), None);
}
