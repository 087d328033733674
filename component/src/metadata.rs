//! Metadata of a key: a JSON object of the issuer's.
//!
//! The scanner keeps numbers as they were written, and refuses numbers that a double cannot hold,
//! duplicate members and keys inside strings. A general JSON library is several times as large.

use alloc::{string::String, vec, vec::Vec};

use crate::{
    argument,
    fault::{self, Fault},
    key, sorted_set,
};

const MAX_BYTES: usize = 4096;
/// The top object is level 1.
const MAX_LEVELS: u32 = 8;
/// Every number is below 10 to this power. The largest double is about 1.8e308.
const MAX_EXPONENT: i32 = 308;

/// A JSON object as compact text, of at most 4096 bytes and 8 levels, without duplicate members,
/// numbers that are too large, and keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata(String);

impl Metadata {
    /// Parses an object.
    ///
    /// # Errors
    ///
    /// All faults. Text that is not JSON, has too many levels or is too long is not read to its
    /// end, so it has this one fault.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        compact(text)?.into_metadata()
    }

    /// Parses an object, or `null`, which is `None`.
    ///
    /// # Errors
    ///
    /// As for [`Self::parse`].
    pub fn parse_nullable(text: &str) -> Result<Option<Self>, Vec<Fault>> {
        let compact = compact(text)?;
        if compact.text == "null" { Ok(None) } else { compact.into_metadata().map(Some) }
    }

    /// The compact text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

/// A JSON text without insignificant white space, and its faults.
#[derive(Default)]
struct Compact {
    text: String,
    has_duplicate: bool,
    has_large_number: bool,
    holds_key: bool,
}

impl Compact {
    fn into_metadata(self) -> Result<Metadata, Vec<Fault>> {
        fault::check(&[
            (!self.text.starts_with('{'), Fault::NotAnObject),
            (self.has_duplicate, Fault::DuplicateMember),
            (self.has_large_number, Fault::NumberTooLarge),
            (self.holds_key, Fault::HoldsKey),
        ])?;
        Ok(Metadata(self.text))
    }
}

fn compact(text: &str) -> Result<Compact, Vec<Fault>> {
    if argument::is_too_long(text) {
        return Err(vec![Fault::MetadataTooLong]);
    }
    let mut scanner = Scanner { rest: text, out: Compact::default() };
    match scanner.document() {
        Ok(()) => Ok(scanner.out),
        Err(fault) => Err(vec![fault]),
    }
}

