//! The one decoder: stored bytes and a call site's types in, values out.
//!
//! It trusts nothing. Bytes that do not hold the type asked for end the walk with `None`, so the
//! same decoder reads a live ring and the file that a dead process left behind.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use super::tagged;
use super::types::has_wide_index;
use super::view::Composite;
use super::{Form, Shape, Type, Variant};
use crate::fixed::Fixed;

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
    Fixed(Fixed),
    /// An address in memory.
    Pointer(u64),
    Duration(Duration),
    SystemTime(UnixTime),
    Ip(IpAddr),
    Socket(SocketAddr),
    /// An error and its sources: a list of strings.
    ErrorChain(Composite<'a>),
    /// A value that is made of others.
    Composite(Composite<'a>),
}

/// A time as a `SystemTime` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixTime {
    /// Since 1970; negative before.
    pub seconds: i64,
    /// Of the second, counted forward.
    pub nanos: u32,
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

/// How deep values can lie in each other. What lies deeper is as good as missing.
pub(super) const DEEPEST: u32 = 200;

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

    /// The next bytes.
    #[inline(always)]
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    /// The next value, which was stored as a `ty`; `None` if the bytes do not hold one.
    ///
    /// Where the type is a constant, only its branch is left, and the decoder stays in registers. As
    /// a function it takes the decoder's address, and a third of the consumer's pace.
    #[inline(always)]
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
            _ => return self.next_rare(ty),
        })
    }

    #[inline(never)]
    fn next_rare(&mut self, ty: Type) -> Option<Value<'a>> {
        Some(match ty {
            Type::Symbol => {
                let bytes = self.take_slice(16)?;
                let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(16);
                Value::Str(Chars {
                    kept: &bytes[..end],
                    cut: 0,
                })
            }
            Type::Fixed => Value::Fixed(Fixed {
                mantissa: i64::from_le_bytes(self.take()?),
                exponent: i8::from_le_bytes(self.take()?),
            }),
            Type::Pointer => Value::Pointer(u64::from_le_bytes(self.take()?)),
            Type::Duration => {
                let seconds = u64::from_le_bytes(self.take()?);
                Value::Duration(Duration::new(seconds, self.nanos()?))
            }
            Type::SystemTime => Value::SystemTime(UnixTime {
                seconds: i64::from_le_bytes(self.take()?),
                nanos: self.nanos()?,
            }),
            Type::Ipv4 => Value::Ip(self.ipv4()?.into()),
            Type::Ipv6 => Value::Ip(self.ipv6()?.into()),
            Type::Ip => Value::Ip(match self.byte()? {
                4 => self.ipv4()?.into(),
                6 => self.ipv6()?.into(),
                _ => return None,
            }),
            Type::SocketV4 => Value::Socket(self.socket_v4()?),
            Type::SocketV6 => Value::Socket(self.socket_v6()?),
            Type::Socket => Value::Socket(match self.byte()? {
                4 => self.socket_v4()?,
                6 => self.socket_v6()?,
                _ => return None,
            }),
            Type::Tagged => tagged::next(self)?,
            Type::ErrorChain => Value::ErrorChain(self.composite(Type::List(&Type::Str))?),
            _ => Value::Composite(self.composite(ty)?),
        })
    }

    fn nanos(&mut self) -> Option<u32> {
        let nanos = u32::from_le_bytes(self.take()?);
        (nanos < 1_000_000_000).then_some(nanos)
    }

    fn ipv4(&mut self) -> Option<Ipv4Addr> {
        Some(self.take::<4>()?.into())
    }

    fn ipv6(&mut self) -> Option<Ipv6Addr> {
        Some(self.take::<16>()?.into())
    }

    fn socket_v4(&mut self) -> Option<SocketAddr> {
        let (address, port) = (self.ipv4()?, u16::from_le_bytes(self.take()?));
        Some(SocketAddrV4::new(address, port).into())
    }

    fn socket_v6(&mut self) -> Option<SocketAddr> {
        let (address, port) = (self.ipv6()?, u16::from_le_bytes(self.take()?));
        let scope = u32::from_le_bytes(self.take()?);
        Some(SocketAddrV6::new(address, port, 0, scope).into())
    }

    /// The next value, whose bytes are looked at only as far as is needed to find their end.
    fn composite(&mut self, ty: Type) -> Option<Composite<'a>> {
        self.extent(|decoder| decoder.skip(ty, DEEPEST))
            .map(|bytes| Composite::new(ty, bytes))
    }

    /// The bytes that `skip` goes over.
    pub(super) fn extent(
        &mut self,
        skip: impl FnOnce(&mut Self) -> Option<()>,
    ) -> Option<&'a [u8]> {
        let from = self.rest;
        skip(self)?;
        from.get(..from.len() - self.rest.len())
    }

    /// Goes over the next value. `None` if there is none, or something in it lies deeper than
    /// `depth`.
    pub(super) fn skip(&mut self, ty: Type, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match ty {
            Type::Option(inner) => match self.byte()? {
                0 => Some(()),
                _ => self.skip(*inner, depth),
            },
            Type::List(item) | Type::Set(item) => {
                for _ in 0..self.count()?.0 {
                    self.skip(*item, depth)?;
                }
                Some(())
            }
            Type::Map((key, value)) => {
                for _ in 0..self.count()?.0 {
                    self.skip(*key, depth)?;
                    self.skip(*value, depth)?;
                }
                Some(())
            }
            Type::Tuple(types) => types.iter().try_for_each(|ty| self.skip(*ty, depth)),
            Type::Known(shape) => self.skip_shape(shape, depth),
            Type::Derived(shape) => self.skip_shape((shape.0)(), depth),
            Type::ErrorChain => self.skip(Type::List(&Type::Str), depth),
            Type::Tagged => tagged::skip(self, depth),
            _ => self.next(ty).map(drop),
        }
    }

    fn skip_shape(&mut self, shape: &Shape, depth: u32) -> Option<()> {
        match self.variant(shape)?.form {
            Form::Unit => Some(()),
            Form::Tuple(types) => types.iter().try_for_each(|ty| self.skip(*ty, depth)),
            Form::Fields(members) => members
                .iter()
                .try_for_each(|member| self.skip(member.ty, depth)),
        }
    }

    /// Which variant comes next; for a struct the only one.
    pub(super) fn variant<'s>(&mut self, shape: &'s Shape) -> Option<&'s Variant> {
        match shape {
            Shape::Struct(this) => Some(this),
            Shape::Enum(variants) => {
                let index = if has_wide_index(variants.len()) {
                    usize::from(u16::from_le_bytes(self.take()?))
                } else {
                    usize::from(self.byte()?)
                };
                variants.get(index)
            }
        }
    }

    /// How many values a list has, and how many were cut off.
    pub(super) fn count(&mut self) -> Option<(u16, u32)> {
        let count = u16::from_le_bytes(self.take()?);
        let cut = if count & Type::CUT == 0 {
            0
        } else {
            u32::from_le_bytes(self.take()?)
        };
        Some((count & !Type::CUT, cut))
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    /// The next byte, which stays.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn take_slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(head)
    }

    /// Text is a 16-bit length, the number of bytes cut off if the length says so, the bytes.
    #[inline(always)]
    pub(crate) fn chars(&mut self) -> Option<Chars<'a>> {
        let length = u16::from_le_bytes(self.take()?);
        let cut = if length & Type::CUT == 0 {
            0
        } else {
            u32::from_le_bytes(self.take()?)
        };
        let kept = self.take_slice(usize::from(length & !Type::CUT))?;
        Some(Chars { kept, cut })
    }
}

/// The bytes of a record's words, as they lie in memory.
pub(crate) fn as_bytes(words: &[u64]) -> &[u8] {
    // SAFETY: any byte of a word is a valid byte, and the lifetime is that of the words.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}
