//! Values as JSON has them: numbers and booleans as such, all else as strings.
//!
//! What JSON has no number for is a string: `NaN`, the infinities, and integers beyond
//! 2^63 - 1 or below its negative, for which some readers refuse the whole line.

use super::context::Names;
use super::escape::{self, Quoted, Raw};
use super::line::Put;
use super::number;
use super::redact::{MASK, Redaction};
use super::spec::{self, Resolved};
use crate::record::{Body, Chars, Composite, Decoder, Items, Value, View};

/// The largest magnitude of an integer that is written as a number.
const MOST: u64 = i64::MAX as u64;

/// Whether the next value is a `u64` that is written as a number.
#[inline(always)]
pub(super) fn is_natural(mut decoder: Decoder<'_>) -> bool {
    let bytes = decoder.take();
    bytes.is_some_and(|bytes| u64::from_le_bytes(bytes) <= MOST)
}

/// Whether the next value is an `i64` that is written as a number.
#[inline(always)]
pub(super) fn is_whole(mut decoder: Decoder<'_>) -> bool {
    let bytes = decoder.take();
    bytes.is_some_and(|bytes| i64::from_le_bytes(bytes) != i64::MIN)
}

/// Appends a float. The text is the shortest that reads as the same number, and has a point or an
/// exponent, so that it reads as a float.
#[inline(always)]
pub(super) fn put_real(out: &mut impl Put, number: f64) {
    if number.is_finite() {
        out.bytes(zmij::Buffer::new().format_finite(number).as_bytes());
    } else {
        out.bytes(no_number(number));
    }
}

#[cold]
fn no_number(number: f64) -> &'static [u8] {
    if number.is_nan() {
        b"\"NaN\""
    } else if number > 0.0 {
        b"\"inf\""
    } else {
        b"\"-inf\""
    }
}

/// What is masked inside of values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masks<'a> {
    /// Credentials in URLs.
    pub(super) urls: bool,
    /// What has a name that says so.
    pub(super) names: Option<&'a Redaction>,
}

impl Masks<'_> {
    fn hide(&self, name: &str) -> bool {
        self.names.is_some_and(|redaction| redaction.masks(name))
    }
}

/// Appends a value.
pub(super) fn put_value(out: &mut Vec<u8>, value: Value<'_>, masks: Masks<'_>) {
    match value {
        Value::Unit => out.bytes(b"null"),
        Value::I64(wide @ i64::MIN) => put_wide(out, true, wide.unsigned_abs().into()),
        Value::Bool(_)
        | Value::I8(_)
        | Value::I16(_)
        | Value::I32(_)
        | Value::I64(_)
        | Value::U8(_)
        | Value::U16(_)
        | Value::U32(_)
        | Value::U64(..=MOST)
        | Value::Fixed(_) => spec::put_value(out, value, &Resolved::DISPLAY),
        Value::U64(wide) => put_wide(out, false, wide.into()),
        Value::I128(wide) => match i64::try_from(wide) {
            Ok(number) => put_value(out, Value::I64(number), masks),
            Err(_) => put_wide(out, wide < 0, wide.unsigned_abs()),
        },
        Value::U128(wide) => match u64::try_from(wide) {
            Ok(number) => put_value(out, Value::U64(number), masks),
            Err(_) => put_wide(out, false, wide),
        },
        Value::F32(number) if number.is_finite() => {
            out.bytes(zmij::Buffer::new().format_finite(number).as_bytes());
        }
        Value::F32(number) => put_real(out, number.into()),
        Value::F64(number) => put_real(out, number),
        Value::Char(character) => {
            put_string(
                out,
                character.encode_utf8(&mut [0; 4]).as_bytes(),
                masks.urls,
            );
        }
        Value::Str(Chars { kept, cut: 0 }) | Value::Text(Chars { kept, cut: 0 }) => {
            put_string(out, kept, masks.urls);
        }
        Value::Duration(duration) => {
            let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
            let text = format!("{seconds}.{nanos:09}");
            let shortest = text.trim_end_matches('0').trim_end_matches('.');
            out.bytes(shortest.as_bytes());
        }
        Value::Str(_)
        | Value::Text(_)
        | Value::Pointer(_)
        | Value::SystemTime(_)
        | Value::Ip(_)
        | Value::Socket(_) => put_displayed(out, value, masks),
        Value::ErrorChain(value) | Value::Composite(value) => put_composite(out, value, masks),
    }
}

/// Appends as a string what `{}` shows.
fn put_displayed(out: &mut Vec<u8>, value: Value<'_>, masks: Masks<'_>) {
    let mut text = Vec::new();
    spec::put_value(&mut text, value, &Resolved::DISPLAY);
    put_string(out, &text, masks.urls);
}

