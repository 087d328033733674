//! How a guest is built: cargo for `wasm32-unknown-unknown`, then wrapped as a component.
//!
//! That target and not `wasm32-wasip2`, whose standard library imports half of WASI.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const TARGET: &str = "wasm32-unknown-unknown";

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// The target is not installed.
    #[error("the standard library of {TARGET} is missing; this mends it:\n\n    rustup target add {TARGET}\n")]
    MissingTarget,
    /// The guest does not compile; cargo has said why.
    #[error("the guest does not compile")]
    Compile,
    /// The module can't be wrapped.
    #[error("the guest can't be wrapped as a component: {0}")]
    Wrap(String),
    /// A program or a file is not there.
    #[error("the guest can't be built: {0}")]
    Io(#[from] io::Error),
}

/// Builds a guest, which is a package of the workspace at `root`.
///
/// `target_dir` must not be that of a cargo that is waiting for this one: the two would wait for
/// each other.
pub fn build(root: &Path, package: &str, target_dir: &Path) -> Result<Vec<u8>, GuestError> {
    if !has_standard_library()? {
        return Err(GuestError::MissingTarget);
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = without_outer_build(Command::new(cargo))
        .current_dir(root)
        .args(["build", "--quiet", "--package", package])
        .args(["--profile", "guest", "--target", TARGET, "--target-dir"])
        .arg(target_dir)
        .arg("--config")
        .arg(remapped_paths(root))
        // A build script's standard output is read by cargo.
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(GuestError::Compile);
    }
    let file = format!("{}.wasm", package.replace('-', "_"));
    let module = fs::read(target_dir.join(TARGET).join("guest").join(file))?;
    let wrap = |error| GuestError::Wrap(format!("{error:#}"));
    let mut encoder = wit_component::ComponentEncoder::default();
    encoder.validate(true).debug_names(false).module(&module).map_err(wrap)?.encode().map_err(wrap)
}

/// Paths in panic messages as they would be on any machine: the component tells nothing of the one
/// that built it, and is the same to the byte wherever that is.
fn remapped_paths(root: &Path) -> String {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    let flags: Vec<_> = [(Some(root.to_owned()), "/keycell"), (cargo_home, "/cargo")]
        .into_iter()
        .filter_map(|(from, to)| Some(format!("{:?}", format!("--remap-path-prefix={}={to}", from?.display()))))
        .collect();
    format!("target.{TARGET}.rustflags=[{}]", flags.join(","))
}

fn has_standard_library() -> io::Result<bool> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output =
        without_outer_build(Command::new(rustc)).args(["--print", "target-libdir", "--target", TARGET]).output()?;
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// What the outer cargo sets for its own build must not reach the guest's: flags, and clippy in
/// place of the compiler.
fn without_outer_build(mut command: Command) -> Command {
    for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command
}
