//! Builds the adapter; `src/lib.rs` embeds it.

use std::{env, error::Error, fs, path::Path};

#[path = "../../host/keycell/build/guest.rs"]
mod guest;

fn main() -> Result<(), Box<dyn Error>> {
    let manifest_dir = env::var("CARGO_MANIFEST_DIR")?;
    let out_dir = env::var("OUT_DIR")?;
    let (manifest_dir, out_dir) = (Path::new(&manifest_dir), Path::new(&out_dir));
    let root = manifest_dir.ancestors().nth(2).ok_or("the package is not in its workspace")?;

    for input in ["wit", "adapters/keyvalue", "host/keycell/build", "Cargo.toml", "Cargo.lock", ".cargo/config.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    println!("cargo::rerun-if-changed=build.rs");

    // OUT_DIR is `<target>/<profile>/build/<package>/out`. All profiles share the guests.
    let target_dir = out_dir.ancestors().nth(4).ok_or("OUT_DIR is not where cargo puts it")?;
    fs::write(out_dir.join("keyvalue.wasm"), guest::build(root, "keycell-keyvalue", &target_dir.join("guest"))?)?;
    Ok(())
}
