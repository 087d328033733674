//! Writes `keycell.wasm`, its provenance and its machine code for `src/component.rs`.
//!
//! Inside the workspace, the component is built from source. The published package carries it in
//! `prebuilt/`, so that a dependent needs no WebAssembly target.

use std::{env, error::Error, fs, path::Path};

#[path = "src/engine_config.rs"]
mod engine_config;
#[path = "build/guest.rs"]
mod guest;
#[path = "build/provenance.rs"]
mod provenance;
#[path = "build/split.rs"]
mod split;

fn main() -> Result<(), Box<dyn Error>> {
    let manifest_dir = env::var("CARGO_MANIFEST_DIR")?;
    let out_dir = env::var("OUT_DIR")?;
    let (manifest_dir, out_dir) = (Path::new(&manifest_dir), Path::new(&out_dir));

    for input in ["build.rs", "build", "src/engine_config.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let (component, provenance) = match workspace(manifest_dir) {
        Some(root) => from_source(root, out_dir)?,
        None => prebuilt(manifest_dir)?,
    };
    fs::write(out_dir.join("keycell.cwasm"), compile(&component)?)?;
    fs::write(out_dir.join("keycell.wasm"), component)?;
    fs::write(out_dir.join("provenance.json"), provenance)?;
    Ok(())
}

/// The root of the workspace, unless this is a published package.
fn workspace(manifest_dir: &Path) -> Option<&Path> {
    let root = manifest_dir.ancestors().nth(2)?;
    (manifest_dir == root.join("host/keycell") && root.join("component/Cargo.toml").exists()).then_some(root)
}

fn from_source(root: &Path, out_dir: &Path) -> Result<(Vec<u8>, String), Box<dyn Error>> {
    for input in provenance::SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    // OUT_DIR is `<target>/<profile>/build/<package>/out`. All profiles share one guest.
    let target_dir = out_dir.ancestors().nth(4).ok_or("OUT_DIR is not where cargo puts it")?;
    let component = split::split(&guest::build(root, "keycell-component", &target_dir.join("guest"))?)?;
    let provenance = provenance::describe(root, &component)?;
    Ok((component, provenance))
}

fn prebuilt(manifest_dir: &Path) -> Result<(Vec<u8>, String), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=prebuilt");
    let dir = manifest_dir.join("prebuilt");
    let missing = |error| format!("{} has no component ({error}); use the package as it was published", dir.display());
    let component = fs::read(dir.join("keycell.wasm")).map_err(missing)?;
    let provenance = fs::read_to_string(dir.join("provenance.json")).map_err(missing)?;
    provenance::verify(&component, &provenance)?;
    Ok((component, provenance))
}

/// Machine code for the target's baseline processor. It is empty where this machine cannot make it,
/// and the host then compiles when it starts.
fn compile(component: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut config = engine_config::config();
    let target = env::var("TARGET")?;
    let is_native = env::var("CARGO_CFG_TARGET_ARCH")? == env::consts::ARCH;
    if !is_native || config.target(&target).is_err() {
        return Ok(Vec::new());
    }
    Ok(wasmtime::Engine::new(&config)?.precompile_component(component)?)
}
