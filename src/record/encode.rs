//! Arguments to typed bytes.
//!
//! Everything that can run user code or can vary happens before a slot is claimed: arguments are
//! evaluated, those without a typed form are formatted into a [`Scratch`], and all are measured.
//! What happens after the claim is copying, which cannot fail.

use core::fmt::{self, Write as _};
use core::mem::MaybeUninit;
use core::ptr;

use super::context::{self, Block};
use super::{Type, TypeList};
use crate::ring::slab::Span;
use crate::ring::slot::{Body, SPAN_SHIFT};

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
        u64::from(self.statement)
            | (payload as u64) << 32
            | (slots_of(payload) as u64) << SPAN_SHIFT
            | u64::from(self.flags) << 56
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

/// A type that a record stores as it is, to be formatted by the consumer.
///
/// # Safety
///
/// [`put`](Encode::put) writes exactly as many bytes as the type and [`text`](Encode::text) say.
#[diagnostic::on_unimplemented(message = "`{Self}` has no typed form in a record")]
pub unsafe trait Encode {
    /// How the decoder reads it back.
    const TYPE: Type;

    /// The bytes it always takes; for text, those of the length.
    const FIXED: usize;

    /// The text to be stored, if it is text.
    #[inline(always)]
    fn text(&self) -> Option<&str> {
        None
    }

    /// Writes a value that is not text, and answers the end of what was written.
    ///
    /// # Safety
    ///
    /// `at` is valid for writes of `FIXED` bytes.
    unsafe fn put(&self, at: *mut u8) -> *mut u8;
}

/// Copies a few bytes and answers where they end.
///
/// # Safety
///
/// `at` is valid for writes of the bytes.
#[inline(always)]
unsafe fn copy<const N: usize>(bytes: [u8; N], at: *mut u8) -> *mut u8 {
    // SAFETY: by contract.
    unsafe {
        at.cast::<[u8; N]>().write_unaligned(bytes);
        at.add(N)
    }
}

macro_rules! encode_numbers {
    ($($rust:ty => $name:ident),* $(,)?) => {$(
        // SAFETY: `put` writes the bytes of the number, whose size is `FIXED`.
        unsafe impl Encode for $rust {
            const TYPE: Type = Type::$name;
            const FIXED: usize = size_of::<$rust>();

            #[inline(always)]
            unsafe fn put(&self, at: *mut u8) -> *mut u8 {
                // SAFETY: by contract.
                unsafe { copy(self.to_le_bytes(), at) }
            }
        }
    )*};
}

encode_numbers! {
    i8 => I8, i16 => I16, i32 => I32, i64 => I64, i128 => I128,
    u8 => U8, u16 => U16, u32 => U32, u64 => U64, u128 => U128,
    f32 => F32, f64 => F64,
}

#[cfg(target_pointer_width = "64")]
encode_numbers! { isize => I64, usize => U64 }
#[cfg(target_pointer_width = "32")]
encode_numbers! { isize => I32, usize => U32 }

// SAFETY: one byte.
unsafe impl Encode for bool {
    const TYPE: Type = Type::Bool;
    const FIXED: usize = 1;

    #[inline(always)]
    unsafe fn put(&self, at: *mut u8) -> *mut u8 {
        // SAFETY: by contract.
        unsafe { copy([u8::from(*self)], at) }
    }
}

// SAFETY: four bytes.
unsafe impl Encode for char {
    const TYPE: Type = Type::Char;
    const FIXED: usize = 4;

    #[inline(always)]
    unsafe fn put(&self, at: *mut u8) -> *mut u8 {
        // SAFETY: by contract.
        unsafe { copy(u32::from(*self).to_le_bytes(), at) }
    }
}

// SAFETY: no bytes.
unsafe impl Encode for () {
    const TYPE: Type = Type::Unit;
    const FIXED: usize = 0;

    #[inline(always)]
    unsafe fn put(&self, at: *mut u8) -> *mut u8 {
        at
    }
}

/// The bytes of a text's length.
const LENGTH: usize = size_of::<u16>();

