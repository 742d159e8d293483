//! Floats as `{}`, `{:?}` and `{:e}` write them, and with a precision.
//!
//! There are three ways to find the digits. A decimal of few digits, as prices are, is found by one
//! multiplication and verified by one division. For any other the digits are those of `zmij`, which
//! are the ones of the standard library but for one case, the number halfway between two decimals
//! of the fewest digits: `{}` rounds it up, `zmij` sometimes down. With a precision, the digits are
//! computed exactly, in integers.
//!
//! `zmij` also writes differently (`1.0`, `1e+16`). Its text is used as it is, less a `.0`, where
//! that is right, and else taken apart and written anew. Nothing here relies on where it uses an
//! exponent and where not.

use super::line::Put;
use super::number::{ZEROS, eight_digits, put_signed, put_unsigned, put_up_to_nine, three_digits};

/// `f32` and `f64`.
pub(super) trait Float: Copy + zmij::Float + Into<f64> {
    /// Without the sign.
    fn magnitude(self) -> Self;

    /// Whether `{:?}` writes an exponent.
    fn is_debugged_with_exponent(self) -> bool;
}

macro_rules! floats {
    ($($float:ty),*) => {$(
        impl Float for $float {
            fn magnitude(self) -> $float {
                self.abs()
            }

            fn is_debugged_with_exponent(self) -> bool {
                let magnitude = self.abs();
                magnitude >= 1e16 || (magnitude != 0.0 && magnitude < 1e-4)
            }
        }
    )*};
}

floats!(f32, f64);

/// Appends what `{}` gives.
#[inline(always)]
pub(super) fn put_f64(out: &mut impl Put, number: f64) {
    // A decimal of at most 15 digits is the only one of so few that reads as its float, because 15
    // digits survive the way through an `f64`; so none that is shorter reads as it, and the
    // shortest is what `{}` prints. Here the decimal is `scaled` / 10^6. Both are whole numbers
    // that an `f64` holds, so the quotient is rounded once, which is what reading a decimal does.
    const DECIMALS: f64 = 1e6;
    // Added to a number that is small enough, this leaves no bits for a fraction, and the whole
    // part in the lowest bits.
    const WHOLE: f64 = (1_u64 << 52) as f64;
    let magnitude = number.abs();
    if magnitude < 1e8 {
        let scaled = magnitude * DECIMALS + WHOLE;
        if (scaled - WHOLE) / DECIMALS == magnitude {
            let scaled = scaled.to_bits() - WHOLE.to_bits();
            let (whole, fraction) = (scaled / 1_000_000, scaled % 1_000_000);
            out.put(b"-", usize::from(number.is_sign_negative()));
            put_up_to_nine(out, whole as u32);
            // The point and six digits, with a digit between them that is not printed: so a
            // fraction of zeros has seven of them at its end, and nothing of the seven bytes stays.
            let digits = u64::from(three_digits(fraction / 1000)) << 16
                | u64::from(three_digits(fraction % 1000)) << 40;
            let padded = digits | u64::from_le_bytes(*b".0\0\0\0\0\0\0");
            let zeros_at_end = (padded ^ ZEROS).leading_zeros() / 8;
            let text = digits >> 8 | u64::from(b'.');
            out.put(&text.to_le_bytes(), 7 - zeros_at_end as usize);
            return;
        }
    }
    put_shortest(out, number);
}

/// Appends what `{}` gives, of an `f32` or an `f64`.
#[inline(always)]
pub(super) fn put_shortest(out: &mut impl Put, number: impl Float) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(number).as_bytes();
    if has_letters(text) || lies_halfway(number.into(), text) {
        let text = special(number.into(), text);
        out.bytes(&text.bytes[..text.length]);
        return;
    }
    let text = text.strip_suffix(b".0").unwrap_or(text);
    match (text.first_chunk::<16>(), text.last_chunk::<16>()) {
        (Some(first), Some(last)) => {
            out.put(first, text.len() - 16);
            out.put(last, 16);
        }
        _ => out.bytes(text),
    }
}

/// Whether the text of a float has an exponent, or is none of a number (`inf`, `NaN`).
#[inline(always)]
fn has_letters(text: &[u8]) -> bool {
    // Of all bytes of such text, letters have this bit, digits, signs and the point do not. No
    // exponent is so long that its letter is not among the last eight bytes.
    const LETTER: u8 = 0x40;
    match text.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last) & u64::from_le_bytes([LETTER; 8]) != 0,
        None => text.iter().any(|byte| byte & LETTER != 0),
    }
}

/// What `{}` gives, where it is not `zmij`'s text.
#[cold]
#[inline(never)]
fn special(number: f64, text: &[u8]) -> LongText {
    let mut out = LongText {
        bytes: [0; LONGEST],
        length: 0,
    };
    match Decimal::parse(number, text) {
        Some(decimal) => decimal.put_positional(&mut out),
        None => out.bytes(text),
    }
    out
}

