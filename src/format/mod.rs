//! Records to bytes.
//!
//! A [`Format`] is all that the consumer knows of how a record looks; [`TextFormat`] is the one
//! that there is. Beside it stand the parts that any other would be made of: values by
//! specification ([`spec`]), numbers ([`number`], [`float`]), times ([`time`]), the quotes of fields
//! ([`quote`]), and what makes untrusted text harmless ([`escape`]).
//!
//! Rendering never fails and never panics, whatever the bytes of a record are: what they do not
//! hold is marked as missing in the line.

mod composite;
mod escape;
mod float;
mod line;
mod number;
mod program;
mod quote;
mod spec;
#[cfg(test)]
mod testing;
mod text;
mod time;

pub(crate) use text::TextFormat;
pub(crate) use time::date_and_time;

use crate::level::Level;
use crate::record::Context;

/// A record, as the consumer hands it to a format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// The id of its statement.
    pub(crate) statement: u32,
    /// UTC, in nanoseconds since 1970.
    pub(crate) unix_nanos: u64,
    /// The name of the thread that wrote it, as UTF-8 if it is well.
    pub(crate) thread: &'a [u8],
    /// The fields that it has from its thread.
    pub(crate) context: Context<'a>,
    /// The statement's stored values.
    pub(crate) payload: &'a [u8],
}

/// Turns records into bytes, each a whole entry of the log by itself.
pub(crate) trait Format {
    /// Appends a record to `out`, and answers its level.
    fn record(&mut self, out: &mut Vec<u8>, record: &Record<'_>) -> Level;

    /// Appends an entry of the logger's own, such as that records were dropped here.
    fn notice(
        &mut self,
        out: &mut Vec<u8>,
        unix_nanos: u64,
        level: Level,
        thread: &[u8],
        text: &str,
    );
}
