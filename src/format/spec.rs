//! Every specification of `std::fmt` on every stored type, to the byte.
//!
//! Digits of rare kinds come from `core::fmt`; signs, prefixes and padding are put together here,
//! because a fill character cannot be handed to `core::fmt` at run time.
//!
//! What the standard library would not compile, such as `{:x}` of a string, can only come from a
//! damaged description, and is rendered as `{:?}` would.

use std::fmt;
use std::io::Write as _;

use super::composite;
use super::float::{self, Float};
use super::line::Put as _;
use super::number;
use super::redact::Redaction;
use crate::record::{Align, Chars, Count, Sign, Spec, Style, Value};

/// A specification whose counts are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resolved<'r> {
    spec: Spec,
    width: usize,
    precision: Option<usize>,
    /// Masks what is named so inside of the value.
    redaction: Option<&'r Redaction>,
}

/// The most that a width or a precision counts; more is read as this. It is what the format string
/// itself can ask for, and keeps a number among the arguments from filling the memory.
const MAX_COUNT: u64 = u16::MAX as u64;

impl<'r> Resolved<'r> {
    /// Asks `stored` for the counts that are arguments. `None` if it has no such number.
    pub(super) fn new<'a>(
        spec: Spec,
        stored: impl Fn(u16) -> Option<Value<'a>>,
    ) -> Option<Resolved<'r>> {
        let resolve = |count| {
            Some(match count {
                Count::Unset => None,
                Count::Is(number) => Some(usize::from(number)),
                Count::Value(index) => {
                    let number = match stored(index)? {
                        Value::U64(number) => number,
                        // A `usize` where it is of four bytes.
                        Value::U32(number) => u64::from(number),
                        _ => return None,
                    };
                    Some(number.min(MAX_COUNT) as usize)
                }
            })
        };
        Some(Resolved {
            spec,
            width: resolve(spec.width)?.unwrap_or(0),
            precision: resolve(spec.precision)?,
            redaction: None,
        })
    }

    /// `{}`.
    pub(super) const DISPLAY: Resolved<'static> = Resolved {
        spec: Spec::DISPLAY,
        width: 0,
        precision: None,
        redaction: None,
    };

    /// The same, with what is named so inside of the value masked.
    pub(super) fn redacted(self, redaction: &Redaction) -> Resolved<'_> {
        Resolved {
            redaction: Some(redaction),
            ..self
        }
    }

    /// Whether what has this name inside of the value is masked.
    pub(super) fn masks(&self, name: &str) -> bool {
        !name.is_empty()
            && self
                .redaction
                .is_some_and(|redaction| redaction.masks(name))
    }

    /// The same with `{:?}` in place of what is not of its kind.
    pub(super) fn as_debug(&self) -> Resolved<'r> {
        let mut spec = *self;
        if !self.is_debug() {
            spec.spec.style = Style::Debug;
        }
        spec
    }

    /// Whether the style is `{:?}` or of its kind.
    pub(super) fn is_debug(&self) -> bool {
        matches!(
            self.spec.style,
            Style::Debug | Style::DebugLowerHex | Style::DebugUpperHex
        )
    }

    /// `#`.
    pub(super) fn is_alternate(&self) -> bool {
        self.spec.alternate
    }

    /// `{:.n}`.
    pub(super) fn fixed(precision: usize) -> Resolved<'static> {
        Resolved {
            precision: Some(precision),
            ..Resolved::DISPLAY
        }
    }
}

