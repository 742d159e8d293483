//! One slot, between its claim and its publication.
//!
//! A record of one slot is written in one go, or it is begun in one place and ended in another: the
//! beginning is the same code for all statements, the end each one's own. What passes between the two
//! is two registers, and nothing has to be stored for it: stores wait in line for the slots that the
//! consumer has read.

use core::ptr::NonNull;

use super::slot::{Body, Slot};

/// A slot that is the caller's alone until it is published.
#[derive(Debug)]
#[must_use = "the ring waits for a slot that is claimed"]
pub(crate) struct Claim {
    slot: NonNull<Slot>,
    ticket: u64,
}

impl Claim {
    /// The claim of a slot.
    ///
    /// # Safety
    ///
    /// The slot is alive for as long as the claim, and the one where `ticket` lives. The caller has
    /// claimed that ticket, and has not published it.
    #[inline(always)]
    pub(super) unsafe fn new(slot: *const Slot, ticket: u64) -> Self {
        Claim {
            // SAFETY: a slot is not at null.
            slot: unsafe { NonNull::new_unchecked(slot.cast_mut()) },
            ticket,
        }
    }

    pub(crate) fn ticket(&self) -> u64 {
        self.ticket
    }

    /// Has `write` write all of the body but its first word, which is `first`, and publishes the
    /// record.
    ///
    /// # Safety
    ///
    /// [`sync`](super::sync) says that pairs are published whole.
    #[inline(always)]
    pub(crate) unsafe fn publish_with(self, first: u64, write: impl FnOnce(&mut Body)) {
        // SAFETY: by the contract of `new`; nobody else looks at the body before it is published.
        unsafe {
            let slot = self.slot.as_ref();
            slot.fill(|body| write(&mut *body));
            slot.publish_with(self.ticket, first);
        }
    }

    /// Has `begin` write what comes first, and answer how many bytes that are.
    #[inline(always)]
    pub(crate) fn begin(self, begin: impl FnOnce(&mut Body) -> usize) -> Begun {
        let slot = self.slot.as_ptr();
        // SAFETY: as above.
        let within = unsafe {
            (*slot).fill(|body| {
                let within = body.addr() - slot.addr();
                within + begin(&mut *body).min(size_of::<Body>())
            })
        };
        Begun {
            // Made of the slot, not of its body, so that the way back stays open.
            // SAFETY: within the slot, which is not at null.
            at: unsafe { NonNull::new_unchecked(slot.byte_add(within).cast()) },
            ticket: self.ticket,
        }
    }
}

/// A record whose beginning has been written.
#[derive(Debug)]
#[must_use = "the ring waits for a record that was begun"]
pub(crate) struct Begun {
    /// The caller's place in the slot's body.
    at: NonNull<u8>,
    ticket: u64,
}

impl Begun {
    /// Has `write` write the rest of the body, from the place that it is given, and publishes the
    /// record.
    ///
    /// # Safety
    ///
    /// `write` does not unwind. The ring is alive.
    #[inline(always)]
    pub(crate) unsafe fn publish(self, write: impl FnOnce(*mut u8)) {
        const { assert!(size_of::<Slot>() == align_of::<Slot>()) };
        let within = self.at.addr().get() & (align_of::<Slot>() - 1);
        let slot = self.at.as_ptr().wrapping_sub(within).cast::<Slot>();
        // SAFETY: the slot lives as long as the ring; it is claimed and unpublished.
        unsafe {
            (*slot).fill(|_| write(self.at.as_ptr()));
            (*slot).publish(self.ticket);
        }
    }
}
