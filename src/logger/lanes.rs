//! Which thread writes to which lane.
//!
//! A thread's first record for a logger takes a lane, if one is free; the end of the thread lets go
//! of it. In between, finding it is a comparison with what the thread used last.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::Weak;

use super::context;
use super::core::Core;
use crate::ring::LaneId;
use crate::ring::lane::Lane;
use crate::ring::sync::{pairs_are_published_whole, producers_must_fence};
use crate::sys;
use crate::worker::ThreadName;

/// How a thread's records get to its lane, if it has one: straight, or by a detour that asks whether
/// there is a lane at all, whether its claims must fence, whether two words can be published at once,
/// and whether the thread has fields to add. The pointer's highest bit, which no lane's address has,
/// marks the detour, so that the hot path asks for all of it with one test.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Way(*const Lane);

impl Way {
    const DETOUR: usize = 1 << (usize::BITS - 1);

    /// To no lane.
    pub(super) const NONE: Way = Way(ptr::without_provenance(Way::DETOUR));

    /// To this lane, or to none where that is null.
    pub(super) fn to(lane: *const Lane) -> Self {
        // In a small address space, a lane may lie where the bit is taken. It stays unused.
        if lane.addr() & Self::DETOUR != 0 {
            return Way::NONE;
        }
        let detour = lane.is_null() || producers_must_fence() || !pairs_are_published_whole();
        Way(lane.map_addr(|address| address | if detour { Self::DETOUR } else { 0 }))
    }

    /// By the detour, if the calling thread has fields.
    #[inline(always)]
    pub(super) fn by_context(self) -> Self {
        let detour = if context::is_active() {
            Self::DETOUR
        } else {
            0
        };
        Way(self.0.map_addr(|address| address | detour))
    }

    /// The lane, if there is one, and it is to be taken straight.
    #[inline(always)]
    pub(super) fn straight(self) -> Option<*const Lane> {
        // No tag, and no detour.
        (self.0.addr() >> Tag::SHIFT == 0).then_some(self.0)
    }

    /// The lane, or null if there is none.
    #[inline(always)]
    pub(super) fn lane(self) -> *const Lane {
        self.0.map_addr(|address| address & !Self::DETOUR)
    }
}

/// What tells the ways of one logger from those of others: bits that no lane's address has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag(usize);

impl Tag {
    /// The highest ones but that of the detour, which user space does not have. None in a smaller
    /// address space.
    const BITS: u32 = if usize::BITS == 64 { 16 } else { 0 };
    const MOST: usize = (1 << Self::BITS) - 1;
    /// From here on, with that of the detour.
    const SHIFT: u32 = usize::BITS - 1 - Self::BITS;

    /// That of the logger with this number. After the first 65,535 loggers of a process there are
    /// none left; then a thread looks for its lane each time.
    pub(super) fn of(logger: u64) -> Self {
        match usize::try_from(logger) {
            Ok(number) if number <= Self::MOST => Tag(number << Self::SHIFT),
            _ => Tag(0),
        }
    }
}

/// The way that the calling thread used last, with the tag of its logger. One word: a signal handler
/// that logs to another logger may change it between any two instructions.
#[derive(Clone, Copy)]
struct Current(*const Lane);

impl Current {
    /// Nobody's: no logger that has a tag has this one, and those that have none take no notice.
    const NONE: Current = Current(Way::NONE.0);

    /// `None` if it cannot be noted.
    fn new(way: Way, tag: Tag) -> Option<Self> {
        let is_noted = tag.0 != 0 && way.lane().addr() >> Tag::SHIFT == 0;
        is_noted.then(|| Current(way.0.map_addr(|address| address | tag.0)))
    }

    /// The way, if this is the logger's tag. Otherwise it is not straight.
    #[inline(always)]
    fn without(self, tag: Tag) -> Way {
        Way(self.0.map_addr(|address| address ^ tag.0))
    }

    /// The way, if this is the logger's tag.
    #[inline(always)]
    fn way(self, tag: Tag) -> Option<Way> {
        let way = self.without(tag);
        (tag.0 != 0 && way.lane().addr() >> Tag::SHIFT == 0).then_some(way)
    }
}

