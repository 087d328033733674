//! Changes at the same moment that the storage matrix does not have.

use std::{sync::Barrier, thread};

use keycell_keyvalue::{
    keys,
    storage::{Action, Error, KeyRecord},
};

use crate::{
    bucket::Memory,
    records::{all_events, event, record, revoked},
};

const THREADS: u32 = 8;

/// Runs `call` in several threads that start together, and returns the results.
fn together<T: Send>(call: impl Fn(u32) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        let start = |n| {
            let (barrier, call) = (&barrier, &call);
            scope.spawn(move || {
                barrier.wait();
                call(n)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn bucket() -> Memory {
    let bucket = Memory::default();
    let key = KeyRecord { name: String::new(), ..record(1) };
    keys::insert_key(&bucket, &key, &event(0, Action::Created, &key), None).unwrap();
    bucket
}

/// Changes the key until the change is not a conflict.
fn change(bucket: &Memory, event_id: u32, action: Action, change: impl Fn(KeyRecord) -> KeyRecord) {
    loop {
        let key = change(keys::find_key(bucket, "id-1", "ann").unwrap().key);
        match keys::update_key(bucket, &key, &event(event_id, action, &key)) {
            Ok(()) => return,
            Err(error) => assert_eq!(error, Error::Conflict),
        }
    }
}

#[test]
fn no_change_and_no_event_is_lost() {
    let bucket = bucket();
    // Each thread adds its letter 20 times.
    together(|n| {
        let letter = char::from(b'a' + u8::try_from(n).unwrap());
        for round in 0..20 {
            change(&bucket, 1 + 20 * n + round, Action::Updated, |mut key| {
                key.name.push(letter);
                key
            });
        }
    });
    let key = keys::find_key(&bucket, "id-1", "ann").unwrap().key;
    for letter in 'a'..='h' {
        assert_eq!(key.name.matches(letter).count(), 20, "{}", key.name);
    }
    assert_eq!(key.revision, THREADS * 20);
    let all = keycell_keyvalue::storage::EventFilter { limit: 1000, ..all_events() };
    let events = keys::list_events(&bucket, &all).unwrap();
    assert_eq!(events.len(), 1 + (THREADS * 20) as usize);
}

#[test]
fn a_revocation_outlives_every_other_change() {
    for _ in 0..100 {
        let bucket = bucket();
        together(|n| {
            keys::record_use(&bucket, "id-1", n.into()).unwrap();
            if n == 0 {
                change(&bucket, 1, Action::Revoked, |key| revoked(&key, 7));
            } else {
                change(&bucket, 1 + n, Action::Updated, |key| KeyRecord { name: format!("name {n}"), ..key });
            }
        });
        let key = keys::find_key(&bucket, "id-1", "ann").unwrap().key;
        assert_eq!((key.revoked_at, key.revision), (Some(7), THREADS));
        assert_eq!(keys::list_events(&bucket, &all_events()).unwrap().len(), 1 + THREADS as usize);
    }
}
