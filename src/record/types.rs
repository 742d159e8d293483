//! The types a record can store.

/// How one argument is stored in a record. All numbers are little-endian, nothing is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// A string: a 16-bit length, then the bytes. Where the length has the bit [`Type::CUT`], four
    /// bytes between the two say how many bytes were cut off.
    Str,
    /// Stored like [`Type::Str`]: an argument that was formatted at the call.
    Text,
}

impl Type {
    /// The bit of a string's length that says it was cut.
    pub(crate) const CUT: u16 = 1 << 15;
}

/// The types of a statement's stored values, in order: a list that the type system can build.
#[derive(Debug)]
pub struct TypeList {
    /// The first value's type.
    pub head: Type,
    /// The types of the rest.
    pub tail: Option<&'static TypeList>,
}
