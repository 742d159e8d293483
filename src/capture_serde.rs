//! Anything that serde can serialize, as a value that says itself what it is.
//!
//! The value is written into a buffer on the stack, in one pass. Where that is full, whole elements
//! are left out and counted: each list and struct keeps a few bytes for the mark at its end, so
//! what is written is well-formed at whatever place the room runs out.

use std::fmt::{self, Write as _};

use serde::ser::{self, Serialize};

use crate::format;
use crate::record::tagged::{self, tag};
use crate::record::{Align, Buffer, Count, Decoder, Exact, Put, Record, Sign, Spec, Style, Type};

/// A value on its way into a record; see [`serde()`].
#[derive(Clone, Copy)]
pub struct Serde<'a, T: ?Sized>(&'a T);

/// Has serde store a value in the record: its structs, fields, lists and numbers, typed, so that a
/// format with structure shows them as such.
///
/// `{:?}` shows it as a derived `Debug` would that had the names that serde has. For a type of your
/// own, [`#[derive(Record)]`](derive@crate::Record) costs less; this is for what has `Serialize`
/// already. Also `#[record(with = "ringlog::serde")]` for a field of a derived type.
///
/// Runs `Serialize` at the call, on the stack: does not allocate (unless the implementation does)
/// and does not enter the kernel. Names and types are stored with the values, a byte and more for
/// each. To serde an array is a tuple, and is shown as one. What a record has no room for is left out in whole elements, marked and counted. A
/// `Serialize` that fails is shown as its error, in its place.
///
/// ```
/// use ringlog::info;
///
/// #[derive(serde::Serialize)]
/// struct Quote {
///     bid: f64,
///     #[serde(rename = "offer")]
///     ask: Option<f64>,
/// }
///
/// let quote = Quote { bid: 101.25, ask: Some(101.5) };
/// info!("got {:?}", ringlog::serde(&quote));
/// assert_eq!(
///     format!("{:?}", ringlog::serde(&quote)),
///     "Quote { bid: 101.25, offer: Some(101.5) }"
/// );
/// ```
#[must_use]
pub fn serde<T: Serialize + ?Sized>(value: &T) -> Serde<'_, T> {
    Serde(value)
}

/// The least room that is made use of, enough to say that something is missing.
const LEAST: usize = 16;

impl<T: Serialize + ?Sized> Serde<'_, T> {
    /// In at most `most` bytes, or a few if that is less.
    fn stored(&self, most: usize) -> Buffer {
        let mut buffer = Buffer::new(most.max(LEAST));
        let result = self.0.serialize(Writer {
            buffer: &mut buffer,
            depth: 0,
        });
        if let Err(error) = result {
            buffer.truncate(0);
            buffer.put_error(&error);
        }
        buffer
    }
}

impl<T: Serialize + ?Sized> Record for Serde<'_, T> {
    const TYPE: Type = Type::Tagged;
    const FIXED: usize = 1;
    const VARIES: bool = true;
    const PREPARED: bool = true;
    const EXACT: Exact<Self> = Exact::unknown();

    fn variable(&self, limit: usize) -> usize {
        self.stored(limit).used().saturating_sub(Self::FIXED)
    }

    fn put<P: Put>(&self, to: &mut P, limit: usize) {
        let stored = self.stored(limit);
        if stored.cut {
            to.note_cut();
        }
        to.put_slice(stored.bytes());
    }
}

/// As the log shows it, cut like there.
impl<T: Serialize + ?Sized> fmt::Debug for Serde<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = self.stored(usize::MAX);
        let Some(value) = Decoder::new(stored.bytes()).next(Type::Tagged) else {
            return Err(fmt::Error);
        };
        let count = |count: Option<usize>| match count {
            None => Count::Unset,
            Some(count) => Count::Is(u16::try_from(count).unwrap_or(u16::MAX)),
        };
        let spec = Spec {
            fill: f.fill(),
            align: match f.align() {
                None => Align::Unset,
                Some(fmt::Alignment::Left) => Align::Left,
                Some(fmt::Alignment::Center) => Align::Center,
                Some(fmt::Alignment::Right) => Align::Right,
            },
            sign: if f.sign_plus() {
                Sign::Plus
            } else {
                Sign::Unset
            },
            alternate: f.alternate(),
            zero: f.sign_aware_zero_pad(),
            width: count(f.width()),
            precision: count(f.precision()),
            style: Style::Debug,
        };
        let mut out = Vec::new();
        format::put_value(&mut out, value, spec);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

/// Why a value was not written.
#[derive(Debug)]
enum Failure {
    /// There is no room.
    Full,
    /// What the value's `Serialize` said, or the beginning of it.
    Refused(Message),
}

/// A short text.
#[derive(Debug)]
struct Message {
    text: [u8; Message::MOST],
    length: usize,
}

impl Message {
    const MOST: usize = 104;

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.length]).unwrap_or_default()
    }
}