/// The bytes of the number that follows the length of a text that was cut.
const CUT_LENGTH: usize = size_of::<u32>();

// SAFETY: text is written by `put_text`; `put` is not called.
unsafe impl Encode for str {
    const TYPE: Type = Type::Str;
    const FIXED: usize = LENGTH;

    #[inline(always)]
    fn text(&self) -> Option<&str> {
        Some(self)
    }

    #[inline(always)]
    unsafe fn put(&self, at: *mut u8) -> *mut u8 {
        at
    }
}

// SAFETY: as `str`.
unsafe impl Encode for String {
    const TYPE: Type = Type::Str;
    const FIXED: usize = LENGTH;

    #[inline(always)]
    fn text(&self) -> Option<&str> {
        Some(self)
    }

    #[inline(always)]
    unsafe fn put(&self, at: *mut u8) -> *mut u8 {
        at
    }
}

macro_rules! encode_references {
    ($($reference:ty),*) => {$(
        // SAFETY: as `T`.
        unsafe impl<T: Encode + ?Sized> Encode for $reference {
            const TYPE: Type = T::TYPE;
            const FIXED: usize = T::FIXED;

            #[inline(always)]
            fn text(&self) -> Option<&str> {
                (**self).text()
            }

            #[inline(always)]
            unsafe fn put(&self, at: *mut u8) -> *mut u8 {
                // SAFETY: by contract.
                unsafe { (**self).put(at) }
            }
        }
    )*};
}

encode_references!(&T, &mut T);

/// How much of a text of this length is stored when `limit` bytes are allowed to each.
#[inline(always)]
fn kept(text: &str, limit: usize) -> usize {
    if text.len() <= limit {
        return text.len();
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

/// The bytes that a text takes beside its length.
#[inline(always)]
fn text_bytes(text: &str, limit: usize) -> usize {
    let kept = kept(text, limit);
    if kept < text.len() {
        kept + CUT_LENGTH
    } else {
        kept
    }
}

/// Writes a text, and answers the end of what was written. `missing` bytes were cut off before.
///
/// # Safety
///
/// `at` is valid for writes of `LENGTH + text_bytes(text, limit)` bytes, and of `CUT_LENGTH` more
/// if anything is missing.
#[inline(always)]
unsafe fn put_text(text: &str, missing: usize, at: *mut u8, limit: usize) -> *mut u8 {
    let kept = kept(text, limit);
    let cut = text.len() - kept + missing;
    // SAFETY: by contract.
    unsafe {
        let at = if cut == 0 {
            copy((kept as u16).to_le_bytes(), at)
        } else {
            let at = copy((kept as u16 | Type::CUT).to_le_bytes(), at);
            copy(u32::try_from(cut).unwrap_or(u32::MAX).to_le_bytes(), at)
        };
        ptr::copy_nonoverlapping(text.as_ptr(), at, kept);
        at.add(kept)
    }
}

/// An argument on its way to being captured; how, is decided by the traits that its type has.
#[derive(Debug)]
pub struct Probe<'a, T>(pub &'a T);

/// Captures a type that is stored as it is. Found before [`CaptureText`] by method lookup.
pub trait CaptureTyped<'a> {
    /// The type.
    type Stored: Encode;

    /// The value; how it would be formatted is not needed.
    fn capture<F>(&self, format: F) -> Typed<'a, Self::Stored>
    where
        F: FnOnce(&mut dyn fmt::Write) -> fmt::Result;
}

impl<'a, T: Encode> CaptureTyped<'a> for Probe<'a, T> {
    type Stored = T;

    #[inline(always)]
    fn capture<F>(&self, _format: F) -> Typed<'a, T>
    where
        F: FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    {
        Typed(self.0)
    }
}

/// Captures any other type: it is formatted at the call.
pub trait CaptureText {
    /// The value, as what formats it.
    fn capture<F>(&self, format: F) -> Text<F>
    where
        F: FnOnce(&mut dyn fmt::Write) -> fmt::Result;
}

