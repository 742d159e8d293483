//! The lock-free core: a pre-allocated MPSC ring of fixed-size slots.
//!
//! It promises that a record which was accepted is read exactly once, in the order in which its
//! thread wrote it, and that once the gate has closed, "accepted" and "will be read" are the same
//! thing. It knows nothing of what records mean, of clocks, or of I/O, so that all of it can be
//! model-checked.
//!
//! There is one slot protocol and there are two ways to claim a slot. A thread that holds a
//! [lane](lane) claims without a locked instruction. All others claim in the [shared](shared) ring, with one
//! compare-and-swap. The [consumer](consumer) treats all alike.

pub(crate) mod claim;
pub(crate) mod consumer;
pub(crate) mod gate;
pub(crate) mod lane;
pub(crate) mod shared;
pub(crate) mod slab;
pub(crate) mod slot;
pub(crate) mod sync;

use claim::Claim;
use consumer::Consumer;
use gate::Gate;
use lane::{Lane, Unclaimed};
use shared::Shared;
use slab::{Slab, Span};
use slot::{Body, Slot, span_of};
use sync::{
    Arc, AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering, heavy_barrier, prefetch_for_write,
};

/// How many levels drops are counted by; level 0 is the most severe.
pub(crate) const LEVELS: usize = 5;

/// The levels from here on may not use a ring's last sixteenth, so that a flood of detail cannot
/// push out the line that explains it.
const FIRST_RESERVED_LEVEL: usize = 2;

/// Asks for the lines of slots that will be written soon. Line ownership takes longer to arrive than a
/// record takes to write, and a burst would otherwise wait for it. The far one fetches what the
/// consumer read a lap ago; the near one takes back what the consumer's processor fetched when it read
/// ahead of the last burst.
///
/// Behind the last slot of a ring those lines are not its own. That is rare and does no harm; to find
/// the right ones would cost eight instructions.
#[inline(always)]
fn prefetch_ahead(slot: *const Slot) {
    const NEAR: usize = 4 * size_of::<Slot>();
    const FAR: usize = 16 * size_of::<Slot>();
    prefetch_for_write::<NEAR>(slot.cast());
    prefetch_for_write::<FAR>(slot.cast());
}

/// At least two slots: after a drop, the line that explains it needs one for the gap record, too.
fn reserve_of(capacity: u64) -> u64 {
    (capacity / 16).max(2)
}

/// Why a record was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no room.
    Full,
    /// There is room, but drops are untold: write a gap record first.
    Gap,
    /// The gate is not open.
    Closed,
    /// A signal handler interrupted a write on this lane: use the shared ring, and do not wait.
    Interrupting,
}

/// Numbers of dropped records by level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drops {
    pub(crate) by_level: [u64; LEVELS],
    /// When the first of them was dropped, in the producers' own measure.
    pub(crate) since: u64,
}

impl Drops {
    /// Whether records of `level` may use the reserve.
    #[inline(always)]
    pub(crate) const fn is_reserved(level: usize) -> bool {
        level < FIRST_RESERVED_LEVEL
    }

    pub(crate) fn is_none(&self) -> bool {
        self.by_level == [0; LEVELS]
    }

    /// Adds the numbers.
    pub(crate) fn add(&mut self, other: &Drops) {
        for (mine, theirs) in self.by_level.iter_mut().zip(other.by_level) {
            *mine += theirs;
        }
    }
}

/// How a source stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Whether it has an owner. The shared ring always has.
    pub(crate) owned: bool,
    /// Slots in all, and those that hold records which the consumer has not returned.
    pub(crate) capacity: u64,
    pub(crate) depth: u64,
    /// Records that were ever accepted, and dropped.
    pub(crate) accepted: u64,
    pub(crate) dropped: Drops,
}

/// How many slots a ring has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Private lanes.
    pub(crate) lanes: usize,
    /// Slots per lane: a power of two.
    pub(crate) lane_capacity: usize,
    /// Slots of the shared ring: a power of two.
    pub(crate) shared_capacity: usize,
}

