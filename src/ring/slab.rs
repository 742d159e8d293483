//! The slots themselves: one allocation, cut into rings.

use super::slot::Slot;

/// All slots of a logger.
#[derive(Debug)]
pub(crate) struct Slab {
    #[cfg(not(ringlog_loom))]
    mapping: crate::sys::mapping::Mapping,
    #[cfg(ringlog_loom)]
    slots: Box<[Slot]>,
}

impl Slab {
    /// Takes zeroed memory; its length is a multiple of a slot's.
    #[cfg(not(ringlog_loom))]
    pub(crate) fn new(mapping: crate::sys::mapping::Mapping) -> Self {
        assert_eq!(mapping.len() % size_of::<Slot>(), 0);
        Slab { mapping }
    }

    #[cfg(ringlog_loom)]
    pub(crate) fn new(slots: usize) -> Self {
        Slab {
            slots: (0..slots).map(|_| Slot::new()).collect(),
        }
    }

    fn slots(&self) -> &[Slot] {
        #[cfg(not(ringlog_loom))]
        // SAFETY: the mapping is page-aligned, zeroed, lives as long as `self`, and is only used
        // as slots; zero bytes are a valid slot (stamp 0, which no ticket has).
        return unsafe {
            std::slice::from_raw_parts(
                self.mapping.as_ptr().cast(),
                self.mapping.len() / size_of::<Slot>(),
            )
        };
        #[cfg(ringlog_loom)]
        return &self.slots;
    }

    /// The slots of the ring of `capacity` that starts at slot `start`.
    pub(crate) fn track(&self, start: usize, capacity: usize) -> Track {
        assert!(capacity.is_power_of_two());
        Track {
            slots: self.slots()[start..start + capacity].as_ptr(),
            mask: capacity as u64 - 1,
        }
    }
}

/// The slots of one ring, by ticket. A copy may be kept, to stay clear of lines that others write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Track {
    slots: *const Slot,
    mask: u64,
}

// SAFETY: a track is a shared reference to slots, which are Sync.
unsafe impl Send for Track {}
// SAFETY: as above.
unsafe impl Sync for Track {}

impl Track {
    pub(crate) fn capacity(&self) -> u64 {
        self.mask + 1
    }

    /// The slot where `ticket` lives.
    ///
    /// # Safety
    ///
    /// The slab is alive for as long as the answer is used.
    #[inline(always)]
    pub(crate) unsafe fn slot<'a>(&self, ticket: u64) -> &'a Slot {
        // SAFETY: masked, the ticket is within the track; the slab is alive by contract.
        unsafe { &*self.slots.add((ticket & self.mask) as usize) }
    }

    /// The address where `ticket` lives. While the slab is alive, that of a slot.
    #[inline(always)]
    pub(crate) fn address(&self, ticket: u64) -> *const Slot {
        self.slots.wrapping_add((ticket & self.mask) as usize)
    }
}

/// The slots of one claimed record, to be filled before it is published.
#[derive(Debug)]
pub(crate) struct Span {
    track: Track,
    ticket: u64,
    slots: u64,
}

impl Span {
    /// # Safety
    ///
    /// The caller has claimed these tickets, has not published them, and the slab is alive for as
    /// long as the span.
    #[inline(always)]
    pub(super) unsafe fn new(track: Track, ticket: u64, slots: u64) -> Self {
        Span {
            track,
            ticket,
            slots,
        }
    }

    /// Gives the body of the record's slot `index` to `write`.
    ///
    /// The pointer is valid for writes of a whole [`Body`](super::slot::Body) during the call, and
    /// nobody else looks at it.
    #[inline(always)]
    pub(crate) fn fill<R>(
        &mut self,
        index: u64,
        write: impl FnOnce(*mut super::slot::Body) -> R,
    ) -> R {
        debug_assert!(index < self.slots);
        // SAFETY: the tickets of this span are claimed and unpublished.
        unsafe { self.track.slot(self.ticket + index).fill(write) }
    }

    /// Publishes the record, its first slot last.
    #[inline(always)]
    pub(super) fn publish(self) {
        for index in 1..self.slots {
            // SAFETY: the slab is alive.
            unsafe { self.track.slot(self.ticket + index) }.mark(self.ticket + index);
        }
        // SAFETY: the slab is alive.
        unsafe { self.track.slot(self.ticket) }.publish(self.ticket);
    }
}
