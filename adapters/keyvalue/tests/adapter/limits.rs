//! Rate limits.

use std::{sync::Barrier, thread};

use keycell_keyvalue::{
    limits::{compare_and_store, load},
    storage::Error,
};

use crate::bucket::{Failure, Memory};

#[test]
fn an_integer_is_stored_only_over_the_expected_one() {
    let bucket = Memory::default();
    assert_eq!(load(&bucket, "a"), Ok(0));
    assert_eq!(compare_and_store(&bucket, "a", 5, 6), Ok(false));
    assert_eq!(compare_and_store(&bucket, "a", 0, 1_773_480_413_589_000), Ok(true));
    assert_eq!(compare_and_store(&bucket, "a", 0, 7), Ok(false));
    assert_eq!(compare_and_store(&bucket, "a", 1_773_480_413_589_000, 1_773_480_413_589_001), Ok(true));
    // The component never moves the integer back.
    assert_eq!(compare_and_store(&bucket, "a", 1_773_480_413_589_001, 5), Ok(false));
    assert_eq!((load(&bucket, "a"), load(&bucket, "b")), (Ok(1_773_480_413_589_001), Ok(0)));
}

/// The component would admit a verification for each `true`.
#[test]
fn the_limit_is_not_exceeded_at_the_same_moment() {
    const LIMIT: i64 = 100;
    for _ in 0..20 {
        let bucket = Memory::default();
        let barrier = Barrier::new(8);
        let count = || {
            barrier.wait();
            let mut admitted = 0;
            loop {
                let state = load(&bucket, "a").unwrap();
                if state >= LIMIT {
                    return admitted;
                }
                admitted += u32::from(compare_and_store(&bucket, "a", state, state + 1).unwrap());
            }
        };
        let admitted: u32 = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!((1..=100).contains(&admitted), "{admitted}");
    }
}

#[test]
fn a_store_that_fails_and_a_counter_that_is_too_large_are_errors() {
    let bucket = Memory::with(&[("limit.b", &u64::MAX.to_string())]);
    assert_eq!(load(&bucket, "b"), Err(Error::Internal("1".to_owned())));
    bucket.fail(Failure::ForGood(0));
    assert_eq!(load(&bucket, "a"), Err(Error::Unavailable));
    assert_eq!(compare_and_store(&bucket, "a", 0, 1), Err(Error::Unavailable));
}
