//! Builds of guests: cargo for `wasm32-unknown-unknown`, then wit-component, which makes a component
//! of the module.
//!
//! The standard library of `wasm32-wasip2` would import half of WASI.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use wasm_encoder::{ExportKind, ExportSection, RawSection};
use wasmparser::{ExternalKind, Parser, Payload};

/// The target of guests.
pub const TARGET: &str = "wasm32-unknown-unknown";
/// The cargo profile of guests.
pub const PROFILE: &str = "guest";

/// The reason why a guest cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// The target is not installed.
    #[error("the standard library of {TARGET} is missing; install it with `rustup target add {TARGET}`")]
    MissingTarget,
    /// The guest does not compile. Cargo has printed the reason.
    #[error("the guest does not compile")]
    Compile,
    /// The module cannot be made into a component.
    #[error("wit-component cannot make a component of the guest: {0}")]
    Wrap(String),
    /// A program cannot be run, or a file cannot be read.
    #[error("the guest cannot be built: {0}")]
    Io(#[from] io::Error),
}

/// Builds `package` of the workspace at `root`, and returns it as a component.
///
/// `target_dir` must not be that of the cargo that runs this build script, because that cargo holds
/// a lock on it.
pub fn build(root: &Path, package: &str, target_dir: &Path) -> Result<Vec<u8>, GuestError> {
    if !has_standard_library()? {
        return Err(GuestError::MissingTarget);
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = without_outer_build(Command::new(cargo))
        .current_dir(root)
        .args(["build", "--quiet", "--package", package])
        .args(["--profile", PROFILE, "--target", TARGET, "--target-dir"])
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
    let module = fs::read(target_dir.join(TARGET).join(PROFILE).join(file))?;
    let module = without_post_returns(&module).map_err(|error| GuestError::Wrap(error.to_string()))?;
    let wrap = |error| GuestError::Wrap(format!("{error:#}"));
    let encoder = wit_component::ComponentEncoder::default().validate(true).debug_names(false);
    let component = encoder.module(&module).map_err(wrap)?.encode().map_err(wrap)?;
    without_names(&component).map_err(|error| GuestError::Wrap(error.to_string()))
}

/// Removes the exports that would free the memory of a result. An instance serves one call, so its
/// memory is freed as a whole. Each of these exports would add an alias and a second call by the
/// host.
fn without_post_returns(module: &[u8]) -> wasmparser::Result<Vec<u8>> {
    let mut stripped = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::ExportSection(exports) = payload {
            let mut kept = ExportSection::new();
            for export in exports {
                let export = export?;
                let kind = match export.kind {
                    ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
                    ExternalKind::Table => ExportKind::Table,
                    ExternalKind::Memory => ExportKind::Memory,
                    ExternalKind::Global => ExportKind::Global,
                    ExternalKind::Tag => ExportKind::Tag,
                };
                if !export.name.starts_with("cabi_post_") {
                    kept.export(export.name, kind, export.index);
                }
            }
            stripped.section(&kept);
        } else if let Some((id, range)) = payload.as_section() {
            stripped.section(&RawSection { id, data: module.get(range).unwrap_or_default() });
        }
    }
    Ok(stripped.finish())
}

/// Removes the names of the parts of a component, which only debuggers read: 4.5 KB of
/// `keycell.wasm`.
fn without_names(component: &[u8]) -> wasmparser::Result<Vec<u8>> {
    let mut stripped = wasm_encoder::Component::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::CustomSection(section) if section.name() == "component-name" => continue,
            _ => {}
        }
        if let (1, Some((id, range))) = (depth, payload.as_section()) {
            stripped.section(&RawSection { id, data: component.get(range).unwrap_or_default() });
        }
    }
    Ok(stripped.finish())
}

/// Replaces paths in panic messages. The component then contains nothing of the machine that built
/// it, and has the same bytes on every machine.
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

/// Removes what the outer cargo sets for its own build: flags, and clippy in place of the compiler.
fn without_outer_build(mut command: Command) -> Command {
    for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command
}