/// Appends a value as the specification says.
pub(super) fn put_value(out: &mut Vec<u8>, value: Value<'_>, spec: &Resolved<'_>) {
    match value {
        Value::Unit => put_text(out, b"()", 0, spec),
        Value::Bool(value) => put_text(out, if value { b"true" } else { b"false" }, 0, spec),
        Value::Char(value) => put_char(out, value, spec),
        Value::I8(value) => put_integer(out, Integer::signed(value, value as u8), spec),
        Value::I16(value) => put_integer(out, Integer::signed(value, value as u16), spec),
        Value::I32(value) => put_integer(out, Integer::signed(value, value as u32), spec),
        Value::I64(value) => put_integer(out, Integer::signed(value, value as u64), spec),
        Value::I128(value) => put_integer(out, Integer::signed(value, value as u128), spec),
        Value::U8(value) => put_integer(out, Integer::unsigned(value), spec),
        Value::U16(value) => put_integer(out, Integer::unsigned(value), spec),
        Value::U32(value) => put_integer(out, Integer::unsigned(value), spec),
        Value::U64(value) => put_integer(out, Integer::unsigned(value), spec),
        Value::U128(value) => put_integer(out, Integer::unsigned(value), spec),
        Value::F32(value) => put_float(out, value, spec),
        Value::F64(value) => put_float(out, value, spec),
        Value::Str(chars) => put_chars(out, chars, spec),
        Value::Text(chars) => {
            out.bytes(chars.kept);
            put_cut(out, chars.cut);
        }
        Value::Fixed(value) => put_number(out, spec, value.mantissa < 0, |out| {
            let mut text = String::new();
            let _ = value.write_magnitude(spec.precision, &mut text);
            out.bytes(text.as_bytes());
            0
        }),
        Value::Pointer(address) => {
            let mut spec = *spec;
            spec.spec.style = Style::Pointer;
            put_integer(out, Integer::unsigned(address), &spec);
        }
        Value::Duration(duration) => put_padded(out, spec, |out| {
            match (spec.precision, spec.spec.sign == Sign::Plus) {
                (None, false) => put_format(out, format_args!("{duration:?}")),
                (None, true) => put_format(out, format_args!("{duration:+?}")),
                (Some(digits), false) => put_format(out, format_args!("{duration:.digits$?}")),
                (Some(digits), true) => put_format(out, format_args!("{duration:+.digits$?}")),
            }
        }),
        Value::SystemTime(time) => composite::put_system_time(out, time, spec),
        Value::Ip(address) => put_displayed(out, format_args!("{address}"), spec),
        Value::Socket(address) => put_displayed(out, format_args!("{address}"), spec),
        Value::ErrorChain(chain) => composite::put_error_chain(out, chain, spec),
        Value::Composite(value) => composite::put(out, value, spec),
    }
}

/// Appends what `{}` makes of a value that is padded and cut like text.
fn put_displayed(out: &mut Vec<u8>, displayed: fmt::Arguments<'_>, spec: &Resolved<'_>) {
    let mut text = Vec::new();
    put_format(&mut text, displayed);
    put_text(out, &text, 0, spec);
}

/// Appends text as the specification says.
pub(super) fn put_str(out: &mut Vec<u8>, text: &[u8], spec: &Resolved<'_>) {
    put_text(out, text, 0, spec);
}

/// Says how much of a text is missing, if any is.
pub(super) fn put_cut(out: &mut Vec<u8>, cut: u32) {
    if cut > 0 {
        put_format(out, format_args!("…(+{cut} bytes)"));
    }
}

pub(super) fn put_format(out: &mut Vec<u8>, arguments: fmt::Arguments<'_>) {
    out.write_fmt(arguments)
        .expect("a vector takes everything, and numbers and text format without errors");
}

/// What an integer is in any of the styles.
struct Integer {
    negative: bool,
    magnitude: u128,
    /// The two's complement in the width of its type.
    bits: u128,
}

impl Integer {
    fn signed(value: impl Into<i128>, bits: impl Into<u128>) -> Integer {
        let value = value.into();
        Integer {
            negative: value < 0,
            magnitude: value.unsigned_abs(),
            bits: bits.into(),
        }
    }

    fn unsigned(value: impl Into<u128>) -> Integer {
        let value = value.into();
        Integer {
            negative: false,
            magnitude: value,
            bits: value,
        }
    }
}

