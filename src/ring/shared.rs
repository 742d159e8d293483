//! The shared ring: for threads without a lane, claimed with one compare-and-swap.
//!
//! The claim moves the tail, whose highest bit says that the gate has closed; so a claim either
//! comes before the closing, and will be waited for, or fails.

use crossbeam_utils::CachePadded;

use super::claim::Claim;
use super::gate::Gate;
use super::slab::{Span, Track};
use super::sync::{AtomicBool, AtomicU64, Ordering};
use super::{Drops, LEVELS, Load, Refused, prefetch_ahead, reserve_of};

/// The bit of the tail that makes every claim fail.
const SEALED: u64 = 1 << 63;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Shared {
    /// The next ticket, and [`SEALED`]. Written by every producer.
    tail: CachePadded<AtomicU64>,
    /// Every ticket below this has been returned. Written by the consumer.
    head: CachePadded<AtomicU64>,
    /// A head that some producer read: spares the others the consumer's line.
    cached_head: CachePadded<AtomicU64>,
    /// Slots that are not the first of an accepted record.
    extra: CachePadded<AtomicU64>,
    drops: CachePadded<SharedDrops>,
    track: Track,
    reserve: u64,
}

#[derive(Debug)]
struct SharedDrops {
    /// Whether any of `untold` is not zero. Set after them, cleared before they are taken.
    any_untold: AtomicBool,
    untold: [AtomicU64; LEVELS],
    /// Those that were taken to be told of.
    told: [AtomicU64; LEVELS],
    /// When the first was dropped that is untold, nearly; 0 if none is.
    since: AtomicU64,
}

impl Shared {
    pub(super) fn new(track: Track) -> Self {
        Shared {
            tail: CachePadded::new(AtomicU64::new(0)),
            head: CachePadded::new(AtomicU64::new(0)),
            cached_head: CachePadded::new(AtomicU64::new(0)),
            extra: CachePadded::new(AtomicU64::new(0)),
            drops: CachePadded::new(SharedDrops {
                any_untold: AtomicBool::new(false),
                untold: Default::default(),
                told: Default::default(),
                since: AtomicU64::new(0),
            }),
            reserve: reserve_of(track.capacity()),
            track,
        }
    }

    pub(super) fn track(&self) -> Track {
        self.track
    }

    // The producers' side.