impl Layout {
    /// Slots in all.
    pub(crate) fn slots(&self) -> usize {
        self.lanes * self.lane_capacity + self.shared_capacity
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Ring {
    gate: Gate,
    lanes: Box<[Lane]>,
    shared: Shared,
    /// One bit per lane that may hold records. Set by the owner that acquired the lane, cleared by
    /// the consumer before it frees the lane.
    active: Box<[AtomicU64]>,
    /// Lanes that were let go of and are not free yet. Counted up by their owners, down by the
    /// consumer.
    draining: AtomicU64,
    /// Whether there is a [`Consumer`].
    consumed: AtomicBool,
    /// Held while space is returned, and while somebody looks through what is left.
    space: Mutex<()>,
    /// What all tracks point into; freed with the ring.
    _slab: Slab,
}

impl Ring {
    pub(crate) fn new(slab: Slab, layout: Layout) -> Self {
        let lane = |index| slab.track(index * layout.lane_capacity, layout.lane_capacity);
        Ring {
            gate: Gate::new(),
            lanes: (0..layout.lanes).map(|i| Lane::new(lane(i))).collect(),
            shared: Shared::new(
                slab.track(layout.lanes * layout.lane_capacity, layout.shared_capacity),
            ),
            active: (0..layout.lanes.div_ceil(64))
                .map(|_| AtomicU64::new(0))
                .collect(),
            draining: AtomicU64::new(0),
            consumed: AtomicBool::new(false),
            space: Mutex::new(()),
            _slab: slab,
        }
    }

    #[inline(always)]
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Takes a free lane, if there is one.
    pub(crate) fn acquire_lane(&self) -> Option<LaneId> {
        let index = self.lanes.iter().position(Lane::acquire)?;
        // Release: pairs with the Acquire in `Consumer::refresh_active`. The bit is set before the
        // owner's first record, so a record is never behind a cleared bit for good.
        self.active[index / 64].fetch_or(1 << (index % 64), Ordering::Release);
        Some(LaneId(index))
    }

    /// Lets go of a lane; the consumer reads what is left in it.
    pub(crate) fn let_go(&self, lane: LaneId) {
        // SAFETY: the id is proof of ownership, and it is gone now.
        unsafe { self.lanes[lane.0].let_go() }
        // Release: pairs with the Acquire in `Consumer::has_draining`, behind which the lane is
        // seen to be draining.
        self.draining.fetch_add(1, Ordering::Release);
    }

    /// The lane itself, for the thread that owns it.
    pub(crate) fn lane(&self, lane: &LaneId) -> &Lane {
        &self.lanes[lane.0]
    }

    /// Writes a record of `slots` slots to a lane. Ordered after the thread's earlier records.
    ///
    /// # Errors
    ///
    /// See [`Refused`]. Nothing was written or counted.
    ///
    /// # Safety
    ///
    /// The lane is one of this ring's, and the caller's thread owns it. `fill` does not unwind.
    #[inline(always)]
    pub(crate) unsafe fn write(
        &self,
        lane: &Lane,
        slots: u64,
        level: usize,
        fill: impl FnOnce(&mut Span),
    ) -> Result<(), Refused> {
        // SAFETY: by contract; the ring owns the slab.
        unsafe { lane.write(&self.gate, slots, level, fill) }
    }

    /// Claims one slot of a lane, for a record that the caller fills and publishes; `detail`: its
    /// level may not use the reserve.
    ///
    /// # Errors
    ///
    /// The claim cannot be made at once: [`find`](Self::find) goes on.
    ///
    /// # Safety
    ///
    /// The lane is one of this ring's, and the caller's thread owns it. The claim is found and
    /// published on this thread, without anything else being done with the lane in between.
    /// `must_fence` is what [`producers_must_fence`](sync::producers_must_fence) says, or true.
    #[inline(always)]
    pub(crate) unsafe fn claim(
        &self,
        lane: &Lane,
        detail: bool,
        must_fence: bool,
    ) -> Result<Claim, Unclaimed> {
        // SAFETY: by contract; the ring owns the slab.
        unsafe { lane.claim(&self.gate, detail, must_fence) }
    }

    /// Goes on with a claim that could not be made at once. `None` if [`write`](Self::write) has to
    /// find out why.
    ///
    /// # Safety
    ///
    /// As for [`claim`](Self::claim), which said `unclaimed` and is the last thing that was done with
    /// the lane.
    pub(crate) unsafe fn find(
        &self,
        lane: &Lane,
        unclaimed: Unclaimed,
        detail: bool,
    ) -> Option<Claim> {
        // SAFETY: by contract; the ring owns the slab.
        unsafe { lane.find(unclaimed, &self.gate, detail) }
    }

    /// Whether the lane's consumer has come to a record that was claimed and is not published.
    ///
    /// If the owner asks, it is a signal handler that has interrupted the write of that record.
    pub(crate) fn waits_for_owner(&self, lane: &Lane) -> bool {
        lane.waits_for_owner()
    }

    /// Claims one slot of the shared ring, for a record that the caller fills and publishes.
    ///
    /// # Errors
    ///
    /// See [`Refused`]. Nothing was written or counted.
    #[inline]
    pub(crate) fn claim_shared(&self, level: usize) -> Result<Claim, Refused> {
        // SAFETY: the ring owns the slab.
        unsafe { self.shared.claim_one(&self.gate, level) }
    }

    /// Whether the record has been published that begins at `ticket` of the shared ring, where the
    /// calling thread claimed it.
    #[inline]
    pub(crate) fn has_published_shared(&self, ticket: u64) -> bool {
        // SAFETY: the ring owns the slab.
        unsafe { self.shared.has_published(ticket) }
    }

    /// Writes a gap record to a lane.
    ///
    /// # Errors
    ///
    /// See [`Refused`]. Nothing was written, and the drops stay untold.
    ///
    /// # Safety
    ///
    /// As for [`write`](Self::write).
    pub(crate) unsafe fn write_gap(
        &self,
        lane: &Lane,
        fill: impl FnOnce(&mut Span, &Drops),
    ) -> Result<(), Refused> {
        // SAFETY: by contract; the ring owns the slab.
        unsafe { lane.write_gap(&self.gate, fill) }
    }

    /// Counts a record that could not be written to a lane. `now` is told with the gap.
    ///
    /// # Errors
    ///
    /// The gate has closed meanwhile, so the record was rejected, not dropped.
    ///
    /// # Safety
    ///
    /// The caller's thread owns the lane.
    pub(crate) unsafe fn count_drop(
        &self,
        lane: &Lane,
        level: usize,
        now: u64,
    ) -> Result<(), Refused> {
        // SAFETY: by contract.
        unsafe { lane.count_drop(&self.gate, level, now) }
    }

    /// Writes a record of `slots` slots to the shared ring.
    ///
    /// # Errors
    ///
    /// See [`Refused`]. Nothing was written or counted.
    ///
    /// # Safety
    ///
    /// `fill` does not unwind.
    #[inline]
    pub(crate) unsafe fn write_shared(
        &self,
        slots: u64,
        level: usize,
        fill: impl FnOnce(&mut Span),
    ) -> Result<(), Refused> {
        // SAFETY: the ring owns the slab; `fill` by contract.
        unsafe { self.shared.write(&self.gate, slots, level, fill) }
    }

    /// Writes a gap record to the shared ring.
    ///
    /// # Errors
    ///
    /// See [`Refused`]. Nothing was written, and the drops stay untold.
    ///
    /// # Safety
    ///
    /// As for [`write_shared`](Self::write_shared).
    pub(crate) unsafe fn write_shared_gap(
        &self,
        fill: impl FnOnce(&mut Span, &Drops),
    ) -> Result<(), Refused> {
        // SAFETY: the ring owns the slab; `fill` by contract.
        unsafe { self.shared.write_gap(&self.gate, fill) }
    }

    /// Counts a record that could not be written to the shared ring. `now` is told with the gap.
    ///
    /// # Errors
    ///
    /// As for [`count_drop`](Self::count_drop).
    pub(crate) fn count_shared_drop(&self, level: usize, now: u64) -> Result<(), Refused> {
        self.shared.count_drop(level, now)
    }

    /// How a source stands. While producers write, a moment's view; it reads lines that they write.
    pub(crate) fn load(&self, source: usize) -> Load {
        match self.lanes.get(source) {
            Some(lane) => lane.load(),
            None => self.shared.load(),
        }
    }

    /// How many records were ever accepted. While producers write, a moment's view.
    pub(crate) fn accepted(&self) -> u64 {
        self.lanes.iter().map(Lane::accepted).sum::<u64>() + self.shared.accepted()
    }

    /// Ends the account of drops of a sealed ring whose last gaps will not be told.
    pub(crate) fn settle_drops(&self) {
        self.shared.take_untold();
    }

    /// How many records were ever dropped because there was no room.
    pub(crate) fn dropped(&self) -> Drops {
        let mut dropped = self.shared.dropped();
        for lane in &self.lanes {
            dropped.add(&lane.dropped());
        }
        dropped
    }

    /// Second step of closing, after [`Gate::close`]: from now on [`frontier`](Self::frontier)
    /// tells where each source ends. Idempotent; any thread may do it.
    pub(crate) fn seal(&self) {
        self.shared.seal();
        // Pairs with the light barrier of a lane's owner.
        heavy_barrier();
    }

    /// The ticket after the last one that the source holds; `None` while a producer that came before
    /// the closing is at something of which that cannot be known. To be asked after
    /// [`seal`](Self::seal): once the consumer has come to the answer, there will be no more.
    pub(crate) fn frontier(&self, source: usize) -> Option<u64> {
        match self.lanes.get(source) {
            Some(lane) => lane.frontier(),
            None => Some(self.shared.position()),
        }
    }

    /// How many producers are at something of which it cannot be known yet whether it will be
    /// accepted. To be asked after [`seal`](Self::seal).
    pub(crate) fn undecided(&self) -> usize {
        self.lanes.iter().filter(|lane| lane.is_undecided()).count()
    }

    /// No space is returned while the answer lives.
    fn hold_space(&self) -> MutexGuard<'_, ()> {
        // Nothing panics under the lock but what `for_each_left` calls, which changes nothing.
        self.space
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Visits the first body of every record that was published and whose space was not returned,
    /// with its source and ticket; read or not. The space of what is visited is returned later.
    ///
    /// Takes about a millisecond for every 8 MiB that are left.
    pub(crate) fn for_each_left(&self, mut visit: impl FnMut(usize, u64, &Body)) {
        self.for_left(u64::MAX, &mut visit);
    }

    /// The same, of the first such record of each source. Takes a look at a slot of each.
    pub(crate) fn for_first_left(&self, mut visit: impl FnMut(usize, u64, &Body)) {
        self.for_left(1, &mut visit);
    }

    /// The same, of at most so many records of each source.
    fn for_left(&self, most: u64, visit: &mut dyn FnMut(usize, u64, &Body)) {
        let _held = self.hold_space();
        for source in 0..self.sources() {
            let (track, mut ticket) = match self.lanes.get(source) {
                Some(lane) => (lane.track(), lane.returned()),
                None => (self.shared.track(), self.shared.returned()),
            };
            for _ in 0..most {
                // SAFETY: the ring owns the slab.
                let slot = unsafe { track.slot(ticket) };
                if !slot.holds(ticket) {
                    break;
                }
                // SAFETY: published, and not returned: that takes the lock which is held here. Any
                // number of threads may read.
                let body = unsafe { slot.copy() };
                visit(source, ticket, &body);
                ticket += span_of(&body).min(track.capacity());
            }
        }
    }

    /// How many sources there are: the lanes, and the shared ring behind them.
    pub(crate) fn sources(&self) -> usize {
        self.lanes.len() + 1
    }

    /// The reading end. There is only one: `None` if it has been taken.
    pub(crate) fn consumer(ring: &Arc<Ring>) -> Option<Consumer> {
        (!ring.consumed.swap(true, Ordering::AcqRel)).then(|| Consumer::new(ring.clone()))
    }
}

/// Proof that a lane is owned. Not `Clone`: there is one per owned lane.
#[derive(Debug)]
pub(crate) struct LaneId(usize);

impl LaneId {
    pub(crate) fn index(&self) -> usize {
        self.0
    }
}
