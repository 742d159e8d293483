//! Where a record goes that is not written at once: it is put together first, and it may have to wait,
//! to tell of others that were dropped, or to be dropped itself.

use std::cell::Cell;
use std::sync::atomic::{Ordering, compiler_fence};

use super::Outcome;
use super::core::Core;
use super::lanes::thread_number;
use super::wait::Wait;
use crate::level::Level;
use crate::record::{
    Block, Erased, Gap, Header, Introduction, Payload, Scratch, flags, slots_of, write_record,
};
use crate::ring::lane::Lane;
use crate::ring::slab::Span;
use crate::ring::{Drops, Refused};

thread_local! {
    /// The thread's latest claim in a shared ring. No destructor, so that it is there to the thread's
    /// very end.
    pub(super) static LATEST_SHARED: Cell<SharedClaim> = const { Cell::new(SharedClaim::NONE) };
}

/// A claim in the shared ring of a logger.
#[derive(Clone, Copy)]
pub(super) struct SharedClaim {
    /// The logger's number; 0 is none's.
    pub(super) logger: u64,
    pub(super) ticket: u64,
}

impl SharedClaim {
    pub(super) const NONE: SharedClaim = SharedClaim {
        logger: 0,
        ticket: 0,
    };

    /// One that is about to be made.
    pub(super) fn coming(core: &Core) -> Self {
        SharedClaim {
            logger: core.hot.id,
            ticket: u64::MAX,
        }
    }

    /// Whether the record that was claimed is still being written, when the caller is on the thread
    /// that claimed it: then it is a signal handler.
    pub(super) fn is_unfinished(self, core: &Core) -> bool {
        self.logger == core.hot.id
            && (self.ticket == u64::MAX || !core.ring.has_published_shared(self.ticket))
    }
}

impl Core {
    /// Makes what is to be made at the call, then copies bytes.
    #[inline(never)]
    pub(super) fn submit_any(
        &self,
        lane: *const Lane,
        level: Level,
        mut header: Header,
        context: Option<Block>,
        values: &mut Erased<'_>,
    ) -> Outcome {
        // In the shared ring, the thread's number takes part of the record.
        let prefix = if lane.is_null() { size_of::<u64>() } else { 0 };
        let mut payload = Payload::new();
        self.encode(&mut payload, prefix, &mut header, context, values);
        self.submit_bytes(lane, level, header, &payload)
    }

    /// Makes what is to be made at the call, and encodes all of a payload but its first `prefix` bytes.
    pub(super) fn encode(
        &self,
        payload: &mut Payload,
        prefix: usize,
        header: &mut Header,
        context: Option<Block>,
        values: &mut Erased<'_>,
    ) {
        let most = (self.hot.most_payload as usize).saturating_sub(prefix);
        let mut others = values.reserved(most);
        if let Some(context) = &context {
            header.flags |= flags::CONTEXT;
            others += context.bytes().len().min(most / 2);
        }
        let mut scratch = Scratch::new(most.saturating_sub(others));
        values.prepare(&mut scratch);
        // SAFETY: prepared above.
        unsafe { payload.encode(values, &scratch, context, most) };
        if payload.cut {
            header.flags |= flags::CUT;
        }
    }

    /// Writes an encoded record to the lane or the shared ring, and does what the overflow policy
    /// says when there is no room.
    fn submit_bytes(
        &self,
        lane: *const Lane,
        level: Level,
        header: Header,
        payload: &Payload,
    ) -> Outcome {
        // SAFETY: a path has the caller's own lane, of this ring, or null.
        let route = match unsafe { lane.as_ref() } {
            Some(lane) => Route::Lane(lane),
            None => Route::Shared { introduction: None },
        };
        self.submit_by(route, Wait::new(self), level, header, payload.bytes())
    }

