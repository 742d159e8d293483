//! What a format string says, once parsed: literal text, and placeholders with their
//! specifications. The grammar and the meaning are those of [`std::fmt`].

/// One piece of a parsed format string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text to be copied as it is (`{{` and `}}` already resolved).
    Literal(&'static str),
    /// A placeholder: the stored value with this index, rendered as the specification says.
    Value(u16, Spec),
}

/// A field of a statement: a stored value that has a name of its own beside the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// As it was written; parts are separated by points.
    pub name: &'static str,
    /// The index of the stored value.
    pub value: u16,
    /// How text shows it: [`Spec::DISPLAY`] or [`Spec::DEBUG`]. A plain field has the former, also
    /// if its type has `Debug` only, and is then shown as that does.
    pub spec: Spec,
}

/// A format specification: everything after the colon of a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The character that fills up to the width; a space unless the specification names one.
    pub fill: char,
    /// Where the value stands within the width.
    pub align: Align,
    /// `+` or `-`, or neither.
    pub sign: Sign,
    /// `#`.
    pub alternate: bool,
    /// `0`: numbers are filled with zeros after the sign and prefix.
    pub zero: bool,
    /// The least number of characters.
    pub width: Count,
    /// The number of digits after the point, or the most characters of a string.
    pub precision: Count,
    /// Which formatting trait.
    pub style: Style,
}

impl Spec {
    /// `{}`.
    pub const DISPLAY: Spec = Spec {
        fill: ' ',
        align: Align::Unset,
        sign: Sign::Unset,
        alternate: false,
        zero: false,
        width: Count::Unset,
        precision: Count::Unset,
        style: Style::Display,
    };

    /// `{:?}`.
    pub const DEBUG: Spec = Spec {
        style: Style::Debug,
        ..Spec::DISPLAY
    };
}

/// Where a value stands within its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Not said: numbers to the right, all else to the left.
    Unset,
    /// `<`
    Left,
    /// `^`
    Center,
    /// `>`
    Right,
}

/// The sign flag of a specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Not said: only negative numbers have a sign.
    Unset,
    /// `+`: every number has a sign.
    Plus,
    /// `-`: accepted by `std::fmt` without effect.
    Minus,
}

/// A width or a precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Not said.
    Unset,
    /// A number in the format string.
    Is(u16),
    /// `name$`, `0$` or `.*`: the stored value with this index, a `usize`.
    Value(u16),
}

/// The formatting trait that a placeholder asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `{}`
    Display,
    /// `{:?}`
    Debug,
    /// `{:x?}`
    DebugLowerHex,
    /// `{:X?}`
    DebugUpperHex,
    /// `{:x}`
    LowerHex,
    /// `{:X}`
    UpperHex,
    /// `{:o}`
    Octal,
    /// `{:b}`
    Binary,
    /// `{:e}`
    LowerExp,
    /// `{:E}`
    UpperExp,
    /// `{:p}`
    Pointer,
}
