//! The published packages, and a check that they build without the workspace around them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use crate::{builds, setup::say};

/// A published package of the workspace.
struct Package {
    name: String,
    /// The directory in its archive, `<name>-<version>`.
    directory: String,
}

/// Writes the packages to target/package, and builds what they contain.
pub fn run(shell: &Shell) -> Result<()> {
    let metadata: Value =
        serde_json::from_str(&cmd!(shell, "cargo metadata --no-deps --format-version 1").quiet().read()?)?;
    let target = PathBuf::from(text(&metadata, "target_directory")?);
    let packages = published(&metadata)?;

    say("Packaging");
    carry_component(shell)?;
    let selection = packages.iter().flat_map(|package| ["--package", package.name.as_str()]);
    cmd!(shell, "cargo package --quiet --no-verify --allow-dirty {selection...}").run()?;

    say("Building the packages from their archives");
    let unpacked =
        Unpacked { shell, root: shell.current_dir(), dir: target.join("package/unpacked"), target, metadata };
    // An embedder's build does not have the features that other packages enable.
    let library = |package: &&Package| matches!(package.name.as_str(), "keycell" | "keycell-component");
    unpacked.run(packages.iter().filter(library), "test --workspace --test smoke")?;
    unpacked.run(packages.iter(), "build --workspace --bin keycell")
}

fn published(metadata: &Value) -> Result<Vec<Package>> {
    let packages = metadata["packages"].as_array().context("the workspace has packages")?;
    let published = packages.iter().filter(|package| package["publish"].is_null());
    published
        .map(|package| {
            let (name, version) = (text(package, "name")?, text(package, "version")?);
            Ok(Package { name: name.to_owned(), directory: format!("{name}-{version}") })
        })
        .collect()
}

/// Copies the component and its provenance into the package `keycell`.
fn carry_component(shell: &Shell) -> Result<()> {
    let messages = builds::messages(shell, "build --workspace --bin keycell")?;
    let library = |message: &&Value| {
        message["reason"] == "build-script-executed"
            && message["package_id"].as_str().is_some_and(|id| id.contains("/host/keycell#"))
    };
    let built = messages.iter().find(library).context("cargo reports the build script of keycell")?;
    let out_dir = Path::new(text(built, "out_dir")?);
    let prebuilt = shell.create_dir("host/keycell/prebuilt")?;
    for file in ["keycell.wasm", "provenance.json"] {
        shell.copy_file(out_dir.join(file), &prebuilt)?;
    }
    Ok(())
}

/// A workspace of unpacked archives that shares its build artifacts with this repository's
/// workspace.
struct Unpacked<'a> {
    shell: &'a Shell,
    root: PathBuf,
    dir: PathBuf,
    target: PathBuf,
    metadata: Value,
}

impl Unpacked<'_> {
    /// Runs a cargo command on `packages`, with a compiler that has no WebAssembly target.
    fn run<'p>(&self, packages: impl Iterator<Item = &'p Package>, command: &str) -> Result<()> {
        let packages: Vec<_> = packages.collect();
        let (shell, dir) = (self.shell, &self.dir);
        shell.remove_path(dir)?;
        shell.create_dir(dir)?;
        for package in &packages {
            let archive = self.target.join("package").join(format!("{}.crate", package.directory));
            // All files of an archive have the same old time, so cargo would not detect changes.
            cmd!(shell, "tar --extract --touch --gzip --file {archive} --directory {dir}").quiet().run()?;
        }
        shell.write_file(dir.join("Cargo.toml"), self.workspace(&packages)?)?;
        shell.copy_file(self.root.join("Cargo.lock"), dir)?;
        shell.write_file(dir.join("features/Cargo.toml"), self.features()?)?;
        shell.write_file(dir.join("features/src/lib.rs"), "")?;

        let args = command.split(' ');
        let _dir = shell.push_dir(dir);
        cmd!(shell, "cargo {args...}")
            .env("CARGO_TARGET_DIR", &self.target)
            .env("RUSTC_WRAPPER", self.root.join(".ci/rustc-without-webassembly"))
            .run()?;
        Ok(())
    }

    /// Returns the manifest: unpacked packages in place of published ones, and this workspace's
    /// profiles.
    fn workspace(&self, packages: &[&Package]) -> Result<String> {
        let manifest = fs::read_to_string(self.root.join("Cargo.toml"))?;
        let profiles =
            manifest.find("[profile.").and_then(|at| manifest.get(at..)).context("the workspace has profiles")?;
        let directories: Vec<_> =
            packages.iter().map(|package| package.directory.as_str()).chain(["features"]).collect();
        let patches: String = packages
            .iter()
            .map(|package| format!("{} = {{ path = {:?} }}\n", package.name, package.directory))
            .collect();
        Ok(format!(
            "[workspace]\nresolver = \"1\"\nmembers = {directories:?}\n\n[patch.crates-io]\n{patches}\n{profiles}"
        ))
    }

    /// The manifest of a member that asks for the features that this tree's workspace asks for, so
    /// that no dependency has to be compiled again.
    fn features(&self) -> Result<String> {
        let mut dependencies = BTreeMap::<_, (bool, BTreeSet<&str>)>::new();
        let members = self.metadata["packages"].as_array().context("the workspace has packages")?;
        for dependency in members.iter().filter_map(|member| member["dependencies"].as_array()).flatten() {
            if dependency["path"].is_null() {
                let (default, features) =
                    dependencies.entry((text(dependency, "name")?, text(dependency, "req")?)).or_default();
                *default |= dependency["uses_default_features"] == true;
                features.extend(dependency["features"].as_array().into_iter().flatten().filter_map(Value::as_str));
            }
        }
        let mut manifest = "[package]\nname = \"features\"\nedition = \"2024\"\n\n[dependencies]\n".to_owned();
        for ((name, version), (default, features)) in dependencies {
            let (version, features) = (json!(version), json!(features));
            manifest +=
                &format!("{name} = {{ version = {version}, default-features = {default}, features = {features} }}\n");
        }
        Ok(manifest)
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("cargo's metadata has {field}"))
}
