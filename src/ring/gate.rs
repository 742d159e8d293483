//! The gate: whether records are still let in.
//!
//! ```text
//! Open -> Closing -> Drained -> Closed
//!            \________________/
//!          the deadline came first
//! ```
//!
//! The gate of a [forked](Gate::fork) child is its parent's, and of no use there.
//!
//! A producer announces a write, by its claim or by `busy` in its lane, and then looks at the gate.
//! Whoever drains looks at the announcements after the gate has begun to close. The two barriers of
//! [`sync`](super::sync) stand between each side's store and its load, so either the producer sees
//! that the gate is closing, or the drain sees that the producer is writing, and waits for it.

use super::sync::{AtomicU32, Ordering};

const OPEN: u32 = 0;
const CLOSING: u32 = 1;
const DRAINED: u32 = 2;
const CLOSED: u32 = 3;
const FORKED: u32 = 4;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Gate {
    state: AtomicU32,
}

impl Gate {
    pub(super) fn new() -> Self {
        Gate {
            state: AtomicU32::new(OPEN),
        }
    }

    /// Whether records are let in.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        // Relaxed: the barriers order this look against the closer's store.
        self.state.load(Ordering::Relaxed) == OPEN
    }

    /// Whether the gate is closing: a drain is due or under way.
    pub(crate) fn is_closing(&self) -> bool {
        // Acquire: pairs with the Release in `close`, so that the drain sees what the closer did
        // before.
        self.state.load(Ordering::Acquire) == CLOSING
    }

    /// Whether it has been settled how the drain ended.
    pub(crate) fn is_settled(&self) -> bool {
        // Acquire: pairs with the Release in `drained` and `closed`.
        self.state.load(Ordering::Acquire) > CLOSING
    }

    /// Open to Closing. On failure somebody else closed the gate: wait for their report.
    pub(crate) fn close(&self) -> bool {
        self.step(OPEN, CLOSING)
    }

    /// Closing to Drained: every accepted record has been handed to every sink. On failure the
    /// deadline came first, and the caller must write nothing more.
    pub(crate) fn drained(&self) -> bool {
        self.step(CLOSING, DRAINED)
    }

    /// Closing to Closed: the deadline came first. On failure the drain was faster.
    pub(crate) fn give_up(&self) -> bool {
        self.step(CLOSING, CLOSED)
    }

    /// Drained to Closed: the report is out.
    pub(crate) fn closed(&self) {
        self.step(DRAINED, CLOSED);
    }

    /// From any state to Forked, for good: this process is a child that has a copy of the gate.
    /// Nobody else is there who could look at it.
    pub(crate) fn fork(&self) {
        self.state.store(FORKED, Ordering::Release);
    }

    /// Whether this is the copy of a gate in a forked child.
    pub(crate) fn is_forked(&self) -> bool {
        // Acquire: pairs with the Release in `fork`, for threads that the child starts.
        self.state.load(Ordering::Acquire) == FORKED
    }

    fn step(&self, from: u32, to: u32) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}
