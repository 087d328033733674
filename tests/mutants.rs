//! Components that are wrong or hostile: the real guest with one edit each, built like the real one.

#[path = "../host/build/guest.rs"]
mod guest;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use keycell::Component;

/// The guest with one line of it replaced.
pub struct Mutant {
    /// What is wrong with it.
    pub name: &'static str,
    /// A file of `component/src`.
    pub file: &'static str,
    /// What stands there, exactly once.
    pub original: &'static str,
    /// What stands there instead.
    pub replacement: &'static str,
}

impl Mutant {
    /// Builds it beside the real guest, from which it takes the crates that both need.
    pub fn build(&self) -> Component {
        // One at a time: they share a target directory.
        static BUILDING: Mutex<()> = Mutex::new(());
        let _building = BUILDING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());

        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let copy = target_dir().join("mutants").join(self.name.replace(' ', "-"));
        let _ = fs::remove_dir_all(&copy);
        for dir in ["wit", "component", ".cargo"] {
            copy_dir(&root.join(dir), &copy.join(dir));
        }
        fs::copy(root.join("Cargo.lock"), copy.join("Cargo.lock")).unwrap();
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let members = manifest.lines().find(|line| line.starts_with("members = ")).unwrap();
        fs::write(copy.join("Cargo.toml"), replace_once(&manifest, members, "members = [\"component\"]")).unwrap();

        let source = copy.join("component/src").join(self.file);
        let original = fs::read_to_string(&source).unwrap();
        fs::write(&source, replace_once(&original, self.original, self.replacement)).unwrap();
        Component::from_bytes(guest::build(&copy, "keycell-component", &target_dir().join("guest")).unwrap()).unwrap()
    }
}

/// Edits that no longer fit the source must not pass as edits.
fn replace_once(text: &str, original: &str, replacement: &str) -> String {
    assert_eq!(text.matches(original).count(), 1, "{original:?} must stand once in:\n{text}");
    text.replace(original, replacement)
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The workspace's target directory: this test's binary is `<target>/<profile>/deps/<name>`.
fn target_dir() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}
