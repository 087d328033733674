//! Runs the benchmarks and prints ratios of their medians.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::setup::say;

/// The ratios: name, numerator, denominator and target.
const RATIOS: &[(&str, &str, &str, &str)] = &[
    ("get, fresh instance / native", "get in turn/fresh instance", "get in turn/native", "at most 2.2"),
    ("get, 2 threads / 1 thread", "get 2 thread/fresh instance", "get 1 thread/fresh instance", ""),
    ("get, native, 2 threads / 1 thread", "get 2 thread/native", "get 1 thread/native", ""),
    ("verify, 2 threads / 1 thread", "verify 100000 keys 2 thread/good", "verify 100000 keys 1 thread/good", ""),
    ("get, reused instance / native", "get 1 thread/reused instance", "get 1 thread/native", ""),
    ("get, fresh instance / native, 2 threads", "get 2 thread/fresh instance", "get 2 thread/native", ""),
    ("verify, fresh instance / native", "verify in turn/fresh instance", "verify in turn/native", "at most 2.2"),
    (
        "verify, fresh instance / native, 2 threads",
        "verify 100000 keys 2 thread/good",
        "verify 100000 keys 2 thread/native",
        "",
    ),
    (
        "verify, 1,000,000 keys / 100,000 keys",
        "verify 1000000 keys 1 thread/good",
        "verify 100000 keys 1 thread/good",
        "at most 1.3",
    ),
    (
        "verify, 10,000,000 keys / 100,000 keys",
        "growth 10000000 keys/verify",
        "growth 100000 keys/verify",
        "at most 1.5",
    ),
    (
        "durable create, fresh instance / native",
        "create in turn/fresh instance",
        "create in turn/native",
        "at most 1.08",
    ),
    ("durable create, reused instance / native", "create 1 thread/reused instance", "create 1 thread/native", ""),
    (
        "durable creates, 1 at a time / 8 at once",
        "create 1 thread/fresh instance",
        "create 1 thread/fresh instance, 8 at once",
        "at least 4",
    ),
    (
        "verify, PostgreSQL with the cache / SQLite",
        "verify on a server in turn/PostgreSQL with the cache",
        "verify on a server in turn/SQLite",
        "at most 1.3",
    ),
    (
        "process: `keycell create` / the same without the component",
        "process create in turn/fresh instance",
        "process create in turn/native",
        "at most 1.4",
    ),
];

/// The calls whose time has a target, in microseconds.
const LIMITS: &[(&str, f64)] = &[
    ("verify a repeated key in turn/fresh instance", 12.0),
    ("verify a wrong checksum in turn/fresh instance", 10.0),
    ("empty call in turn/fresh instance", 4.5),
    ("verify 1000000 keys/p99", 1000.0),
    ("create on a server/16 at once", 400.0),
    ("lists in 2000000 keys/slowest p99", 5000.0),
];

/// The parts that run alone: the argument, what is measured, and the benchmark with its arguments.
const PARTS: &[(&str, &str, &[&str])] = &[
    ("http", "of the HTTP server: it runs for about three minutes", &["http", "--profile", "dist"]),
    ("lists", "of lists in a database of 2,000,000 keys", &["sqlite_storage", "--", "lists"]),
    ("growth", "of 10,000 to 10,000,000 keys: it needs some 4 GB of disk", &["growth"]),
    ("postgres", "on a PostgreSQL server: it runs for about two minutes", &["postgres"]),
];

pub fn run(shell: &Shell, args: &[String]) -> Result<()> {
    if let [name] = args
        && let Some(&(_, what, bench)) = PARTS.iter().find(|(part, ..)| part == name)
    {
        say(&format!("Building and running the benchmark {what}"));
        return Ok(cmd!(shell, "cargo bench --workspace --bench {bench...}").run()?);
    }
    say("Building and running the benchmarks: the first build takes about twenty minutes on two cores");
    cmd!(shell, "cargo bench --workspace --bench calls -- {args...}").run()?;
    // As published binaries are built.
    cmd!(shell, "cargo bench --profile dist --workspace --bench in_turn --bench call_time --bench http").run()?;
    cmd!(shell, "cargo bench --workspace --bench load --bench crowd --bench postgres --bench sqlite_storage").run()?;
    let medians = medians(&shell.current_dir().join("target/criterion"))?;

    println!("\n| call | time |\n| --- | ---: |");
    for (name, nanoseconds) in &medians {
        println!("| {name} | {:.1} µs |", nanoseconds / 1000.0);
    }
    println!("\n| ratio | measured | target |\n| --- | ---: | --- |");
    for (name, measured, against, aim) in RATIOS {
        if let (Some(measured), Some(against)) = (medians.get(*measured), medians.get(*against)) {
            println!("| {name} | {:.2} | {aim} |", measured / against);
        }
    }
    for (name, limit) in LIMITS {
        if let Some(nanoseconds) = medians.get(*name) {
            println!("| {name} | {:.1} µs | at most {limit} µs |", nanoseconds / 1000.0);
        }
    }
    Ok(())
}

/// Reads the medians that criterion wrote, in nanoseconds, and the figures that the benchmarks wrote
/// beside them.
fn medians(dir: &Path) -> Result<BTreeMap<String, f64>> {
    let mut medians = BTreeMap::new();
    for group in fs::read_dir(dir)? {
        let group = group?.path();
        for bench in fs::read_dir(&group).into_iter().flatten() {
            let new = bench?.path().join("new");
            if let (Ok(about), Ok(estimates)) = (json(&new.join("benchmark.json")), json(&new.join("estimates.json"))) {
                let name = about.get("full_id").and_then(Value::as_str).context("a benchmark has a name")?;
                let median = estimates.pointer("/median/point_estimate").and_then(Value::as_f64);
                medians.insert(name.to_owned(), median.context("a benchmark has a median")?);
            }
        }
    }
    for file in fs::read_dir(dir.join("figures")).into_iter().flatten() {
        let figure = json(&file?.path())?;
        let name = figure.get("name").and_then(Value::as_str).context("a figure has a name")?;
        let nanoseconds = figure.get("nanoseconds").and_then(Value::as_f64);
        medians.insert(name.to_owned(), nanoseconds.context("a figure has a value")?);
    }
    Ok(medians)
}

fn json(path: &Path) -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}