impl<T> CaptureText for &Probe<'_, T> {
    #[inline(always)]
    fn capture<F>(&self, format: F) -> Text<F>
    where
        F: FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    {
        capture_text(format)
    }
}

/// Captures a plain field of a type that is stored as it is. Found before [`FieldDisplay`] and
/// [`FieldDebug`] by method lookup.
pub trait FieldTyped<'a> {
    /// The type.
    type Stored: Encode;

    /// The value.
    fn capture_field(&self) -> Typed<'a, Self::Stored>;
}

impl<'a, T: Encode> FieldTyped<'a> for &&Probe<'a, T> {
    type Stored = T;

    #[inline(always)]
    fn capture_field(&self) -> Typed<'a, T> {
        Typed(self.0)
    }
}

/// Captures a plain field of any other type that has `Display`.
pub trait FieldDisplay {
    /// The value, as what formats it.
    fn capture_field(&self) -> impl Value;
}

impl<T: fmt::Display> FieldDisplay for &Probe<'_, T> {
    #[inline(always)]
    fn capture_field(&self) -> impl Value {
        capture_text(|writer: &mut dyn fmt::Write| write!(writer, "{}", self.0))
    }
}

/// Captures a plain field of any type that is left.
pub trait FieldDebug<T> {
    /// The value, as what formats it.
    fn capture_field(&self) -> impl Value
    where
        T: FieldValue;
}

impl<T> FieldDebug<T> for Probe<'_, T> {
    #[inline(always)]
    fn capture_field(&self) -> impl Value
    where
        T: FieldValue,
    {
        capture_text(|writer: &mut dyn fmt::Write| write!(writer, "{:?}", self.0))
    }
}

/// Captures a plain field of a context, if its type is one that a
/// [context block](super::context) can hold. Found before [`FieldDisplay`] and [`FieldDebug`] by
/// method lookup.
pub trait CaptureScalar<'a> {
    /// The type.
    type Stored: Encode;

    /// The value.
    fn capture_field(&self) -> Typed<'a, Self::Stored>;
}

impl<'a, T: Scalar> CaptureScalar<'a> for &&Probe<'a, T> {
    type Stored = T;

    #[inline(always)]
    fn capture_field(&self) -> Typed<'a, T> {
        Typed(self.0)
    }
}

/// A type that a context block can hold.
pub trait Scalar: Encode {}

macro_rules! scalars {
    ($($rust:ty),*) => {$(
        impl Scalar for $rust {}
    )*};
}

scalars! {
    i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64, bool, char, (), str,
    String
}

impl<T: Scalar + ?Sized> Scalar for &T {}
impl<T: Scalar + ?Sized> Scalar for &mut T {}

/// What a plain field needs if it has neither a typed form nor `Display`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a field",
    label = "has no typed form in a record, and neither `Display` nor `Debug`",
    note = "derive `Debug` or `ringlog::Record` for the type, or log a part of it"
)]
pub trait FieldValue: fmt::Debug {}

#[diagnostic::do_not_recommend]
impl<T: fmt::Debug> FieldValue for T {}

/// Captures an argument that is always formatted at the call, such as one of `{:p}`.
#[inline(always)]
pub fn capture_text<F>(format: F) -> Text<F>
where
    F: FnOnce(&mut dyn fmt::Write) -> fmt::Result,
{
    Text {
        format: Some(format),
        start: 0,
        length: 0,
        missing: 0,
    }
}

/// A value stored as it is.
#[derive(Debug)]
pub struct Typed<'a, T>(&'a T);

/// A value stored as text, and where in the scratch the text is.
#[derive(Debug)]
pub struct Text<F> {
    format: Option<F>,
    start: usize,
    length: usize,
    missing: usize,
}

/// One value to be stored.
///
/// # Safety
///
/// [`put`](Value::put) writes exactly `FIXED + variable(limit)` bytes.
pub unsafe trait Value {
    /// How the decoder reads it back.
    const TYPE: Type;
    /// The bytes it always takes.
    const FIXED: usize;
    /// Whether it is formatted at the call.
    const FORMATTED: bool;

