//! A lane: a ring of one thread's own, claimed with plain stores.
//!
//! ```text
//! Free -> Owned -> Draining -> Free
//! ```
//!
//! A thread takes a free lane, writes to it alone, and lets go of it when it ends; the consumer
//! reads what is left and frees it. Positions go on across owners, so stamps never repeat.
//!
//! Everything the owner writes lies on lines of its own, which nobody else reads while the gate is
//! open, except to answer questions that are rarely asked. Everything the consumer writes lies on
//! another line, which the owner reads only when the lane seems full.

use crossbeam_utils::CachePadded;

use super::claim::{Announcement, Claim};
use super::gate::Gate;
use super::slab::{Span, Track};
use super::slot::Body;
use super::sync::{
    AtomicU32, AtomicU64, Ordering, light_barrier, prefetch_for_write, producers_must_fence,
};
use super::{Drops, LEVELS, Load, PREFETCH_AHEAD, Refused, reserve_of};

const FREE: u32 = 0;
const OWNED: u32 = 1;
const DRAINING: u32 = 2;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Lane {
    owner: CachePadded<Owner>,
    drops: CachePadded<OwnerDrops>,
    /// Every ticket below this has been returned. Written by the consumer.
    head: CachePadded<AtomicU64>,
    /// Free, Owned or Draining.
    state: CachePadded<AtomicU32>,
}

/// The words of the hot path. Written by the owner only; atomic because the drain and the
/// statistics look at them.
#[derive(Debug)]
struct Owner {
    /// Whether a write is under way, and the next ticket.
    announcement: Announcement,
    /// Whether the light barrier must be a real fence. Never changes.
    must_fence: bool,
    /// A claim for a warning or an error may reach up to this ticket without asking. At most
    /// `head + capacity`; 0 while drops are untold, so that the next claim takes the slow path and
    /// tells them.
    limit: AtomicU64,
    /// The same for a claim that may not use the reserve.
    detail_limit: AtomicU64,
    /// The lane's slots. Never changes.
    track: Track,
    /// Slots that are not the first of an accepted record: continuations and gap records. With it
    /// the number of records follows from the position, at no cost to a record of one slot.
    extra: AtomicU64,
}

/// What the owner could not write, by level. Written by the owner only, while `busy`.
#[derive(Debug)]
struct OwnerDrops {
    /// All drops ever.
    counted: [AtomicU64; LEVELS],
    /// Those that a gap record has told of.
    told: [AtomicU64; LEVELS],
    /// When the first was dropped that is untold.
    since: AtomicU64,
}

impl Lane {
    pub(super) fn new(track: Track) -> Self {
        Lane {
            owner: CachePadded::new(Owner {
                announcement: Announcement::new(),
                must_fence: producers_must_fence(),
                limit: AtomicU64::new(track.capacity()),
                detail_limit: AtomicU64::new(track.capacity() - reserve_of(track.capacity())),
                track,
                extra: AtomicU64::new(0),
            }),
            drops: CachePadded::new(OwnerDrops {
                counted: Default::default(),
                told: Default::default(),
                since: AtomicU64::new(0),
            }),
            head: CachePadded::new(AtomicU64::new(0)),
            state: CachePadded::new(AtomicU32::new(FREE)),
        }
    }

    pub(super) fn track(&self) -> Track {
        self.owner.track
    }

    // The owner's side.

