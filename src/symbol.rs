//! Short names by value.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use crate::error::SymbolError;

/// A name of up to 16 bytes, such as an instrument's, stored in place.
///
/// A record stores it with two stores of eight bytes, whatever its length, where a `&str` takes a
/// length and a copy of a number of bytes that is only known at run time. It allocates nothing and
/// is `Copy`, so that it can be a field of a message or an order.
///
/// It is logged, displayed and compared like the `str` that it derefs to.
///
/// ```
/// use ringlog::{Symbol, info};
///
/// const FRONT: Symbol = Symbol::literal("ESZ6");
/// let symbol: Symbol = "BTC-PERPETUAL".parse()?;
/// info!("{FRONT:<8} {symbol:?}");
/// assert_eq!(symbol.len(), 13);
/// assert_eq!(Symbol::from_padded(b"ESZ6    ")?, FRONT);
/// # Ok::<(), ringlog::SymbolError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(align(8))]
pub struct Symbol {
    /// Valid UTF-8 without a zero, then zeros.
    bytes: [u8; Symbol::MOST],
}

impl Symbol {
    /// The most bytes that one has.
    pub const MOST: usize = 16;

    /// A symbol of this text.
    ///
    /// # Errors
    ///
    /// The text is longer than [`MOST`](Symbol::MOST) bytes, or has a zero byte in it.
    pub const fn new(text: &str) -> Result<Symbol, SymbolError> {
        let text = text.as_bytes();
        if text.len() > Symbol::MOST {
            return Err(SymbolError::TooLong { length: text.len() });
        }
        let mut bytes = [0; Symbol::MOST];
        let mut at = 0;
        while at < text.len() {
            if text[at] == 0 {
                return Err(SymbolError::HasZero { at });
            }
            bytes[at] = text[at];
            at += 1;
        }
        Ok(Symbol { bytes })
    }

    /// A symbol that is written in the program.
    ///
    /// # Panics
    ///
    /// Where [`new`](Symbol::new) has an error; in a constant, that is an error of the compiler.
    #[must_use]
    pub const fn literal(text: &str) -> Symbol {
        match Symbol::new(text) {
            Ok(symbol) => symbol,
            Err(_) => panic!("a symbol has at most 16 bytes, and no zero among them"),
        }
    }

    /// A symbol from a field of fixed width, as binary protocols have them: spaces and zeros at
    /// its end are not part of the name.
    ///
    /// # Errors
    ///
    /// What is left is longer than [`MOST`](Symbol::MOST) bytes, is not UTF-8, or has a zero byte
    /// in it.
    pub fn from_padded(field: &[u8]) -> Result<Symbol, SymbolError> {
        let padding = |byte: &u8| *byte == b' ' || *byte == 0;
        let end = field.iter().rposition(|byte| !padding(byte));
        let name = &field[..end.map_or(0, |last| last + 1)];
        match std::str::from_utf8(name) {
            Ok(text) => Symbol::new(text),
            Err(error) => Err(SymbolError::NotUtf8 {
                at: error.valid_up_to(),
            }),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|&byte| byte == 0);
        let text = &self.bytes[..end.unwrap_or(Symbol::MOST)];
        // Every constructor starts from valid text.
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// The text, filled up with zeros.
    #[must_use]
    #[inline]
    pub const fn padded(&self) -> &[u8; Symbol::MOST] {
        &self.bytes
    }
}

impl Deref for Symbol {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Symbol {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Symbol {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// As the text has it, so that a map of symbols can be asked for a `&str`.
impl std::hash::Hash for Symbol {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq<str> for Symbol {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Symbol {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Symbol, SymbolError> {
        Symbol::new(text)
    }
}

impl TryFrom<&str> for Symbol {
    type Error = SymbolError;

    fn try_from(text: &str) -> Result<Symbol, SymbolError> {
        Symbol::new(text)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
