//! Calls and the same work without the component, in turn, so that both see the same load of the
//! machine. `cargo xtask bench` prints the ratios.

mod world;

use std::{env, hint::black_box, path::Path, process::Command};

use keycell::{CreateApiKey, Storage, bench};
use keycell_component::key::Key;
use keycell_sqlite::SqliteStorage;
use world::{
    STORED, USER, World, figure, native_create, native_event, native_get, native_record, native_verify, percentile,
    random, runtime, time, verify, with_wrong_checksum,
};

/// The argument with which this program creates a key natively, as a process.
const NATIVE_CREATE: &str = "native-create";

fn main() {
    let args: Vec<_> = env::args().skip(1).collect();
    match args.as_slice() {
        [command, path] if command == NATIVE_CREATE => create_natively(Path::new(path)),
        _ => measure(),
    }
}

/// A number of rounds, and of calls one after another in each.
#[derive(Clone, Copy)]
struct Rounds(u64, u64);

fn measure() {
    let world = World::new(STORED);
    let storage = world.keycell.storage();
    let (reads, single, processes) = (Rounds(2000, 50), Rounds(4000, 1), Rounds(50, 1));
    let repeated = &world.key(1).key;
    let wrong = &with_wrong_checksum(repeated);
    runtime(2).block_on(async {
        let get = async |n| drop(black_box(world.keycell.get_api_key(&world.caller, world.id(n)).await.expect("read")));
        in_turn("get", reads, async |n| native_get(storage, world.id(n)).await, get).await;

        let native = async |key: &str, valid| assert_eq!(native_verify(storage, key).await, valid);
        let fresh = async |key: &str, valid| assert_eq!(verify(&world, key).await, valid);
        let key = |n| world.key(n).key.as_str();
        in_turn("verify", reads, async |n| native(key(n), true).await, async |n| fresh(key(n), true).await).await;
        let name = "verify a repeated key";
        in_turn(name, reads, async |_| native(repeated, true).await, async |_| fresh(repeated, true).await).await;
        let name = "verify a wrong checksum";
        in_turn(name, reads, async |_| native(wrong, false).await, async |_| fresh(wrong, false).await).await;

        let [(unknown, _), (known, mut record)] = [0; 2].map(|now| native_record(now, "bench", &mut random));
        record.hash = vec![0; 32];
        let event = native_event(&record);
        storage.insert_key(record, event, None).await.expect("inserted");
        let [unknown, known] = [unknown, known].map(Key::into_text);
        let kinds = ["unknown lookup", "wrong secret"];
        compare("verify", kinds, reads, async |_| fresh(&unknown, false).await, async |_| fresh(&known, false).await)
            .await;

        let empty = async |_| bench::instantiate(&world.keycell, &world.caller).await.expect("an instance");
        in_turn("empty call", reads, async |_| {}, empty).await;

        let create = async |_| {
            let request = CreateApiKey::named("bench");
            black_box(world.keycell.create_api_key(&world.caller, request).await.expect("created"));
        };
        in_turn("create", single, async |_| native_create(storage).await, create).await;
    });

    let this = env::current_exe().expect("a path");
    let path = world.path();
    let native = || run(Command::new(&this).arg(NATIVE_CREATE).arg(path));
    let keycell = |args: &[&str]| {
        run(Command::new(env!("CARGO_BIN_EXE_keycell")).args(args).args(["--user", USER, "--database"]).arg(path));
    };
    runtime(1).block_on(async {
        in_turn("process create", processes, async |_| native(), async |_| keycell(&["create", "--name", "bench"]))
            .await;
        in_turn(
            "process get",
            processes,
            async |_| keycell(&["project", "list"]),
            async |n| keycell(&["get", world.id(n)]),
        )
        .await;
    });
}

/// Makes the native calls of a round, then those of a fresh instance, and stores the median time of
/// a call of each.
async fn in_turn(name: &str, rounds: Rounds, native: impl AsyncFn(u64), fresh: impl AsyncFn(u64)) {
    compare(name, ["native", "fresh instance"], rounds, native, fresh).await;
}

/// Makes the calls of two kinds in turn, and stores the median time of a call of each.
async fn compare(
    name: &str,
    kinds: [&str; 2],
    Rounds(rounds, calls): Rounds,
    one: impl AsyncFn(u64),
    other: impl AsyncFn(u64),
) {
    let [mut ones, mut others] = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        ones.push(time(2 * round * calls, calls, &one).await);
        others.push(time((2 * round + 1) * calls, calls, &other).await);
    }
    for (kind, times) in kinds.into_iter().zip([ones, others]) {
        figure(&format!("{name} in turn/{kind}"), percentile(times, 50));
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("the command");
    assert!(output.status.success(), "{output:?}");
}

/// A process that does the work of `keycell create` without the component.
fn create_natively(path: &Path) {
    let storage = SqliteStorage::open(path).expect("a database");
    runtime(1).block_on(native_create(&storage));
}