fn put_integer(out: &mut Vec<u8>, integer: Integer, spec: &Resolved<'_>) {
    /// How the digits are found.
    enum Digits {
        Decimal,
        Radix {
            bits: u32,
            prefix: &'static [u8; 2],
            letters: &'static [u8; 16],
        },
        Exponential,
    }
    const LOWER: &[u8; 16] = b"0123456789abcdef";
    const UPPER: &[u8; 16] = b"0123456789ABCDEF";
    let radix = |bits, prefix, letters| Digits::Radix {
        bits,
        prefix,
        letters,
    };

    let mut spec = *spec;
    let digits = match spec.spec.style {
        Style::Display | Style::Debug => Digits::Decimal,
        Style::DebugLowerHex | Style::LowerHex => radix(4, b"0x", LOWER),
        Style::DebugUpperHex | Style::UpperHex => radix(4, b"0x", UPPER),
        Style::Octal => radix(3, b"0o", LOWER),
        Style::Binary => radix(1, b"0b", LOWER),
        Style::LowerExp | Style::UpperExp => Digits::Exponential,
        Style::Pointer => {
            // `{:#p}` is as wide as an address can be.
            if spec.spec.alternate {
                spec.spec.zero = true;
                if spec.width == 0 {
                    spec.width = usize::BITS as usize / 4 + 2;
                }
            }
            spec.spec.alternate = true;
            radix(4, b"0x", LOWER)
        }
    };
    let negative = integer.negative && !matches!(digits, Digits::Radix { .. });
    put_number(out, &spec, negative, |out| match digits {
        Digits::Decimal => {
            number::put_unsigned_128(out, integer.magnitude);
            0
        }
        Digits::Radix {
            bits,
            prefix,
            letters,
        } => {
            if spec.spec.alternate {
                out.bytes(prefix);
            }
            let count = (u128::BITS - integer.bits.leading_zeros())
                .div_ceil(bits)
                .max(1);
            out.extend((0..count).rev().map(|place| {
                let digit = integer.bits >> (place * bits) & ((1 << bits) - 1);
                letters[digit as usize]
            }));
            if spec.spec.alternate { prefix.len() } else { 0 }
        }
        Digits::Exponential => {
            let magnitude = integer.magnitude;
            match (spec.spec.style, spec.precision) {
                (Style::LowerExp, None) => put_format(out, format_args!("{magnitude:e}")),
                (Style::LowerExp, Some(precision)) => {
                    put_format(out, format_args!("{magnitude:.precision$e}"));
                }
                (_, None) => put_format(out, format_args!("{magnitude:E}")),
                (_, Some(precision)) => {
                    put_format(out, format_args!("{magnitude:.precision$E}"));
                }
            }
            0
        }
    });
}

/// The most digits behind the point of an exponential number: the standard library panics at one
/// more, which is the most that a specification can ask for.
const MOST_EXPONENTIAL: usize = u16::MAX as usize - 1;

fn put_float(out: &mut Vec<u8>, value: impl Float, spec: &Resolved<'_>) {
    // The shortest digits depend on the type; with a precision only the exact value counts.
    let exact: f64 = value.into();
    let (short, magnitude) = (value.magnitude(), exact.abs());
    let negative = exact.is_sign_negative() && !exact.is_nan();
    let mut spec = *spec;
    if exact.is_nan() {
        spec.spec.sign = Sign::Unset;
    }
    put_number(out, &spec, negative, |out| {
        match (spec.spec.style, spec.precision) {
            (Style::LowerExp, Some(precision)) => {
                let precision = precision.min(MOST_EXPONENTIAL);
                put_format(out, format_args!("{magnitude:.precision$e}"));
            }
            (Style::UpperExp, Some(precision)) => {
                let precision = precision.min(MOST_EXPONENTIAL);
                put_format(out, format_args!("{magnitude:.precision$E}"));
            }
            (_, Some(precision)) => {
                if precision > float::MAX_FIXED || !float::put_fixed(out, magnitude, precision) {
                    put_format(out, format_args!("{magnitude:.precision$}"));
                }
            }
            (Style::LowerExp, None) => float::put_exponential(out, short, b'e'),
            (Style::UpperExp, None) => float::put_exponential(out, short, b'E'),
            (Style::Display, None) => float::put_shortest(out, short),
            (_, None) => float::put_debug(out, short),
        }
        0
    });
}

fn put_char(out: &mut Vec<u8>, value: char, spec: &Resolved<'_>) {
    if spec.spec.style == Style::Display {
        put_text(out, value.encode_utf8(&mut [0; 4]).as_bytes(), 0, spec);
    } else {
        // The standard library does not pad this.
        put_format(out, format_args!("{value:?}"));
    }
}

