//! Verifications of random keys in a database that grows from 10,000 to 10,000,000 keys, and the
//! memory of the process. The largest database takes some 4 GB of disk.
//!
//! Filling and measuring have processes of their own, so that the memory of the one is not measured
//! with the other's.

mod world;

use std::{env, fs, ops::Range, path::Path, process::Command};

use keycell::{Caller, Keycell, Verification};
use keycell_sqlite::SqliteStorage;
use world::{SCOPES, figure, insert, native_record, native_verify, percentile, runtime, time};

const SIZES: [u64; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
const WARM_UP: u64 = 5_000;
const CALLS: u64 = 50_000;
/// The arguments with which this program fills and measures a database.
const FILL: &str = "fill";
const MEASURE: &str = "measure";

fn main() {
    let args: Vec<_> = env::args().skip(1).collect();
    let number = |text: &String| text.parse().expect("a number of keys");
    match args.as_slice() {
        [command, path, from, to] if command == FILL => fill(Path::new(path), number(from)..number(to)),
        [command, path, stored] if command == MEASURE => runtime(2).block_on(measure(Path::new(path), number(stored))),
        _ => grow(),
    }
}

fn grow() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let path = dir.path().join("keycell.db");
    drop(SqliteStorage::open(&path).expect("a database"));
    let mut stored = 0;
    println!("| keys | file | verify, native | verify | p99 | memory |\n| ---: | ---: | ---: | ---: | ---: | ---: |");
    for size in SIZES {
        run(&[FILL, &text(&path), &stored.to_string(), &size.to_string()]);
        run(&[MEASURE, &text(&path), &size.to_string()]);
        stored = size;
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path of Unicode").to_owned()
}

fn run(args: &[&str]) {
    let this = env::current_exe().expect("a path");
    assert!(Command::new(this).args(args).status().expect("the command").success());
}

/// Makes the key of a number: the same one each time, so that the keys need not be stored.
fn numbered(n: u64) -> (String, keycell::KeyRecord) {
    // SplitMix64.
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = |bytes: &mut [u8]| {
        for chunk in bytes.chunks_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
        }
    };
    let (key, record) = native_record(1_700_000_000_000 + n, "filling", &mut random);
    (key.into_text(), record)
}

/// Inserts the keys of these numbers, without a journal.
fn fill(path: &Path, numbers: Range<u64>) {
    let mut connection = rusqlite::Connection::open(path).expect("the database");
    connection
        .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000")
        .expect("pragmas");
    let transaction = connection.transaction().expect("a transaction");
    for n in numbers {
        insert(&transaction, &numbered(n).1);
    }
    transaction.commit().expect("a commit");
}

/// Verifies keys that are spread over the table, natively and in a fresh instance in turn.
async fn measure(path: &Path, stored: u64) {
    let keycell = Keycell::new(SqliteStorage::open(path).expect("a database")).expect("the component");
    let native = async |key: &str| assert!(native_verify(keycell.storage(), key).await);
    let fresh = async |key: &str| {
        let verification = keycell.verify_api_key(&Caller::host(), key, &SCOPES[..1]).await;
        assert!(matches!(verification.expect("verified"), Verification::Valid(_)));
    };
    let [mut natives, mut freshes] = [Vec::new(), Vec::new()];
    for n in 0..WARM_UP + CALLS {
        let [first, second] = [2 * n, 2 * n + 1].map(|n| numbered(n * 48_271 % stored).0);
        let times =
            (time(0, 1, &async |_| native(&first).await).await, time(0, 1, &async |_| fresh(&second).await).await);
        if n >= WARM_UP {
            natives.push(times.0);
            freshes.push(times.1);
        }
    }
    // With the uses of these keys, which the storage keeps until it stores them.
    let memory = resident_memory();
    let file = fs::metadata(path).expect("the file").len() / 1_000_000;
    let (native, verify, p99) = (percentile(natives, 50), percentile(freshes.clone(), 50), percentile(freshes, 99));
    println!("| {stored} | {file} MB | {native:.1?} | {verify:.1?} | {p99:.1?} | {memory} |");
    figure(&format!("growth {stored} keys/native"), native);
    figure(&format!("growth {stored} keys/verify"), verify);
}

/// The resident memory of this process, where the system tells it in `/proc`.
fn resident_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(|| "not known".to_owned(), |kilobytes| kilobytes.trim().to_owned())
}
