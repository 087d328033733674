//! The WIT of released versions, which never changes: components and hosts are built against it.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use sha2::{Digest, Sha256};

const RELEASED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/wit/released");

/// The released versions, and the SHA-256 of what
/// `cd wit/released/VERSION && find . -type f | LC_ALL=C sort | xargs sha256sum` prints.
const VERSIONS: &[(&str, &str)] = &[("0.1.0", "4963ef136c2df579bec931e4d2a8ac8200a2241a21d5262e59954877579bd644")];

#[test]
fn released_wit_is_unchanged() {
    let found: BTreeMap<_, _> = fs::read_dir(RELEASED)
        .unwrap()
        .map(|version| {
            let version = version.unwrap();
            (version.file_name().into_string().unwrap(), sha256(sums(&version.path()).as_bytes()))
        })
        .collect();
    let expected: BTreeMap<_, _> =
        VERSIONS.iter().map(|(version, sha256)| ((*version).to_owned(), (*sha256).to_owned())).collect();
    assert_eq!(found, expected, "the WIT of a released version is frozen; change the files in wit/ instead");
}

fn sums(dir: &Path) -> String {
    let mut files = Vec::new();
    collect_files(dir, ".", &mut files);
    files.sort();
    files.iter().fold(String::new(), |mut sums, file| {
        writeln!(sums, "{}  {file}", sha256(&fs::read(dir.join(file)).unwrap())).unwrap();
        sums
    })
}

fn collect_files(dir: &Path, path: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(dir.join(path)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{path}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect_files(dir, &path, files);
        } else {
            files.push(path);
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
