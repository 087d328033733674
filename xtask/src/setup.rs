//! The prerequisites of builds, and the paths that tasks share.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

const GUEST_TARGET: &str = "wasm32-unknown-unknown";

/// Returns the root of the repository.
pub fn root() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is in a workspace")?;
    Ok(root.to_owned())
}

/// Returns the path of a workspace binary, in the profile `dev`.
pub fn binary(name: &str) -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX)))
}

/// Reports the start of a long step.
pub fn say(text: &str) {
    eprintln!("==> {text}");
}

/// Installs the standard library for the guest's target, unless it is there.
pub fn target(shell: &Shell) -> Result<()> {
    let libraries = cmd!(shell, "rustc --print target-libdir --target {GUEST_TARGET}").quiet().read()?;
    if !Path::new(&libraries).is_dir() {
        say("Installing the standard library for WebAssembly");
        cmd!(shell, "rustup target add {GUEST_TARGET}").run().with_context(|| {
            format!("without rustup, install Rust's standard library for {GUEST_TARGET} the way that this Rust was installed")
        })?;
    }
    Ok(())
}
