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
/// and whether the thread has fields to add. The pointer's lowest bit marks the detour, so that the hot
/// path asks for all of it with one test.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Way(*const Lane);

impl Way {
    const DETOUR: usize = 1;

    /// To no lane.
    pub(super) const NONE: Way = Way(ptr::without_provenance(Way::DETOUR));

    /// To this lane, or to none where that is null.
    pub(super) fn to(lane: *const Lane) -> Self {
        let detour = lane.is_null() || producers_must_fence() || !pairs_are_published_whole();
        Way(lane.map_addr(|address| address | usize::from(detour)))
    }

    /// By the detour, if the calling thread has fields.
    #[inline(always)]
    pub(super) fn by_context(self) -> Self {
        let detour = usize::from(context::is_active());
        Way(self.0.map_addr(|address| address | detour))
    }

    /// Whether there is a lane, and it is to be taken straight.
    #[inline(always)]
    pub(super) fn is_straight(self) -> bool {
        self.0.addr() & Self::DETOUR == 0
    }

    /// The lane, or null if there is none.
    #[inline(always)]
    pub(super) fn lane(self) -> *const Lane {
        self.0.map_addr(|address| address & !Self::DETOUR)
    }
}

const _: () = assert!(align_of::<Lane>() > Way::DETOUR);

/// What the calling thread used last. No destructor, so that reading it is one instruction, and
/// possible when the thread's other storage is gone.
#[derive(Clone, Copy)]
struct Current {
    /// A logger's number; 0 is none's.
    logger: u64,
    /// The way to the thread's lane in that logger.
    way: Way,
}

impl Current {
    const NONE: Current = Current {
        logger: 0,
        way: Way::NONE,
    };
}

/// Takes account of whether the calling thread has fields from now on.
pub(super) fn look_for_context() {
    let current = CURRENT.get();
    CURRENT.set(Current {
        way: Way::to(current.way.lane()).by_context(),
        ..current
    });
}

thread_local! {
    static CURRENT: Cell<Current> = const {
        Cell::new(Current::NONE)
    };

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
        let current = CURRENT.get();
        if current.logger == self.hot.id {
            current.way
        } else {
            self.bind()
        }
    }

    /// The way to the calling thread's lane, if it has used this logger last.
    #[inline(always)]
    pub(super) fn latest_lane(&self) -> Way {
        let current = CURRENT.get();
        if current.logger == self.hot.id {
            current.way
        } else {
            Way::NONE
        }
    }

    /// Finds the calling thread's lane, or takes one.
    #[cold]
    #[inline(never)]
    fn bind(&self) -> Way {
        if self.is_forked() {
            // Not noted: the thread may have a lane if the logger is restarted.
            return Way::NONE;
        }
        let lane = BINDINGS
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
            .unwrap_or(ptr::null());
        let way = Way::to(lane).by_context();
        CURRENT.set(Current {
            logger: self.hot.id,
            way,
        });
        way
    }
}
