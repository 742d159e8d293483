//! One slot, between its claim and its publication.
//!
//! A record of one slot is claimed in one place and filled in another: the claim is the same code
//! for all of them, the filling is each statement's own. What passes between the two fits in two
//! registers, and no more is stored than if it were one place: stores wait in line for the slots that
//! the consumer has read.

use core::ptr::NonNull;

use super::Refused;
use super::slot::{Body, Slot};
use super::sync::{AtomicBool, AtomicU64, Ordering};

/// What a thread says of the write that it is making. Written by that thread only: by its own code,
/// or by a signal handler that has interrupted it, which finds `busy` set and leaves the rest alone.
#[derive(Debug)]
pub(crate) struct Announcement {
    /// A write is under way.
    busy: AtomicBool,
    /// The ticket of the claim; once that is published, the one after it.
    position: AtomicU64,
}

impl Announcement {
    #[cfg(not(ringlog_loom))]
    pub(crate) const fn new() -> Self {
        Announcement {
            busy: AtomicBool::new(false),
            position: AtomicU64::new(0),
        }
    }

    /// Loom's atomics are not made at compile time.
    #[cfg(ringlog_loom)]
    pub(crate) fn new() -> Self {
        Announcement {
            busy: AtomicBool::new(false),
            position: AtomicU64::new(0),
        }
    }

    /// Announces a write.
    ///
    /// # Errors
    ///
    /// This call has interrupted one on the same thread that is under way.
    #[inline(always)]
    pub(super) fn begin(&self) -> Result<(), Refused> {
        if self.busy.load(Ordering::Relaxed) {
            return Err(Refused::Interrupting);
        }
        // Before the position is read or written: a handler that interrupts from here on leaves it
        // alone.
        self.busy.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Takes the announcement back.
    #[inline(always)]
    pub(super) fn end(&self) {
        // Release: pairs with the Acquire in `is_busy`; who waits for the end reads the position
        // next.
        self.busy.store(false, Ordering::Release);
    }

    pub(super) fn is_busy(&self) -> bool {
        // Acquire: pairs with the Release in `end`.
        self.busy.load(Ordering::Acquire)
    }

    #[inline(always)]
    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn set_position(&self, position: u64) {
        self.position.store(position, Ordering::Relaxed);
    }
}

/// A slot that is the caller's alone until it is [published](Claim::publish).
#[derive(Debug)]
#[must_use = "the ring waits for a slot that is claimed"]
pub(crate) struct Claim {
    /// The caller's place in the slot's body.
    at: NonNull<u8>,
    announcement: *const Announcement,
}

impl Claim {
    /// The claim of a slot. `begin` writes what comes first, and answers how many bytes that are.
    ///
    /// # Safety
    ///
    /// The slot is alive, and the one where the position of the announcement lives. The caller has
    /// claimed that ticket, has not published it, and has begun the announcement. `begin` does not
    /// unwind.
    #[inline(always)]
    pub(super) unsafe fn new(
        announcement: &Announcement,
        slot: *const Slot,
        begin: impl FnOnce(*mut Body) -> usize,
    ) -> Self {
        // SAFETY: alive, claimed and unpublished.
        let within = unsafe { (*slot).fill(|body| body.addr() - slot.addr() + begin(body)) };
        Claim {
            // Made of the slot, not of its body, so that the way back stays open.
            // SAFETY: within the slot, which is not at null.
            at: unsafe { NonNull::new_unchecked(slot.cast_mut().byte_add(within).cast()) },
            announcement,
        }
    }

    /// Gives the caller's place in the body to `write`, which may write from there to the end of the
    /// body.
    ///
    /// # Safety
    ///
    /// The caller is on the thread of the claim, and the ring is alive.
    #[inline(always)]
    pub(crate) unsafe fn fill<R>(&self, write: impl FnOnce(*mut u8) -> R) -> R {
        // SAFETY: what was announced lives at least as long as the ring or the thread, and the slot
        // as long as the ring; it is claimed and unpublished.
        unsafe { (*self.slot()).fill(|_| write(self.at.as_ptr())) }
    }

    /// Publishes the record.
    ///
    /// # Safety
    ///
    /// As for [`fill`](Self::fill), and the body has been filled.
    #[inline(always)]
    pub(crate) unsafe fn publish(self) {
        // SAFETY: as in `fill`.
        let (slot, announcement) = unsafe { (&*self.slot(), &*self.announcement) };
        let ticket = announcement.position();
        slot.publish(ticket);
        announcement.set_position(ticket + 1);
        announcement.end();
    }

    /// The slot around the caller's place.
    #[inline(always)]
    fn slot(&self) -> *const Slot {
        const { assert!(size_of::<Slot>() == align_of::<Slot>()) };
        let within = self.at.addr().get() & (align_of::<Slot>() - 1);
        self.at.as_ptr().wrapping_sub(within).cast()
    }
}