fn put_chars(out: &mut Vec<u8>, chars: Chars<'_>, spec: &Resolved<'_>) {
    if spec.spec.style == Style::Display {
        put_text(out, chars.kept, chars.cut, spec);
        return;
    }
    // The standard library does not pad this either.
    let stays = |byte: &u8| (b' '..=b'~').contains(byte) && *byte != b'"' && *byte != b'\\';
    if chars.kept.iter().all(stays) {
        out.bytes(b"\"");
        out.bytes(chars.kept);
        out.bytes(b"\"");
    } else {
        out.bytes(b"\"");
        for chunk in chars.kept.utf8_chunks() {
            let start = out.len();
            put_format(out, format_args!("{:?}", chunk.valid()));
            // Without the quotes.
            out.pop();
            out.remove(start);
            out.bytes(chunk.invalid());
        }
        out.bytes(b"\"");
    }
    put_cut(out, chars.cut);
}

/// Appends text of which the precision may leave but the beginning.
fn put_text(out: &mut Vec<u8>, text: &[u8], cut: u32, spec: &Resolved<'_>) {
    put_padded(out, spec, |out| {
        let shown = match spec.precision {
            Some(precision) => first_chars(text, precision),
            None => text,
        };
        out.bytes(shown);
        // What the precision takes away would not have been shown had nothing been cut off.
        if shown.len() == text.len() && spec.precision.is_none_or(|most| most > count_chars(text)) {
            put_cut(out, cut);
        }
    });
}

/// Whether a character starts with this byte. In text that is not UTF-8 this is as good as any
/// other way to count.
fn starts_char(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

fn count_chars(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| starts_char(byte)).count()
}

fn first_chars(text: &[u8], count: usize) -> &[u8] {
    let mut starts = (0..text.len()).filter(|&at| starts_char(text[at]));
    match starts.nth(count) {
        Some(end) => &text[..end],
        None => text,
    }
}

/// Appends what `put` appends, which is text, filled up to the width.
fn put_padded(out: &mut Vec<u8>, spec: &Resolved<'_>, put: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put(out);
    let missing = spec.width.saturating_sub(count_chars(&out[start..]));
    let (left, right) = match spec.spec.align {
        Align::Unset | Align::Left => (0, missing),
        Align::Center => (missing / 2, missing.div_ceil(2)),
        Align::Right => (missing, 0),
    };
    fill(out, spec.spec.fill, start, left);
    let end = out.len();
    fill(out, spec.spec.fill, end, right);
}

/// Appends a sign, and what `put` appends, which is the rest of a number and begins with a prefix
/// of the length that `put` answers; filled up to the width, with zeros after the sign and the
/// prefix if the specification says so.
fn put_number(
    out: &mut Vec<u8>,
    spec: &Resolved<'_>,
    negative: bool,
    put: impl FnOnce(&mut Vec<u8>) -> usize,
) {
    let start = out.len();
    if negative {
        out.bytes(b"-");
    } else if spec.spec.sign == Sign::Plus {
        out.bytes(b"+");
    }
    let signed = out.len();
    let digits = signed + put(out);
    let missing = spec.width.saturating_sub(out.len() - start);
    if spec.spec.zero {
        fill(out, '0', digits, missing);
        return;
    }
    let (left, right) = match spec.spec.align {
        Align::Left => (0, missing),
        Align::Center => (missing / 2, missing.div_ceil(2)),
        Align::Unset | Align::Right => (missing, 0),
    };
    fill(out, spec.spec.fill, start, left);
    let end = out.len();
    fill(out, spec.spec.fill, end, right);
}

/// Inserts a character a number of times.
fn fill(out: &mut Vec<u8>, character: char, at: usize, count: usize) {
    if count == 0 {
        return;
    }
    let mut buffer = [0; 4];
    let bytes = character.encode_utf8(&mut buffer).as_bytes();
    let (end, inserted) = (out.len(), bytes.len() * count);
    out.resize(end + inserted, 0);
    out.copy_within(at..end, at + inserted);
    let place = &mut out[at..at + inserted];
    match bytes {
        [byte] => place.fill(*byte),
        _ => place
            .chunks_exact_mut(bytes.len())
            .for_each(|place| place.copy_from_slice(bytes)),
    }
}

#[cfg(test)]
mod tests;
