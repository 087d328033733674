//! `list_keys`.

use keycell::{Action, AnyStorage, KeyFilter, KeyRecord, Role, StatusFilter, Storage};

use super::samples::{NOW, event, find, id, insert, insert_project, key, with};

const STATUSES: [StatusFilter; 4] =
    [StatusFilter::All, StatusFilter::Active, StatusFilter::Expired, StatusFilter::Revoked];

/// Times around each expiry, not in order: a clock may go back.
const TIMES: [i64; 9] = [NOW, 0, 9, 10, 11, NOW + 5, NOW + 6, 5, i64::MAX];

/// Reads every page, and checks that each is as long as it can be.
async fn pages(storage: &AnyStorage, filter: &KeyFilter, limit: u32) -> Vec<String> {
    let mut ids = Vec::new();
    let mut before = filter.before.clone();
    loop {
        let page = with(filter.clone(), |filter| {
            filter.before = before;
            filter.limit = limit;
        });
        let keys = storage.list_keys(page).await.unwrap();
        assert!(keys.len() <= limit as usize, "a page must not be longer than its limit");
        ids.extend(keys.iter().map(|key| key.id.clone()));
        match keys.last() {
            Some(last) if keys.len() == limit as usize => before = Some(last.id.clone()),
            _ => return ids,
        }
    }
}

/// The ids that pass the filter, newest first.
fn expected(keys: &[KeyRecord], filter: &KeyFilter) -> Vec<String> {
    let mut ids: Vec<_> = keys.iter().filter(|key| filter.passes(key)).map(|key| key.id.clone()).collect();
    ids.sort();
    ids.reverse();
    ids
}

/// Stores keys of each combination of user, project, expiry and revocation, not in the order of
/// their ids, and returns them as they are stored.
async fn fill(storage: &AnyStorage) -> (Vec<KeyRecord>, [String; 2]) {
    let web = insert_project(storage, 7, "web", &[("ann", Role::Admin)]).await;
    let api = insert_project(storage, 8, "api", &[]).await;
    let expiries = [None, Some(10), Some(11), Some(NOW + 5), Some(NOW + 6), Some(NOW + 5)];
    let mut keys = Vec::new();
    for n in 0..72_u32 {
        // 31 and 72 have no common divisor, so each number comes once.
        let number = n * 31 % 72;
        let key = with(key(number), |key| {
            key.user_id = ["ann", "ann", "bob"][number as usize % 3].to_owned();
            key.project_id = [None, Some(&web), Some(&api), Some(&web)][number as usize / 3 % 4].cloned();
            key.expires_at = expiries[number as usize / 12];
        });
        insert(storage, number, &key).await;
        keys.push(key);
    }
    for key in keys.iter_mut().filter(|key| key.hash[0] % 5 == 0) {
        key.revoked_at = Some(NOW);
        let number = 1_000 + u32::from(key.hash[0]);
        storage.update_key(key.clone(), event(number, Action::Revoked, key)).await.unwrap();
        key.revision = 1;
    }
    (keys, [web, api])
}

pub async fn every_filter_of_keys_lists_what_it_says_on_every_page(storage: AnyStorage) {
    let (keys, projects) = fill(&storage).await;
    let users = [None, Some("ann"), Some("bob"), Some("eve")];
    let missing = "00000000-0000-0000-0000-000000000009".to_owned();
    let projects = [None, Some(projects[0].clone()), Some(projects[1].clone()), Some(missing)];
    for now in TIMES {
        for status in STATUSES {
            for user_id in users {
                for project_id in &projects {
                    let filter = with(KeyFilter::default(), |filter| {
                        filter.user_id = user_id.map(str::to_owned);
                        filter.project_id.clone_from(project_id);
                        filter.status = status;
                        filter.now = now;
                    });
                    for limit in [5, 101] {
                        assert_eq!(pages(&storage, &filter, limit).await, expected(&keys, &filter), "{filter:?}");
                    }
                    let deep = with(filter, |filter| filter.before = Some(id(20)));
                    assert_eq!(pages(&storage, &deep, 2).await, expected(&keys, &deep), "{deep:?}");
                }
            }
        }
    }
    // A cursor need not be the id of a key.
    let between = with(KeyFilter::default(), |filter| {
        filter.before = Some(id(30).replace("8000", "8001"));
        filter.limit = 1;
    });
    assert_eq!(storage.list_keys(between).await.unwrap()[0].id, id(71));
}

pub async fn a_deep_list_of_keys_has_each_key_once(storage: AnyStorage) {
    let mut keys = Vec::new();
    for n in 0..300 {
        let key = with(key(n), |key| key.expires_at = (n % 3 == 0).then_some(NOW + 5));
        insert(&storage, n, &key).await;
        keys.push(key);
    }
    for (now, status) in [(NOW, StatusFilter::All), (NOW + 5, StatusFilter::Active), (NOW + 5, StatusFilter::Expired)] {
        let filter = with(KeyFilter::default(), |filter| {
            filter.user_id = Some("ann".to_owned());
            filter.status = status;
            filter.now = now;
        });
        assert_eq!(pages(&storage, &filter, 7).await, expected(&keys, &filter), "{filter:?}");
    }
}

pub async fn a_list_follows_changes_of_status(storage: AnyStorage) {
    let list = async |status, now| {
        let filter = with(KeyFilter::default(), |filter| {
            filter.user_id = Some("ann".to_owned());
            filter.status = status;
            filter.now = now;
            filter.limit = 10;
        });
        storage.list_keys(filter).await.unwrap().len()
    };
    let counts = async |now| {
        let [all, active, expired, revoked] = STATUSES;
        [list(all, now).await, list(active, now).await, list(expired, now).await, list(revoked, now).await]
    };
    insert(&storage, 1, &with(key(1), |key| key.expires_at = None)).await;
    assert_eq!(counts(NOW).await, [1, 1, 0, 0]);

    let change = async |n, action, change: fn(&mut KeyRecord)| {
        let key = with(find(&storage, &id(1)).await.unwrap(), change);
        storage.update_key(key.clone(), event(n, action, &key)).await.unwrap();
    };
    change(2, Action::Updated, |key| key.expires_at = Some(NOW + 5)).await;
    assert_eq!(counts(NOW + 4).await, [1, 1, 0, 0]);
    assert_eq!(counts(NOW + 5).await, [1, 0, 1, 0]);
    change(3, Action::Updated, |key| key.expires_at = Some(NOW + 3)).await;
    assert_eq!(counts(NOW + 4).await, [1, 0, 1, 0]);
    assert_eq!(counts(NOW + 2).await, [1, 1, 0, 0]);
    change(4, Action::Revoked, |key| key.revoked_at = Some(NOW + 1)).await;
    assert_eq!(counts(NOW).await, [1, 0, 0, 1]);
    assert_eq!(counts(NOW + 9).await, [1, 0, 0, 1]);
}
