//! Captured values to the bytes of a record.
//!
//! Everything that can run user code or can vary happens before a slot is claimed: arguments are
//! evaluated, those without a typed form are formatted into a [`Scratch`], and all are measured.
//! What happens after the claim is copying, which cannot fail.

use core::fmt::{self, Write as _};
use core::mem::MaybeUninit;
use core::ptr;

use super::capture::{Erased, Values};
use super::context::{self, Block};
use super::value::{Checked, Unchecked};
use super::values::text::kept;
use super::words::MOST_WORDS;
use crate::ring::slab::Span;
use crate::ring::slot::{Body, SPAN_SHIFT};
use crate::sys::pair::{self, Word};

/// Bytes of payload in a record's first slot, after the two words of the header.
pub(crate) const FIRST_PAYLOAD: usize = size_of::<Body>() - 16;

/// Bytes of payload in each further slot.
pub(crate) const NEXT_PAYLOAD: usize = size_of::<Body>();

/// The most slots a record can have.
pub(crate) const MAX_SLOTS: usize = 64;

/// The most bytes of payload a record can have.
pub(crate) const MAX_PAYLOAD: usize = payload_of(MAX_SLOTS);

/// The bytes of payload that fit in a record of this many slots.
pub(crate) const fn payload_of(slots: usize) -> usize {
    FIRST_PAYLOAD + (slots - 1) * NEXT_PAYLOAD
}

/// The slots of a record with a payload of this many bytes.
#[inline(always)]
pub(crate) const fn slots_of(payload: usize) -> usize {
    1 + payload.saturating_sub(FIRST_PAYLOAD).div_ceil(NEXT_PAYLOAD)
}

/// Bits of a record's header.
pub(crate) mod flags {
    /// The timestamp is the caller's: nanoseconds since 1970, not a reading of the logger's clock.
    pub(crate) const AT: u8 = 1;
    /// Something was cut off to make the record fit.
    pub(crate) const CUT: u8 = 2;
    /// The payload begins with the 64-bit id of the thread that wrote it.
    pub(crate) const THREAD: u8 = 4;
    /// Not a statement's record: tells of records that were dropped before this one.
    pub(crate) const GAP: u8 = 8;
    /// The payload begins, or goes on behind the thread's number, with a block of
    /// [`context`](super::super::context) fields.
    pub(crate) const CONTEXT: u8 = 16;
}

/// The first two words of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) stamp: u64,
    pub(crate) statement: u32,
    pub(crate) flags: u8,
}

impl Header {
    #[inline(always)]
    pub(crate) fn word(&self, payload: usize) -> u64 {
        self.word_of_slots(payload, slots_of(payload))
    }

    #[inline(always)]
    fn word_of_slots(&self, payload: usize, slots: usize) -> u64 {
        u64::from(self.statement)
            | (payload as u64) << 32
            | (slots as u64) << SPAN_SHIFT
            | u64::from(self.flags) << 56
    }

    /// The upper half of the second word of a record of one slot, whose flags are 0. A constant of a
    /// statement.
    #[inline(always)]
    pub(crate) const fn upper_half(payload: usize) -> u32 {
        payload as u32 | 1 << (SPAN_SHIFT - 32)
    }

    /// The bytes of payload that it tells.
    #[inline(always)]
    pub(crate) const fn length(upper: u32) -> usize {
        upper as u16 as usize
    }

    /// The header and the number of bytes of payload in a record's first two words.
    #[inline(always)]
    pub(crate) fn read(body: &Body) -> (Header, usize) {
        let header = Header {
            stamp: body[0],
            statement: body[1] as u32,
            flags: (body[1] >> 56) as u8,
        };
        (header, usize::from((body[1] >> 32) as u16))
    }
}

/// Stands at the end of a text whose formatting failed.
pub(super) const FORMAT_FAILED: &str = "<a formatting trait returned an error>";