    /// Runs the user's formatting code, if any is to run; that of `later` other values comes after.
    fn prepare(&mut self, scratch: &mut Scratch, later: usize);

    /// The bytes it takes beyond `FIXED` when each text may have `limit`.
    fn variable(&self, scratch: &Scratch, limit: usize) -> usize;

    /// Writes it, and answers the end of what was written.
    ///
    /// # Safety
    ///
    /// `at` is valid for writes of `FIXED + variable(limit)` bytes, and
    /// [`prepare`](Value::prepare) ran with the same scratch.
    unsafe fn put(&self, scratch: &Scratch, at: *mut u8, limit: usize) -> *mut u8;
}

// SAFETY: text goes through `put_text`, all else through `Encode::put`, which writes `FIXED`.
unsafe impl<T: Encode> Value for Typed<'_, T> {
    const TYPE: Type = T::TYPE;
    const FIXED: usize = T::FIXED;
    const FORMATTED: bool = false;

    #[inline(always)]
    fn prepare(&mut self, _scratch: &mut Scratch, _later: usize) {}

    #[inline(always)]
    fn variable(&self, _scratch: &Scratch, limit: usize) -> usize {
        self.0.text().map_or(0, |text| text_bytes(text, limit))
    }

    #[inline(always)]
    unsafe fn put(&self, _scratch: &Scratch, at: *mut u8, limit: usize) -> *mut u8 {
        match self.0.text() {
            // SAFETY: by contract.
            Some(text) => unsafe { put_text(text, 0, at, limit) },
            // SAFETY: by contract.
            None => unsafe { self.0.put(at) },
        }
    }
}

// SAFETY: `put_text` writes what `variable` and `LENGTH` say, the cut length of text that did not
// fit in the scratch included.
unsafe impl<F> Value for Text<F>
where
    F: FnOnce(&mut dyn fmt::Write) -> fmt::Result,
{
    const TYPE: Type = Type::Text;
    const FIXED: usize = LENGTH;
    const FORMATTED: bool = true;

    fn prepare(&mut self, scratch: &mut Scratch, later: usize) {
        let Some(format) = self.format.take() else {
            return;
        };
        let mut writer = ScratchWriter {
            start: scratch.used,
            end: MAX_PAYLOAD - later * SHARE.min(MAX_PAYLOAD / (later + 1)),
            scratch,
            missing: 0,
        };
        // An implementation of `Display` that fails has written what it could, and says so.
        if format(&mut writer).is_err() {
            let _ = writer.write_str("<a formatting trait returned an error>");
        }
        self.start = writer.start;
        self.missing = writer.missing;
        scratch.cut |= self.missing > 0;
        self.length = scratch.used - self.start;
    }

    #[inline(always)]
    fn variable(&self, scratch: &Scratch, limit: usize) -> usize {
        let text = scratch.text(self.start, self.length);
        let kept = kept(text, limit);
        if kept < text.len() || self.missing > 0 {
            kept + CUT_LENGTH
        } else {
            kept
        }
    }

    #[inline(always)]
    unsafe fn put(&self, scratch: &Scratch, at: *mut u8, limit: usize) -> *mut u8 {
        let text = scratch.text(self.start, self.length);
        // SAFETY: by contract.
        unsafe { put_text(text, self.missing, at, limit) }
    }
}

/// All values of a statement: `(first, (second, ()))`.
///
/// # Safety
///
/// As for [`Value`].
pub unsafe trait Values {
    /// The types, in order.
    const TYPES: &'static TypeList;
    /// The bytes they always take.
    const FIXED: usize;
    /// How many of them are text, and so may have to be cut.
    const TEXTS: usize;
    /// How many of them are formatted at the call.
    const FORMATTED: usize;

    /// As [`Value::prepare`], for all.
    fn prepare(&mut self, scratch: &mut Scratch);

    /// As [`Value::variable`].
    fn variable(&self, scratch: &Scratch, limit: usize) -> usize;

