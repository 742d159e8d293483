//! Types that a record stores as they are, to be formatted by the consumer.
//!
//! Storing a value has two steps, since the slots are claimed in between: it is measured, and then
//! it is put. The second must not write more than the first has promised. Types of this crate and
//! of the standard library vouch for that with [`Exact`], which only `unsafe` code can make, and
//! are put without looking at the room. A derived type cannot vouch, because the code that the
//! derive writes must be accepted where `unsafe` is forbidden; for it each piece is checked
//! against the room, which costs nothing where the compiler knows both.

use core::marker::PhantomData;
use core::ptr;

use super::Type;

/// A value that a log record stores typed, field by field, instead of as text.
///
/// Implemented for numbers, strings, and what the standard library makes of them (`docs/arguments.md` has the list). For a type of your own, derive it:
///
/// ```
/// use ringlog::{Record, info};
///
/// #[derive(Debug, Record)]
/// struct Fill {
///     order: u64,
///     price: f64,
///     liquidity: Liquidity,
/// }
///
/// #[derive(Debug, Record)]
/// enum Liquidity {
///     Maker,
///     Taker { fee: f64 },
/// }
///
/// let fill = Fill { order: 7, price: 101.25, liquidity: Liquidity::Taker { fee: 0.01 } };
/// info!("{fill:?}"); // Fill { order: 7, price: 101.25, liquidity: Taker { fee: 0.01 } }
/// ```
///
/// `{:?}` and all that belongs to it (`{:#?}`, `{:x?}`, widths, precisions) is then rendered by the
/// consumer, exactly as the derived [`Debug`] would. `{}` still runs the type's own
/// [`Display`](std::fmt::Display), at the call.
///
/// # Attributes
///
/// | | |
/// |---|---|
/// | `#[record(skip)]` on a field | leaves the field out |
/// | `#[record(with = "path")]` on a field | stores what the function `path(&field)` answers, which must be a `Record` itself; it runs at the call, and may run more than once |
/// | `#[record(recursive)]` on a type | for types that contain each other, on one of them; a type that names itself in a field needs nothing |
/// | `#[record(crate = "path")]` on a type | where this crate is, if not at `::ringlog` |
///
/// A type parameter must be a `Record` too. What lies more than a hundred levels deep is not shown.
///
/// # Cost
///
/// That of the fields: no allocation, no formatting. A type with a `with`, or that contains itself,
/// is put together on the stack first, outside of the fast path.
///
/// The items of this trait are for the derive to implement, and change without notice.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in a log record as it is",
    label = "has no typed form",
    note = "if `{Self}` is a type of yours, put `#[derive(ringlog::Record)]` on it",
    note = "if it is the type of a field, `#[record(skip)]` leaves the field out, and \
            `#[record(with = \"path\")]` stores what the function `path(&field)` answers"
)]
pub trait Record {
    /// How the decoder reads it back.
    #[doc(hidden)]
    const TYPE: Type;

    /// The least bytes that it takes.
    #[doc(hidden)]
    const FIXED: usize;

    /// Whether it may take more.
    #[doc(hidden)]
    const VARIES: bool = false;

    /// Whether code of the user's runs to store it, which must not happen once a slot is claimed.
    #[doc(hidden)]
    const PREPARED: bool = false;

    /// Whether [`put`](Record::put) is known to keep to what is promised.
    #[doc(hidden)]
    const EXACT: Exact<Self> = Exact::unknown();

    /// The bytes it takes beyond `FIXED` when each text and each list may have about `limit`;
    /// where that is far too much, any number that is.
    #[doc(hidden)]
    #[inline(always)]
    fn variable(&self, limit: usize) -> usize {
        let _ = limit;
        0
    }

    /// Writes `FIXED + variable(limit)` bytes.
    #[doc(hidden)]
    fn put<P: Put>(&self, to: &mut P, limit: usize);
}

/// How a field is stored of which `with` makes what is stored.
#[doc(hidden)]
#[must_use]
pub const fn type_with<'a, T: ?Sized, R: Record>(_with: fn(&'a T) -> R) -> Type {
    R::TYPE
}

/// The least bytes that such a field takes.
#[doc(hidden)]
#[must_use]
pub const fn fixed_with<'a, T: ?Sized, R: Record>(_with: fn(&'a T) -> R) -> usize {
    R::FIXED
}

/// Proof that a `T` is measured right, if it says so.
#[doc(hidden)]
#[derive(Debug)]
pub struct Exact<T: ?Sized>(bool, PhantomData<fn(&T)>);

impl<T: ?Sized> Exact<T> {
    /// No proof.
    #[must_use]
    pub const fn unknown() -> Self {
        Exact(false, PhantomData)
    }

    /// Proof, if `it_is`.
    ///
    /// # Safety
    ///
    /// If `it_is`: `<T as Record>::put` writes exactly `FIXED + variable(limit)` bytes of the same
    /// value, whatever happens to the value between the two, and does not unwind.
    pub(crate) const unsafe fn claim(it_is: bool) -> Self {
        Exact(it_is, PhantomData)
    }