/// The room that a value which is made at the call leaves for each of those that come after it, and
/// for each text and list that is stored as it is, so that a long one does not push out a short one.
pub(super) const SHARE: usize = 256;

/// Memory on the caller's stack for what is made at the call, before the slots are claimed: text
/// that is formatted, and values that the user's code has a part in.
pub struct Scratch {
    text: [MaybeUninit<u8>; MAX_PAYLOAD],
    /// How much of `text` has been written.
    used: usize,
    /// The bytes of payload that the values which vary may have together.
    most: usize,
    /// Whether something was left out for want of room.
    cut: bool,
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("used", &self.used).finish()
    }
}

impl Scratch {
    /// For values that are not formatted at the call, and so never look at it.
    pub(crate) const EMPTY: Scratch = Scratch::new(0);

    /// For values that may have `most` bytes beyond those that they always take.
    #[inline(always)]
    pub(crate) const fn new(most: usize) -> Self {
        Scratch {
            text: [const { MaybeUninit::uninit() }; MAX_PAYLOAD],
            used: 0,
            most,
            cut: false,
        }
    }

    /// Where something ends that leaves room for `later` others.
    fn end(&self, later: usize, most: usize) -> usize {
        most - later * SHARE.min(most / (later + 1))
    }

    /// Formats a text, and leaves room for `later` others.
    pub(super) fn format<F>(&mut self, format: F, later: usize) -> Run
    where
        F: FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    {
        let mut writer = ScratchWriter {
            start: self.used,
            end: self.end(later, MAX_PAYLOAD),
            scratch: self,
            missing: 0,
        };
        // An implementation of `Display` that fails has written what it could, and says so.
        if format(&mut writer).is_err() {
            let _ = writer.write_str(FORMAT_FAILED);
        }
        let (start, missing) = (writer.start, writer.missing);
        self.cut |= missing > 0;
        Run {
            start,
            length: self.used - start,
            missing,
        }
    }

    /// Has `put` store a value, and leaves room for `later` others. `put` may be called again, with
    /// a smaller limit, until what it stores fits; the last call has limit 0.
    pub(super) fn store(&mut self, put: impl Fn(&mut Checked, usize), later: usize) -> Run {
        let start = self.used;
        let room = self.end(later, self.most).saturating_sub(start);
        let mut limit = room;
        loop {
            // SAFETY: the room ends within the scratch, of which nobody else uses the rest.
            let mut to = unsafe { Checked::new(self.text.as_mut_ptr().add(start).cast(), room) };
            put(&mut to, limit);
            if to.overflowed() && limit > 0 {
                limit /= 2;
                continue;
            }
            self.cut |= to.is_cut();
            self.used = start + to.written();
            return Run {
                start,
                length: self.used - start,
                missing: usize::from(to.overflowed()),
            };
        }
    }

    /// What was stored.
    #[inline(always)]
    pub(super) fn bytes(&self, run: &Run) -> &[u8] {
        debug_assert!(run.start + run.length <= self.used);
        // SAFETY: everything below `used` has been written, and a run lies below it.
        unsafe { core::slice::from_raw_parts(self.text.as_ptr().add(run.start).cast(), run.length) }
    }

    /// The text that was formatted.
    #[inline(always)]
    pub(super) fn text(&self, run: &Run) -> &str {
        // SAFETY: a run of text was written by `ScratchWriter`, in whole characters.
        unsafe { core::str::from_utf8_unchecked(self.bytes(run)) }
    }
}

/// A part of a scratch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    start: usize,
    length: usize,
    /// Of a text, how many bytes there was no room for; of another value, not 0 if not all of it
    /// is there.
    pub(super) missing: usize,
}

/// Appends to a scratch for as long as there is room, and counts what there is no room for.
struct ScratchWriter<'a> {
    scratch: &'a mut Scratch,
    start: usize,
    /// Where there is no more room for this text.
    end: usize,
    missing: usize,
}