    /// As [`Value::put`].
    ///
    /// # Safety
    ///
    /// As for [`Value::put`].
    unsafe fn put(&self, scratch: &Scratch, at: *mut u8, limit: usize) -> *mut u8;
}

// SAFETY: nothing is written.
unsafe impl Values for () {
    const TYPES: &'static TypeList = &TypeList {
        head: Type::Unit,
        tail: None,
    };
    const FIXED: usize = 0;
    const TEXTS: usize = 0;
    const FORMATTED: usize = 0;

    #[inline(always)]
    fn prepare(&mut self, _scratch: &mut Scratch) {}

    #[inline(always)]
    fn variable(&self, _scratch: &Scratch, _limit: usize) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn put(&self, _scratch: &Scratch, at: *mut u8, _limit: usize) -> *mut u8 {
        at
    }
}

// SAFETY: the first, then the rest.
unsafe impl<V: Value, Rest: Values> Values for (V, Rest) {
    const TYPES: &'static TypeList = &TypeList {
        head: V::TYPE,
        tail: Some(Rest::TYPES),
    };
    const FIXED: usize = V::FIXED + Rest::FIXED;
    const TEXTS: usize = matches!(V::TYPE, Type::Str | Type::Text) as usize + Rest::TEXTS;
    const FORMATTED: usize = V::FORMATTED as usize + Rest::FORMATTED;

    #[inline(always)]
    fn prepare(&mut self, scratch: &mut Scratch) {
        self.0.prepare(scratch, Rest::FORMATTED);
        self.1.prepare(scratch);
    }

    #[inline(always)]
    fn variable(&self, scratch: &Scratch, limit: usize) -> usize {
        self.0.variable(scratch, limit) + self.1.variable(scratch, limit)
    }

    #[inline(always)]
    unsafe fn put(&self, scratch: &Scratch, at: *mut u8, limit: usize) -> *mut u8 {
        // SAFETY: by contract.
        unsafe {
            let at = self.0.put(scratch, at, limit);
            self.1.put(scratch, at, limit)
        }
    }
}

impl TypeList {
    /// The types in order, without the unit that ends every list.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Type> {
        let mut list = self;
        std::iter::from_fn(move || {
            let tail = list.tail?;
            let ty = list.head;
            list = tail;
            Some(ty)
        })
    }
}

/// The room that a text which is formatted at the call leaves for each of those that come after it,
/// so that a long one does not push out a short one.
const SHARE: usize = 256;

/// Memory on the caller's stack for a record that does not go straight into one slot: first the
/// text of arguments that are formatted at the call, then the payload.
pub struct Scratch {
    text: [MaybeUninit<u8>; MAX_PAYLOAD],
    /// How much of `text` has been written.
    used: usize,
    /// Whether there was no room for all of a text.
    cut: bool,
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("used", &self.used).finish()
    }
}

