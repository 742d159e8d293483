//! Integers without a specification, as `{}` writes them.
//!
//! They are converted three digits at a time by a table, or eight at a time by arithmetic, without
//! branches that depend on the digits; only their number makes a difference.

use super::line::Put;

/// Eight digits of zero.
pub(super) const ZEROS: u64 = u64::from_le_bytes(*b"00000000");

/// For every number below 1000 its three digits, the first in the lowest byte, and in the highest
/// byte how many bits are to be shifted out to be rid of leading zeros.
static THOUSAND: [u32; 1000] = {
    let mut table = [0; 1000];
    let mut number = 0;
    while number < 1000 {
        let digits = [number / 100, number / 10 % 10, number % 10];
        let shift = match number {
            0..10 => 16,
            10..100 => 8,
            _ => 0,
        };
        table[number] = u32::from_le_bytes([
            b'0' + digits[0] as u8,
            b'0' + digits[1] as u8,
            b'0' + digits[2] as u8,
            shift,
        ]);
        number += 1;
    }
    table
};

/// The digits of an entry.
const DIGITS: u32 = 0x00ff_ffff;

/// The three digits of a number below 1000, the first in the lowest byte, nothing in the highest.
#[inline(always)]
pub(super) fn three_digits(number: u64) -> u32 {
    THOUSAND[number as usize] & DIGITS
}

/// The digits of a number below 10^8 as numbers, the first in the lowest byte.
///
/// All halves are split at once: eight digits into four and four, those into pairs, and those into
/// digits, by multiplying with the reciprocals of 100 and 10 in lanes (Paul Khuong, "How to print
/// integers really fast").
#[inline(always)]
fn eight(number: u32) -> u64 {
    debug_assert!(number < 100_000_000);
    let fours = u64::from(number / 10_000) | u64::from(number % 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (pairs - tens * 10) << 8
}

/// A number below 10^8 as eight digits, with leading zeros.
#[inline(always)]
pub(super) fn eight_digits(number: u32) -> [u8; 8] {
    (eight(number) | ZEROS).to_le_bytes()
}

/// Appends a number below 10^9.
#[inline(always)]
pub(super) fn put_up_to_nine(out: &mut impl Put, number: u32) {
    debug_assert!(number < NINE as u32);
    if number < 1000 {
        let entry = THOUSAND[number as usize];
        let shift = entry >> 24;
        out.put(&(entry >> shift).to_le_bytes(), 3 - (shift / 8) as usize);
        return;
    }
    let (first, last) = (number / 1000, number % 1000);
    let last = u64::from(three_digits(last.into()));
    if first < 1000 {
        let entry = THOUSAND[first as usize];
        let shift = entry >> 24;
        let text = (u64::from(entry & DIGITS) | last << 24) >> shift;
        out.put(&text.to_le_bytes(), 6 - (shift / 8) as usize);
    } else {
        let (first, middle) = (first / 1000, first % 1000);
        let entry = THOUSAND[first as usize];
        let shift = entry >> 24;
        out.put(&(entry >> shift).to_le_bytes(), 3 - (shift / 8) as usize);
        let text = u64::from(three_digits(middle.into())) | last << 24;
        out.put(&text.to_le_bytes(), 6);
    }
}

/// The least number of more than eight digits.
const EIGHT: u64 = 100_000_000;

/// The least number of more than nine digits.
const NINE: u64 = 1_000_000_000;

/// Appends an integer.
#[inline(always)]
pub(super) fn put_unsigned(out: &mut impl Put, number: u64) {
    if number < NINE {
        put_up_to_nine(out, number as u32);
    } else {
        put_long(out, number);
    }
}

/// Appends an integer of more than nine digits.
#[inline(always)]
fn put_long(out: &mut impl Put, number: u64) {
    let (high, low) = (number / EIGHT, (number % EIGHT) as u32);
    if high < EIGHT {
        put_up_to_nine(out, high as u32);
    } else {
        put_up_to_nine(out, (high / EIGHT) as u32);
        out.put(&eight_digits((high % EIGHT) as u32), 8);
    }
    out.put(&eight_digits(low), 8);
}

/// Appends an integer.
#[inline(always)]
pub(super) fn put_signed(out: &mut impl Put, number: i64) {
    out.put(b"-", usize::from(number < 0));
    put_unsigned(out, number.unsigned_abs());
}

/// Appends an integer of any size.
pub(super) fn put_unsigned_128(out: &mut impl Put, number: u128) {
    const SIXTEEN: u128 = 10_000_000_000_000_000;
    match u64::try_from(number) {
        Ok(number) => put_unsigned(out, number),
        Err(_) => {
            put_unsigned_128(out, number / SIXTEEN);
            let low = (number % SIXTEEN) as u64;
            out.put(&eight_digits((low / 100_000_000) as u32), 8);
            out.put(&eight_digits((low % 100_000_000) as u32), 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::spec::{self, Resolved};
    use crate::format::testing::{Random, number_cases};
    use crate::record::Value;

    fn text(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).expect("numbers are ASCII")
    }

    #[test]
    fn integers_of_every_length_are_as_the_standard_library_writes_them() {
        let check = |number: u128| {
            assert_eq!(
                text(|out| put_unsigned_128(out, number)),
                number.to_string()
            );
            let (unsigned, signed) = (number as u64, number as i64);
            assert_eq!(
                text(|out| put_unsigned(out, unsigned)),
                unsigned.to_string()
            );
            assert_eq!(text(|out| put_signed(out, signed)), signed.to_string());
            check_every_width(number);
        };
        for power in 0..39 {
            let power = 10_u128.pow(power);
            for number in [power - 1, power, power + 1, power * 2 + 1] {
                check(number);
                check(number.wrapping_neg());
            }
        }
        for number in [0, u128::MAX, u128::MAX / 2, u128::MAX / 2 + 1] {
            check(number);
        }
        let mut random = Random::new(5);
        for _ in 0..number_cases(300_000) {
            check(u128::from(random.any_size()));
            check(u128::from(random.any_size()) << 64 | u128::from(random.next()));
        }
    }

    /// As arguments of these types are written, from the lowest bits of the number.
    fn check_every_width(number: u128) {
        fn check<T: ToString>(number: T, value: Value<'_>) {
            let text = text(|out| spec::put_value(out, value, &Resolved::DISPLAY));
            assert_eq!(text, number.to_string());
        }
        macro_rules! check_as {
            ($($type:ident $value:ident)*) => {
                $(check(number as $type, Value::$value(number as $type));)*
            };
        }
        check_as!(u8 U8 u16 U16 u32 U32 u64 U64 u128 U128 i8 I8 i16 I16 i32 I32 i64 I64 i128 I128);
    }

    #[test]
    fn every_number_of_eight_digits_has_its_digits() {
        let step = if cfg!(miri) {
            9_999_991
        } else if cfg!(debug_assertions) {
            997
        } else {
            7
        };
        for number in (0..100_000_000).step_by(step).chain([99_999_999]) {
            let digits = eight_digits(number);
            let read = digits
                .iter()
                .fold(0, |read, digit| read * 10 + u32::from(digit - b'0'));
            assert_eq!(read, number);
        }
    }
}
