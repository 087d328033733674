//! One guest with every fault of these tests, of which a number in its data selects one.
//!
//! Compiling a guest takes longer than testing it, so there is one for all. A fault replaces
//! expressions of the real component's source. In the guest, each of these expressions is a choice:
//! `(if crate::selected_fault::is(7) { replacement } else { original })`.

#[allow(dead_code, reason = "a part of the build script")]
#[path = "../../../keycell/build/guest.rs"]
mod guest;
#[path = "../../../keycell/build/split.rs"]
mod split;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use keycell::{Component, Keycell, MemoryStorage, Storage};

use crate::{hostile_components, invalid_records, isolation, limit_conflicts, wrong_components};

/// Replacements of expressions of the real component's source.
pub struct Fault {
    /// The name.
    pub name: &'static str,
    /// The replacements.
    pub edits: Vec<Edit>,
}

/// The replacement of an expression.
pub struct Edit {
    /// A file of `component/src`.
    pub file: &'static str,
    /// An expression that the file has once, outside its tests. Two edits may have the same one;
    /// otherwise they must not overlap.
    pub original: &'static str,
    /// The expression that replaces it.
    pub replacement: String,
}

impl Edit {
    /// Runs a statement before the component gets a key whose id begins with `ffffffff`. For all
    /// other keys the component is the real one.
    pub fn before_get(statement: &str) -> Self {
        let original = "found(api_key_id, imports::now()?)?.basic()";
        let replacement = format!("if api_key_id.starts_with(\"ffffffff\") {{ {statement} }} {original}");
        Self { file: "guest/get.rs", original, replacement }
    }
}

/// A new authority on the component with this fault.
pub fn keycell_with(fault: &str) -> Keycell<MemoryStorage> {
    keycell_on(MemoryStorage::default(), fault)
}

/// A new authority on this storage and the component with this fault.
pub fn keycell_on<S: Storage>(storage: S, fault: &str) -> Keycell<S> {
    Keycell::builder(storage).component(component_with(fault)).build().unwrap()
}

/// The component with this fault.
pub fn component_with(fault: &str) -> Component {
    GUEST.with_fault(GUEST.faults.iter().position(|name| *name == fault).unwrap() + 1)
}

/// The same component without a fault.
pub fn control() -> Component {
    GUEST.with_fault(0)
}

static GUEST: LazyLock<Guest> = LazyLock::new(Guest::build);

struct Guest {
    wasm: Patchable,
    /// Compiled once, because that takes seconds.
    machine_code: Patchable,
    /// The names of the faults, whose numbers begin with 1.
    faults: Vec<&'static str>,
}

impl Guest {
    fn build() -> Self {
        let faults: Vec<_> = [
            wrong_components::faults(),
            hostile_components::faults(),
            invalid_records::faults(),
            isolation::faults(),
            limit_conflicts::faults(),
        ]
        .into_iter()
        .flatten()
        .collect();
        let wasm = build(&choices(&faults));
        let machine_code = Component::from_bytes(wasm.clone()).unwrap().machine_code().unwrap();
        Self {
            wasm: Patchable::new(wasm),
            machine_code: Patchable::new(machine_code),
            faults: faults.into_iter().map(|fault| fault.name).collect(),
        }
    }

    fn with_fault(&self, number: usize) -> Component {
        let number = u8::try_from(number).unwrap();
        let (wasm, machine_code) = (self.wasm.with(number), self.machine_code.with(number));
        // SAFETY: it is the machine code of this component, apart from the number, which is a part
        // of the initial content of its memory.
        unsafe { Component::from_machine_code(wasm, &machine_code) }.unwrap()
    }
}

/// The text before the number in the guest's data.
const MARKER: &str = "the number of the selected fault: ";

/// Bytes that contain the number of the selected fault.
struct Patchable {
    bytes: Vec<u8>,
    number_at: usize,
}

impl Patchable {
    fn new(bytes: Vec<u8>) -> Self {
        let mut places = bytes.windows(MARKER.len()).enumerate().filter(|(_, part)| *part == MARKER.as_bytes());
        let place = places.next().map(|(at, _)| at).unwrap();
        assert!(places.next().is_none(), "the guest has the marker twice");
        Self { number_at: place + MARKER.len(), bytes }
    }

