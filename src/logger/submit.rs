//! From the macro to the ring.

use std::ptr;
use std::sync::atomic::Ordering;

use super::context;
use super::core::Core;
use super::lanes::{Way, thread_number};
use super::wait::Wait;
use super::{RingLogger, installed};
use crate::callsite::{Callsite, GLOBAL_PLACE};
use crate::clock::Timestamp;
use crate::level::Level;
use crate::limit::Limit;
use crate::record::{
    Block, Buffered, FIRST_PAYLOAD, Gap, Header, Introduction, Payload, Scratch, Type, Values,
    flags, slots_of, write_record, write_values,
};
use crate::ring::lane::Lane;
use crate::ring::slab::Span;
use crate::ring::{Drops, Refused};

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It is in the ring, and will be written unless a report says otherwise.
    Accepted,
    /// Its level is off, its limit held it back, or no logger is installed. The arguments were not
    /// evaluated.
    Filtered,
    /// There was no room for it. It was counted, and the log will say that it is missing.
    Full,
    /// The logger is closing or closed. It was counted.
    Closed,
}

/// Something that `rlog!` can log to. What the macro expands to; not to be implemented.
pub trait Log {
    /// Whether it is for use in signal handlers.
    const IN_HANDLER: bool = false;

    /// The logger's bit in every call site.
    fn mask(&self) -> u32;

    /// How the caller's records get into the logger; `None` if there is none.
    fn path(&self) -> Option<Path<'_>>;
}

/// A logger, and the way to the lane in it that belongs to the caller.
///
/// Only made here, so that the lane can be trusted.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    core: &'a Core,
    way: Way,
}

impl<'a> Path<'a> {
    #[inline(always)]
    pub(super) fn new(core: &'a Core, way: Way) -> Self {
        Path { core, way }
    }
}

impl Log for RingLogger {
    #[inline(always)]
    fn mask(&self) -> u32 {
        self.core().hot.mask
    }

    #[inline(always)]
    fn path(&self) -> Option<Path<'_>> {
        let core = self.core();
        Some(Path::new(core, core.current_lane()))
    }
}

impl Log for super::Producer {
    #[inline(always)]
    fn mask(&self) -> u32 {
        self.core.hot.mask
    }

    #[inline(always)]
    fn path(&self) -> Option<Path<'_>> {
        Some(Path::new(&self.core, self.way.by_context()))
    }
}

/// The installed logger.
#[derive(Debug)]
pub struct Global;

impl Log for Global {
    #[inline(always)]
    fn mask(&self) -> u32 {
        1 << GLOBAL_PLACE
    }

    #[inline(always)]
    fn path(&self) -> Option<Path<'_>> {
        let core = installed::core()?;
        Some(Path::new(core, core.current_lane()))
    }
}

impl Log for super::Guard {
    #[inline(always)]
    fn mask(&self) -> u32 {
        (**self).mask()
    }

    #[inline(always)]
    fn path(&self) -> Option<Path<'_>> {
        (**self).path()
    }
}

impl<L: Log> Log for &L {
    const IN_HANDLER: bool = L::IN_HANDLER;

    #[inline(always)]
    fn mask(&self) -> u32 {
        (**self).mask()
    }

    #[inline(always)]
    fn path(&self) -> Option<Path<'_>> {
        (**self).path()
    }
}

/// Whether the logger wants the statement.
#[inline(always)]
pub fn enabled<L: Log>(logger: &L, site: &'static Callsite) -> bool {
    if L::IN_HANDLER {
        site.enabled_in_handler(logger.mask())
    } else {
        site.enabled(logger.mask())
    }
}

/// Logs a record, stamped with the logger's clock. The level is the call site's: a constant where
/// this is inlined, which the call site's own is not.
#[inline(always)]
pub fn submit<L: Log, V: Values>(
    logger: &L,
    site: &'static Callsite,
    level: Level,
    values: V,
) -> Outcome {
    let Some(Path { core, way }) = logger.path() else {
        return Outcome::Filtered;
    };
    let stamp = core.hot.stamper.now();
    if L::IN_HANDLER {
        core.submit_values_in_handler(site, stamp, 0, None, values)
    } else {
        core.submit(way, site, level, stamp, 0, values)
    }
}

