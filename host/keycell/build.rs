//! Builds `keycell.wasm` and compiles it ahead of time; `src/component.rs` embeds both.

use std::{env, error::Error, fs, path::Path};

#[path = "src/engine_config.rs"]
mod engine_config;
#[path = "build/guest.rs"]
mod guest;

fn main() -> Result<(), Box<dyn Error>> {
    let manifest_dir = env::var("CARGO_MANIFEST_DIR")?;
    let out_dir = env::var("OUT_DIR")?;
    let (manifest_dir, out_dir) = (Path::new(&manifest_dir), Path::new(&out_dir));
    let root = manifest_dir.ancestors().nth(2).ok_or("the package has no workspace around it")?;

    for input in ["wit", "component", "Cargo.toml", "Cargo.lock", ".cargo/config.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    for input in ["build.rs", "build/guest.rs", "src/engine_config.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }

    // OUT_DIR is `<target>/<profile>/build/<package>/out`. All profiles share one guest.
    let target_dir = out_dir.ancestors().nth(4).ok_or("OUT_DIR is not where cargo puts it")?;
    let component = guest::build(root, "keycell-component", &target_dir.join("guest"))?;
    fs::write(out_dir.join("keycell.wasm"), &component)?;
    fs::write(out_dir.join("keycell.cwasm"), compile(&component)?)?;
    Ok(())
}

/// Machine code for the target's baseline processor; nothing where this machine can't make it,
/// and the host then compiles at start-up.
fn compile(component: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut config = engine_config::config();
    let target = env::var("TARGET")?;
    let is_native = env::var("CARGO_CFG_TARGET_ARCH")? == env::consts::ARCH;
    if !is_native || config.target(&target).is_err() {
        return Ok(Vec::new());
    }
    Ok(wasmtime::Engine::new(&config)?.precompile_component(component)?)
}