impl fmt::Write for ScratchWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Once something is missing, nothing may follow it.
        let room = if self.missing == 0 {
            self.end.saturating_sub(self.scratch.used)
        } else {
            0
        };
        let kept = kept(text, room);
        // SAFETY: `kept` bytes fit behind `used`, and a reference cannot overlap the scratch, which
        // is borrowed mutably.
        unsafe {
            let end = self.scratch.text.as_mut_ptr().add(self.scratch.used);
            ptr::copy_nonoverlapping(text.as_ptr(), end.cast(), kept);
        }
        self.scratch.used += kept;
        self.missing += text.len() - kept;
        Ok(())
    }
}

/// The payload of a record that is not encoded straight into its slot.
pub(crate) struct Payload {
    bytes: [MaybeUninit<u8>; context::MOST + MAX_PAYLOAD],
    length: usize,
    /// Whether anything was cut off to make it fit.
    pub(crate) cut: bool,
}

impl Payload {
    /// One without bytes. To be filled where it is: it is too large to be moved about.
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Payload {
            bytes: [const { MaybeUninit::uninit() }; context::MOST + MAX_PAYLOAD],
            length: 0,
            cut: false,
        }
    }

    /// Encodes the context, if there is one, and `values` into at most `most` bytes. The context
    /// takes up to half of them; the longest texts and lists of the values are cut to the same
    /// length if they must.
    ///
    /// # Safety
    ///
    /// The values were prepared with the same scratch.
    pub(crate) unsafe fn encode(
        &mut self,
        values: &Erased<'_>,
        scratch: &Scratch,
        context: Option<Block>,
        most: usize,
    ) {
        let most = most.min(MAX_PAYLOAD);
        self.cut = scratch.cut;
        let before = match context {
            Some(mut block) => {
                self.cut |= block.shrink(most / 2);
                self.put_context(block.bytes())
            }
            None => 0,
        };
        let most = most.saturating_sub(before);
        // SAFETY: by contract.
        let whole = unsafe { values.size(scratch, usize::MAX) };
        self.cut |= whole > most;
        let limit = if whole <= most {
            usize::MAX
        } else {
            // SAFETY: by contract.
            unsafe { longest_limit(values, scratch, most) }
        };
        let room = &mut self.bytes[before..];
        // SAFETY: that is the rest of the buffer, all of it.
        let mut to = unsafe { Checked::new(room.as_mut_ptr().cast(), room.len()) };
        // SAFETY: by contract.
        unsafe { values.put(scratch, &mut to, limit) };
        self.cut |= to.is_cut();
        // Values of fixed size cannot be cut; those that do not fit are missing in the log, and
        // the log says so.
        self.length = before + to.written().min(most);
    }

    /// Puts a block of context at the front, and answers where it ends.
    fn put_context(&mut self, block: &[u8]) -> usize {
        for (place, &byte) in self.bytes.iter_mut().zip(block) {
            place.write(byte);
        }
        block.len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `encode` wrote the first `length` bytes.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.length) }
    }
}

/// The most bytes that each text and list may have for the record to fit.
///
/// # Safety
///
/// As for [`Payload::encode`].
#[cold]
unsafe fn longest_limit(values: &Erased<'_>, scratch: &Scratch, most: usize) -> usize {
    let (mut fits, mut too_long) = (0, most);
    while fits + 1 < too_long {
        let middle = fits.midpoint(too_long);
        // SAFETY: by contract.
        if unsafe { values.size(scratch, middle) } <= most {
            fits = middle;
        } else {
            too_long = middle;
        }
    }
    fits
}

/// The most words of a [prefix](write_record).
pub(crate) const MOST_PREFIX: usize = 3;

