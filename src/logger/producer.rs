//! [`Producer`]: an owned handle that logs.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use super::core::Core;
use super::lanes::Way;
use crate::ring::LaneId;

/// An owned handle to a logger, with a lane of its own as long as there was one.
///
/// It logs like the logger itself, `rlog!(logger: &producer, ...)`, and needs no thread-local
/// storage. It can be sent to another thread, and used by one at a time; what it writes to its lane
/// carries the name of the thread that made it. The lane is free again when the handle is dropped
/// and what it wrote has been read.
pub struct Producer {
    pub(super) core: Arc<Core>,
    lane: Option<LaneId>,
    /// The way to the lane.
    pub(super) way: Way,
    _not_sync: PhantomData<Cell<()>>,
}

// SAFETY: the lane is the handle's, not the thread's: whoever has the handle is its only owner. The
// pointer stays valid as long as the core, which is shared.
unsafe impl Send for Producer {}

impl Producer {
    pub(super) fn new(core: Arc<Core>) -> Self {
        let lane = core.acquire_lane();
        let pointer = lane
            .as_ref()
            .map_or(ptr::null(), |lane| ptr::from_ref(core.ring.lane(lane)));
        Producer {
            core,
            lane,
            way: Way::to(pointer),
            _not_sync: PhantomData,
        }
    }

    /// Whether the handle has a lane of its own.
    #[must_use]
    pub fn has_lane(&self) -> bool {
        self.lane.is_some()
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take() {
            self.core.ring.let_go(lane);
        }
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("lane", &self.lane)
            .finish_non_exhaustive()
    }
}
