//! The provenance of the component: its source, compiler and flags.

use std::{env, error::Error, fs, io, path::Path, process::Command};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::guest;

/// The files and directories, relative to the workspace, that decide the bytes of the component.
pub const SOURCES: &[&str] =
    &[".cargo/config.toml", "Cargo.lock", "Cargo.toml", "component", "host/keycell/build", "wit"];

/// The provenance of `component`, which was built from the workspace at `root`, as JSON.
///
/// `source_sha256` can be checked without this program:
/// `find SOURCES -type f | LC_ALL=C sort | xargs sha256sum | sha256sum`.
pub fn describe(root: &Path, component: &[u8]) -> Result<String, Box<dyn Error>> {
    let provenance = json!({
        "component_sha256": sha256(component),
        "source": SOURCES,
        "source_sha256": source_sha256(root)?,
        "compiler": compiler()?,
        "target": guest::TARGET,
        "profile": guest::PROFILE,
        "rustflags": rustflags(root)?,
    });
    Ok(serde_json::to_string_pretty(&provenance)? + "\n")
}

/// Checks that `component` is the one that `provenance` describes.
pub fn verify(component: &[u8], provenance: &str) -> Result<(), Box<dyn Error>> {
    let provenance: Value = serde_json::from_str(provenance)?;
    if provenance.get("component_sha256").and_then(Value::as_str) != Some(&sha256(component)) {
        return Err("prebuilt/keycell.wasm is not the component of prebuilt/provenance.json; use the package as it was published".into());
    }
    Ok(())
}

fn source_sha256(root: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect_files(root, source, &mut files)?;
    }
    files.sort();
    let mut sums = String::new();
    for file in files {
        sums += &format!("{}  {file}\n", sha256(&fs::read(root.join(&file))?));
    }
    Ok(sha256(sums.as_bytes()))
}

/// Appends `path`, or the files below it, without symbolic links.
fn collect_files(root: &Path, path: &str, files: &mut Vec<String>) -> io::Result<()> {
    let kind = fs::symlink_metadata(root.join(path))?.file_type();
    if kind.is_dir() {
        for entry in fs::read_dir(root.join(path))? {
            collect_files(root, &format!("{path}/{}", entry?.file_name().to_string_lossy()), files)?;
        }
    } else if kind.is_file() {
        files.push(path.to_owned());
    }
    Ok(())
}

fn compiler() -> io::Result<String> {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The guest's flags in cargo's configuration, where they are a list of strings on one line, which
/// is JSON as well as TOML.
fn rustflags(root: &Path) -> Result<Value, Box<dyn Error>> {
    let config = fs::read_to_string(root.join(".cargo/config.toml"))?;
    let list = config.lines().find_map(|line| line.strip_prefix("rustflags = "));
    Ok(serde_json::from_str(list.ok_or(".cargo/config.toml has no line `rustflags = [...]`")?)?)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
