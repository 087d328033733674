//! Several at the same moment.

use std::{sync::Barrier, thread};

use keycell_keyvalue::{
    keys,
    storage::{Error, KeyRecord},
};

use crate::{
    bucket::Memory,
    keys::{record, revoked},
};

const THREADS: usize = 8;

/// Runs `call` in several threads, begun together; gives what each got.
fn together<T: Send>(call: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(THREADS);
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

#[test]
fn one_of_many_inserts_of_one_id_wins() {
    for _ in 0..100 {
        let bucket = Memory::default();
        let results = together(|n| keys::insert_key(&bucket, &KeyRecord { lookup: format!("L{n}"), ..record(1) }));
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let lookup = keys::find_key(&bucket, "id-1").unwrap().lookup;
        assert_eq!(results[lookup[1..].parse::<usize>().unwrap()], Ok(()));
    }
}

#[test]
fn no_change_is_lost() {
    let bucket = Memory::default();
    keys::insert_key(&bucket, &KeyRecord { name: String::new(), ..record(1) }).unwrap();
    // Each adds a letter of its own, again and again until it is in.
    together(|n| {
        for _ in 0..20 {
            loop {
                let mut key = keys::find_key(&bucket, "id-1").unwrap();
                key.name.push(char::from(b'a' + u8::try_from(n).unwrap()));
                match keys::update_key(&bucket, &key) {
                    Ok(()) => break,
                    Err(error) => assert_eq!(error, Error::Conflict),
                }
            }
        }
    });
    let key = keys::find_key(&bucket, "id-1").unwrap();
    for n in 0..THREADS {
        let letter = char::from(b'a' + u8::try_from(n).unwrap());
        assert_eq!(key.name.matches(letter).count(), 20, "{}", key.name);
    }
    assert_eq!(key.revision as usize, THREADS * 20);
}

#[test]
fn one_of_many_rotations_wins_and_no_other_replacement_is_seen() {
    for _ in 0..100 {
        let bucket = Memory::default();
        keys::insert_key(&bucket, &record(1)).unwrap();
        let replacement = |n| KeyRecord { rotated_from: Some("id-1".to_owned()), ..record(10 + n as u32) };
        let results = together(|n| {
            let replacement = replacement(n);
            let old = KeyRecord { rotated_to: Some(replacement.id.clone()), ..record(1) };
            keys::rotate_key(&bucket, &old, &replacement)
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for (n, result) in results.into_iter().enumerate() {
            assert_eq!(keys::find_key(&bucket, &replacement(n).id).is_ok(), result.is_ok());
        }
    }
}

#[test]
fn a_revocation_outlives_every_other_change() {
    for _ in 0..100 {
        let bucket = Memory::default();
        keys::insert_key(&bucket, &record(1)).unwrap();
        together(|n| {
            loop {
                let key = keys::find_key(&bucket, "id-1").unwrap();
                let change = if n == 0 { revoked(&key, 7) } else { KeyRecord { name: format!("name {n}"), ..key } };
                keys::record_use(&bucket, "id-1", n as i64).unwrap();
                match keys::update_key(&bucket, &change) {
                    Ok(()) => break,
                    Err(error) => assert_eq!(error, Error::Conflict),
                }
            }
        });
        let key = keys::find_key(&bucket, "id-1").unwrap();
        assert_eq!((key.revoked_at, key.revision as usize), (Some(7), THREADS));
    }
}
