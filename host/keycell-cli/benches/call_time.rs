//! Where the time of a verification goes, as a picture in `docs/call-time.svg`.
//!
//! Only whole calls are measured. Each of these does what the one before it does, and more, so their
//! differences are the parts:
//!
//! 1. an instance without a call,
//! 2. a key with a wrong checksum, for which storage is not called,
//! 3. a stored key with a wrong secret, which needs its record and its hash,
//! 4. a valid key.
//!
//! The read from SQLite, which is a part of 3, is measured by itself as well.

mod bars;
mod world;

use std::{cell::Cell, hint::black_box, time::Duration};

use bars::Bar;
use keycell::{Storage, bench};
use world::{STORED, World, native_verify, percentile, runtime, time, verify, with_wrong_checksum};

const ROUNDS: u64 = 2000;
const CALLS: u64 = 20;
const TITLE: &str = "Where the time of a verification goes";
const PARTS: [&str; 5] = [
    "making and dropping the instance",
    "passing arguments, caller and policy; the checksum",
    "reading from SQLite",
    "passing the record; the hash",
    "status and scopes; passing the answer",
];
/// Where the picture is written.
const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/call-time.svg");

/// The times of the calls from which the parts of a bar follow.
#[derive(Default)]
struct Times {
    empty: Vec<Duration>,
    wrong_checksum: Vec<Duration>,
    read: Vec<Duration>,
    wrong_secret: Vec<Duration>,
    valid: Vec<Duration>,
}

fn main() {
    let world = World::new(STORED);
    spoil_odd_keys(&world);
    let nothing = async || {};
    let instance = async || bench::instantiate(&world.keycell, &world.caller).await.expect("an instance");
    let natively = async |key: &str| native_verify(world.keycell.storage(), key).await;
    let freshly = async |key: &str| verify(&world, key).await;
    let [mut native, mut fresh, mut repeated] = [(); 3].map(|()| Times::default());
    runtime(2).block_on(async {
        // No two calls of a round have the same key, which would be in a cache the second time.
        let last = Cell::new(0);
        let another = |_| last.replace(last.get() + 1);
        for _ in 0..ROUNDS {
            native.measure(&world, another, nothing, natively).await;
            fresh.measure(&world, another, instance, freshly).await;
            repeated.measure(&world, |_| 0, instance, freshly).await;
        }
    });
    let bars = [
        Bar { name: "native", parts: native.parts() },
        Bar { name: "keycell", parts: fresh.parts() },
        Bar { name: "keycell, the same key", parts: repeated.parts() },
    ];
    std::fs::write(PICTURE, bars::draw(TITLE, PARTS, &bars)).expect("a file");
}

/// Changes the stored hash of each second sample. [`World::key`] of an odd number is one of them.
fn spoil_odd_keys(world: &World) {
    let mut connection = rusqlite::Connection::open(world.path()).expect("the database");
    let transaction = connection.transaction().expect("a transaction");
    for key in world.keys.iter().skip(1).step_by(2) {
        transaction.execute("UPDATE api_keys SET hash = zeroblob(32) WHERE id = ?1", [&key.id]).expect("an update");
    }
    transaction.commit().expect("a commit");
}

impl Times {
    /// Makes each call some times. `number` chooses the key of a call.
    async fn measure(
        &mut self,
        world: &World,
        number: impl Fn(u64) -> u64,
        empty: impl AsyncFn(),
        verify: impl AsyncFn(&str) -> bool,
    ) {
        let valid = |n| world.key(2 * number(n)).key.as_str();
        let wrong_secret = |n| world.key(2 * number(n) + 1).key.as_str();
        let wrong_checksum = &with_wrong_checksum(valid(0));
        let read = async |n| {
            let lookup = valid(n).split('_').nth(1).expect("a key");
            black_box(world.keycell.storage().find_key_by_lookup(lookup).await.expect("read"));
        };
        self.empty.push(time(0, CALLS, &async |_| empty().await).await);
        self.wrong_checksum.push(time(0, CALLS, &async |_| assert!(!verify(wrong_checksum).await)).await);
        self.read.push(time(0, CALLS, &read).await);
        self.wrong_secret.push(time(0, CALLS, &async |n| assert!(!verify(wrong_secret(n)).await)).await);
        self.valid.push(time(0, CALLS, &async |n| assert!(verify(valid(n)).await)).await);
    }

    /// The parts that [`PARTS`] names.
    fn parts(self) -> [Duration; PARTS.len()] {
        let times = [self.empty, self.wrong_checksum, self.read, self.wrong_secret, self.valid];
        let [empty, wrong_checksum, read, wrong_secret, valid] = times.map(|times| percentile(times, 50));
        [
            empty,
            wrong_checksum.saturating_sub(empty),
            read,
            wrong_secret.saturating_sub(wrong_checksum + read),
            valid.saturating_sub(wrong_secret),
        ]
    }
}
