//! An error together with what caused it.

use std::error::Error;
use std::fmt;

use crate::record::{Buffer, Exact, Plain, Put, Record, Type};

/// How many errors of a chain are logged.
const MOST: usize = 64;

/// An error and its sources; see [`error_chain`].
#[derive(Clone, Copy)]
pub struct ErrorChain<'a>(&'a (dyn Error + 'a));

/// An error and all its [sources](Error::source), to be logged in one piece.
///
/// `{}` shows them on one line, `{:?}` as a list, and a format that has structure as a list of
/// strings. The errors are formatted at the call, into the record, without allocation. Of a chain
/// of more than 64, the first 64 are shown.
///
/// ```
/// use ringlog::{error, error_chain};
///
/// fn connect() -> Result<(), Box<dyn std::error::Error>> {
///     let port: u16 = "port".parse().map_err(|error| {
///         std::io::Error::new(std::io::ErrorKind::InvalidInput, Reading { error })
///     })?;
///     # _ = port;
///     Ok(())
/// }
///
/// let error = connect().unwrap_err();
/// error!("cannot connect: {}", error_chain(&*error));
/// assert_eq!(
///     error_chain(&*error).to_string(),
///     "the port is not a number: invalid digit found in string"
/// );
/// # #[derive(Debug)] struct Reading { error: std::num::ParseIntError }
/// # impl std::fmt::Display for Reading {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
/// #         f.write_str("the port is not a number")
/// #     }
/// # }
/// # impl std::error::Error for Reading {
/// #     fn source(&self) -> Option<&(dyn std::error::Error + 'static)> { Some(&self.error) }
/// # }
/// ```
#[must_use]
pub fn error_chain<'a>(error: &'a (dyn Error + 'a)) -> ErrorChain<'a> {
    ErrorChain(error)
}

impl<'a> ErrorChain<'a> {
    fn errors(self) -> impl Iterator<Item = &'a (dyn Error + 'a)> {
        let first: &'a (dyn Error + 'a) = self.0;
        std::iter::successors(Some(first), |error| {
            let error: &'a (dyn Error + 'a) = *error;
            error.source().map(|source| source as &'a (dyn Error + 'a))
        })
        .take(MOST)
    }

    /// As a list of strings, in at most `most` bytes.
    fn stored(self, most: usize) -> Buffer {
        let mut buffer = Buffer::new(most);
        if !buffer.append(&[0; 2]) {
            return buffer;
        }
        let (mut kept, mut cut) = (0_u16, 0_u32);
        // For the number of those that are left out.
        let reserved = buffer.reserve(4);
        for error in self.errors() {
            let fits = cut == 0
                && reserved
                && buffer
                    .append_text(|writer| fmt::Write::write_fmt(writer, format_args!("{error}")));
            if fits {
                kept += 1;
            } else {
                cut += 1;
            }
        }
        if reserved {
            buffer.give_back(4);
        }
        buffer.finish_list(0, kept, cut);
        buffer
    }
}

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, error) in self.errors().enumerate() {
            if place > 0 {
                f.write_str(": ")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for error in self.errors() {
            list.entry(&error.to_string());
        }
        list.finish()
    }
}

impl Record for ErrorChain<'_> {
    const TYPE: Type = Type::ErrorChain;
    const FIXED: usize = 2;
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

impl Plain for ErrorChain<'_> {}
