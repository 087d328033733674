//! The tasks of this repository: `cargo xtask demo`, `test`, `lint`, `bench`, `component`, `compose` and
//! `package`.
//!
//! Build commands select the whole workspace, because cargo chooses the features of dependencies by
//! the selected packages, and would compile wasmtime again for each selection.

#![forbid(unsafe_code)]

mod bench;
mod builds;
mod demo;
mod languages;
mod package;
mod setup;

use std::process::ExitCode;

use anyhow::{Result, ensure};
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
        /// Fails if a language that a test needs is not installed
        #[arg(long)]
        no_skip: bool,
    },
    /// Checks formatting, lints, documentation and dependencies, with warnings as errors
    Lint {
        /// Fails if cargo-deny is not installed
        #[arg(long)]
        no_skip: bool,
    },
    /// Runs the benchmarks and prints their ratios
    Bench {
        /// `http` for the HTTP server alone, `lists` for lists of 2,000,000 keys alone, `growth` for
        /// verifications among 10,000 to 10,000,000 keys, `postgres` for a PostgreSQL server alone;
        /// otherwise arguments for the benchmark of calls
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Builds the component and writes it to dist/keycell.wasm
    Component,
    /// Writes the component that has its storage in a key-value store to dist/keycell-keyvalue.wasm
    Compose,
    /// Writes the packages to publish to target/package, and builds them from their archives
    Package,
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
        Task::Lint { no_skip } => lint(&shell, no_skip),
        Task::Bench { args } => bench::run(&shell, &args),
        Task::Component => component(&shell),
        Task::Compose => compose(&shell),
        Task::Package => package::run(&shell),
    }
}

fn test(shell: &Shell, no_skip: bool) -> Result<()> {
    setup::say("Building and running every test: the first build takes about ten minutes on two cores");
    builds::tests(shell)?;
    if no_skip {
        shell.set_var("KEYCELL_GATEWAYS", "required");
        shell.set_var("KEYCELL_POSTGRES", "required");
    }
    // A test writes the statements for PostgreSQL there, and another one parses them.
    shell.set_var("KEYCELL_SQL", shell.current_dir().join("target/statements.json"));
    cmd!(shell, "cargo test --workspace").run()?;
    cmd!(shell, "cargo test --workspace --no-default-features --test http_and_mcp without_the_feature").run()?;
    compose(shell)?;
    languages::test(shell, no_skip)
}

fn lint(shell: &Shell, no_skip: bool) -> Result<()> {
    cmd!(shell, "cargo fmt --all --check").run()?;
    if cmd!(shell, "cargo deny --version").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
        cmd!(shell, "cargo deny --log-level error check bans licenses sources").run()?;
    } else {
        ensure!(!no_skip, "there is no cargo-deny; install it with `cargo install cargo-deny`");
        println!("SKIPPED dependencies: there is no cargo-deny");
    }
    cmd!(shell, "cargo clippy --workspace --all-targets -- --deny warnings").run()?;
    cmd!(shell, "cargo clippy --workspace --no-default-features -- --deny warnings").run()?;
    // The bindings of the guests exist on the WebAssembly target only. The rest of the workspace does
    // not compile for that target, so each guest is checked by itself.
    for guest in ["keycell-component", "keycell-keyvalue"] {
        cmd!(shell, "cargo clippy --package {guest} --target wasm32-unknown-unknown --target-dir target/guest -- --deny warnings")
            .run()?;
    }
    cmd!(shell, "cargo doc --workspace --no-deps --document-private-items")
        .env("RUSTDOCFLAGS", "--deny warnings")
        .run()?;
    Ok(())
}

fn component(shell: &Shell) -> Result<()> {
    cmd!(shell, "cargo build --quiet --workspace --bin keycell").run()?;
    shell.create_dir("dist")?;
    let keycell = setup::binary("keycell")?;
    cmd!(shell, "{keycell} component --output dist/keycell.wasm").run()?;
    Ok(())
}

fn compose(shell: &Shell) -> Result<()> {
    component(shell)?;
    cmd!(shell, "cargo build --quiet --workspace --bin keycell-compose").run()?;
    let compose = setup::binary("keycell-compose")?;
    cmd!(shell, "{compose} dist/keycell.wasm dist/keycell-keyvalue.wasm").run()?;
    Ok(())
}