impl fmt::Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let end = self.length + character.len_utf8();
            let place = self.text.get_mut(self.length..end).ok_or(fmt::Error)?;
            character.encode_utf8(place);
            self.length = end;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Full => f.write_str("<no room>"),
            Failure::Refused(message) => write!(f, "<not serialized: {}>", message.as_str()),
        }
    }
}

impl std::error::Error for Failure {}

impl ser::Error for Failure {
    fn custom<T: fmt::Display>(error: T) -> Self {
        let mut message = Message {
            text: [0; Message::MOST],
            length: 0,
        };
        // What does not fit is not needed.
        let _ = write!(message, "{error}");
        Failure::Refused(message)
    }
}

impl Buffer {
    /// Appends all or, if there is no room, none.
    fn all(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.append(bytes) {
            Ok(())
        } else {
            Err(Failure::Full)
        }
    }

    /// Appends a text with its tag.
    fn text(
        &mut self,
        ty: &Type,
        format: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    ) -> Result<(), Failure> {
        let start = self.used();
        self.all(&[tag(ty).unwrap_or_default()])?;
        if self.append_text(format) {
            return Ok(());
        }
        self.truncate(start);
        Err(Failure::Full)
    }

    /// Appends a name, of which a few hundred bytes are kept.
    fn name(&mut self, name: &str) -> Result<(), Failure> {
        let mut end = name.len().min(tagged::LONGEST_NAME);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        self.all(&[end as u8 + tagged::NAME])?;
        self.all(&name.as_bytes()[..end])
    }

    /// Appends an error as a text in place of a value.
    fn put_error(&mut self, error: &Failure) {
        self.cut = true;
        let _ = self.text(&Type::Text, |out| write!(out, "{error}"));
    }
}

/// Writes one value.
struct Writer<'a> {
    buffer: &'a mut Buffer,
    depth: u32,
}

/// How deep values can lie in each other.
const DEEPEST: u32 = 60;

impl<'a> Writer<'a> {
    fn number<const N: usize>(self, ty: &Type, bytes: [u8; N]) -> Result<(), Failure> {
        let start = self.buffer.used();
        let tag = tag(ty).unwrap_or_default();
        let done = self
            .buffer
            .all(&[tag])
            .and_then(|()| self.buffer.all(&bytes));
        if done.is_err() {
            self.buffer.truncate(start);
        }
        done
    }

    /// Begins what holds other values.
    fn open(self, tag: u8, name: Option<&str>) -> Result<Group<'a>, Failure> {
        if self.depth == DEEPEST {
            return Err(Failure::Full);
        }
        let start = self.buffer.used();
        if !self.buffer.reserve(END) {
            return Err(Failure::Full);
        }
        let mut begun = self.buffer.all(&[tag]);
        if let Some(name) = name {
            begun = begun.and_then(|()| self.buffer.name(name));
        }
        if let Err(error) = begun {
            self.buffer.give_back(END);
            self.buffer.truncate(start);
            return Err(error);
        }
        Ok(Group {
            buffer: self.buffer,
            depth: self.depth + 1,
            cut: 0,
            pair: 0,
            skipping: false,
        })
    }
}

/// The bytes of the longer of the two marks that end a list.
const END: usize = 1 + size_of::<u32>();

/// Writes the values in another.
struct Group<'a> {
    buffer: &'a mut Buffer,
    depth: u32,
    /// How many were left out. After the first, all are.
    cut: u32,
    /// Where the last key of a map began.
    pair: usize,
    /// Whether that key was left out.
    skipping: bool,
}

impl Group<'_> {
    /// Writes a value behind what `before` writes, or counts it as left out.
    fn item<T: Serialize + ?Sized>(
        &mut self,
        name: Option<&str>,
        value: &T,
    ) -> Result<(), Failure> {
        if self.cut > 0 {
            self.leave_out();
            return Ok(());
        }
        let start = self.buffer.used();
        let named = match name {
            Some(name) => self.buffer.name(name),
            None => Ok(()),
        };
        let value_at = self.buffer.used();
        let written = named.and_then(|()| {
            value.serialize(Writer {
                buffer: self.buffer,
                depth: self.depth,
            })
        });
        match written {
            Ok(()) => {}
            Err(Failure::Full) => {
                self.buffer.truncate(start);
                self.leave_out();
            }
            Err(refused) => {
                self.buffer.truncate(value_at);
                self.buffer.put_error(&refused);
                if self.buffer.used() == value_at {
                    self.buffer.truncate(start);
                    self.leave_out();
                }
            }
        }
        Ok(())
    }

    fn leave_out(&mut self) {
        self.cut = self.cut.saturating_add(1);
        self.buffer.cut = true;
    }

    fn close(self) -> Result<(), Failure> {
        self.buffer.give_back(END);
        if self.cut == 0 {
            return self.buffer.all(&[tagged::END]);
        }
        self.buffer.all(&[tagged::CUT])?;
        self.buffer.all(&self.cut.to_le_bytes())
    }
}

