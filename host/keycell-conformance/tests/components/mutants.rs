//! Components with one edit of the real component's source.

#[allow(dead_code, reason = "a part of the build script")]
#[path = "../../../keycell/build/guest.rs"]
mod guest;
#[path = "../../../keycell/build/split.rs"]
mod split;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use keycell::Component;

/// The real component with one edit.
pub struct Mutant {
    /// The name.
    pub name: &'static str,
    /// A file of `component/src`.
    pub file: &'static str,
    /// A text that the file has once, outside its tests.
    pub original: &'static str,
    /// The text that replaces it.
    pub replacement: &'static str,
}

impl Mutant {
    /// Builds the component, in a copy of the sources.
    pub fn build(&self) -> Component {
        // One at a time, because they share a target directory.
        static BUILDING: Mutex<()> = Mutex::new(());
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);

        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let mutants = target_dir().join("mutants");
        // At one path for all, which is a part of the compiler's flags: dependencies are compiled once.
        let copy = mutants.join("workspace");
        let _ = fs::remove_dir_all(&copy);
        copy_dir(&root.join("component"), &copy.join("component"));
        copy_dir(&root.join("wit"), &copy.join("wit"));
        copy_dir(&root.join(".cargo"), &copy.join(".cargo"));
        fs::copy(root.join("Cargo.lock"), copy.join("Cargo.lock")).unwrap();
        fs::write(copy.join("Cargo.toml"), manifest(root)).unwrap();

        let source = copy.join("component/src").join(self.file);
        let text = fs::read_to_string(&source).unwrap();
        fs::write(&source, replace_once(&text, self.original, self.replacement)).unwrap();
        let bytes = guest::build(&copy, "keycell-component", &mutants.join("target")).unwrap();
        Component::from_bytes(split::split(&bytes).unwrap()).unwrap()
    }
}

/// The manifest of the workspace, with the component as its only member and without optimization
/// across crates, which would take most of the time.
fn manifest(root: &Path) -> String {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = manifest.lines().find(|line| line.starts_with("members = ")).unwrap();
    replace_once(&manifest, members, "members = [\"component\"]")
        .replace("lto = \"fat\"\ncodegen-units = 1\npanic", "lto = false\npanic")
        .replace("opt-level = \"z\"", "opt-level = 1")
}

/// An edit that no longer fits the source must fail.
fn replace_once(text: &str, original: &str, replacement: &str) -> String {
    let (code, tests) = text.split_at(text.find("#[cfg(test)]").unwrap_or(text.len()));
    assert_eq!(code.matches(original).count(), 1, "{original:?} must occur once in:\n{code}");
    code.replace(original, replacement) + tests
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_dir(&path, &target);
        } else {
            fs::copy(path, target).unwrap();
        }
    }
}

/// The target directory of the workspace. The path of this test is `<target>/<profile>/deps/<name>`.
fn target_dir() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}