/// As serde does: lists, sets and tuples are arrays, maps and structs objects; of an enum the variant
/// is the only key of an object, or a string if it holds nothing.
fn put_composite(out: &mut Vec<u8>, value: Composite<'_>, masks: Masks<'_>) {
    match value.view() {
        None | Some(View::None) => out.bytes(b"null"),
        Some(View::Some(value)) => put_value(out, value, masks),
        Some(View::List(items) | View::Set(items) | View::Tuple(items)) => {
            put_array(out, items, masks);
        }
        Some(View::Map(items)) => put_map(out, items, masks),
        Some(View::Struct(name, body)) => put_body(out, name, body, masks),
        Some(View::Variant(name, Body::Unit)) => put_string(out, name.as_bytes(), false),
        Some(View::Variant(name, body)) => {
            out.bytes(b"{");
            put_string(out, name.as_bytes(), false);
            out.bytes(b":");
            put_body(out, name, body, masks);
            out.bytes(b"}");
        }
    }
}

fn put_body(out: &mut Vec<u8>, name: &str, body: Body<'_>, masks: Masks<'_>) {
    match body {
        Body::Unit => put_string(out, name.as_bytes(), false),
        Body::Tuple(items) => {
            let mut ahead = items.clone();
            match (ahead.next(), ahead.next()) {
                (Some((_, only)), None) if ahead.cut() == 0 => put_value(out, only, masks),
                _ => put_array(out, items, masks),
            }
        }
        Body::Fields(mut items) => {
            let mut object = Object::open(out);
            for (name, value) in items.by_ref() {
                object.entry(name, value, masks);
            }
            object.close(items.cut());
        }
    }
}

fn put_array(out: &mut Vec<u8>, mut items: Items<'_>, masks: Masks<'_>) {
    let mut separator = &b"["[..];
    for (_, value) in items.by_ref() {
        out.bytes(separator);
        put_value(out, value, masks);
        separator = b",";
    }
    if items.cut() > 0 {
        out.bytes(separator);
        put_string(out, missing(items.cut()).as_bytes(), false);
        separator = b",";
    }
    out.bytes(if separator == b"[" { b"[]" } else { b"]" });
}

/// Keys that are no text are written as text.
fn put_map(out: &mut Vec<u8>, mut items: Items<'_>, masks: Masks<'_>) {
    let mut object = Object::open(out);
    while let (Some((_, key)), Some((_, value))) = (items.next(), items.next()) {
        let mut name = Vec::new();
        spec::put_value(&mut name, key, &Resolved::DISPLAY);
        object.entry(&String::from_utf8_lossy(&name), value, masks);
    }
    object.close(items.cut());
}

/// An object, each of whose keys is there once.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    names: Names,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.bytes(b"{");
        Object {
            out,
            names: Names::new(Some(&[])),
            is_empty: true,
        }
    }

    fn key(&mut self, name: &str, urls: bool) {
        if !std::mem::take(&mut self.is_empty) {
            self.out.bytes(b",");
        }
        let name = if urls && name.contains('@') {
            let mut masked = Vec::new();
            escape::put::<Raw>(&mut masked, name.as_bytes(), true);
            self.names.take(&String::from_utf8_lossy(&masked))
        } else {
            self.names.take(name)
        };
        put_string(self.out, name.as_bytes(), false);
        self.out.bytes(b":");
    }

    fn entry(&mut self, name: &str, value: Value<'_>, masks: Masks<'_>) {
        self.key(name, masks.urls);
        if masks.hide(name) {
            put_string(self.out, MASK.as_bytes(), false);
        } else {
            put_value(self.out, value, masks);
        }
    }

    fn close(mut self, cut: u32) {
        if cut > 0 {
            self.key("…", false);
            put_string(self.out, missing(cut).as_bytes(), false);
        }
        self.out.bytes(b"}");
    }
}

/// What stands for values that the record had no room for.
fn missing(count: u32) -> String {
    format!("… {count} more")
}

/// Appends an integer as a string.
fn put_wide(out: &mut Vec<u8>, negative: bool, magnitude: u128) {
    out.bytes(if negative { b"\"-" } else { b"\"" });
    number::put_unsigned_128(out, magnitude);
    out.bytes(b"\"");
}

/// Appends text as a string.
pub(super) fn put_string(out: &mut Vec<u8>, text: &[u8], urls: bool) {
    out.bytes(b"\"");
    escape::put::<Quoted>(out, text, urls);
    out.bytes(b"\"");
}
