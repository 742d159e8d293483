//! A lane: a ring of one thread's own, claimed without a locked instruction.
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

use super::claim::Claim;
use super::gate::Gate;
use super::slab::{Span, Track};
use super::sync::{
    AtomicBool, AtomicU32, AtomicU64, Ordering, add_uninterrupted, light_barrier,
    producers_must_fence,
};
use super::{Drops, LEVELS, Load, Refused, prefetch_ahead, reserve_of};

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
// The position first, where it needs no address of its own.
#[repr(C)]
struct Owner {
    /// The ticket to be claimed next. A claim is its first store, so the tickets below it that have
    /// not been published say that a write is under way.
    position: AtomicU64,
    /// The owner is at something that takes more than one step: a signal handler that has
    /// interrupted it must leave the lane alone, and the drain wait.
    busy: AtomicBool,
    /// Whether the light barrier must be a real fence. Never changes.
    must_fence: bool,
    /// How far a claim may reach without asking: up to these tickets. One for warnings and errors, at
    /// most `head + capacity`, and one for detail, which may not use the reserve. Both are 0
    /// while drops are untold, so that the next claim takes the slow path and tells them.
    limits: [AtomicU64; 2],
    /// The lane's slots. Never changes.
    track: Track,
    /// Slots that are not the first of an accepted record: continuations and gap records. With it
    /// the number of records follows from the position, at no cost to a record of one slot.
    extra: AtomicU64,
}

/// Why a slot was not claimed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unclaimed {
    /// Where the claim would have ended, had no signal handler come between.
    expected: u64,
}

impl Unclaimed {
    /// There was something to be said against it; or it was not tried.
    pub(crate) const REFUSED: Unclaimed = Unclaimed { expected: 0 };
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
                position: AtomicU64::new(0),
                busy: AtomicBool::new(false),
                must_fence: producers_must_fence(),
                limits: [
                    AtomicU64::new(track.capacity()),
                    AtomicU64::new(track.capacity() - reserve_of(track.capacity())),
                ],
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
    pub(super) unsafe fn write(
        &self,
        gate: &Gate,
        slots: u64,
        level: usize,
        fill: impl FnOnce(&mut Span),
    ) -> Result<(), Refused> {
        self.begin(gate)?;
        let ticket = loop {
            let position = self.position();
            if !self.has_room(position + slots, !Drops::is_reserved(level)) {
                if let Err(refused) = self.make_room(position + slots, level) {
                    self.end();
                    return Err(refused);
                }
            }
            // SAFETY: by contract.
            if let Some(ticket) = unsafe { self.claim_at(position, slots, slots - 1) } {
                break ticket;
            }
        };
        for slot in ticket..ticket + slots {
            self.prefetch_after(slot);
        }
        // SAFETY: claimed just now, below the limit: the consumer has returned those slots, and the
        // limit was read with Acquire.
        let mut span = unsafe { Span::new(self.owner.track, ticket, slots) };
        fill(&mut span);
        span.publish();
        self.end();
        Ok(())
    }

    /// Claims one slot, for the caller to fill and publish. `detail`: its level may not use the reserve.
    ///
    /// # Errors
    ///
    /// There is something to be said against it, and [`write`](Self::write) finds out what; or a
    /// signal handler has claimed at the same time, and [`find`](Self::find) goes on.
    ///
    /// # Safety
    ///
    /// As for [`write`](Self::write); nothing else is done with the lane before the claim is found and
    /// published, but by a signal handler; and `must_fence` is what [`producers_must_fence`] says, or
    /// true.
    #[inline(always)]
    pub(super) unsafe fn claim(
        &self,
        gate: &Gate,
        detail: bool,
        must_fence: bool,
    ) -> Result<Claim, Unclaimed> {
        let (expected, end) = self.advance(1);
        if end != expected {
            cold();
            return Err(Unclaimed { expected });
        }
        // SAFETY: by contract.
        let claim = unsafe { self.hold(end - 1, gate, detail, must_fence) };
        claim.ok_or(Unclaimed::REFUSED)
    }