    /// Claims `slots` slots, has them filled, and publishes them.
    ///
    /// # Errors
    ///
    /// The record was not written: the ring is full, the gate is not open, or drops are to be told
    /// first.
    ///
    /// # Safety
    ///
    /// The slab is alive. `fill` does not unwind.
    #[inline]
    pub(super) unsafe fn write(
        &self,
        gate: &Gate,
        slots: u64,
        level: usize,
        fill: impl FnOnce(&mut Span),
    ) -> Result<(), Refused> {
        let ticket = self.reserve_slots(gate, slots, level)?;
        // SAFETY: reserved just now.
        let mut span = unsafe { Span::new(self.track, ticket, slots) };
        fill(&mut span);
        span.publish();
        if slots > 1 {
            self.extra.fetch_add(slots - 1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Claims one slot, for the caller to fill and publish.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    ///
    /// # Safety
    ///
    /// The slab is alive.
    #[inline]
    pub(super) unsafe fn claim_one(&self, gate: &Gate, level: usize) -> Result<Claim, Refused> {
        let ticket = self.reserve_slots(gate, 1, level)?;
        // SAFETY: reserved just now.
        Ok(unsafe { Claim::new(self.track.address(ticket), ticket) })
    }

    /// Whether the record that begins at `ticket`, which was claimed, has been published.
    ///
    /// # Safety
    ///
    /// The slab is alive.
    #[inline]
    pub(super) unsafe fn has_published(&self, ticket: u64) -> bool {
        // SAFETY: by contract.
        unsafe { self.track.slot(ticket) }.has_held(ticket)
    }

    /// Claims slots. The tickets from the answer on are the caller's own, and the consumer has read
    /// what was there: the head was read with Acquire.
    #[inline]
    fn reserve_slots(&self, gate: &Gate, slots: u64, level: usize) -> Result<u64, Refused> {
        let reserve = if Drops::is_reserved(level) {
            0
        } else {
            self.reserve
        };
        // Relaxed: a drop that is seen late is told late.
        if self.drops.any_untold.load(Ordering::Relaxed) {
            return Err(self.room_to_tell(gate, slots + reserve));
        }
        let ticket = self.claim(gate, slots, reserve)?;
        // More urgent than in a lane: the next claim waits until this record's lines are owned.
        prefetch_ahead(self.track.address(ticket));
        Ok(ticket)
    }

    /// While drops are untold: whether a gap record and a record of `needed` slots would fit.
    #[cold]
    fn room_to_tell(&self, gate: &Gate, needed: u64) -> Refused {
        let tail = self.tail.load(Ordering::Relaxed);
        if tail & SEALED != 0 || !gate.is_open() {
            Refused::Closed
        } else if self.refresh(tail, needed + 1) {
            Refused::Gap
        } else {
            Refused::Full
        }
    }

    /// Moves the tail.
    #[inline]
    fn claim(&self, gate: &Gate, slots: u64, reserve: u64) -> Result<u64, Refused> {
        let needed = slots + reserve;
        let mut tail = self.tail.load(Ordering::Relaxed);
        loop {
            if tail & SEALED != 0 || !gate.is_open() {
                return Err(Refused::Closed);
            }
            // Acquire: pairs with the Release in `refresh`, by which another producer passes on
            // that the consumer has read the slots below.
            let head = self.cached_head.load(Ordering::Acquire);
            if tail + needed > head + self.track.capacity() && !self.refresh(tail, needed) {
                return Err(Refused::Full);
            }
            // Relaxed: the slots' reuse is ordered by the head, their publication by the stamps.
            match self.tail.compare_exchange_weak(
                tail,
                tail + slots,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(ticket) => return Ok(ticket),
                Err(newer) => tail = newer,
            }
        }
    }

    /// Looks how far the consumer is, and passes it on.
    #[cold]
    fn refresh(&self, tail: u64, needed: u64) -> bool {
        // Acquire: pairs with the Release in `give_back`.
        let head = self.head.load(Ordering::Acquire);
        // Release: pairs with the Acquire in `claim`. An older head may overwrite a newer one;
        // that costs the next claim another look.
        self.cached_head.store(head, Ordering::Release);
        tail + needed <= head + self.track.capacity()
    }

    /// Counts a record that was not written.
    ///
    /// # Errors
    ///
    /// The ring has been sealed meanwhile: the record was rejected, not dropped.
    #[cold]
    pub(super) fn count_drop(&self, level: usize, now: u64) -> Result<(), Refused> {
        let untold = &self.drops.untold[level];
        if untold.fetch_add(1, Ordering::Relaxed) == 0 {
            let since = &self.drops.since;
            let _ = since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
        // An exchange, not a load: it comes before the one in `seal`, and then the drain sees the
        // count, or after it, and sees the seal. In that case the count is taken back, unless the
        // drain has told of it.
        let sealed = self.tail.fetch_or(0, Ordering::AcqRel) & SEALED != 0;
        let take_back = |untold: u64| untold.checked_sub(1);
        if sealed
            && untold
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take_back)
                .is_ok()
        {
            return Err(Refused::Closed);
        }
        // Release: pairs with the Acquire in `take_untold`. An exchange like that one, so that the
        // two have one order, and the flag stays up if this one is the later.
        self.drops.any_untold.swap(true, Ordering::Release);
        Ok(())
    }

    /// Writes one slot that tells of all drops untold so far, unless another thread just did.
    ///
    /// # Safety
    ///
    /// As for [`write`](Self::write).
    #[cold]
    pub(super) unsafe fn write_gap(
        &self,
        gate: &Gate,
        fill: impl FnOnce(&mut Span, &Drops),
    ) -> Result<(), Refused> {
        // The slot first: what is taken from the counters must get into the log.
        let ticket = self.claim(gate, 1, 0)?;
        self.extra.fetch_add(1, Ordering::Relaxed);
        let untold = self.take_untold();
        // SAFETY: as in `write`.
        let mut span = unsafe { Span::new(self.track, ticket, 1) };
        fill(&mut span, &untold);
        span.publish();
        Ok(())
    }

    /// Takes the drops that no gap record has told of.
    pub(super) fn take_untold(&self) -> Drops {
        // Acquire: pairs with the Release in `count_drop`. The flag goes first: a drop counted
        // after it is either taken here, or sets the flag again.
        self.drops.any_untold.swap(false, Ordering::AcqRel);
        let drops = Drops {
            by_level: std::array::from_fn(|level| {
                self.drops.untold[level].swap(0, Ordering::Relaxed)
            }),
            since: self.drops.since.swap(0, Ordering::Relaxed),
        };
        for (told, count) in self.drops.told.iter().zip(drops.by_level) {
            told.fetch_add(count, Ordering::Relaxed);
        }
        drops
    }

    // The consumer's side.

    /// Returns every slot below `ticket` to the producers.
    pub(super) fn give_back(&self, ticket: u64) {
        // Release: pairs with the Acquire in `refresh`.
        self.head.store(ticket, Ordering::Release);
    }

    /// Every slot below this ticket has been returned.
    pub(super) fn returned(&self) -> u64 {
        // Relaxed: ordered by the lock under which it is written.
        self.head.load(Ordering::Relaxed)
    }

    /// Makes every later claim fail. Idempotent. What was claimed before ends at
    /// [`position`](Self::position).
    pub(super) fn seal(&self) {
        self.tail.fetch_or(SEALED, Ordering::AcqRel);
    }

    /// The next ticket, as far as the caller's thread can know.
    pub(super) fn position(&self) -> u64 {
        self.tail.load(Ordering::Relaxed) & !SEALED
    }

    // Statistics.

    /// How many records were accepted.
    pub(super) fn accepted(&self) -> u64 {
        let extra = self.extra.load(Ordering::Acquire);
        self.position().saturating_sub(extra)
    }

    /// How many records were dropped. Once sealed, those that were told of are all there are: what
    /// is counted then is on its way to be taken back.
    pub(super) fn dropped(&self) -> Drops {
        let sealed = self.tail.load(Ordering::Acquire) & SEALED != 0;
        Drops {
            by_level: std::array::from_fn(|level| {
                let told = self.drops.told[level].load(Ordering::Relaxed);
                if sealed {
                    told
                } else {
                    told + self.drops.untold[level].load(Ordering::Relaxed)
                }
            }),
            since: 0,
        }
    }

    /// How the ring stands.
    pub(super) fn load(&self) -> Load {
        // In this order: the head never passes the tail.
        let head = self.head.load(Ordering::Acquire);
        Load {
            owned: true,
            capacity: self.track.capacity(),
            depth: self.position().saturating_sub(head),
            accepted: self.accepted(),
            dropped: self.dropped(),
        }
    }
}