    pub(crate) const fn holds(&self) -> bool {
        self.0
    }
}

/// Where the bytes of a value go.
#[doc(hidden)]
pub trait Put {
    /// Appends a few bytes.
    fn put<const N: usize>(&mut self, bytes: [u8; N]);

    /// Appends any number of bytes.
    fn put_slice(&mut self, bytes: &[u8]);

    /// Appends the first `length` bytes of a word as it is in memory: 1, 2, 4 or 8.
    #[inline(always)]
    fn put_word(&mut self, word: u64, length: usize) {
        let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
        match length {
            1 => self.put([a]),
            2 => self.put([a, b]),
            4 => self.put([a, b, c, d]),
            _ => self.put([a, b, c, d, e, f, g, h]),
        }
    }

    /// Notes that something was left out to make the record fit.
    fn note_cut(&mut self);

    /// Takes no more: what follows could not be read.
    fn end(&mut self);
}

/// Memory that is known to be enough.
pub(crate) struct Unchecked {
    at: *mut u8,
}

impl Unchecked {
    /// # Safety
    ///
    /// `at` is valid for writes of all that will be put.
    #[inline(always)]
    pub(super) unsafe fn new(at: *mut u8) -> Self {
        Unchecked { at }
    }
}

impl Put for Unchecked {
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        // SAFETY: whoever made this promised the room.
        unsafe {
            self.at.cast::<[u8; N]>().write_unaligned(bytes);
            self.at = self.at.add(N);
        }
    }

    #[inline(always)]
    fn put_slice(&mut self, bytes: &[u8]) {
        // SAFETY: as above; a reference cannot overlap memory that is being written.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.at, bytes.len());
            self.at = self.at.add(bytes.len());
        }
    }

    #[inline(always)]
    fn note_cut(&mut self) {}

    #[inline(always)]
    fn end(&mut self) {}
}

/// Memory of a known length. What does not fit is left out, and so is all that follows.
#[derive(Debug)]
pub(crate) struct Checked {
    start: *mut u8,
    at: *mut u8,
    room: usize,
    /// Bits of [`OVERFLOWED`](Self::OVERFLOWED) and [`CUT`](Self::CUT). A word, because it is read
    /// right after it was written: a processor that has to put together what it reads waits until
    /// all stores before are done, those to the ring included.
    faults: u64,
}

impl Checked {
    const OVERFLOWED: u64 = 1;
    const CUT: u64 = 2;

    /// # Safety
    ///
    /// `at` is valid for writes of `room` bytes for as long as the answer is used.
    #[inline(always)]
    pub(super) unsafe fn new(at: *mut u8, room: usize) -> Self {
        Checked {
            start: at,
            at,
            room,
            faults: 0,
        }
    }

    /// Whether something did not fit.
    #[inline(always)]
    pub(super) fn overflowed(&self) -> bool {
        self.faults & Self::OVERFLOWED != 0
    }

    /// Whether anything is missing: it did not fit, or was left out on purpose.
    #[inline(always)]
    pub(super) fn is_cut(&self) -> bool {
        self.faults != 0
    }

    /// What `put` writes, if there is room for all of it.
    pub(crate) fn fill(
        bytes: &mut [core::mem::MaybeUninit<u8>],
        put: impl FnOnce(&mut Self),
    ) -> Option<&[u8]> {
        // SAFETY: that is all of the slice, which is borrowed until the answer is gone.
        let mut to = unsafe { Checked::new(bytes.as_mut_ptr().cast(), bytes.len()) };
        put(&mut to);
        if to.is_cut() {
            return None;
        }
        let written = to.written();
        // SAFETY: so many bytes were written from the start on.
        Some(unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), written) })
    }

    /// How many bytes were put.
    #[inline(always)]
    pub(super) fn written(&self) -> usize {
        self.at as usize - self.start as usize
    }

    #[inline(always)]
    fn has(&mut self, length: usize) -> bool {
        if length <= self.room {
            self.room -= length;
            true
        } else {
            self.room = 0;
            self.faults |= Self::OVERFLOWED;
            false
        }
    }
}

impl Put for Checked {
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if self.has(N) {
            // SAFETY: there was room for as many bytes, by the promise of whoever made this.
            unsafe {
                self.at.cast::<[u8; N]>().write_unaligned(bytes);
                self.at = self.at.add(N);
            }
        }
    }

    #[inline(always)]
    fn put_slice(&mut self, bytes: &[u8]) {
        if self.has(bytes.len()) {
            // SAFETY: as above; a reference cannot overlap memory that is being written.
            unsafe {
                ptr::copy_nonoverlapping(bytes.as_ptr(), self.at, bytes.len());
                self.at = self.at.add(bytes.len());
            }
        }
    }

    #[inline(always)]
    fn note_cut(&mut self) {
        self.faults |= Self::CUT;
    }

    #[inline(always)]
    fn end(&mut self) {
        self.room = 0;
        self.faults |= Self::OVERFLOWED;
    }
}