    /// Goes on with a claim during which a signal handler has claimed, too. `None` if there is something
    /// to be said against it, as above.
    ///
    /// # Safety
    ///
    /// As for [`claim`](Self::claim), which said `unclaimed` and is the last thing that was done with
    /// the lane.
    pub(super) unsafe fn find(
        &self,
        unclaimed: Unclaimed,
        gate: &Gate,
        detail: bool,
    ) -> Option<Claim> {
        if unclaimed == Unclaimed::REFUSED {
            return None;
        }
        // SAFETY: by contract.
        unsafe {
            let ticket = self.first_unpublished(unclaimed.expected - 1);
            self.hold(ticket, gate, detail, true)
        }
    }

    /// Moves the position: the claim of `slots` slots. Answers where they end if no signal handler has
    /// claimed before it, and where they end if none has after it.
    #[inline(always)]
    fn advance(&self, slots: u64) -> (u64, u64) {
        let position = &self.owner.position;
        let expected = position.load(Ordering::Relaxed) + slots;
        add_uninterrupted(position, slots);
        (expected, position.load(Ordering::Relaxed))
    }

    /// Where a claim begins that was made at `before` or later: signal handlers that have claimed, too,
    /// have returned, so the only slots without a record are those of this claim.
    ///
    /// # Safety
    ///
    /// The slab is alive.
    unsafe fn first_unpublished(&self, before: u64) -> u64 {
        let mut ticket = before;
        // Of those before it, the consumer may have returned some, and a handler have filled them a lap
        // later; but not this one.
        // SAFETY: by contract.
        while unsafe { self.owner.track.slot(ticket) }.has_held(ticket) {
            ticket += 1;
        }
        ticket
    }

    /// Keeps the claim of a slot, if the gate is open and there is room.
    ///
    /// # Safety
    ///
    /// As for [`claim`](Self::claim); the ticket has been claimed.
    #[inline(always)]
    unsafe fn hold(
        &self,
        ticket: u64,
        gate: &Gate,
        detail: bool,
        must_fence: bool,
    ) -> Option<Claim> {
        // In this order: see `lets_in`.
        let may_stay = lets_in(gate, must_fence) && self.has_room(ticket + 1, detail);
        if !may_stay {
            cold();
            if self.take_back(ticket, 1) {
                return None;
            }
        }
        self.prefetch_after(ticket);
        // SAFETY: claimed, and below the limit, as in `write`.
        Some(unsafe { Claim::new(self.owner.track.address(ticket), ticket) })
    }

