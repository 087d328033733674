//! Unicode Normalization Form C (UAX #15).
//!
//! The build script makes the tables. The tables of other crates are three times as large: they
//! would make up half of the component.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::mem;

include!(concat!(env!("OUT_DIR"), "/nfc_tables.rs"));

/// A character, its two parts, and whether composition joins the parts to it again.
trait Pair {
    fn whole(&self) -> u32;
    fn parts(&self) -> [u32; 2];
    fn composes(&self) -> bool;
}

/// A pair of characters below U+10000. The highest bit of the second part, which is otherwise unused,
/// is whether the pair composes.
struct NarrowPair([u16; 3]);

impl Pair for NarrowPair {
    fn whole(&self) -> u32 {
        self.0[0].into()
    }

    fn parts(&self) -> [u32; 2] {
        [self.0[1].into(), (self.0[2] & 0x7FFF).into()]
    }

    fn composes(&self) -> bool {
        self.0[2] & 0x8000 != 0
    }
}

/// Any other pair. The highest bit of the second part is whether the pair composes.
struct WidePair([u32; 3]);

impl Pair for WidePair {
    fn whole(&self) -> u32 {
        self.0[0]
    }

    fn parts(&self) -> [u32; 2] {
        [self.0[1], self.0[2] & 0x7FFF_FFFF]
    }

    fn composes(&self) -> bool {
        self.0[2] & 0x8000_0000 != 0
    }
}

/// A run of consecutive characters, each of which decomposes into one other character. From the
/// highest bit: 21 bits of the first character, 11 of the index of its target in `SINGLES`.
struct SingleRun(u32);

impl SingleRun {
    fn start(&self) -> u32 {
        self.0 >> 11
    }

    fn index(&self) -> usize {
        (self.0 & 0x7FF) as usize
    }
}

/// A run of consecutive characters of one combining class. From the highest bit: 21 bits of the first
/// character, 3 of the number of characters after it, 8 of the class.
struct ClassRun(u32);

impl ClassRun {
    fn start(&self) -> u32 {
        self.0 >> 11
    }

    fn end(&self) -> u32 {
        self.start() + (self.0 >> 8 & 7)
    }
}

/// `text` in NFC.
#[must_use]
pub fn nfc(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    composed(&decomposed(text)).into_iter().collect()
}

/// Full canonical decomposition in canonical order, except that Hangul syllables stay: composition
/// would only join their parts again.
fn decomposed(text: &str) -> Vec<char> {
    let mut chars = Vec::with_capacity(text.len());
    for c in text.chars() {
        decompose(c, &mut chars);
    }
    chars
}

/// Adds the full canonical decomposition of `c`.
fn decompose(c: char, chars: &mut Vec<char>) {
    let parts = pair(c).or_else(|| Some([Some(single(c)?), None]));
    match parts {
        Some(parts) => parts.into_iter().flatten().for_each(|part| decompose(part, chars)),
        None => push_in_order(chars, c),
    }
}

fn pair(c: char) -> Option<[Option<char>; 2]> {
    let parts = find_pair(&NARROW_PAIRS, c).or_else(|| find_pair(&WIDE_PAIRS, c));
    parts.map(|parts| parts.map(char::from_u32))
}

fn find_pair(pairs: &[impl Pair], c: char) -> Option<[u32; 2]> {
    let at = pairs.binary_search_by_key(&c.into(), Pair::whole).ok()?;
    pairs.get(at).map(Pair::parts)
}

fn single(c: char) -> Option<char> {
    let after = SINGLE_RUNS.partition_point(|run| run.start() <= c.into());
    let run = SINGLE_RUNS.get(after.checked_sub(1)?)?;
    let at = run.index() + (u32::from(c) - run.start()) as usize;
    let end = SINGLE_RUNS.get(after).map_or(SINGLES.len(), SingleRun::index);
    let low = SINGLES.get(at).filter(|_| at < end)?;
    // The target is in plane 2 or in plane 0.
    let is_in_plane_2 = PLANE_2.get(at / 8)? >> (at % 8) & 1;
    char::from_u32(u32::from(is_in_plane_2) * 0x2_0000 + u32::from(*low))
}

fn compose(first: char, second: char) -> Option<char> {
    let parts = [first, second].map(u32::from);
    hangul::compose(first, second).or_else(|| {
        find_whole(&NARROW_PAIRS, parts).or_else(|| find_whole(&WIDE_PAIRS, parts)).and_then(char::from_u32)
    })
}

fn find_whole(pairs: &[impl Pair], parts: [u32; 2]) -> Option<u32> {
    pairs.iter().find(|pair| pair.composes() && pair.parts() == parts).map(Pair::whole)
}