/// Logs a record with a time that the caller names.
#[inline(always)]
pub fn submit_at<L: Log, V: Values>(
    logger: &L,
    site: &'static Callsite,
    level: Level,
    at: impl Into<Timestamp>,
    values: V,
) -> Outcome {
    let stamp = at.into().as_unix_nanos();
    let Some(Path { core, way }) = logger.path() else {
        return Outcome::Filtered;
    };
    if L::IN_HANDLER {
        core.submit_values_in_handler(site, stamp, flags::AT, None, values)
    } else {
        core.submit(way, site, level, stamp, flags::AT, values)
    }
}

/// Logs a record that its limit let pass, stamped with the logger's clock. `suppressed` calls before
/// it did not pass.
#[inline(never)]
pub fn submit_limited<L: Log, V: Values>(
    logger: &L,
    site: &'static Callsite,
    limit: &impl Limit,
    suppressed: u64,
    values: V,
) -> Outcome {
    let Some(Path { core, way }) = logger.path() else {
        return Outcome::Filtered;
    };
    let stamp = core.hot.stamper.now();
    core.submit_limited(
        L::IN_HANDLER,
        way,
        site,
        stamp,
        0,
        limit,
        suppressed,
        values,
    )
}

/// The same with a time that the caller names.
#[inline(never)]
pub fn submit_limited_at<L: Log, V: Values>(
    logger: &L,
    site: &'static Callsite,
    at: impl Into<Timestamp>,
    limit: &impl Limit,
    suppressed: u64,
    values: V,
) -> Outcome {
    let stamp = at.into().as_unix_nanos();
    let Some(Path { core, way }) = logger.path() else {
        return Outcome::Filtered;
    };
    core.submit_limited(
        L::IN_HANDLER,
        way,
        site,
        stamp,
        flags::AT,
        limit,
        suppressed,
        values,
    )
}

impl Core {
    /// From a signal handler.
    fn submit_values_in_handler<V: Values>(
        &self,
        site: &'static Callsite,
        stamp: u64,
        flags: u8,
        context: Option<Block>,
        mut values: V,
    ) -> Outcome {
        let header = Header {
            stamp,
            statement: 0,
            flags,
        };
        let prepared = V::PREPARED > 0;
        self.submit_in_handler(site, V::TYPES, header, context, prepared, &mut values)
    }

    #[expect(clippy::too_many_arguments, reason = "what a record is made of")]
    fn submit_limited<V: Values>(
        &self,
        in_handler: bool,
        way: Way,
        site: &'static Callsite,
        stamp: u64,
        flags: u8,
        limit: &impl Limit,
        suppressed: u64,
        mut values: V,
    ) -> Outcome {
        let level = site.metadata().level;
        let mut context = if in_handler { None } else { context::current() };
        if suppressed > 0 {
            let fields = context.unwrap_or(Block::EMPTY);
            let count = suppressed.to_le_bytes();
            context = Some(fields.with_own("suppressed", Type::U64, &count));
        }
        let outcome = if in_handler {
            self.submit_values_in_handler(site, stamp, flags, context, values)
        } else {
            let header = Header {
                stamp,
                statement: site.id(V::TYPES),
                flags,
            };
            self.submit_any(way.lane(), level, header, context, &mut values)
        };
        if suppressed > 0 && outcome != Outcome::Accepted {
            limit.put_back(suppressed);
        }
        outcome
    }