    pub(super) fn submit_by(
        &self,
        mut route: Route<'_>,
        mut wait: Wait<'_>,
        level: Level,
        header: Header,
        payload: &[u8],
    ) -> Outcome {
        loop {
            match self.write(&route, level, header, payload) {
                Ok(()) => return Outcome::Accepted,
                Err(Refused::Gap) => {
                    // Whether it got in or not, the next look will tell.
                    let _ = self.write_gap(&route, header);
                }
                Err(Refused::Interrupting) => {
                    route = Route::Shared { introduction: None };
                    wait.forbid();
                }
                Err(Refused::Closed) => return self.reject(level),
                Err(Refused::Full) => {
                    if wait.is_long() && self.waits_for_this_thread(&route) {
                        route = Route::Shared { introduction: None };
                        wait.forbid();
                        continue;
                    }
                    if wait.once_more() {
                        continue;
                    }
                    let now = self.hot.stamper.now();
                    let counted = match route {
                        // SAFETY: the caller's own lane.
                        Route::Lane(lane) => unsafe {
                            self.ring.count_drop(lane, level.index(), now)
                        },
                        Route::Shared { .. } => self.ring.count_shared_drop(level.index(), now),
                    };
                    return match counted {
                        Ok(()) => Outcome::Full,
                        Err(_) => self.reject(level),
                    };
                }
            }
        }
    }

    /// Whether there will be no room before the caller, a signal handler, has returned to the write
    /// that it has interrupted.
    fn waits_for_this_thread(&self, route: &Route<'_>) -> bool {
        match route {
            Route::Lane(lane) => self.ring.waits_for_owner(lane),
            Route::Shared { .. } => LATEST_SHARED.get().is_unfinished(self),
        }
    }

    fn reject(&self, level: Level) -> Outcome {
        self.common.rejected[level.index()].fetch_add(1, Ordering::Relaxed);
        self.common.notes.complain();
        Outcome::Closed
    }

    fn write(
        &self,
        route: &Route<'_>,
        level: Level,
        mut header: Header,
        payload: &[u8],
    ) -> Result<(), Refused> {
        match route {
            Route::Lane(lane) => {
                let slots = slots_of(payload.len()) as u64;
                let fill = |span: &mut Span| write_record(span, header, &[], payload);
                // SAFETY: the caller's own lane, of this ring; copying bytes does not unwind.
                unsafe { self.ring.write(lane, slots, level.index(), fill) }
            }
            Route::Shared { introduction } => {
                header.flags |= flags::THREAD;
                let interrupted = LATEST_SHARED.replace(SharedClaim::coming(self));
                compiler_fence(Ordering::SeqCst);
                let mut prefix = [thread_number(), 0, 0];
                if let Some(introduction) = introduction {
                    prefix[1..].copy_from_slice(&introduction.words());
                }
                let prefix = &prefix[..route.prefix_bytes() / size_of::<u64>()];
                let slots = slots_of(payload.len() + route.prefix_bytes()) as u64;
                let fill = |span: &mut Span| write_record(span, header, prefix, payload);
                // SAFETY: copying bytes does not unwind.
                let outcome = unsafe { self.ring.write_shared(slots, level.index(), fill) };
                compiler_fence(Ordering::SeqCst);
                LATEST_SHARED.set(interrupted);
                outcome
            }
        }
    }

    /// Writes a record that tells of drops, with the stamp of the record that comes after it.
    #[cold]
    fn write_gap(&self, route: &Route<'_>, next: Header) -> Result<(), Refused> {
        let header = Header {
            stamp: next.stamp,
            statement: 0,
            flags: flags::GAP | next.flags & flags::AT,
        };
        let now = self.hot.stamper.now();
        let fill = |span: &mut Span, drops: &Drops| {
            let gap = Gap {
                by_level: drops.by_level,
                elapsed: now.saturating_sub(drops.since),
            };
            write_record(span, header, &[], &gap.encode());
        };
        match route {
            // SAFETY: the caller's own lane, of this ring; copying bytes does not unwind.
            Route::Lane(lane) => unsafe { self.ring.write_gap(lane, fill) },
            // SAFETY: copying bytes does not unwind.
            Route::Shared { .. } => unsafe { self.ring.write_shared_gap(fill) },
        }
    }
}

/// Where a record goes.
pub(super) enum Route<'a> {
    Lane(&'a Lane),
    Shared {
        /// For a statement that has no id.
        introduction: Option<Introduction>,
    },
}

impl Route<'_> {
    /// How many bytes of a record's payload come before its values.
    pub(super) fn prefix_bytes(&self) -> usize {
        match self {
            Route::Lane(_) => 0,
            Route::Shared { introduction: None } => size_of::<u64>(),
            Route::Shared {
                introduction: Some(_),
            } => 3 * size_of::<u64>(),
        }
    }
}