/// Whether the number is exactly these digits, which may have a point among them, and a 5.
///
/// A number M / 2^S with odd M is M 5^S / 10^S, so its exact decimal has S digits after the point
/// and ends in 5. It is compared only if it can have as few as 17 digits and that 5: 5^26 has more.
#[inline(always)]
fn lies_halfway(number: f64, digits: &[u8]) -> bool {
    let (mantissa, shift) = mantissa_and_shift(number);
    let zeros = mantissa.trailing_zeros();
    let shift = shift.wrapping_sub(zeros);
    (1..=25).contains(&shift) && are_followed_by_5(digits, mantissa >> zeros, shift)
}

#[cold]
#[inline(never)]
fn are_followed_by_5(digits: &[u8], mantissa: u64, shift: u32) -> bool {
    let exact = u128::from(mantissa) * u128::from(5_u64.pow(shift));
    let printed = digits
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0, |number, digit| number * 10 + u128::from(digit - b'0'));
    exact == printed * 10 + 5
}

/// The magnitude of a finite number as M / 2^S; S is negative for large ones, and then is 0 here.
#[inline(always)]
fn mantissa_and_shift(number: f64) -> (u64, u32) {
    const MANTISSA: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = number.to_bits();
    let exponent = (bits >> MANTISSA) as u32 & 0x7ff;
    let mantissa = bits & ((1 << MANTISSA) - 1) | u64::from(exponent != 0) << MANTISSA;
    (mantissa, 1075_u32.saturating_sub(exponent.max(1)))
}

/// A bound on the length of what `{}` gives: `-0.`, 323 zeros at most, 17 digits at most.
const LONGEST: usize = 360;

/// The text of a very large or very small number.
struct LongText {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Put for LongText {
    fn put<const N: usize>(&mut self, piece: &[u8; N], used: usize) {
        self.bytes(&piece[..used]);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }
}

/// Appends what `{:?}` gives.
pub(super) fn put_debug(out: &mut impl Put, number: impl Float) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(number).as_bytes();
    let is_positional = !number.is_debugged_with_exponent();
    if is_positional && !has_letters(text) && !lies_halfway(number.into(), text) {
        return out.bytes(text);
    }
    let Some(decimal) = Decimal::parse(number.into(), text) else {
        return out.bytes(text);
    };
    if is_positional {
        decimal.put_positional(out);
        if decimal.is_whole() {
            out.bytes(b".0");
        }
    } else {
        decimal.put_exponential(out, b'e');
    }
}

/// Appends what `{:e}` gives, or `{:E}` with a capital letter.
pub(super) fn put_exponential(out: &mut impl Put, number: impl Float, letter: u8) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(number).as_bytes();
    match Decimal::parse(number.into(), text) {
        Some(decimal) => decimal.put_exponential(out, letter),
        None => out.bytes(text),
    }
}

/// A decimal taken apart: 0.DIGITS x 10^`point`.
struct Decimal {
    negative: bool,
    /// Without zeros at either end, so that zero has none.
    digits: [u8; 24],
    count: usize,
    point: i32,
}

impl Decimal {
    /// Takes the text that `zmij` has for the number; `None` if that is `inf` or `NaN`.
    fn parse(number: f64, text: &[u8]) -> Option<Decimal> {
        let (negative, text) = match text.strip_prefix(b"-") {
            Some(magnitude) => (true, magnitude),
            None => (false, text),
        };
        if !text.first()?.is_ascii_digit() {
            return None;
        }
        let mut decimal = Decimal {
            negative,
            digits: [0; 24],
            count: 0,
            point: 0,
        };
        let mut in_fraction = false;
        let mut text = text.iter();
        for &byte in text.by_ref() {
            match byte {
                b'.' => in_fraction = true,
                b'e' => break,
                b'0' if decimal.count == 0 => decimal.point -= i32::from(in_fraction),
                digit => {
                    decimal.digits[decimal.count] = digit;
                    decimal.count += 1;
                    decimal.point += i32::from(!in_fraction);
                }
            }
        }
        let exponent = text.as_slice();
        let (sign, exponent) = match exponent.split_first() {
            Some((b'-', magnitude)) => (-1, magnitude),
            Some((b'+', magnitude)) => (1, magnitude),
            _ => (1, exponent),
        };
        decimal.point += sign
            * exponent
                .iter()
                .fold(0, |number, digit| number * 10 + i32::from(digit - b'0'));
        let digits = &mut decimal.digits[..decimal.count];
        if lies_halfway(number, digits) {
            // There is nothing to carry: 9 would have been rounded up to a digit less.
            if let Some(last) = digits.last_mut() {
                *last += 1;
            }
        }
        while decimal.count > 0 && decimal.digits[decimal.count - 1] == b'0' {
            decimal.count -= 1;
        }
        if decimal.count == 0 {
            decimal.point = 1;
        }
        Some(decimal)
    }