/// The canonical combining class; 0 for characters that are not reordered.
fn combining_class(c: char) -> u8 {
    let c = u32::from(c);
    let after = CLASSES.partition_point(|run| run.start() <= c);
    match after.checked_sub(1).and_then(|index| CLASSES.get(index)) {
        Some(run) if c <= run.end() => run.0 as u8,
        _ => 0,
    }
}

/// Hangul syllables, which are computed (The Unicode Standard, section 3.12).
mod hangul {
    const SYLLABLES: u32 = 0xAC00;
    const LEADS: u32 = 0x1100;
    const VOWELS: u32 = 0x1161;
    const TRAILS: u32 = 0x11A7;
    const LEAD_COUNT: u32 = 19;
    const VOWEL_COUNT: u32 = 21;
    /// Includes the index 0, which stands for no trail.
    const TRAIL_COUNT: u32 = 28;

    /// The index of `c` in a block; `None` if it is not in the block.
    fn index(c: char, start: u32, count: u32) -> Option<u32> {
        u32::from(c).checked_sub(start).filter(|&index| index < count)
    }

    /// Composes lead and vowel, or an open syllable and a trail.
    pub fn compose(first: char, second: char) -> Option<char> {
        if let Some(lead) = index(first, LEADS, LEAD_COUNT) {
            let vowel = index(second, VOWELS, VOWEL_COUNT)?;
            return char::from_u32(SYLLABLES + (lead * VOWEL_COUNT + vowel) * TRAIL_COUNT);
        }
        index(first, SYLLABLES, LEAD_COUNT * VOWEL_COUNT * TRAIL_COUNT).filter(|open| open % TRAIL_COUNT == 0)?;
        let trail = index(second, TRAILS, TRAIL_COUNT).filter(|&trail| trail > 0)?;
        char::from_u32(u32::from(first) + trail)
    }
}

/// Adds a mark before the marks of a greater class, and anything else at the end.
fn push_in_order(chars: &mut Vec<char>, c: char) {
    let class = combining_class(c);
    let is_before = |&other: &char| class == 0 || combining_class(other) <= class;
    let at = chars.iter().rposition(is_before).map_or(0, |before| before + 1);
    let last = chars.iter_mut().skip(at).fold(c, |moved, place| mem::replace(place, moved));
    chars.push(last);
}

/// Joins each character with the last starter before it, unless a character between them blocks it.
fn composed(decomposed: &[char]) -> Vec<char> {
    let mut chars: Vec<char> = Vec::with_capacity(decomposed.len());
    let mut starter = None;
    // The class of the last character that was not joined with the starter.
    let mut last_class = 0;
    for &c in decomposed {
        let class = combining_class(c);
        let whole = starter
            .filter(|&at| at + 1 == chars.len() || last_class < class)
            .and_then(|at| Some((at, compose(*chars.get(at)?, c)?)));
        if let Some((at, whole)) = whole {
            chars.get_mut(at).into_iter().for_each(|place| *place = whole);
            continue;
        }
        if class == 0 {
            starter = Some(chars.len());
        }
        last_class = class;
        chars.push(c);
    }
    chars
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::UnicodeNormalization;

    fn assert_equals_the_crate(text: &str) {
        assert_eq!(nfc(text), text.nfc().collect::<String>(), "{}", text.escape_unicode());
    }

    #[test]
    fn every_character_alone_and_among_marks() {
        for c in '\0'..=char::MAX {
            assert_equals_the_crate(&c.to_string());
            assert_equals_the_crate(&format!("e{c}\u{301}"));
            assert_equals_the_crate(&format!("a\u{323}{c}\u{302}{c}"));
        }
    }

    #[test]
    fn no_character_has_more_than_four_parts() {
        assert_eq!(('\0'..=char::MAX).map(|c| decomposed(&c.to_string()).len()).max(), Some(4));
    }

    #[test]
    fn every_jamo_after_every_kind_of_hangul() {
        for c in '\u{1100}'..='\u{11ff}' {
            for before in ["\u{1100}", "\u{1112}", "\u{1113}", "\u{1161}", "가", "각", "힐", "힣"] {
                assert_equals_the_crate(&format!("{before}{c}"));
            }
        }
    }

    #[test]
    fn every_pair_of_composing_characters() {
        let bases: Vec<char> =
            "aeosAEOU\u{1100}\u{1161}\u{11a8}가각\u{915}\u{93c}\u{9c7}\u{9be}\u{1b05}\u{1b35}\u{212b}\u{344}\u{fb1d}"
                .chars()
                .collect();
        let marks: Vec<char> =
            ('\u{300}'..='\u{36f}').chain("\u{1161}\u{11a8}\u{93c}\u{9be}\u{1b35}\u{5b4}\u{3099}".chars()).collect();
        for &base in &bases {
            for &one in &marks {
                for &two in &marks {
                    assert_equals_the_crate(&format!("{base}{one}{two}{base}"));
                }
            }
        }
    }
}
