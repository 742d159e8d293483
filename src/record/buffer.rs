//! Memory for values that cannot be measured without making them.

use core::fmt::{self, Write as _};
use core::mem::MaybeUninit;

use super::Type;
use super::encode::{FORMAT_FAILED, MAX_PAYLOAD};
use super::values::text::{CUT_LENGTH, LONGEST, TEXT_FIXED, kept};

/// The bytes of one value, on the stack. It never has more than a limit.
pub(crate) struct Buffer {
    bytes: [MaybeUninit<u8>; MAX_PAYLOAD],
    used: usize,
    most: usize,
    /// Whether something was left out.
    pub(crate) cut: bool,
}

impl Buffer {
    /// For at most `most` bytes.
    pub(crate) fn new(most: usize) -> Self {
        Buffer {
            bytes: [const { MaybeUninit::uninit() }; MAX_PAYLOAD],
            used: 0,
            cut: false,
            most: most.min(MAX_PAYLOAD),
        }
    }

    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// How many bytes are left.
    pub(crate) fn room(&self) -> usize {
        self.most.saturating_sub(self.used)
    }

    /// Keeps `bytes` free until they are given back.
    pub(crate) fn reserve(&mut self, bytes: usize) -> bool {
        let enough = self.room() >= bytes;
        if enough {
            self.most -= bytes;
        }
        enough
    }

    /// Gives reserved bytes back.
    pub(crate) fn give_back(&mut self, bytes: usize) {
        self.most += bytes;
    }

    /// Appends all of the bytes or, if there is no room, none; false in that case.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.room() {
            return false;
        }
        for (place, byte) in self.bytes[self.used..].iter_mut().zip(bytes) {
            place.write(*byte);
        }
        self.used += bytes.len();
        true
    }

    /// Appends the text that `format` writes, or as much of it as there is room for; false if there
    /// is none for any.
    pub(crate) fn append_text(
        &mut self,
        format: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    ) -> bool {
        let start = self.used;
        if self.room() < TEXT_FIXED + CUT_LENGTH || !self.append(&[0; TEXT_FIXED]) {
            return false;
        }
        let mut writer = TextWriter {
            most: self.used + (self.room() - CUT_LENGTH).min(LONGEST),
            buffer: self,
            missing: 0,
        };
        if format(&mut writer).is_err() {
            let _ = writer.write_str(FORMAT_FAILED);
        }
        let missing = writer.missing;
        let text = start + TEXT_FIXED;
        let mut length = (self.used - text) as u16;
        if missing > 0 {
            self.cut = true;
            length |= Type::CUT;
            // The number stands in front of the text.
            self.bytes.copy_within(text..self.used, text + CUT_LENGTH);
            self.used += CUT_LENGTH;
            self.patch(
                text,
                u32::try_from(missing).unwrap_or(u32::MAX).to_le_bytes(),
            );
        }
        self.patch(start, length.to_le_bytes());
        true
    }

    /// Writes the count of a list that begins at `at` and ends here. Room for the number of those
    /// that were cut off has been kept.
    pub(crate) fn finish_list(&mut self, at: usize, kept: u16, cut: u32) {
        if cut == 0 {
            return self.patch(at, kept.to_le_bytes());
        }
        self.cut = true;
        let items = at + size_of::<u16>();
        if self.append(&[0; CUT_LENGTH]) {
            self.bytes
                .copy_within(items..self.used - CUT_LENGTH, items + CUT_LENGTH);
            self.patch(items, cut.to_le_bytes());
            self.patch(at, (kept | Type::CUT).to_le_bytes());
        }
    }

    /// Overwrites bytes that were appended before.
    pub(crate) fn patch<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        debug_assert!(at + N <= self.used);
        for (place, byte) in self.bytes[at..].iter_mut().zip(bytes) {
            place.write(byte);
        }
    }

    /// Forgets what was appended after this many bytes.
    #[cfg(feature = "serde")]
    pub(crate) fn truncate(&mut self, used: usize) {
        self.used = self.used.min(used);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: everything below `used` was written by `append`.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.used) }
    }
}

/// Appends a text for as long as there is room, and counts what there is no room for.
struct TextWriter<'a> {
    buffer: &'a mut Buffer,
    /// Where there is no more room.
    most: usize,
    missing: usize,
}

impl fmt::Write for TextWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Once something is missing, nothing may follow it.
        let room = if self.missing == 0 {
            self.most.saturating_sub(self.buffer.used)
        } else {
            0
        };
        let kept = kept(text, room);
        if self.buffer.append(&text.as_bytes()[..kept]) {
            self.missing += text.len() - kept;
        } else {
            self.missing += text.len();
        }
        Ok(())
    }
}
