//! What is done in this tree: `cargo xtask demo`, `test`, `lint`, `bench`, `component`,
//! `compose`.

#![forbid(unsafe_code)]

mod bench;
mod demo;
mod languages;
mod setup;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xshell::{Shell, cmd};

#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Sets up, builds, and shows a key's life in a real database
    Demo,
    /// Sets up, then runs every test
    Test {
        /// Fails where a language that a test needs is not installed
        #[arg(long)]
        no_skip: bool,
    },
    /// Checks formatting, lints with warnings as errors, and builds the documentation
    Lint,
    /// Runs the benchmarks and prints their ratios
    Bench {
        /// What is passed on to the benchmark program
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Builds the component and writes it to dist/keycell.wasm
    Component,
    /// Writes the component that has its storage in a key-value store to dist/keycell-keyvalue.wasm
    Compose,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let cli = Cli::parse();
    let shell = Shell::new()?;
    shell.change_dir(setup::root()?);
    setup::target(&shell)?;
    match cli.task {
        Task::Demo => demo::run(&shell),
        Task::Test { no_skip } => test(&shell, no_skip),
        Task::Lint => lint(&shell),
        Task::Bench { args } => bench::run(&shell, &args),
        Task::Component => component(&shell),
        Task::Compose => compose(&shell),
    }
}

fn test(shell: &Shell, no_skip: bool) -> Result<()> {
    setup::say("Building and running every test: the first build takes ten to fifteen minutes on two cores");
    cmd!(shell, "cargo test --workspace").run()?;
    // The library alone, as an embedder builds it.
    cmd!(shell, "cargo check --quiet --package keycell --no-default-features").run()?;
    compose(shell)?;
    languages::test(shell, no_skip)
}

fn lint(shell: &Shell) -> Result<()> {
    cmd!(shell, "cargo fmt --all --check").run()?;
    cmd!(shell, "cargo clippy --workspace --all-targets -- --deny warnings").run()?;
    // The guests' glue exists on their own target only.
    cmd!(shell, "cargo clippy --package keycell-component --package keycell-keyvalue --target wasm32-unknown-unknown --target-dir target/guest -- --deny warnings")
        .run()?;
    cmd!(shell, "cargo doc --workspace --no-deps --document-private-items")
        .env("RUSTDOCFLAGS", "--deny warnings")
        .run()?;
    Ok(())
}

fn component(shell: &Shell) -> Result<()> {
    shell.create_dir("dist")?;
    cmd!(shell, "cargo run --quiet --package keycell -- component --output dist/keycell.wasm").run()?;
    Ok(())
}

fn compose(shell: &Shell) -> Result<()> {
    component(shell)?;
    cmd!(shell, "cargo run --quiet --package keycell-compose -- dist/keycell.wasm dist/keycell-keyvalue.wasm").run()?;
    Ok(())
}