    /// Free to Owned. On failure the lane has an owner, or is still being drained.
    pub(super) fn acquire(&self) -> bool {
        self.state.load(Ordering::Relaxed) == FREE
            && self
                .state
                // Acquire: pairs with the Release in `free`, so that the new owner goes on where
                // the one before stopped.
                .compare_exchange(FREE, OWNED, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    /// Owned to Draining.
    ///
    /// # Safety
    ///
    /// The caller owns the lane, and does not write to it again.
    pub(super) unsafe fn let_go(&self) {
        // Release: pairs with the Acquire in `is_draining`, which hands the position over.
        self.state.store(DRAINING, Ordering::Release);
    }

    /// Claims `slots` slots, has them filled, and publishes them.
    ///
    /// # Errors
    ///
    /// The record was not written: the lane is full, the gate is not open, drops are to be told
    /// first, or this call interrupted another one on the same thread.
    ///
    /// # Safety
    ///
    /// The caller's thread owns the lane, and the slab is alive. `fill` does not unwind.
    #[inline(always)]
    pub(super) unsafe fn write(
        &self,
        gate: &Gate,
        slots: u64,
        level: usize,
        fill: impl FnOnce(&mut Span),
    ) -> Result<(), Refused> {
        let owner = &*self.owner;
        let position = self.reserve_slots(gate, slots, level)?;
        // SAFETY: reserved just now. The track is a copy, which stays in registers.
        let mut span = unsafe { Span::new(owner.track, position, slots) };
        fill(&mut span);
        span.publish();
        if slots > 1 {
            add(&owner.extra, slots - 1);
        }
        owner.announcement.set_position(position + slots);
        self.owner.announcement.end();
        Ok(())
    }

    /// Claims one slot, for the caller to fill and [publish](Claim::publish). `None` if there is
    /// anything to be said against it: [`write`](Self::write) finds out what. `begin` writes what
    /// comes first, and answers how many bytes that are.
    ///
    /// # Safety
    ///
    /// As for [`write`](Self::write); `begin` does not unwind; nothing else is done with the lane before the claim is
    /// published; and `must_fence` is what [`producers_must_fence`] says, or true.
    #[inline(always)]
    pub(super) unsafe fn claim(
        &self,
        gate: &Gate,
        reserved: bool,
        must_fence: bool,
        begin: impl FnOnce(*mut Body) -> usize,
    ) -> Option<Claim> {
        self.begin(gate, must_fence).ok()?;
        let position = self.position();
        if !self.has_room(position + 1, reserved) {
            self.owner.announcement.end();
            return None;
        }
        self.prefetch_after(position);
        // SAFETY: announced, and below the limit: see `reserve_slots`.
        let slot = self.owner.track.address(position);
        // SAFETY: as above; `begin` by contract.
        Some(unsafe { Claim::new(&self.owner.announcement, slot, begin) })
    }

    /// Announces a write and looks for room. From here on the slots from the answer on are the
    /// owner's to fill: below the limit the consumer has returned them, and the limit was read with
    /// Acquire.
    #[inline(always)]
    fn reserve_slots(&self, gate: &Gate, slots: u64, level: usize) -> Result<u64, Refused> {
        self.begin(gate, self.owner.must_fence)?;
        let position = self.position();
        if !self.has_room(position + slots, Drops::is_reserved(level)) {
            if let Err(refused) = self.make_room(position + slots, level) {
                self.owner.announcement.end();
                return Err(refused);
            }
        }
        for slot in position..position + slots {
            self.prefetch_after(slot);
        }
        Ok(position)
    }

    /// Whether a claim may reach up to ticket `end` without asking; `reserved`: into the reserve.
    #[inline(always)]
    fn has_room(&self, end: u64, reserved: bool) -> bool {
        let limit = if reserved {
            &self.owner.limit
        } else {
            &self.owner.detail_limit
        };
        end <= limit.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn prefetch_after(&self, position: u64) {
        // A copy, which stays in registers.
        let track = self.owner.track;
        for ahead in PREFETCH_AHEAD {
            prefetch_for_write(track.address(position + ahead));
        }
    }

    /// Announces a write and looks at the gate, in this order.
    #[inline(always)]
    fn begin(&self, gate: &Gate, must_fence: bool) -> Result<(), Refused> {
        self.owner.announcement.begin()?;
        // Pairs with the heavy barrier in `Ring::seal`.
        light_barrier(must_fence);
        if !gate.is_open() {
            self.owner.announcement.end();
            return Err(Refused::Closed);
        }
        Ok(())
    }

    /// Looks how far the consumer is. A record of `level` must fit that ends before ticket `end`.
    #[cold]
    #[inline(never)]
    fn make_room(&self, end: u64, level: usize) -> Result<(), Refused> {
        let fresh = self.fresh_limit();
        let limit = if Drops::is_reserved(level) {
            fresh
        } else {
            fresh - self.reserve()
        };
        if !self.untold_drops().is_none() {
            // One slot more, for the gap record.
            return Err(if end < limit {
                Refused::Gap
            } else {
                Refused::Full
            });
        }
        self.set_limits(fresh);
        if end <= limit {
            Ok(())
        } else {
            Err(Refused::Full)
        }
    }

    /// How many slots are kept for warnings and errors.
    fn reserve(&self) -> u64 {
        reserve_of(self.owner.track.capacity())
    }

    /// Claims may reach up to `limit` from now on.
    fn set_limits(&self, limit: u64) {
        self.owner.limit.store(limit, Ordering::Relaxed);
        self.owner
            .detail_limit
            .store(limit - self.reserve(), Ordering::Relaxed);
    }

    /// Sends the next claim to the slow path.
    fn forget_limits(&self) {
        self.owner.limit.store(0, Ordering::Relaxed);
        self.owner.detail_limit.store(0, Ordering::Relaxed);
    }

    fn fresh_limit(&self) -> u64 {
        // Acquire: pairs with the Release in `give_back`: the consumer has read those slots.
        self.head.load(Ordering::Acquire) + self.owner.track.capacity()
    }

    /// Counts a record that was not written.
    ///
    /// # Errors
    ///
    /// The gate has closed meanwhile: the record was rejected, not dropped. Otherwise the drain
    /// will see the count, since it waits for `busy`.
    ///
    /// # Safety
    ///
    /// The caller's thread owns the lane.
    #[cold]
    pub(super) unsafe fn count_drop(
        &self,
        gate: &Gate,
        level: usize,
        now: u64,
    ) -> Result<(), Refused> {
        // A handler that drops meanwhile sees `busy` and counts in the shared ring.
        self.begin(gate, self.owner.must_fence)?;
        if self.untold_drops().is_none() {
            self.drops.since.store(now, Ordering::Relaxed);
        }
        add(&self.drops.counted[level], 1);
        self.forget_limits();
        self.owner.announcement.end();
        Ok(())
    }

    /// Writes one slot that tells of all drops untold so far.
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
        self.begin(gate, self.owner.must_fence)?;
        let owner = &*self.owner;
        let position = owner.announcement.position();
        let limit = self.fresh_limit();
        if position + 1 > limit {
            self.owner.announcement.end();
            return Err(Refused::Full);
        }
        // SAFETY: as in `write`.
        let mut span = unsafe { Span::new(owner.track, position, 1) };
        fill(&mut span, &self.untold_drops());
        span.publish();
        for (told, counted) in self.drops.told.iter().zip(&self.drops.counted) {
            told.store(counted.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.set_limits(limit);
        add(&owner.extra, 1);
        owner.announcement.set_position(position + 1);
        self.owner.announcement.end();
        Ok(())
    }

    // The consumer's side.

    /// Returns every slot below `ticket` to the owner.
    pub(super) fn give_back(&self, ticket: u64) {
        // Release: pairs with the Acquire in `fresh_limit`.
        self.head.store(ticket, Ordering::Release);
    }

    /// Every slot below this ticket has been returned.
    pub(super) fn returned(&self) -> u64 {
        // Relaxed: ordered by the lock under which it is written.
        self.head.load(Ordering::Relaxed)
    }

    /// Whether the owner has let go: the position will not move again.
    pub(super) fn is_draining(&self) -> bool {
        // Acquire: pairs with the Release in `let_go`.
        self.state.load(Ordering::Acquire) == DRAINING
    }

    /// Draining to Free. Everything has been read.
    pub(super) fn free(&self) {
        for (told, counted) in self.drops.told.iter().zip(&self.drops.counted) {
            told.store(counted.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.set_limits(self.fresh_limit());
        // Release: pairs with the Acquire in `acquire`.
        self.state.store(FREE, Ordering::Release);
    }

    /// The drops that no gap record told of. Exact for the owner, for a lane that is draining, and
    /// after the gate has closed.
    pub(super) fn untold_drops(&self) -> Drops {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (counted, told) = (&self.drops.counted, &self.drops.told);
        Drops {
            by_level: std::array::from_fn(|level| {
                read(&counted[level]).saturating_sub(read(&told[level]))
            }),
            since: read(&self.drops.since),
        }
    }

    /// The ticket after the last one the lane will ever hold; `None` while a write is under way
    /// whose outcome cannot be known yet. To be asked after the heavy barrier of a closing gate.
    pub(super) fn frontier(&self) -> Option<u64> {
        // The announcement ends after the position has been written.
        if self.owner.announcement.is_busy() {
            None
        } else {
            Some(self.position())
        }
    }

    /// The next ticket, as far as the caller's thread can know.
    pub(super) fn position(&self) -> u64 {
        self.owner.announcement.position()
    }

    // Statistics.

    /// How many records were accepted.
    pub(super) fn accepted(&self) -> u64 {
        // In this order: a record of several slots then counts late, never twice.
        let extra = self.owner.extra.load(Ordering::Acquire);
        self.position().saturating_sub(extra)
    }

    /// How many records were dropped.
    pub(super) fn dropped(&self) -> Drops {
        Drops {
            by_level: std::array::from_fn(|level| {
                self.drops.counted[level].load(Ordering::Relaxed)
            }),
            since: 0,
        }
    }

    /// How the lane stands.
    pub(super) fn load(&self) -> Load {
        // In this order: the head never passes the position.
        let head = self.head.load(Ordering::Acquire);
        Load {
            owned: self.state.load(Ordering::Relaxed) == OWNED,
            capacity: self.owner.track.capacity(),
            depth: self.position().saturating_sub(head),
            accepted: self.accepted(),
            dropped: self.dropped(),
        }
    }
}

/// Adds to a counter that only the caller's thread writes.
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed) + amount, Ordering::Relaxed);
}
