//! Cargo's messages about what it builds.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xshell::{Shell, cmd};

/// Runs a cargo command that builds, and returns its messages.
pub fn messages(shell: &Shell, command: &str) -> Result<Vec<Value>> {
    let args = command.split(' ');
    let output = cmd!(shell, "cargo {args...} --message-format json-render-diagnostics").read()?;
    output.lines().map(|line| serde_json::from_str(line).context("cargo's messages are JSON")).collect()
}

/// Builds the tests, and fails if cargo compiled a dependency more than once, for example with
/// different features for build scripts.
pub fn tests(shell: &Shell) -> Result<()> {
    let mut files = BTreeMap::<_, BTreeSet<_>>::new();
    for command in ["build --workspace --bin keycell", "test --workspace --no-run"] {
        for message in messages(shell, command)? {
            let package = message["package_id"].as_str().unwrap_or_default();
            if message["reason"] == "compiler-artifact" && package.starts_with("registry+") {
                let target = (package.to_owned(), message["target"]["kind"].to_string());
                files.entry(target).or_default().insert(message["filenames"].to_string());
            }
        }
    }
    let repeated = files.iter().filter(|(_, files)| files.len() > 1);
    let repeated: BTreeSet<_> = repeated.filter_map(|((package, _), _)| package.rsplit('#').next()).collect();
    ensure!(
        repeated.is_empty(),
        "compiled more than once: {repeated:?}; give them the same features and profile for hosts, build scripts and tests"
    );
    Ok(())
}