/// A reader of RFC 8259 that writes the compact form of what it has read.
struct Scanner<'a> {
    rest: &'a str,
    out: Compact,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), Fault> {
        self.value(1)?;
        self.skip_white_space();
        if self.rest.is_empty() { Ok(()) } else { Err(Fault::NotJson) }
    }

    fn value(&mut self, level: u32) -> Result<(), Fault> {
        self.skip_white_space();
        match self.rest.as_bytes().first() {
            Some(b'{') => self.items(level, '{', '}', |scanner, names| {
                let name = scanner.string()?;
                scanner.out.has_duplicate |= !sorted_set::insert(names, name);
                scanner.skip_white_space();
                scanner.character(':')?;
                scanner.value(level + 1)
            }),
            Some(b'[') => self.items(level, '[', ']', |scanner, _| scanner.value(level + 1)),
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.number(),
        }
    }

    /// An object or an array: items that are separated by commas. `names` has the names of the
    /// members so far.
    fn items(
        &mut self,
        level: u32,
        open: char,
        close: char,
        mut item: impl FnMut(&mut Self, &mut Vec<String>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if level > MAX_LEVELS {
            return Err(Fault::TooDeep);
        }
        self.character(open)?;
        self.skip_white_space();
        if self.rest.starts_with(close) {
            return self.character(close);
        }
        let mut names = Vec::new();
        loop {
            self.skip_white_space();
            item(self, &mut names)?;
            self.skip_white_space();
            if self.rest.starts_with(close) {
                return self.character(close);
            }
            self.character(',')?;
        }
    }

    /// A string. Returns its value, and writes it with as few escapes as possible.
    fn string(&mut self) -> Result<String, Fault> {
        let mut value = String::new();
        self.character('"')?;
        loop {
            match self.next()? {
                '"' => break,
                '\\' => value.push(self.escape()?),
                '\0'..='\u{1f}' => return Err(Fault::NotJson),
                c => value.push(c),
            }
            if value.len() > MAX_BYTES {
                return Err(Fault::MetadataTooLong);
            }
        }
        self.out.holds_key |= key::holds_key(&value);
        value.chars().try_for_each(|c| self.write_escaped(c))?;
        self.write("\"")?;
        Ok(value)
    }

    /// Reads the rest of an escape after the backslash.
    fn escape(&mut self) -> Result<char, Fault> {
        Ok(match self.next()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = self.code_unit()?;
                let scalar = match unit {
                    0xD800..=0xDBFF if self.skip("\\u") => match self.code_unit()? {
                        low @ 0xDC00..=0xDFFF => 0x1_0000 + (unit - 0xD800) * 0x400 + (low - 0xDC00),
                        _ => return Err(Fault::NotJson),
                    },
                    _ => unit,
                };
                char::from_u32(scalar).ok_or(Fault::NotJson)?
            }
            _ => return Err(Fault::NotJson),
        })
    }

    fn code_unit(&mut self) -> Result<u32, Fault> {
        (0..4).try_fold(0, |unit, _| {
            let digit = self.next()?.to_digit(16).ok_or(Fault::NotJson)?;
            Ok(unit * 16 + digit)
        })
    }

    fn write_escaped(&mut self, c: char) -> Result<(), Fault> {
        match c {
            '"' => self.write("\\\""),
            '\\' => self.write("\\\\"),
            '\u{8}' => self.write("\\b"),
            '\u{c}' => self.write("\\f"),
            '\n' => self.write("\\n"),
            '\r' => self.write("\\r"),
            '\t' => self.write("\\t"),
            '\0'..='\u{1f}' => {
                self.write(if c < '\u{10}' { "\\u000" } else { "\\u001" })?;
                let digit = char::from_digit(u32::from(c) % 16, 16).unwrap_or_default();
                self.write(digit.encode_utf8(&mut [0; 4]))
            }
            _ => self.write(c.encode_utf8(&mut [0; 4])),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), Fault> {
        if self.skip(word) { self.write(word) } else { Err(Fault::NotJson) }
    }

    /// A number, written as it was.
    fn number(&mut self) -> Result<(), Fault> {
        let start = self.rest;
        self.skip("-");
        if !self.skip("0") {
            self.digits()?;
        }
        if self.skip(".") {
            self.digits()?;
        }
        if self.skip("e") || self.skip("E") {
            let _has_sign = self.skip("+") || self.skip("-");
            self.digits()?;
        }
        let written = start.get(..start.len() - self.rest.len()).unwrap_or_default();
        self.out.has_large_number |= exponent(written).is_some_and(|exponent| exponent >= MAX_EXPONENT);
        self.write(written)
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Fault> {
        if self.skip_while(|c| c.is_ascii_digit()) == 0 { Err(Fault::NotJson) } else { Ok(()) }
    }

    fn next(&mut self) -> Result<char, Fault> {
        let mut chars = self.rest.chars();
        let next = chars.next().ok_or(Fault::NotJson)?;
        self.rest = chars.as_str();
        Ok(next)
    }

    /// Reads this character of the syntax, and writes it.
    fn character(&mut self, c: char) -> Result<(), Fault> {
        if self.next()? == c { self.write(c.encode_utf8(&mut [0; 4])) } else { Err(Fault::NotJson) }
    }

    /// Skips this text, and returns whether it was there.
    fn skip(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn skip_white_space(&mut self) {
        self.skip_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
    }

    /// Skips characters, and returns the number of their bytes.
    fn skip_while(&mut self, is_skipped: fn(char) -> bool) -> usize {
        let rest = self.rest.trim_start_matches(is_skipped);
        let skipped = self.rest.len() - rest.len();
        self.rest = rest;
        skipped
    }

    fn write(&mut self, text: &str) -> Result<(), Fault> {
        self.out.text.push_str(text);
        if self.out.text.len() > MAX_BYTES { Err(Fault::MetadataTooLong) } else { Ok(()) }
    }
}

/// The exponent of a JSON number in scientific notation. Zero has none.
fn exponent(number: &str) -> Option<i32> {
    let (mut position, mut is_whole, mut is_zero) = (0_i32, true, true);
    let mut bytes = number.bytes();
    for byte in bytes.by_ref() {
        match byte {
            b'e' | b'E' => break,
            b'.' => is_whole = false,
            _ => {
                position += i32::from(is_whole && !is_zero) - i32::from(!is_whole && is_zero);
                is_zero &= !matches!(byte, b'1'..=b'9');
            }
        }
    }
    let (mut sign, mut written) = (1, 0_i32);
    for byte in bytes {
        match byte {
            b'+' => {}
            b'-' => sign = -1,
            digit => written = written.saturating_mul(10).saturating_add(i32::from(digit & 0xf)),
        }
    }
    (!is_zero).then(|| position.saturating_add(sign * written))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "akw_0123456789AB_00000000000000000000000000000000000000000004TsezD";

    fn parsed(text: &str) -> Result<String, Vec<Fault>> {
        Metadata::parse(text).map(Metadata::into_text)
    }

    /// `value` as the value of a member, compacted.
    fn value(value: &str) -> Result<String, Vec<Fault>> {
        let compact = parsed(&format!("{{\"a\":{value}}}"))?;
        Ok(compact[5..compact.len() - 1].to_owned())
    }

    #[test]
    fn white_space_between_tokens_is_removed() {
        let text = " { \"a\" : [ 1 , true ,\tfalse, null ] ,\r\n\"b\" : { } , \"c\":[ ],\"d e\":\" f \" } ";
        assert_eq!(parsed(text).unwrap(), r#"{"a":[1,true,false,null],"b":{},"c":[],"d e":" f "}"#);
        assert_eq!(parsed("\u{a0}{}"), Err(vec![Fault::NotJson]));
        assert_eq!(parsed("\u{feff}{}"), Err(vec![Fault::NotJson]));
    }

    #[test]
    fn strings_have_as_few_escapes_as_possible() {
        for (text, compact) in [
            (r#""\u0041\/\u00e9\u20AC\ud83d\uDE00""#, r#""A/é€😀""#),
            (r#""\"\\\b\f\n\r\t""#, r#""\"\\\b\f\n\r\t""#),
            (r#""\u0022\u005c\u0008\u000C\u000a\u000d\u0009""#, r#""\"\\\b\f\n\r\t""#),
            (r#""\u0000\u000b\u000F\u0010\u001f\u007f""#, "\"\\u0000\\u000b\\u000f\\u0010\\u001f\u{7f}\""),
        ] {
            assert_eq!(value(text).as_deref(), Ok(compact));
        }
    }

    #[test]
    fn numbers_stay_as_written() {
        for number in ["0", "-0", "10", "1.50", "1e5", "1E+05", "-0.0e-0", "123456789012345678901234567890", "1e-999"] {
            assert_eq!(value(number).as_deref(), Ok(number));
        }
    }

    #[test]
    fn numbers_are_below_1e308() {
        let (nines, zeros) = ("9".repeat(308), "0".repeat(400));
        for number in [
            "0e999",
            "-0.00E+99999999999",
            "9.99e307",
            "-1E+307",
            "0.001e310",
            "100e305",
            "1e000000000000000000005",
            "1e-99999999999",
            &nines,
            &format!("1{zeros}e-300"),
            &format!("0.{zeros}1e700"),
        ] {
            assert_eq!(value(number).as_deref(), Ok(number));
            // 308 nines are rounded up to 1e308.
            assert!(number.parse::<f64>().unwrap().abs() <= 1e308, "{number}");
        }
        for number in [
            "1e308",
            "-1e308",
            "1E+999",
            "10e307",
            "0.1e309",
            "0.00100e311",
            "1e99999999999",
            &format!("{nines}0"),
            &format!("1{zeros}e-92"),
            &format!("0.{zeros}1e709"),
        ] {
            assert_eq!(value(number), Err(vec![Fault::NumberTooLarge]));
            assert!(number.parse::<f64>().unwrap().abs() >= 1e308, "{number}");
        }
    }

    #[test]
    fn invalid_json_is_refused() {
        for bad in [
            "",
            " ",
            "{",
            "}",
            "{}}",
            "{} {}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":1 \"b\":2}",
            "[",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1}",
            "{\"a\":1]",
            "nul",
            "nulll",
            "True",
            "\"",
            "\"\\\"",
            "{\"a\":1}x",
            "// x\n{}",
        ] {
            assert_eq!(parsed(bad), Err(vec![Fault::NotJson]), "{bad}");
        }
        for bad in [
            "01",
            "-",
            "+1",
            "1.",
            ".5",
            "1e",
            "1e+",
            "0x1",
            "1_0",
            "NaN",
            "Infinity",
            "--1",
            "1.e5",
            "-01",
            "\"\n\"",
            "\"\u{1f}\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\ud83d\\u0041\"",
            "\"\\ud83dx\"",
            "\"\\ud83d\\n\"",
            "\"\\U0041\"",
            "tru",
            "fals",
            "nul",
            "\"\\u+123\"",
        ] {
            assert_eq!(value(bad), Err(vec![Fault::NotJson]), "{bad}");
        }
    }

    #[test]
    fn only_an_object_is_metadata() {
        for text in ["[]", "[{}]", "1", "\"{}\"", "true", "null"] {
            assert_eq!(parsed(text), Err(vec![Fault::NotAnObject]), "{text}");
        }
        assert_eq!(parsed("{}").unwrap(), "{}");
    }

    #[test]
    fn null_removes() {
        assert_eq!(Metadata::parse_nullable(" null\n"), Ok(None));
        assert_eq!(Metadata::parse_nullable("{ }"), Ok(Some(Metadata("{}".into()))));
        assert_eq!(Metadata::parse_nullable("\"null\""), Err(vec![Fault::NotAnObject]));
        assert_eq!(Metadata::parse_nullable("nul"), Err(vec![Fault::NotJson]));
    }

    #[test]
    fn the_compact_text_has_at_most_4096_bytes() {
        let longest = format!("{{\"a\":\"{}\"}}", "x".repeat(4096 - 8));
        assert_eq!(longest.len(), 4096);
        assert_eq!(parsed(&longest).as_ref(), Ok(&longest));
        let spaced = longest.replace(':', " :\n ");
        assert_eq!(parsed(&spaced).as_ref(), Ok(&longest));
        let too_long = Err(vec![Fault::MetadataTooLong]);
        assert_eq!(parsed(&longest.replacen('x', "xx", 1)), too_long);
        assert_eq!(parsed(&longest.replacen('x', "\\n", 1)), too_long);
        assert_eq!(parsed(&format!("{{\"a\":{}", "1".repeat(4097))), too_long);
        assert_eq!(parsed(&format!("[{}", "1,".repeat(40_000))), too_long);
        assert_eq!(parsed(&format!("\"{}", "x".repeat(60_000))), too_long);
        // 4096 bytes are counted after escapes are resolved.
        assert!(parsed(&format!("{{\"a\":\"{}\"}}", "\\u0041".repeat(4096 - 8))).is_ok());
    }

    #[test]
    fn there_are_at_most_8_levels() {
        let nested = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(parsed(&nested(8)).is_ok());
        assert_eq!(parsed(&nested(9)), Err(vec![Fault::TooDeep]));
        assert_eq!(parsed(&"[".repeat(60_000)), Err(vec![Fault::TooDeep]));
        assert_eq!(parsed(&"{\"a\":".repeat(9)), Err(vec![Fault::TooDeep]));
        // Objects beside each other are of one level.
        assert!(parsed(&format!("{{\"a\":[{}{{}}]}}", "{},[],".repeat(20))).is_ok());
    }

    #[test]
    fn members_of_one_name_are_refused_at_every_level() {
        let duplicate = Err(vec![Fault::DuplicateMember]);
        assert_eq!(parsed(r#"{"a":1,"b":2,"a":1}"#), duplicate);
        assert_eq!(parsed(r#"{"a":1,"\u0061":1}"#), duplicate);
        assert_eq!(parsed(r#"{"x":[{"a":1,"a":2}],"y":{}}"#), duplicate);
        assert_eq!(parsed(r#"{"":1,"":2}"#), duplicate);
        assert!(parsed(r#"{"a":{"a":1},"A":{"a":1}}"#).is_ok());
    }

    #[test]
    fn a_key_in_a_name_or_a_string_is_refused_however_it_is_escaped() {
        let holds_key = Err(vec![Fault::HoldsKey]);
        assert_eq!(parsed(&format!("{{\"a\":\"x {KEY}.\"}}")), holds_key);
        assert_eq!(parsed(&format!("{{\"{KEY}\":1}}")), holds_key);
        assert_eq!(parsed(&format!("{{\"a\":[{{\"b\":\"{}\"}}]}}", KEY.replace('_', "\\u005F"))), holds_key);
        assert!(parsed(&format!("{{\"a\":\"{}\"}}", KEY.replace("zD", "zE"))).is_ok());
    }

    #[test]
    fn all_faults_of_a_whole_text_are_reported() {
        let text = format!("[{{\"a\":\"{KEY}\",\"a\":1e999}}]");
        let faults = [Fault::NotAnObject, Fault::DuplicateMember, Fault::NumberTooLarge, Fault::HoldsKey];
        assert_eq!(parsed(&text), Err(faults.to_vec()));
    }
}
