//! The types a record can store.
//!
//! A type is a tree that the compiler builds, once for each type of the program, and that is
//! nowhere in a record. With it, and nothing else, the bytes of a record can be read.

use std::fmt;
use std::ptr;

/// How one value is stored. All numbers are little-endian, nothing is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `()`: no bytes.
    Unit,
    /// One byte, 0 or 1.
    Bool,
    /// Four bytes: the code point.
    Char,
    /// One byte.
    I8,
    /// Two bytes.
    I16,
    /// Four bytes.
    I32,
    /// Eight bytes; also `isize` on 64-bit targets.
    I64,
    /// Sixteen bytes.
    I128,
    /// One byte.
    U8,
    /// Two bytes.
    U16,
    /// Four bytes.
    U32,
    /// Eight bytes; also `usize` on 64-bit targets.
    U64,
    /// Sixteen bytes.
    U128,
    /// Four bytes.
    F32,
    /// Eight bytes.
    F64,
    /// A string: a 16-bit length, then the bytes. Where the length has the bit `Type::CUT`, four
    /// bytes between the two say how many bytes were cut off.
    Str,
    /// Stored like [`Type::Str`]: an argument that was formatted at the call.
    Text,
    /// Sixteen bytes: a [`Symbol`](crate::Symbol), filled up with zeros.
    Symbol,
    /// Nine bytes: a [`Fixed`](crate::Fixed), the exponent last.
    Fixed,
    /// Eight bytes: an address.
    Pointer,
    /// Twelve bytes: seconds (64 bits) and nanoseconds (32) of a `Duration`.
    Duration,
    /// Twelve bytes: seconds since 1970 (64 bits, signed) and nanoseconds (32) of a `SystemTime`.
    SystemTime,
    /// Four bytes.
    Ipv4,
    /// Sixteen bytes.
    Ipv6,
    /// One byte, 4 or 6, then the address.
    Ip,
    /// The address, then two bytes of port.
    SocketV4,
    /// The address, two bytes of port, and four of scope.
    SocketV6,
    /// One byte, 4 or 6, then the socket address.
    Socket,
    /// One byte, 0 or 1; after a 1 the value.
    Option(&'static Type),
    /// A 16-bit count, then as many values. Where the count has the bit `Type::CUT`, four bytes
    /// between the two say how many more values there were.
    List(&'static Type),
    /// As a list.
    Set(&'static Type),
    /// As a list, of pairs.
    Map(&'static (Type, Type)),
    /// One value after the other.
    Tuple(&'static [Type]),
    /// A struct or an enum of the standard library or this crate.
    Known(&'static Shape),
    /// A struct or an enum of the program, asked for its shape: it may contain itself.
    Derived(Derived),
    /// Stored as a list of strings: an error and its sources, outermost first.
    ErrorChain,
    /// A value that says itself what it is.
    Tagged,
}

impl Type {
    /// The bit of a string's length, or a list's count, that says it was cut.
    pub(crate) const CUT: u16 = 1 << 15;

    /// What a struct or an enum is made of; `None` for all else.
    pub fn shape(&self) -> Option<&'static Shape> {
        match self {
            Type::Known(shape) => Some(shape),
            Type::Derived(Derived(shape)) => Some(shape()),
            _ => None,
        }
    }
}

/// The function that knows a derived type's shape.
#[derive(Clone, Copy)]
pub struct Derived(pub fn() -> &'static Shape);

impl fmt::Debug for Derived {
    /// Does not follow the shape, which may lead back here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0)() {
            Shape::Struct(this) => f.write_str(this.name),
            Shape::Enum(variants) => f
                .debug_list()
                .entries(variants.iter().map(|v| v.name))
                .finish(),
        }
    }
}

impl PartialEq for Derived {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq((self.0)(), (other.0)())
    }
}

impl Eq for Derived {}

/// What a struct or an enum is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The fields, one after the other.
    Struct(Variant),
    /// The index of the variant, in one byte if there are at most 256, else in two; then its
    /// fields.
    Enum(&'static [Variant]),
}

/// A struct, or one variant of an enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// As it stands in the source.
    pub name: &'static str,
    /// What it holds.
    pub form: Form,
}

/// What a struct or a variant holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Nothing.
    Unit,
    /// Fields without names.
    Tuple(&'static [Type]),
    /// Fields with names.
    Fields(&'static [Member]),
}

/// A field with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// As it stands in the source.
    pub name: &'static str,
    /// How it is stored.
    pub ty: Type,
}

/// Whether the index of one of this many variants takes two bytes.
pub(crate) const fn has_wide_index(variants: usize) -> bool {
    variants > 1 << 8
}

/// The types of a statement's stored values, in order.
#[derive(Debug)]
pub struct TypeList {
    /// Those of the first values, or of all.
    pub first: &'static [Type],
    /// Those that come after, if any do.
    pub rest: Option<&'static TypeList>,
}

impl TypeList {
    /// The types in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Type> {
        let lists = std::iter::successors(Some(self), |list| list.rest);
        lists.flat_map(|list| list.first.iter().copied())
    }
}
