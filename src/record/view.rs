//! Values that are made of others, one level at a time.
//!
//! Whoever renders one walks it: [`Composite::view`] says what it is, its [`Items`] are the values
//! in it, and those may be composite again. It is the same for types that the compiler knew and
//! for values that say themselves what they are.
//!
//! Walking allocates nothing. An item that is composite is gone over twice: to find its end, and
//! when it is walked itself.

use super::tagged;
use super::{Decoder, Form, Member, Shape, Type, Value, Variant};

/// A value that is made of others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Composite<'a> {
    ty: Type,
    /// All of the value, and nothing else.
    bytes: &'a [u8],
}

/// What a composite value is.
#[derive(Clone, Debug)]
pub enum View<'a> {
    /// `None`
    None,
    /// `Some(value)`
    Some(Value<'a>),
    /// A slice, an array, a `Vec`.
    List(Items<'a>),
    /// A set; in the order in which it gave its values.
    Set(Items<'a>),
    /// A key, its value, the next key, its value...
    Map(Items<'a>),
    /// Values in parentheses.
    Tuple(Items<'a>),
    /// A struct and its name.
    Struct(&'a str, Body<'a>),
    /// A variant of an enum, and the variant's name.
    Variant(&'a str, Body<'a>),
}

/// What a struct or a variant holds.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// Nothing.
    Unit,
    /// Fields without names.
    Tuple(Items<'a>),
    /// Fields with names.
    Fields(Items<'a>),
}

impl<'a> Composite<'a> {
    pub(super) fn new(ty: Type, bytes: &'a [u8]) -> Self {
        Composite { ty, bytes }
    }

    /// What it is. `None` if its bytes are damaged, which they are not in a value that a decoder
    /// has answered.
    pub fn view(&self) -> Option<View<'a>> {
        let mut decoder = Decoder::new(self.bytes);
        Some(match self.ty {
            Type::Option(inner) => match decoder.byte()? {
                0 => View::None,
                _ => View::Some(decoder.next(*inner)?),
            },
            Type::List(item) => {
                let (left, cut) = decoder.count()?;
                View::List(Items::new(decoder, Types::Same(item), left.into(), cut))
            }
            Type::Set(item) => {
                let (left, cut) = decoder.count()?;
                View::Set(Items::new(decoder, Types::Same(item), left.into(), cut))
            }
            Type::Map(pair) => {
                let (left, cut) = decoder.count()?;
                View::Map(Items::new(
                    decoder,
                    Types::Pairs(pair),
                    u32::from(left) * 2,
                    cut,
                ))
            }
            Type::Tuple(types) => View::Tuple(Items::of_types(decoder, types)),
            Type::Tagged => return tagged::view(decoder),
            _ => {
                let shape = self.ty.shape()?;
                let Variant { name, form } = decoder.variant(shape)?;
                let body = match form {
                    Form::Unit => Body::Unit,
                    Form::Tuple(types) => Body::Tuple(Items::of_types(decoder, types)),
                    Form::Fields(members) => Body::Fields(Items::new(
                        decoder,
                        Types::Members(members),
                        members.len() as u32,
                        0,
                    )),
                };
                match shape {
                    Shape::Struct(_) => View::Struct(name, body),
                    Shape::Enum(_) => View::Variant(name, body),
                }
            }
        })
    }
}

/// The values in a composite value, in order, each with its name; the name is empty where there is
/// none.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    decoder: Decoder<'a>,
    types: Types,
    /// How many are still to come, as far as that is known: values that say themselves what they
    /// are end with a mark.
    left: u32,
    /// How many the record had no room for.
    cut: u32,
}

/// Where the types of the items stand.
#[derive(Clone, Copy, Debug)]
enum Types {
    Same(&'static Type),
    Pairs(&'static (Type, Type)),
    Each(&'static [Type]),
    Members(&'static [Member]),
    Tagged { named: bool },
}

impl<'a> Items<'a> {
    fn new(decoder: Decoder<'a>, types: Types, left: u32, cut: u32) -> Self {
        Items {
            decoder,
            types,
            left,
            cut,
        }
    }

    fn of_types(decoder: Decoder<'a>, types: &'static [Type]) -> Self {
        Items::new(decoder, Types::Each(types), types.len() as u32, 0)
    }

    pub(super) fn tagged(decoder: Decoder<'a>, named: bool) -> Self {
        Items::new(decoder, Types::Tagged { named }, u32::MAX, 0)
    }

    /// How many more values (of a map: pairs) there were, for which the record had no room. To be
    /// asked when no item is left.
    pub fn cut(&self) -> u32 {
        self.cut
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        match self.types {
            Types::Same(ty) => Some(("", self.decoder.next(*ty)?)),
            Types::Pairs((key, value)) => {
                let ty = if self.left % 2 == 1 { key } else { value };
                Some(("", self.decoder.next(*ty)?))
            }
            Types::Each(types) => {
                let (ty, rest) = types.split_first()?;
                self.types = Types::Each(rest);
                Some(("", self.decoder.next(*ty)?))
            }
            Types::Members(members) => {
                let (member, rest) = members.split_first()?;
                self.types = Types::Members(rest);
                Some((member.name, self.decoder.next(member.ty)?))
            }
            Types::Tagged { named } => match tagged::item(&mut self.decoder, named)? {
                tagged::Item::Value(name, value) => Some((name, value)),
                tagged::Item::End { cut } => {
                    self.left = 0;
                    self.cut = cut;
                    None
                }
            },
        }
    }
}