    /// The hot path: one slot, on a lane. Everything else is out of line.
    #[inline(always)]
    fn submit<V: Values>(
        &self,
        way: Way,
        site: &'static Callsite,
        level: Level,
        stamp: u64,
        flags: u8,
        values: V,
    ) -> Outcome {
        let header = Header {
            stamp,
            statement: site.id(V::TYPES),
            flags,
        };
        if V::PREPARED > 0 || V::FIXED > FIRST_PAYLOAD {
            return self.submit_buffered(way.lane(), level, header, values);
        }
        // SAFETY: none of the values has to be prepared.
        let payload = V::FIXED + unsafe { values.variable(&Scratch::EMPTY, usize::MAX) };
        if V::VARYING > 0 && payload > FIRST_PAYLOAD {
            return self.submit_buffered(way.lane(), level, header, values);
        }
        // SAFETY: a path has the caller's own lane, of this ring, or null.
        let Some(lane) = (unsafe { way.straight().as_ref() }) else {
            return self.submit_detour(way.lane(), level, header, values, payload);
        };
        let fill = |span: &mut Span| {
            // SAFETY: `payload` was measured, and is not too long.
            unsafe { write_values(span, header, None, &values, payload) }
        };
        // SAFETY: the caller's own lane, of this ring; copying measured values does not unwind.
        match unsafe { self.ring.write(lane, 1, level.index(), fill) } {
            Ok(()) => Outcome::Accepted,
            Err(_) => self.submit_buffered(lane, level, header, values),
        }
    }

    /// The path of a thread without a lane, one slot in the shared ring, or of one with fields to
    /// add.
    #[inline(never)]
    fn submit_detour<V: Values>(
        &self,
        lane: *const Lane,
        level: Level,
        header: Header,
        values: V,
        payload: usize,
    ) -> Outcome {
        if context::is_active() {
            return self.submit_buffered(lane, level, header, values);
        }
        if payload + size_of::<u64>() <= FIRST_PAYLOAD {
            let thread = Some(thread_number());
            let header = Header {
                flags: header.flags | flags::THREAD,
                ..header
            };
            let fill = |span: &mut Span| {
                // SAFETY: `payload` was measured, and is not too long.
                unsafe { write_values(span, header, thread, &values, payload) }
            };
            // SAFETY: copying measured values does not unwind.
            let written = unsafe { self.ring.write_shared(1, level.index(), fill) };
            if written.is_ok() {
                return Outcome::Accepted;
            }
        }
        self.submit_buffered(ptr::null(), level, header, values)
    }

    /// Any record, any way. Takes the values, so that the caller need not have them in memory.
    #[cold]
    #[inline(never)]
    fn submit_buffered<V: Values>(
        &self,
        lane: *const Lane,
        level: Level,
        header: Header,
        mut values: V,
    ) -> Outcome {
        self.submit_any(lane, level, header, context::current(), &mut values)
    }

    /// Makes what is to be made at the call, then copies bytes.
    #[inline(never)]
    fn submit_any(
        &self,
        lane: *const Lane,
        level: Level,
        mut header: Header,
        context: Option<Block>,
        values: &mut dyn Buffered,
    ) -> Outcome {
        // In the shared ring, the thread's number takes part of the record.
        let prefix = if lane.is_null() { size_of::<u64>() } else { 0 };
        let most = self.hot.most_payload as usize - prefix;
        let mut others = values.reserved(most);
        if let Some(context) = &context {
            header.flags |= flags::CONTEXT;
            others += context.bytes().len().min(most / 2);
        }
        let mut scratch = Scratch::new(most.saturating_sub(others));
        values.prepare(&mut scratch);
        let mut payload = Payload::new();
        // SAFETY: prepared above.
        unsafe { payload.encode(values, &scratch, context, most) };
        self.submit_bytes(lane, level, header, &payload)
    }

    /// Writes an encoded record to the lane or the shared ring, and does what the overflow policy
    /// says when there is no room.
    fn submit_bytes(
        &self,
        lane: *const Lane,
        level: Level,
        mut header: Header,
        payload: &Payload,
    ) -> Outcome {
        if payload.cut {
            header.flags |= flags::CUT;
        }
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
                let mut prefix = [thread_number(), 0, 0];
                if let Some(introduction) = introduction {
                    prefix[1..].copy_from_slice(&introduction.words());
                }
                let prefix = &prefix[..route.prefix_bytes() / size_of::<u64>()];
                let slots = slots_of(payload.len() + route.prefix_bytes()) as u64;
                let fill = |span: &mut Span| write_record(span, header, prefix, payload);
                // SAFETY: copying bytes does not unwind.
                unsafe { self.ring.write_shared(slots, level.index(), fill) }
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