/// Takes account of whether the calling thread has fields from now on.
pub(super) fn look_for_context() {
    let Current(word) = CURRENT.get();
    let tag = word.addr() & (Tag::MOST << Tag::SHIFT);
    let way = Way(word.map_addr(|address| address ^ tag));
    let way = Way::to(way.lane()).by_context();
    CURRENT.set(Current(way.0.map_addr(|address| address | tag)));
}

thread_local! {
    /// No destructor, so that reading it is one instruction, and possible when the thread's other storage
    /// is gone.
    static CURRENT: Cell<Current> = const { Cell::new(Current::NONE) };

    /// The thread's number, once it was asked for; 0 before. No destructor, as above.
    static THREAD: Cell<u64> = const { Cell::new(0) };

    static BINDINGS: RefCell<Bindings> = const { RefCell::new(Bindings { lanes: Vec::new() }) };
}

/// The calling thread's number. Enters the kernel once per thread.
#[inline]
pub(super) fn thread_number() -> u64 {
    let number = THREAD.get();
    if number != 0 {
        return number;
    }
    let number = sys::thread::id();
    THREAD.set(number);
    number
}

/// In a forked child, the thread has another number.
pub(super) fn forget_thread_number() {
    THREAD.set(0);
}

/// The lanes that the thread owns, one per logger at most; let go of when the thread ends.
struct Bindings {
    lanes: Vec<Binding>,
}

struct Binding {
    logger: u64,
    /// Weak, so that a logger's memory does not wait for the end of the threads that used it.
    core: Weak<Core>,
    lane: Option<LaneId>,
}

impl Drop for Binding {
    fn drop(&mut self) {
        if let (Some(core), Some(lane)) = (self.core.upgrade(), self.lane.take()) {
            core.ring.let_go(lane);
        }
    }
}

impl Drop for Bindings {
    fn drop(&mut self) {
        CURRENT.set(Current::NONE);
    }
}

impl Core {
    pub(super) fn acquire_lane(&self) -> Option<LaneId> {
        if self.is_forked() {
            return None;
        }
        // A thread whose storage is gone has no end left at which it could let go of a lane.
        let name = ThreadName::current()?;
        self.common.threads.enter(name);
        let lane = self.ring.acquire_lane()?;
        self.common.threads.enter_lane(lane.index(), name);
        Some(lane)
    }

    /// The way to the calling thread's lane.
    #[inline(always)]
    pub(super) fn current_lane(&self) -> Way {
        let way = CURRENT.get().way(self.hot.tag);
        way.unwrap_or_else(|| self.bind())
    }

    /// The same if it is [straight](Way::straight), and the thread has used this logger last.
    /// Otherwise some way that is not straight, and must not be taken.
    #[inline(always)]
    pub(super) fn latest_lane(&self) -> Way {
        CURRENT.get().without(self.hot.tag)
    }

    /// Finds the calling thread's lane, or takes one.
    #[cold]
    #[inline(never)]
    fn bind(&self) -> Way {
        if self.is_forked() {
            // Not noted: the thread may have a lane if the logger is restarted.
            return Way::NONE;
        }
        let way = Way::to(self.find_lane()).by_context();
        if let Some(current) = Current::new(way, self.hot.tag) {
            CURRENT.set(current);
        }
        way
    }

    /// The calling thread's lane, which it takes if it has none; null if it gets none.
    fn find_lane(&self) -> *const Lane {
        BINDINGS
            .try_with(|bindings| {
                // A signal handler that interrupted this very function uses the shared ring.
                let mut bindings = bindings.try_borrow_mut().ok()?;
                let id = self.hot.id;
                if !bindings.lanes.iter().any(|known| known.logger == id) {
                    bindings.lanes.retain(|known| known.core.strong_count() > 0);
                    let lane = self.acquire_lane();
                    bindings.lanes.push(Binding {
                        logger: id,
                        core: self.me.clone(),
                        lane,
                    });
                }
                let known = bindings.lanes.iter().find(|known| known.logger == id)?;
                let lane = known.lane.as_ref()?;
                Some(ptr::from_ref(self.ring.lane(lane)))
            })
            .ok()
            .flatten()
            .unwrap_or(ptr::null())
    }
}
