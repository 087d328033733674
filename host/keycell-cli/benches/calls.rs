//! The cost of calls, beside the same work without the component. `cargo xtask bench` runs this and
//! prints the ratios.

mod world;

use std::{
    hint::black_box,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use keycell::{CreateApiKey, bench};
use tokio::runtime::Runtime;
use world::{
    STORED, World, figure, native_create, native_get, native_record, native_verify, percentile, random, runtime,
    verify, with_wrong_checksum,
};

const MANY_STORED: usize = 1_000_000;

/// The calls of a range, in the shares that one instance serves.
fn shares(calls: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let most = bench::CALLS_OF_ONE_INSTANCE;
    calls.clone().step_by(most as usize).map(move |from| from..calls.end.min(from + most))
}

/// Measures `work`, which makes the calls of a range, in this number of tasks at once.
fn measure<F, Fut>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    (runtime, tasks): (&Runtime, u64),
    world: &Arc<World>,
    work: F,
) where
    F: Fn(Arc<World>, Range<u64>) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|calls| {
            let share = calls.div_ceil(tasks);
            let began = Instant::now();
            let running: Vec<_> = (0..tasks)
                .map(|task| runtime.spawn(work(Arc::clone(world), task * share..(task + 1) * share)))
                .collect();
            for task in running {
                runtime.block_on(task).expect("a task");
            }
            began.elapsed()
        });
    });
}

fn reads(criterion: &mut Criterion) {
    let world = Arc::new(World::new(STORED));
    for threads in [1, 2] {
        let runtime = runtime(threads);
        let on = (&runtime, threads as u64);
        let mut group = group(criterion, &format!("get {threads} thread"));
        measure(&mut group, "native", on, &world, |world, calls| async move {
            for n in calls {
                native_get(world.keycell.storage(), world.id(n)).await;
            }
        });
        measure(&mut group, "reused instance", on, &world, |world, calls| async move {
            for share in shares(calls) {
                let ids: Vec<_> = share.map(|n| world.id(n)).collect();
                bench::get_on_one_instance(&world.keycell, &world.caller, ids).await.expect("read");
            }
        });
        measure(&mut group, "fresh instance", on, &world, |world, calls| async move {
            for n in calls {
                black_box(world.keycell.get_api_key(&world.caller, world.id(n)).await.expect("read"));
            }
        });
    }
}

fn creates(criterion: &mut Criterion) {
    let world = Arc::new(World::new(STORED));
    for threads in [1, 2] {
        let runtime = runtime(threads);
        let on = (&runtime, threads as u64);
        let mut group = group(criterion, &format!("create {threads} thread"));
        measure(&mut group, "native", on, &world, |world, calls| async move {
            for _ in calls {
                native_create(world.keycell.storage()).await;
            }
        });
        measure(&mut group, "reused instance", on, &world, |world, calls| async move {
            let request = CreateApiKey::named("bench");
            for share in shares(calls) {
                let times = share.end - share.start;
                let created = bench::create_on_one_instance(&world.keycell, &world.caller, &request, times);
                created.await.expect("created");
            }
        });
        for (name, tasks) in [("fresh instance", threads as u64), ("fresh instance, 8 at once", 8)] {
            measure(&mut group, name, (&runtime, tasks), &world, |world, calls| async move {
                for _ in calls {
                    let request = CreateApiKey::named("bench");
                    black_box(world.keycell.create_api_key(&world.caller, request).await.expect("created"));
                }
            });
        }
    }
}

fn verifications(criterion: &mut Criterion) {
    for stored in [STORED, MANY_STORED] {
        let world = Arc::new(World::new(stored));
        for threads in [1, 2] {
            let runtime = runtime(threads);
            let on = (&runtime, threads as u64);
            let mut group = group(criterion, &format!("verify {stored} keys {threads} thread"));
            measure(&mut group, "native", on, &world, |world, calls| async move {
                for n in calls {
                    assert!(native_verify(world.keycell.storage(), &world.key(n).key).await);
                }
            });
            measure(&mut group, "good", on, &world, |world, calls| async move {
                for n in calls {
                    assert!(verify(&world, &world.key(n).key).await);
                }
            });
        }
        figure(&format!("verify {stored} keys/p99"), runtime(1).block_on(ninety_ninth_percentile(&world)));
        refusals(criterion, &world, stored);
    }
}

fn refusals(criterion: &mut Criterion, world: &Arc<World>, stored: usize) {
    let wrong_checksum = with_wrong_checksum(&world.key(1).key);
    let unknown = native_record(1, "unknown", &mut random).0.into_text();
    let revoked = world.key(2).key.clone();
    runtime(1).block_on(world.keycell.revoke_api_key(&world.caller, world.id(2), None, None)).expect("revoked");

    for threads in [1, 2] {
        let runtime = runtime(threads);
        let on = (&runtime, threads as u64);
        let mut group = group(criterion, &format!("verify {stored} keys {threads} thread"));
        for (name, key) in [("wrong checksum", &wrong_checksum), ("unknown", &unknown), ("revoked", &revoked)] {
            measure(&mut group, &format!("{name}, native"), on, world, |world, calls| {
                let key = key.clone();
                async move {
                    for _ in calls {
                        assert!(!native_verify(world.keycell.storage(), &key).await);
                    }
                }
            });
            measure(&mut group, name, on, world, |world, calls| {
                let key = key.clone();
                async move {
                    for _ in calls {
                        assert!(!verify(&world, &key).await);
                    }
                }
            });
        }
    }
}

/// The 99th percentile of 50,000 verifications, one after another.
async fn ninety_ninth_percentile(world: &World) -> Duration {
    let mut times = Vec::new();
    for n in 0..50_000 {
        let began = Instant::now();
        assert!(verify(world, &world.key(n).key).await);
        times.push(began.elapsed());
    }
    percentile(times, 99)
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(30).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    group
}

criterion_group!(benches, reads, creates, verifications);
criterion_main!(benches);
