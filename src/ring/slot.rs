//! A slot: one cache line, and the stamp that says which lap it belongs to.
//!
//! Slots are numbered by *tickets*, which count up for ever; ticket `t` lives in slot
//! `t & mask`. A slot whose stamp is `t + 1` holds the record of ticket `t`; any other value means
//! that the record of ticket `t` is not there yet. Only producers write stamps, and a stamp never
//! repeats, so nothing has to be reset between laps.

use super::sync::{AtomicU64, Ordering, UnsafeCell, publish_pair};

/// A slot's words other than its stamp.
pub(crate) const BODY_WORDS: usize = 7;

/// The words of a slot that belong to the record.
pub(crate) type Body = [u64; BODY_WORDS];

/// The number of slots of a record stands in this byte of word 1 of its first slot.
pub(crate) const SPAN_SHIFT: u32 = 48;

/// One cache line of a ring.
#[derive(Debug)]
#[cfg_attr(not(ringlog_loom), repr(C, align(64)))]
// Loom's atomics are larger; as large as it is aligned, so that any place in it leads to it.
#[cfg_attr(ringlog_loom, repr(C, align(1024)))]
pub(crate) struct Slot {
    /// `ticket + 1` of the record in `body`. Written by the producer that claimed the ticket.
    stamp: AtomicU64,
    /// Written by the producer that claimed the ticket, before the stamp; read by the consumer,
    /// after the stamp and before it returns the slot.
    body: UnsafeCell<Body>,
}

#[cfg(not(ringlog_loom))]
const _: () = {
    assert!(size_of::<Slot>() == 64);
    assert!(align_of::<Slot>() == 64);
};

// SAFETY: `body` is handed from one thread to the other by `stamp` (producer to consumer) and by
// the ring's head (consumer to producer), as its documentation says.
unsafe impl Sync for Slot {}

impl Slot {
    #[cfg(ringlog_loom)]
    pub(crate) fn new() -> Self {
        Slot {
            stamp: AtomicU64::new(0),
            body: UnsafeCell::new([0; BODY_WORDS]),
        }
    }

    /// Gives the body to `write`.
    ///
    /// # Safety
    ///
    /// The caller has claimed the ticket that lives here now, and has not published it.
    #[inline(always)]
    pub(crate) unsafe fn fill<R>(&self, write: impl FnOnce(*mut Body) -> R) -> R {
        self.body.with_mut(write)
    }

    /// Marks a slot that continues a record. The record's first slot publishes it.
    #[inline(always)]
    pub(crate) fn mark(&self, ticket: u64) {
        // Relaxed: the consumer learns of this slot from the first one.
        self.stamp.store(ticket + 1, Ordering::Relaxed);
    }

    /// Publishes the record that starts here.
    #[inline(always)]
    pub(crate) fn publish(&self, ticket: u64) {
        // Release: pairs with the Acquire in `holds`.
        self.stamp.store(ticket + 1, Ordering::Release);
    }

    /// Writes the first word of the body, and publishes the record that starts here. With one store,
    /// where there is one for both.
    ///
    /// # Safety
    ///
    /// As for [`fill`](Self::fill); and [`sync`](super::sync) says that pairs are published whole.
    #[inline(always)]
    pub(crate) unsafe fn publish_with(&self, ticket: u64, first: u64) {
        let pair = core::ptr::from_ref(self).cast_mut().cast::<u64>();
        // SAFETY: the first two words of the slot, of which the second is the caller's until others
        // see the first.
        if !unsafe { publish_pair(pair, ticket + 1, first) } {
            // SAFETY: by contract.
            unsafe { self.fill(|body| (*body)[0] = first) };
            self.publish(ticket);
        }
    }

    /// Whether the record of `ticket` has been published here.
    #[inline(always)]
    pub(crate) fn holds(&self, ticket: u64) -> bool {
        // Acquire: pairs with the Release in `publish`.
        self.stamp.load(Ordering::Acquire) == ticket.wrapping_add(1)
    }

    /// Whether the record of `ticket` has been published here at some time.
    #[inline(always)]
    pub(crate) fn has_held(&self, ticket: u64) -> bool {
        // Relaxed: asked by the thread that claimed the ticket.
        self.stamp.load(Ordering::Relaxed) > ticket
    }

    /// A copy of the body.
    ///
    /// # Safety
    ///
    /// The caller is the consumer, the record that includes this slot has been published, and its
    /// space has not been returned.
    #[inline(always)]
    pub(crate) unsafe fn copy(&self) -> Body {
        // SAFETY: no producer writes here before the space is returned.
        self.body.with(|body| unsafe { *body })
    }
}

/// How many slots the record has whose first body this is; at least one.
#[inline(always)]
pub(crate) fn span_of(first: &Body) -> u64 {
    u64::from((first[1] >> SPAN_SHIFT) as u8).max(1)
}
