//! Writes the tables of NFC (UAX #15) for `src/nfc.rs`, packed.

use std::{collections::HashMap, env, fmt::Write as _, fs, path::Path};

use unicode_normalization::char::{canonical_combining_class, compose, decompose_canonical};

const HANGUL_SYLLABLES: std::ops::RangeInclusive<char> = '가'..='힣';
/// What three bits of a run's length hold.
const LONGEST_RUN: u32 = 8;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let mut out = String::new();
    table(&mut out, "DECOMPOSITIONS", "Decomposition", &decompositions());
    table(&mut out, "CLASSES", "ClassRun", &classes());
    let dir = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&dir).join("nfc_tables.rs"), out).expect("OUT_DIR can be written");
}

fn table(out: &mut String, name: &str, entry: &str, packed: &[u64]) {
    write!(out, "static {name}: [{entry}; {}] = [", packed.len()).expect("a String takes all");
    for bits in packed {
        write!(out, "{entry}({bits}),").expect("a String takes all");
    }
    out.push_str("];\n");
}

/// By character: the two that it is made of, each of which may be made of two again.
fn decompositions() -> Vec<u64> {
    let full: Vec<(char, Vec<char>)> = ('\0'..=char::MAX)
        .filter(|c| !HANGUL_SYLLABLES.contains(c))
        .map(|c| {
            let mut parts = Vec::new();
            decompose_canonical(c, |part| parts.push(part));
            (c, parts)
        })
        .filter(|(c, parts)| parts != &[*c])
        .collect();
    let by_parts: HashMap<&[char], char> = full.iter().map(|(c, parts)| (parts.as_slice(), *c)).collect();
    full.iter()
        .map(|(c, parts)| {
            let (first, second) = match parts.as_slice() {
                [only] => (*only, '\0'),
                [first, second] => (*first, *second),
                [firsts @ .., last] => {
                    // Several characters may have these parts; NFC has the composed one.
                    let composed = firsts.iter().copied().map(Some).reduce(|whole, part| compose(whole?, part?));
                    (composed.flatten().unwrap_or_else(|| by_parts[firsts]), *last)
                }
                [] => unreachable!("no character decomposes into nothing"),
            };
            let is_composed = u64::from(compose(first, second) == Some(*c));
            u64::from(*c) << 43 | u64::from(first) << 22 | u64::from(second) << 1 | is_composed
        })
        .collect()
}

/// Runs of characters of the same combining class other than 0.
fn classes() -> Vec<u64> {
    let mut runs: Vec<(u32, u32, u8)> = Vec::new();
    for c in '\0'..=char::MAX {
        let (at, class) = (u32::from(c), canonical_combining_class(c));
        match runs.last_mut() {
            _ if class == 0 => {}
            Some((start, len, of)) if *start + *len == at && *of == class && *len < LONGEST_RUN => *len += 1,
            _ => runs.push((at, 1, class)),
        }
    }
    runs.into_iter().map(|(start, len, class)| u64::from(start << 11 | (len - 1) << 8 | u32::from(class))).collect()
}