    /// Takes a claim back: no. Then a signal handler has claimed behind it, for which the gate was open
    /// and the room enough; so they are for the claim, too, and it stays.
    #[inline(always)]
    fn take_back(&self, ticket: u64, slots: u64) -> bool {
        self.owner
            .position
            .compare_exchange(ticket + slots, ticket, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Claims `slots` slots at `position`, of which `extra` will not begin a record; behind it, if a
    /// handler has claimed there since the position was read, and there is room for sure. Only while
    /// `busy`.
    ///
    /// # Safety
    ///
    /// The slab is alive.
    unsafe fn claim_at(&self, position: u64, slots: u64, extra: u64) -> Option<u64> {
        // Before the claim: seen without it, the slots count as no record yet.
        add(&self.owner.extra, extra);
        let (expected, end) = self.advance(slots);
        let ticket = if end == expected {
            end - slots
        } else {
            // SAFETY: by contract.
            unsafe { self.first_unpublished(expected - slots) }
        };
        if ticket != position && self.take_back(ticket, slots) {
            add(&self.owner.extra, extra.wrapping_neg());
            return None;
        }
        Some(ticket)
    }

    /// Whether a claim may reach up to ticket `end` without asking; `detail`: not into the reserve.
    #[inline(always)]
    fn has_room(&self, end: u64, detail: bool) -> bool {
        end <= self.owner.limits[usize::from(detail)].load(Ordering::Relaxed)
    }

    /// Asks for the lines that will be written soon. Behind the lane's last slot those are not its
    /// own, which is rare and does no harm; to find the right ones would cost eight instructions.
    #[inline(always)]
    fn prefetch_after(&self, position: u64) {
        prefetch_ahead(self.owner.track.address(position));
    }

    /// Begins something that takes more than one step.
    ///
    /// # Errors
    ///
    /// The gate is not open, or this call interrupted a write on the same thread that is under way.
    fn begin(&self, gate: &Gate) -> Result<(), Refused> {
        let owner = &*self.owner;
        if owner.busy.load(Ordering::Relaxed) {
            return Err(Refused::Interrupting);
        }
        owner.busy.store(true, Ordering::Relaxed);
        if lets_in(gate, owner.must_fence) {
            Ok(())
        } else {
            self.end();
            Err(Refused::Closed)
        }
    }

    /// Ends what was begun.
    fn end(&self) {
        // Release: pairs with the Acquire in `is_busy`; who waits for the end reads the position and
        // the drops next.
        self.owner.busy.store(false, Ordering::Release);
    }

    fn is_busy(&self) -> bool {
        // Acquire: pairs with the Release in `end`.
        self.owner.busy.load(Ordering::Acquire)
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
        let [all, detail] = &self.owner.limits;
        all.store(limit, Ordering::Relaxed);
        detail.store(limit - self.reserve(), Ordering::Relaxed);
    }

    /// Sends the next claim to the slow path.
    fn forget_limits(&self) {
        for limit in &self.owner.limits {
            limit.store(0, Ordering::Relaxed);
        }
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
        self.begin(gate)?;
        if self.untold_drops().is_none() {
            self.drops.since.store(now, Ordering::Relaxed);
        }
        add(&self.drops.counted[level], 1);
        self.forget_limits();
        self.end();
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
        self.begin(gate)?;
        let ticket = loop {
            let (position, limit) = (self.position(), self.fresh_limit());
            if position + 1 > limit {
                self.end();
                return Err(Refused::Full);
            }
            // SAFETY: by contract.
            if let Some(ticket) = unsafe { self.claim_at(position, 1, 1) } {
                self.set_limits(limit);
                break ticket;
            }
        };
        // SAFETY: as in `write`.
        let mut span = unsafe { Span::new(self.owner.track, ticket, 1) };
        fill(&mut span, &self.untold_drops());
        span.publish();
        for (told, counted) in self.drops.told.iter().zip(&self.drops.counted) {
            told.store(counted.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.end();
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

    /// The ticket after the last one that the lane holds; `None` while its owner is at something of
    /// which that cannot be known. To be asked after the heavy barrier of a closing gate: once the
    /// consumer has come to the answer, there will be no more. Claims that come too late may show in
    /// it for a moment, until they are taken back.
    pub(super) fn frontier(&self) -> Option<u64> {
        // In this order: what the owner was at ends after its claim.
        (!self.is_busy()).then(|| self.position())
    }

    /// Whether the owner is at something, and all that it has claimed is published.
    pub(super) fn is_undecided(&self) -> bool {
        let last = self.position().wrapping_sub(1);
        // SAFETY: the slab is alive, as long as somebody asks. Before the first record, that slot is
        // without a stamp, as ticket -1 would leave it.
        self.is_busy() && unsafe { self.owner.track.slot(last) }.holds(last)
    }

    /// Whether the consumer has come to a record that was claimed and is not published. If the owner
    /// asks, it is a signal handler that has interrupted the write of that record.
    pub(super) fn waits_for_owner(&self) -> bool {
        let head = self.head.load(Ordering::Acquire);
        // SAFETY: as above.
        head != self.position() && !unsafe { self.owner.track.slot(head) }.holds(head)
    }

    /// The next ticket, as far as the caller's thread can know.
    pub(super) fn position(&self) -> u64 {
        self.owner.position.load(Ordering::Acquire)
    }

    // Statistics.

    /// How many records were accepted.
    pub(super) fn accepted(&self) -> u64 {
        // In this order: a record of several slots then counts late, never twice.
        let position = self.position();
        position.saturating_sub(self.owner.extra.load(Ordering::Relaxed))
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

/// Whether a write that has been announced, by a claim or by `busy`, may go on. The announcement and
/// this look at the gate are in this order, also for those who close it: the barrier pairs with the
/// heavy one in `Ring::seal`.
#[inline(always)]
fn lets_in(gate: &Gate, must_fence: bool) -> bool {
    light_barrier(must_fence);
    gate.is_open()
}

/// Tells the compiler that this is seldom.
#[cold]
#[inline]
fn cold() {}

/// Adds to a counter that only the caller's thread writes, and no handler on it.
fn add(counter: &AtomicU64, amount: u64) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(amount);
    counter.store(sum, Ordering::Relaxed);
}