/// Writes a header and a payload into the slots of a claimed record. The payload begins with the
/// words, at most [`MOST_PREFIX`].
pub(crate) fn write_record(span: &mut Span, header: Header, words: &[u64], payload: &[u8]) {
    const { assert!(MOST_PREFIX * size_of::<u64>() <= FIRST_PAYLOAD) };
    let words = &words[..words.len().min(MOST_PREFIX)];
    let prefix = size_of_val(words);
    let word = header.word(prefix + payload.len());
    let (first, rest) = payload.split_at(payload.len().min(FIRST_PAYLOAD - prefix));
    span.fill(0, |body| {
        let body = body.cast::<u64>();
        // SAFETY: a body is 7 words: two of header, up to three of prefix, and room for `first`
        // after that.
        unsafe {
            body.write(header.stamp);
            body.add(1).write(word);
            ptr::copy_nonoverlapping(words.as_ptr(), body.add(2), words.len());
            let at = body.add(2).cast::<u8>().add(prefix);
            ptr::copy_nonoverlapping(first.as_ptr(), at, first.len());
        }
    });
    for (index, part) in rest.chunks(NEXT_PAYLOAD).enumerate() {
        span.fill(index as u64 + 1, |body| {
            // SAFETY: a part is at most a body long.
            unsafe { ptr::copy_nonoverlapping(part.as_ptr(), body.cast(), part.len()) }
        });
    }
}

/// Writes what comes before the values of a record of one slot, which take `payload` bytes: the
/// header, and the thread's number if there is one. Answers how many bytes that are.
#[inline(always)]
pub(crate) fn begin_record(
    body: &mut Body,
    header: Header,
    thread: Option<u64>,
    payload: usize,
) -> usize {
    let prefix = if thread.is_some() {
        size_of::<u64>()
    } else {
        0
    };
    let word = header.word_of_slots(prefix + payload, 1);
    let (head, rest) = body
        .split_first_chunk_mut()
        .expect("a body has room for a header");
    pair::write(head, Word::new(header.stamp), Word::new(word));
    if let Some(thread) = thread {
        rest[0] = thread;
    }
    2 * size_of::<u64>() + prefix
}

/// Writes a record of one slot but its first word, which is the timestamp. The values are words.
#[inline(always)]
pub(crate) fn write_words<const N: usize>(
    body: &mut Body,
    statement: u32,
    upper: u32,
    words: [Word; N],
) {
    const { assert!(N <= MOST_WORDS && MOST_WORDS == 5) };
    let header = u64::from(statement) | u64::from(upper) << 32;
    let [_, slot @ ..] = body;
    if N == 0 {
        slot[0] = header;
        return;
    }
    // One by one, so that no word has to be in memory to be found by its number.
    let word = |index: usize| words.get(index).copied().unwrap_or_default().to_le();
    let [first, second, third] = pairs(slot);
    pair::write(first, Word::new(header), word(0));
    if N > 1 {
        pair::write(second, word(1), word(2));
    }
    if N > 3 {
        pair::write(third, word(3), word(4));
    }
}

/// The words of a body behind the first, two by two.
#[inline(always)]
fn pairs(words: &mut [u64; 6]) -> [&mut [u64; 2]; 3] {
    const WHOLE: &str = "six words are three pairs";
    let (first, rest) = words.split_first_chunk_mut().expect(WHOLE);
    let (second, rest) = rest.split_first_chunk_mut().expect(WHOLE);
    [first, second, rest.first_chunk_mut().expect(WHOLE)]
}

/// Writes the values of a record straight into its slot.
///
/// # Safety
///
/// The values are not made at the call. They were measured: they take `payload` bytes, for writes of
/// which `at` is valid.
#[inline(always)]
pub(crate) unsafe fn put_measured<V: Values>(values: &V, at: *mut u8, payload: usize) {
    // SAFETY: none had to be prepared, and values that vouch for their measure take no more than
    // `payload` bytes.
    unsafe {
        if V::EXACT {
            values.put(&Scratch::EMPTY, &mut Unchecked::new(at), usize::MAX);
        } else {
            values.put(&Scratch::EMPTY, &mut Checked::new(at, payload), usize::MAX);
        }
    }
}
