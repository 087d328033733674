//! Writes the tables of NFC (UAX #15) for `src/nfc.rs`, packed.

use std::{collections::HashMap, env, fmt::Write as _, fs, path::Path};

use unicode_normalization::char::{canonical_combining_class, compose, decompose_canonical};

const HANGUL_SYLLABLES: std::ops::RangeInclusive<char> = '가'..='힣';
/// The maximum length of a run, which is stored in three bits.
const MAX_RUN: u32 = 8;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let (pairs, singles) = decompositions();
    let (narrow, wide): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|pair| pair.whole.max(pair.first) < 0x1_0000);
    let (runs, targets) = single_runs(&singles);
    let mut out = String::new();
    table(&mut out, "NARROW_PAIRS", "NarrowPair", narrow.iter().map(|pair| pair.packed(15)));
    table(&mut out, "WIDE_PAIRS", "WidePair", wide.iter().map(|pair| pair.packed(31)));
    table(&mut out, "SINGLE_RUNS", "SingleRun", runs.iter().map(|bits| format!("SingleRun({bits})")));
    table(&mut out, "SINGLES", "u16", targets.iter().map(|target| (target & 0xFFFF).to_string()));
    table(&mut out, "PLANE_2", "u8", plane_2(&targets).iter().map(u8::to_string));
    table(&mut out, "CLASSES", "ClassRun", classes().iter().map(|bits| format!("ClassRun({bits})")));
    let dir = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&dir).join("nfc_tables.rs"), out).expect("OUT_DIR can be written");
}

fn table(out: &mut String, name: &str, entry: &str, entries: impl ExactSizeIterator<Item = String>) {
    write!(out, "static {name}: [{entry}; {}] = [", entries.len()).expect("a String takes all");
    for entry in entries {
        write!(out, "{entry},").expect("a String takes all");
    }
    out.push_str("];\n");
}

/// A character that decomposes into two others.
struct Pair {
    whole: u32,
    first: u32,
    second: u32,
    composes: bool,
}

impl Pair {
    /// The pair in the form that `src/nfc.rs` reads. This bit of the second character is `composes`.
    fn packed(&self, bit: u32) -> String {
        assert!(self.second < 1 << bit, "no second character has bit {bit}");
        let (name, second) =
            (if bit == 15 { "NarrowPair" } else { "WidePair" }, self.second | u32::from(self.composes) << bit);
        format!("{name}([{}, {}, {second}])", self.whole, self.first)
    }
}

/// The characters that decompose into two others, and those that decompose into one, with their
/// parts. A part may decompose further.
fn decompositions() -> (Vec<Pair>, Vec<(u32, u32)>) {
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
    let (mut pairs, mut singles) = (Vec::new(), Vec::new());
    for (c, parts) in &full {
        let (first, second) = match parts.as_slice() {
            [only] => {
                singles.push((u32::from(*c), u32::from(*only)));
                continue;
            }
            [first, second] => (*first, *second),
            [firsts @ .., last] => {
                // Several characters may have these parts; NFC has the composed one.
                let composed = firsts.iter().copied().map(Some).reduce(|whole, part| compose(whole?, part?));
                (composed.flatten().unwrap_or_else(|| by_parts[firsts]), *last)
            }
            [] => unreachable!("no character decomposes into nothing"),
        };
        let composes = compose(first, second) == Some(*c);
        pairs.push(Pair { whole: (*c).into(), first: first.into(), second: second.into(), composes });
    }
    (pairs, singles)
}

/// Runs of consecutive characters, each packed with the index of its first target; and the targets.
fn single_runs(singles: &[(u32, u32)]) -> (Vec<u64>, Vec<u32>) {
    let is_first = |index: usize| index == 0 || singles[index - 1].0 + 1 != singles[index].0;
    let starts = (0..singles.len()).filter(|&index| is_first(index));
    let runs = starts.map(|index| u64::from(singles[index].0) << 11 | index as u64).collect();
    assert!(singles.len() < 1 << 11, "an index has 11 bits");
    (runs, singles.iter().map(|&(_, target)| target).collect())
}

/// One bit for each target: 1 for plane 2, 0 for plane 0.
fn plane_2(targets: &[u32]) -> Vec<u8> {
    assert!(targets.iter().all(|target| matches!(target >> 16, 0 | 2)), "targets are of planes 0 and 2");
    let byte = |bits: &[u32]| bits.iter().rev().fold(0, |byte, target| byte << 1 | u8::from(target >> 16 == 2));
    targets.chunks(8).map(byte).collect()
}

/// Runs of consecutive characters of one combining class other than 0.
fn classes() -> Vec<u64> {
    let mut runs: Vec<(u32, u32, u8)> = Vec::new();
    for c in '\0'..=char::MAX {
        let (at, class) = (u32::from(c), canonical_combining_class(c));
        match runs.last_mut() {
            _ if class == 0 => {}
            Some((start, len, of)) if *start + *len == at && *of == class && *len < MAX_RUN => *len += 1,
            _ => runs.push((at, 1, class)),
        }
    }
    runs.into_iter().map(|(start, len, class)| u64::from(start << 11 | (len - 1) << 8 | u32::from(class))).collect()
}
