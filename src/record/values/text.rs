//! Strings: a length and the bytes, or as many of them as there is room for.

use crate::record::Type;
use crate::record::capture::Plain;
use crate::record::value::{Exact, Put, Record};

/// The bytes of a text's length.
pub(in crate::record) const TEXT_FIXED: usize = size_of::<u16>();

/// The bytes of the number that follows the length of a text or list that was cut.
pub(in crate::record) const CUT_LENGTH: usize = size_of::<u32>();

/// The most bytes that a length has room for, beside the bit that says that something is missing.
pub(in crate::record) const LONGEST: usize = (Type::CUT - 1) as usize;

/// How much of a text of this length is stored when `limit` bytes are allowed to each.
#[inline(always)]
pub(in crate::record) fn kept(text: &str, limit: usize) -> usize {
    if text.len() <= limit {
        return text.len();
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

/// The bytes that a text takes beside its length. `missing` bytes were cut off before.
#[inline(always)]
pub(in crate::record) fn text_bytes(text: &str, missing: usize, limit: usize) -> usize {
    let kept = kept(text, limit);
    if kept < text.len() || missing > 0 {
        kept + CUT_LENGTH
    } else {
        kept
    }
}

/// Writes a text. `missing` bytes were cut off before.
#[inline(always)]
pub(in crate::record) fn put_text<P: Put>(text: &str, missing: usize, to: &mut P, limit: usize) {
    let kept = kept(text, limit);
    let cut = text.len() - kept + missing;
    if cut == 0 {
        to.put((kept as u16).to_le_bytes());
    } else {
        to.note_cut();
        to.put((kept as u16 | Type::CUT).to_le_bytes());
        to.put(u32::try_from(cut).unwrap_or(u32::MAX).to_le_bytes());
    }
    to.put_slice(&text.as_bytes()[..kept]);
}

macro_rules! record_strings {
    ($($text:ty),*) => {$(
        impl Record for $text {
            const TYPE: Type = Type::Str;
            const FIXED: usize = TEXT_FIXED;
            const VARIES: bool = true;
            // SAFETY: `text_bytes` measures what `put_text` writes.
            const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

            #[inline(always)]
            fn variable(&self, limit: usize) -> usize {
                text_bytes(self, 0, limit)
            }

            #[inline(always)]
            fn put<P: Put>(&self, to: &mut P, limit: usize) {
                put_text(self, 0, to, limit);
            }
        }

        impl Plain for $text {}
    )*};
}

record_strings!(str, String);
