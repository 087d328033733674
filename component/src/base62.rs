//! Base62 over `0-9A-Za-z`, in that order.

/// The number of random bytes of one request.
const DRAW: usize = 64;

/// Whether this byte is a base62 digit.
#[must_use]
pub const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// The digit of this value, which is less than 62.
const fn digit(value: u8) -> u8 {
    match value {
        0..10 => b'0' + value,
        10..36 => b'A' + value - 10,
        _ => b'a' + value - 36,
    }
}

/// Formats `value` as six digits, left-padded with `0`. Six digits hold every `u32`.
#[must_use]
pub fn six_digits(mut value: u32) -> [u8; 6] {
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = self::digit((value % 62) as u8);
        value /= 62;
    }
    digits
}

/// Unbiased random digits.
///
/// Each is one byte of `random` modulo 62; bytes of 248 and above are skipped, because they
/// would favour the first eight digits.
pub struct RandomDigits<'a, R> {
    random: &'a mut R,
    bytes: [u8; DRAW],
    used: usize,
}

impl<'a, R: FnMut(&mut [u8])> RandomDigits<'a, R> {
    /// Makes digits of the bytes with which `random` fills its argument.
    pub fn new(random: &'a mut R) -> Self {
        Self { random, bytes: [0; DRAW], used: DRAW }
    }

    /// Fills `out` with digits.
    pub fn fill(&mut self, out: &mut [u8]) {
        out.fill_with(|| {
            loop {
                let byte = self.byte();
                if byte < 248 {
                    break digit(byte % 62);
                }
            }
        });
    }

    fn byte(&mut self) -> u8 {
        loop {
            if let Some(&byte) = self.bytes.get(self.used) {
                self.used += 1;
                return byte;
            }
            (self.random)(&mut self.bytes);
            self.used = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_hold_every_u32() {
        assert_eq!(&six_digits(0), b"000000");
        assert_eq!(&six_digits(61), b"00000z");
        assert_eq!(&six_digits(62), b"000010");
        assert_eq!(&six_digits(u32::MAX), b"4gfFC3");
    }

    #[test]
    fn bytes_that_would_favour_a_digit_are_skipped() {
        let mut out = [0; 4];
        RandomDigits::new(&mut |bytes: &mut [u8]| {
            bytes.fill(255);
            bytes[..6].copy_from_slice(&[0, 248, 61, 62, 255, 247]);
        })
        .fill(&mut out);
        assert_eq!(&out, b"0z0z");
    }

    #[test]
    fn each_digit_is_as_likely_as_any_other() {
        let mut next = 0u8;
        let mut out = [0; 248];
        RandomDigits::new(&mut |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
        })
        .fill(&mut out);
        for digit in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".bytes() {
            assert_eq!(out.iter().filter(|&&byte| byte == digit).count(), 4);
        }
    }
}
