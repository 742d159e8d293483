//! Values that say themselves what they are: a tag, and what belongs to it.
//!
//! ```text
//! value       tag, bytes                     a number, a text, an address...: bytes as its type says
//!           | SOME, value                    NONE is a tag of its own
//!           | LIST | TUPLE, value..., end
//!           | MAP, (key, value)..., end
//!           | STRUCT | VARIANT, name                                   without fields
//!           | TUPLE_STRUCT | TUPLE_VARIANT, name, value..., end
//!           | FIELD_STRUCT | FIELD_VARIANT, name, (name, value)..., end
//! end         END | CUT, number of values left out (32 bits)
//! name        length + 2, bytes
//! ```
//!
//! A name's first byte is at least 2, so that it differs from both ends; longer names are cut.

use super::view::{Body, Items, View};
use super::{Composite, Decoder, Type, Value};

pub(crate) const END: u8 = 0;
pub(crate) const CUT: u8 = 1;
pub(crate) const NONE: u8 = 2;
pub(crate) const SOME: u8 = 3;
pub(crate) const LIST: u8 = 4;
pub(crate) const TUPLE: u8 = 5;
pub(crate) const MAP: u8 = 6;
pub(crate) const STRUCT: u8 = 7;
pub(crate) const TUPLE_STRUCT: u8 = 8;
pub(crate) const FIELD_STRUCT: u8 = 9;
pub(crate) const VARIANT: u8 = 10;
pub(crate) const TUPLE_VARIANT: u8 = 11;
pub(crate) const FIELD_VARIANT: u8 = 12;

/// What is added to the length of a name.
pub(crate) const NAME: u8 = 2;

/// The most bytes of a name.
#[cfg(feature = "serde")]
pub(crate) const LONGEST_NAME: usize = (u8::MAX - NAME) as usize;

/// The first tag of a type in [`LEAVES`].
const FIRST_LEAF: u8 = 32;

/// The types whose tag is all that has to be said of them. New ones go to the end.
const LEAVES: [Type; 27] = [
    Type::Unit,
    Type::Bool,
    Type::Char,
    Type::I8,
    Type::I16,
    Type::I32,
    Type::I64,
    Type::I128,
    Type::U8,
    Type::U16,
    Type::U32,
    Type::U64,
    Type::U128,
    Type::F32,
    Type::F64,
    Type::Str,
    Type::Text,
    Type::Symbol,
    Type::Fixed,
    Type::Pointer,
    Type::Duration,
    Type::SystemTime,
    Type::Ip,
    Type::Socket,
    Type::Ipv4,
    Type::Ipv6,
    Type::ErrorChain,
];

/// The tag of a type that needs no more than that; `None` for composite types.
#[cfg(feature = "serde")]
pub(crate) const fn tag(ty: &Type) -> Option<u8> {
    // What `==` would do, at compile time.
    let place = match ty {
        Type::Unit => 0,
        Type::Bool => 1,
        Type::Char => 2,
        Type::I8 => 3,
        Type::I16 => 4,
        Type::I32 => 5,
        Type::I64 => 6,
        Type::I128 => 7,
        Type::U8 => 8,
        Type::U16 => 9,
        Type::U32 => 10,
        Type::U64 => 11,
        Type::U128 => 12,
        Type::F32 => 13,
        Type::F64 => 14,
        Type::Str => 15,
        Type::Text => 16,
        Type::Symbol => 17,
        Type::Fixed => 18,
        Type::Pointer => 19,
        Type::Duration => 20,
        Type::SystemTime => 21,
        Type::Ip => 22,
        Type::Socket => 23,
        Type::Ipv4 => 24,
        Type::Ipv6 => 25,
        Type::ErrorChain => 26,
        _ => return None,
    };
    Some(FIRST_LEAF + place)
}

fn leaf(tag: u8) -> Option<Type> {
    let place = tag.checked_sub(FIRST_LEAF)?;
    LEAVES.get(usize::from(place)).copied()
}

/// The next value.
pub(super) fn next<'a>(decoder: &mut Decoder<'a>) -> Option<Value<'a>> {
    let tag = decoder.peek()?;
    if let Some(ty) = leaf(tag) {
        decoder.byte()?;
        return decoder.next(ty);
    }
    decoder
        .extent(|decoder| skip(decoder, super::decode::DEEPEST))
        .map(|bytes| Value::Composite(Composite::new(Type::Tagged, bytes)))
}

/// Goes over the next value.
pub(super) fn skip(decoder: &mut Decoder<'_>, depth: u32) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match decoder.byte()? {
        NONE => Some(()),
        SOME => skip(decoder, depth),
        LIST | TUPLE | MAP => skip_items(decoder, false, depth),
        STRUCT | VARIANT => name(decoder).map(drop),
        TUPLE_STRUCT | TUPLE_VARIANT => {
            name(decoder)?;
            skip_items(decoder, false, depth)
        }
        FIELD_STRUCT | FIELD_VARIANT => {
            name(decoder)?;
            skip_items(decoder, true, depth)
        }
        tag => decoder.skip(leaf(tag)?, depth),
    }
}

fn skip_items(decoder: &mut Decoder<'_>, named: bool, depth: u32) -> Option<()> {
    loop {
        match decoder.peek()? {
            END | CUT => return end(decoder).map(drop),
            _ => {
                if named {
                    name(decoder)?;
                }
                skip(decoder, depth)?;
            }
        }
    }
}

/// What comes next among the items of a value.
pub(super) enum Item<'a> {
    Value(&'a str, Value<'a>),
    End { cut: u32 },
}

pub(super) fn item<'a>(decoder: &mut Decoder<'a>, named: bool) -> Option<Item<'a>> {
    match decoder.peek()? {
        END | CUT => end(decoder).map(|cut| Item::End { cut }),
        _ => {
            let name = if named { name(decoder)? } else { "" };
            next(decoder).map(|value| Item::Value(name, value))
        }
    }
}

/// How many values were left out in front of this end.
fn end(decoder: &mut Decoder<'_>) -> Option<u32> {
    match decoder.byte()? {
        END => Some(0),
        _ => Some(u32::from_le_bytes(decoder.take()?)),
    }
}

/// A name; empty if its bytes are damaged.
fn name<'a>(decoder: &mut Decoder<'a>) -> Option<&'a str> {
    let length = decoder.byte()?.checked_sub(NAME)?;
    let bytes = decoder.take_slice(length.into())?;
    Some(std::str::from_utf8(bytes).unwrap_or_default())
}

/// What the value is that `decoder` stands before.
pub(super) fn view<'a>(mut decoder: Decoder<'a>) -> Option<View<'a>> {
    let unnamed = |decoder| Items::tagged(decoder, false);
    Some(match decoder.byte()? {
        NONE => View::None,
        SOME => View::Some(next(&mut decoder)?),
        LIST => View::List(unnamed(decoder)),
        TUPLE => View::Tuple(unnamed(decoder)),
        MAP => View::Map(unnamed(decoder)),
        tag => {
            let name = name(&mut decoder)?;
            let body = match tag {
                STRUCT | VARIANT => Body::Unit,
                TUPLE_STRUCT | TUPLE_VARIANT => Body::Tuple(unnamed(decoder)),
                FIELD_STRUCT | FIELD_VARIANT => Body::Fields(Items::tagged(decoder, true)),
                _ => return None,
            };
            match tag {
                STRUCT | TUPLE_STRUCT | FIELD_STRUCT => View::Struct(name, body),
                _ => View::Variant(name, body),
            }
        }
    })
}