    fn with(&self, number: u8) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[self.number_at] = number;
        bytes
    }
}

/// The replacements of an expression, with the numbers of their faults.
type Choice<'a> = Vec<(usize, &'a str)>;

/// The choices of each file, by expression.
fn choices(faults: &[Fault]) -> BTreeMap<&str, BTreeMap<&str, Choice<'_>>> {
    let mut files = BTreeMap::<_, BTreeMap<_, Choice<'_>>>::new();
    for (fault, number) in faults.iter().zip(1..) {
        for edit in &fault.edits {
            let choice = files.entry(edit.file).or_default().entry(edit.original).or_default();
            choice.push((number, edit.replacement.as_str()));
        }
    }
    files
}

/// Builds the guest in a copy of the sources.
fn build(choices: &BTreeMap<&str, BTreeMap<&str, Choice<'_>>>) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let faults = target_dir().join("faults");
    let copy = faults.join("workspace");
    let _ = fs::remove_dir_all(&copy);
    copy_dir(&root.join("component"), &copy.join("component"));
    copy_dir(&root.join("wit"), &copy.join("wit"));
    copy_dir(&root.join(".cargo"), &copy.join(".cargo"));
    fs::copy(root.join("Cargo.lock"), copy.join("Cargo.lock")).unwrap();
    fs::write(copy.join("Cargo.toml"), manifest(root)).unwrap();

    let source = copy.join("component/src");
    for (file, choices) in choices {
        edit(&source.join(file), |text| with_choices(text, choices));
    }
    edit(&source.join("lib.rs"), |text| {
        // The parentheses around a choice are often unnecessary.
        replace_once(text, "#![deny(missing_docs, unsafe_code)]", "#![allow(warnings)]") + &selected_fault()
    });
    let bytes = guest::build(&copy, "keycell-component", &faults.join("target")).unwrap();
    split::split(&bytes).unwrap()
}

/// The manifest of the workspace, with the component as its only member.
fn manifest(root: &Path) -> String {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = manifest.lines().find(|line| line.starts_with("members = ")).unwrap();
    replace_once(&manifest, members, "members = [\"component\"]")
}

/// The module of the guest that has the number.
fn selected_fault() -> String {
    let len = MARKER.len();
    format!(
        "
        mod selected_fault {{
            static NUMBER: [u8; {len} + 1] = *b\"{MARKER}\\0\";

            pub fn is(number: u8) -> bool {{
                // The compiler must not know the number.
                core::hint::black_box(&NUMBER)[{len}] == number
            }}
        }}"
    )
}

/// Replaces expressions by choices. An edit that no longer fits the source must fail.
fn with_choices(text: &str, choices: &BTreeMap<&str, Choice<'_>>) -> String {
    let code_len = text.find("#[cfg(test)]").unwrap_or(text.len());
    let places: BTreeMap<_, _> =
        choices.iter().map(|(&original, choice)| (place_of(original, &text[..code_len]), (original, choice))).collect();
    let mut edited = String::new();
    let mut end = 0;
    for (place, (original, choice)) in places {
        assert!(end <= place, "{original:?} overlaps another expression");
        edited += &text[end..place];
        edited.push('(');
        for (number, replacement) in choice {
            write!(edited, "if crate::selected_fault::is({number}) {{ {replacement} }} else ").unwrap();
        }
        write!(edited, "{{ {original} }})").unwrap();
        end = place + original.len();
    }
    edited + &text[end..]
}

/// The only place of a text.
fn place_of(original: &str, code: &str) -> usize {
    assert_eq!(code.matches(original).count(), 1, "{original:?} must occur once in:\n{code}");
    code.find(original).unwrap()
}

fn replace_once(text: &str, original: &str, replacement: &str) -> String {
    let place = place_of(original, text);
    [&text[..place], replacement, &text[place + original.len()..]].concat()
}

fn edit(file: &Path, change: impl FnOnce(&str) -> String) {
    let text = fs::read_to_string(file).unwrap();
    fs::write(file, change(&text)).unwrap();
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
