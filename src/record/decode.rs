//! The one decoder: stored bytes and a call site's types in, values out.
//!
//! It trusts nothing. Bytes that do not hold the type asked for end the walk with `None`, so the
//! same decoder reads a live ring and the file that a dead process left behind.

use super::Type;

/// One decoded value; text borrows from the record.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Value<'a> {
    Unit,
    Bool(bool),
    Char(char),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    F32(f32),
    F64(f64),
    /// A string argument, to be rendered as its specification says.
    Str(Chars<'a>),
    /// An argument that was formatted at the call, specification and all.
    Text(Chars<'a>),
}

/// Stored text: what was kept, and how much was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chars<'a> {
    /// The text as it was stored: whole characters, UTF-8 unless the record was damaged.
    pub kept: &'a [u8],
    /// How many bytes were cut off to make the record fit; usually 0.
    pub cut: u32,
}

/// Walks the payload of one record.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Starts at the first value of `payload`.
    #[inline]
    pub fn new(payload: &'a [u8]) -> Self {
        Decoder { rest: payload }
    }

    /// What has not been decoded yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    /// The next value, which was stored as a `ty`; `None` if the bytes do not hold one.
    #[inline]
    pub fn next(&mut self, ty: Type) -> Option<Value<'a>> {
        Some(match ty {
            Type::Unit => Value::Unit,
            Type::Bool => Value::Bool(self.take::<1>()? != [0]),
            Type::Char => Value::Char(char::from_u32(u32::from_le_bytes(self.take()?))?),
            Type::I8 => Value::I8(i8::from_le_bytes(self.take()?)),
            Type::I16 => Value::I16(i16::from_le_bytes(self.take()?)),
            Type::I32 => Value::I32(i32::from_le_bytes(self.take()?)),
            Type::I64 => Value::I64(i64::from_le_bytes(self.take()?)),
            Type::I128 => Value::I128(i128::from_le_bytes(self.take()?)),
            Type::U8 => Value::U8(u8::from_le_bytes(self.take()?)),
            Type::U16 => Value::U16(u16::from_le_bytes(self.take()?)),
            Type::U32 => Value::U32(u32::from_le_bytes(self.take()?)),
            Type::U64 => Value::U64(u64::from_le_bytes(self.take()?)),
            Type::U128 => Value::U128(u128::from_le_bytes(self.take()?)),
            Type::F32 => Value::F32(f32::from_le_bytes(self.take()?)),
            Type::F64 => Value::F64(f64::from_le_bytes(self.take()?)),
            Type::Str => Value::Str(self.chars()?),
            Type::Text => Value::Text(self.chars()?),
        })
    }

    /// Text is a 16-bit length, the number of bytes cut off if the length says so, the bytes.
    #[inline]
    fn chars(&mut self) -> Option<Chars<'a>> {
        let length = u16::from_le_bytes(self.take()?);
        let cut = if length & Type::CUT == 0 {
            0
        } else {
            u32::from_le_bytes(self.take()?)
        };
        let (kept, rest) = self
            .rest
            .split_at_checked(usize::from(length & !Type::CUT))?;
        self.rest = rest;
        Some(Chars { kept, cut })
    }
}

/// The bytes of a record's words, as they lie in memory.
pub(crate) fn as_bytes(words: &[u64]) -> &[u8] {
    // SAFETY: any byte of a word is a valid byte, and the lifetime is that of the words.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}