    fn is_whole(&self) -> bool {
        self.point >= self.count as i32
    }

    /// Without an exponent, and without a point unless there are digits after it.
    fn put_positional(&self, out: &mut impl Put) {
        out.put(b"-", usize::from(self.negative));
        let digits = &self.digits[..self.count];
        let point = self.point.unsigned_abs() as usize;
        if self.point <= 0 {
            out.bytes(b"0.");
            put_zeros(out, point);
            out.bytes(digits);
        } else if self.is_whole() {
            out.bytes(digits);
            put_zeros(out, point - digits.len());
        } else {
            out.bytes(&digits[..point]);
            out.bytes(b".");
            out.bytes(&digits[point..]);
        }
    }

    /// As one digit, a fraction if there are more digits, and an exponent.
    fn put_exponential(&self, out: &mut impl Put, letter: u8) {
        out.put(b"-", usize::from(self.negative));
        match &self.digits[..self.count] {
            [] => out.bytes(b"0"),
            [digit] => out.bytes(&[*digit]),
            [digit, fraction @ ..] => {
                out.bytes(&[*digit, b'.']);
                out.bytes(fraction);
            }
        }
        out.bytes(&[letter]);
        put_signed(out, i64::from(self.point) - 1);
    }
}

fn put_zeros(out: &mut impl Put, mut count: usize) {
    while count > 0 {
        let some = count.min(8);
        out.put(b"00000000", some);
        count -= some;
    }
}

/// The most digits after the point that [`put_fixed`] knows.
pub(super) const MAX_FIXED: usize = 8;