impl Scratch {
    /// For values that are not formatted at the call, and so never look at it.
    pub(crate) const EMPTY: Scratch = Scratch::new();

    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Scratch {
            text: [const { MaybeUninit::uninit() }; MAX_PAYLOAD],
            used: 0,
            cut: false,
        }
    }

    #[inline(always)]
    fn text(&self, start: usize, length: usize) -> &str {
        debug_assert!(start + length <= self.used);
        // SAFETY: everything below `used` was written by `ScratchWriter`, in whole characters, and
        // a value's text is one of its runs.
        unsafe {
            let bytes = core::slice::from_raw_parts(self.text.as_ptr().add(start).cast(), length);
            core::str::from_utf8_unchecked(bytes)
        }
    }
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
    /// Encodes the context, if there is one, and `values` into at most `most` bytes. The context
    /// takes up to half of them; the longest texts of the values are cut to the same length if they
    /// must.
    pub(crate) fn new<V: Values>(
        values: &V,
        scratch: &Scratch,
        context: Option<Block>,
        most: usize,
    ) -> Self {
        const {
            assert!(
                V::FIXED + V::TEXTS * CUT_LENGTH <= MAX_PAYLOAD,
                "the arguments of one log statement take more bytes than a record can have"
            );
        }
        let most = most.min(MAX_PAYLOAD);
        let mut payload = Payload {
            bytes: [const { MaybeUninit::uninit() }; context::MOST + MAX_PAYLOAD],
            length: 0,
            cut: scratch.cut,
        };
        let before = match context {
            Some(mut block) => {
                payload.cut |= block.shrink(most / 2);
                payload.put_context(block.bytes())
            }
            None => 0,
        };
        let most = most.saturating_sub(before);
        let whole = V::FIXED + values.variable(scratch, usize::MAX);
        payload.cut |= whole > most;
        let limit = if whole <= most {
            usize::MAX
        } else {
            longest_limit(values, scratch, most)
        };
        let values_at = payload.bytes[before..].as_mut_ptr();
        // SAFETY: a context takes at most `MOST` bytes, and by the assertion above everything fits
        // behind it when no text keeps more than 0 bytes; a greater `limit` was chosen because it
        // fits as well.
        let end = unsafe { values.put(scratch, values_at.cast(), limit) };
        let written = end as usize - values_at as usize;
        // Values of fixed size cannot be cut; those that do not fit are missing in the log, and
        // the log says so.
        payload.length = before + written.min(most);
        payload
    }

    /// Puts a block of context at the front, and answers where it ends.
    fn put_context(&mut self, block: &[u8]) -> usize {
        for (place, &byte) in self.bytes.iter_mut().zip(block) {
            place.write(byte);
        }
        block.len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `new` wrote the first `length` bytes.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.length) }
    }
}

/// The most bytes that each text may have for the record to fit.
#[cold]
fn longest_limit<V: Values>(values: &V, scratch: &Scratch, most: usize) -> usize {
    let (mut fits, mut too_long) = (0, most);
    while fits + 1 < too_long {
        let middle = fits.midpoint(too_long);
        if V::FIXED + values.variable(scratch, middle) <= most {
            fits = middle;
        } else {
            too_long = middle;
        }
    }
    fits
}

/// Writes a header and a payload into the slots of a claimed record. The payload begins with
/// `thread`, if the header's flags say that it has one.
pub(crate) fn write_record(span: &mut Span, header: Header, thread: u64, payload: &[u8]) {
    let prefix = if header.flags & flags::THREAD == 0 {
        0
    } else {
        size_of::<u64>()
    };
    let word = header.word(prefix + payload.len());
    let (first, rest) = payload.split_at(payload.len().min(FIRST_PAYLOAD - prefix));
    span.fill(0, |body| {
        let body = body.cast::<u64>();
        // SAFETY: a body is 7 words: two of header, one of thread if there is a prefix, and room
        // for `first` after that.
        unsafe {
            body.write(header.stamp);
            body.add(1).write(word);
            if prefix != 0 {
                body.add(2).write(thread);
            }
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

/// Writes a record that fits in one slot straight into it. Its payload begins with `thread`, if
/// there is one.
///
/// # Safety
///
/// The values are not formatted at the call. They were measured: they take `payload` bytes, and
/// with the thread at most [`FIRST_PAYLOAD`].
#[inline(always)]
pub(crate) unsafe fn write_values<V: Values>(
    span: &mut Span,
    header: Header,
    thread: Option<u64>,
    values: &V,
    payload: usize,
) {
    span.fill(0, |body| {
        let body = body.cast::<u64>();
        // SAFETY: a body is 7 words, two of header and `FIRST_PAYLOAD` bytes.
        unsafe {
            body.write(header.stamp);
            match thread {
                None => {
                    body.add(1).write(header.word(payload));
                    values.put(&Scratch::EMPTY, body.add(2).cast(), usize::MAX);
                }
                Some(thread) => {
                    body.add(1).write(header.word(payload + size_of::<u64>()));
                    body.add(2).write(thread);
                    values.put(&Scratch::EMPTY, body.add(3).cast(), usize::MAX);
                }
            }
        }
    });
}