macro_rules! serialize_numbers {
    ($($method:ident $rust:ty => $name:ident;)*) => {$(
        fn $method(self, value: $rust) -> Result<(), Failure> {
            self.number(&Type::$name, value.to_le_bytes())
        }
    )*};
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Group<'a>;
    type SerializeTuple = Group<'a>;
    type SerializeTupleStruct = Group<'a>;
    type SerializeTupleVariant = Group<'a>;
    type SerializeMap = Group<'a>;
    type SerializeStruct = Group<'a>;
    type SerializeStructVariant = Group<'a>;

    serialize_numbers! {
        serialize_i8 i8 => I8;
        serialize_i16 i16 => I16;
        serialize_i32 i32 => I32;
        serialize_i64 i64 => I64;
        serialize_i128 i128 => I128;
        serialize_u8 u8 => U8;
        serialize_u16 u16 => U16;
        serialize_u32 u32 => U32;
        serialize_u64 u64 => U64;
        serialize_u128 u128 => U128;
        serialize_f32 f32 => F32;
        serialize_f64 f64 => F64;
    }

    fn serialize_bool(self, value: bool) -> Result<(), Failure> {
        self.number(&Type::Bool, [u8::from(value)])
    }

    fn serialize_char(self, value: char) -> Result<(), Failure> {
        self.number(&Type::Char, u32::from(value).to_le_bytes())
    }

    fn serialize_str(self, value: &str) -> Result<(), Failure> {
        self.buffer.text(&Type::Str, |out| out.write_str(value))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Failure> {
        self.buffer.text(&Type::Str, |out| write!(out, "{value}"))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Failure> {
        let mut group = self.open(tagged::LIST, None)?;
        for byte in value {
            group.item(None, byte)?;
        }
        group.close()
    }

    fn serialize_none(self) -> Result<(), Failure> {
        self.buffer.all(&[tagged::NONE])
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        let start = self.buffer.used();
        if self.depth == DEEPEST {
            return Err(Failure::Full);
        }
        self.buffer.all(&[tagged::SOME])?;
        let written = value.serialize(Writer {
            buffer: self.buffer,
            depth: self.depth + 1,
        });
        if written.is_err() {
            self.buffer.truncate(start);
        }
        written
    }

    fn serialize_unit(self) -> Result<(), Failure> {
        self.number(&Type::Unit, [])
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Failure> {
        self.named(tagged::STRUCT, name)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Failure> {
        self.named(tagged::VARIANT, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        let mut group = self.open(tagged::TUPLE_STRUCT, Some(name))?;
        group.item(None, value)?;
        group.close()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        let mut group = self.open(tagged::TUPLE_VARIANT, Some(variant))?;
        group.item(None, value)?;
        group.close()
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Group<'a>, Failure> {
        self.open(tagged::LIST, None)
    }

    fn serialize_tuple(self, _length: usize) -> Result<Group<'a>, Failure> {
        self.open(tagged::TUPLE, None)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _length: usize,
    ) -> Result<Group<'a>, Failure> {
        self.open(tagged::TUPLE_STRUCT, Some(name))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Group<'a>, Failure> {
        self.open(tagged::TUPLE_VARIANT, Some(variant))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Group<'a>, Failure> {
        self.open(tagged::MAP, None)
    }

    fn serialize_struct(self, name: &'static str, _length: usize) -> Result<Group<'a>, Failure> {
        self.open(tagged::FIELD_STRUCT, Some(name))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Group<'a>, Failure> {
        self.open(tagged::FIELD_VARIANT, Some(variant))
    }
}

impl Writer<'_> {
    /// What has a name and nothing else.
    fn named(self, tag: u8, name: &str) -> Result<(), Failure> {
        let start = self.buffer.used();
        let done = self
            .buffer
            .all(&[tag])
            .and_then(|()| self.buffer.name(name));
        if done.is_err() {
            self.buffer.truncate(start);
        }
        done
    }
}

macro_rules! serialize_items {
    ($($of:ident $method:ident;)*) => {$(
        impl ser::$of for Group<'_> {
            type Ok = ();
            type Error = Failure;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
                self.item(None, value)
            }

            fn end(self) -> Result<(), Failure> {
                self.close()
            }
        }
    )*};
}

serialize_items! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! serialize_fields {
    ($($of:ident)*) => {$(
        impl ser::$of for Group<'_> {
            type Ok = ();
            type Error = Failure;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Failure> {
                self.item(Some(name), value)
            }

            fn end(self) -> Result<(), Failure> {
                self.close()
            }
        }
    )*};
}

serialize_fields!(SerializeStruct SerializeStructVariant);

impl ser::SerializeMap for Group<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        self.pair = self.buffer.used();
        let before = self.cut;
        self.item(None, key)?;
        self.skipping = self.cut > before;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        if self.skipping {
            return Ok(());
        }
        self.item(None, value)?;
        if self.cut > 0 {
            // Not without its value.
            self.buffer.truncate(self.pair);
        }
        Ok(())
    }

    fn end(self) -> Result<(), Failure> {
        self.close()
    }
}