/// Appends what `{:.n}` gives; or nothing, and answers false, if the number is too large for it or
/// is none.
///
/// The number is M / 2^S with whole M and S; M 10^n / 2^S is rounded to the nearest whole number,
/// and to the even one of two that are as near, all in integers and so exactly.
#[inline(always)]
pub(super) fn put_fixed(out: &mut impl Put, number: f64, precision: usize) -> bool {
    const POWERS: [u64; MAX_FIXED + 1] = [
        1,
        10,
        100,
        1000,
        10_000,
        100_000,
        1_000_000,
        10_000_000,
        100_000_000,
    ];
    // 2^62 / 10^8 is more than 10^10.
    if number.is_nan() || number.abs() >= 1e10 {
        return false;
    }
    let power = POWERS[precision];
    let (mantissa, shift) = mantissa_and_shift(number);
    let scaled = if shift < 128 {
        let product = u128::from(mantissa) * u128::from(power);
        let whole = (product >> shift) as u64;
        let rest = product & ((1 << shift) - 1);
        let half = 1 << (shift - 1);
        whole + u64::from(rest > half || (rest == half && whole % 2 == 1))
    } else {
        // The product is below 2^80.
        0
    };
    out.put(b"-", usize::from(number.is_sign_negative()));
    put_unsigned(out, scaled / power);
    let fraction = (scaled % power) * POWERS[MAX_FIXED - precision];
    out.put(b".", usize::from(precision != 0));
    out.put(&eight_digits(fraction as u32), precision);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::testing::{Random, number_cases};

    fn text(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).expect("numbers are ASCII")
    }

    fn check_f64(number: f64) {
        assert_eq!(text(|out| put_f64(out, number)), number.to_string());
        assert_eq!(text(|out| put_shortest(out, number)), number.to_string());
        assert_eq!(text(|out| put_debug(out, number)), format!("{number:?}"));
        assert_eq!(
            text(|out| put_exponential(out, number, b'e')),
            format!("{number:e}")
        );
    }

    fn check_f32(number: f32) {
        assert_eq!(text(|out| put_shortest(out, number)), number.to_string());
        assert_eq!(text(|out| put_debug(out, number)), format!("{number:?}"));
        assert_eq!(
            text(|out| put_exponential(out, number, b'E')),
            format!("{number:E}")
        );
    }

    /// Floats as programs have them, and any.
    fn random_f64(random: &mut Random) -> f64 {
        let sign = if random.next() % 4 == 0 { -1.0 } else { 1.0 };
        let power = 10_f64.powi(random.below(13) as i32);
        sign * match random.next() % 6 {
            0 => (random.any_size() % 1_000_000_000_000) as f64 / power,
            1 => random.next() as f64 / 2_f64.powi(64),
            2 => (random.any_size() as f64) * power,
            3 => (random.any_size() % (1 << 40)) as f64 / 1024.0,
            4 => (random.any_size() % 1_000_000) as f64 + 1.0 / power,
            _ => f64::from_bits(random.next()),
        }
    }

    #[test]
    fn random_doubles_are_as_the_standard_library_writes_them() {
        let mut random = Random::new(6);
        for _ in 0..number_cases(300_000) {
            check_f64(f64::from_bits(random.next()));
            check_f64(random_f64(&mut random));
        }
    }

    #[test]
    fn random_floats_are_as_the_standard_library_writes_them() {
        let mut random = Random::new(7);
        for _ in 0..number_cases(300_000) {
            check_f32(f32::from_bits(random.next() as u32));
            check_f32(random_f64(&mut random) as f32);
        }
    }

    #[test]
    fn floats_at_the_edges_are_as_the_standard_library_writes_them() {
        let mut edges = vec![0.0, f64::INFINITY, f64::NAN, f64::MAX, f64::MIN_POSITIVE];
        for power in -330..310 {
            // Where notations change, and where the space between floats does.
            edges.push(format!("1e{power}").parse().unwrap());
        }
        for exponent in 0..2047_u64 {
            edges.push(f64::from_bits(exponent << 52));
        }
        for number in [
            1e8,
            1e6,
            1e-6,
            0.000_001_5,
            0.1 + 0.2,
            9_007_199_254_740_993.0,
        ] {
            edges.push(number);
        }
        for number in edges {
            for bits in number.to_bits().saturating_sub(2)..=number.to_bits() + 2 {
                check_f64(f64::from_bits(bits));
                check_f64(-f64::from_bits(bits));
                check_f32(f64::from_bits(bits) as f32);
                check_f32(-f64::from_bits(bits) as f32);
            }
        }
    }

    #[test]
    fn numbers_halfway_between_two_decimals_are_rounded_as_the_standard_library_does() {
        let mut random = Random::new(10);
        for _ in 0..number_cases(100_000) {
            // M / 2^S, which has S digits after the point.
            let shift = random.below(27) as u32;
            let bits = 64 - (u64::MAX / 5_u64.pow(shift).max(1)).leading_zeros();
            let mantissa = random.next() >> (64 - bits.clamp(1, 53)) | 1;
            check_f64(mantissa as f64 / 2_f64.powi(shift as i32));
            check_f32(mantissa as f32 / 2_f32.powi(shift as i32));
            let mantissa = random.next() % (1 << 24);
            check_f32(mantissa as f32 / 2_f32.powi(shift as i32));
        }
        for (number, expected) in [
            (2_f64.powi(50) + 0.25, "1125899906842624.3"),
            (2_f64.powi(-25), "0.000000029802322387695313"),
        ] {
            assert_eq!(text(|out| put_f64(out, number)), expected);
        }
    }

    /// All of them take minutes, so `RINGLOG_NUMBER_CASES` of 2^32 or more is how to ask for it.
    #[test]
    fn floats_in_steps_are_as_the_standard_library_writes_them() {
        let step = (1_u64 << 32).div_ceil(number_cases(300_000).max(1)) as usize;
        for bits in (0..=u32::MAX).step_by(step) {
            check_f32(f32::from_bits(bits));
        }
    }

    #[test]
    fn decimals_are_as_the_standard_library_writes_them() {
        let mut random = Random::new(8);
        for _ in 0..number_cases(300_000) {
            // Up to 8 digits before the point and 8 after it, around what one multiplication finds.
            let decimals = random.below(9);
            let number = format!(
                "{}.{:0decimals$}",
                random.any_size() % 200_000_000,
                random.next() % 10_u64.pow(decimals as u32)
            );
            check_f64(number.parse().unwrap());
        }
    }

    #[test]
    fn fixed_precision_rounds_as_the_standard_library_does() {
        let mut random = Random::new(9);
        let check = |number: f64| {
            for precision in 0..=MAX_FIXED {
                let mut out = Vec::new();
                let known = put_fixed(&mut out, number, precision);
                assert_eq!(known, number.abs() < 1e10, "{number}");
                if known {
                    let text = String::from_utf8(out).unwrap();
                    assert_eq!(text, format!("{number:.precision$}"), "{number:e}");
                } else {
                    assert!(out.is_empty());
                }
            }
        };
        for number in [
            0.0,
            -0.0,
            0.5,
            1.5,
            2.5,
            -0.5,
            0.25,
            0.125,
            0.375,
            5e-324,
            1e-300,
            1e-9,
            4.9e-9,
            5e-9,
            5.1e-9,
            0.999_999_995,
            9_999_999_999.5,
            1e10,
            1e300,
            0.045,
            1.005,
            2.675,
        ] {
            check(number);
            check(-number);
        }
        check(f64::INFINITY);
        check(f64::NAN);
        for _ in 0..number_cases(100_000) {
            check(random_f64(&mut random));
            // Halfway between two numbers of few digits.
            let half =
                (random.any_size() % 1_000_000_000) as f64 / 2_f64.powi(random.below(12) as i32);
            check(half);
        }
    }
}
