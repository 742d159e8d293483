//! The way from a statement to a slot.

use std::sync::atomic::{Ordering, compiler_fence};

use super::Outcome;
use super::context;
use super::core::Core;
use super::lanes::{Way, thread_number};
use super::route::{LATEST_SHARED, SharedClaim};
use crate::callsite::Callsite;
use crate::clock::Timestamp;
use crate::record::{
    Block, Erased, FIRST_PAYLOAD, Header, Type, TypeList, begin_record, flags, write_words,
};
use crate::ring::Drops;
use crate::ring::claim::Begun;
use crate::ring::lane::{Lane, Unclaimed};
use crate::ring::slot::Body;
use crate::sys::pair::Word;

/// When a record is to say that it was made: at a time that the caller names, in nanoseconds since
/// 1970, or now.
#[derive(Clone, Copy)]
pub struct When(Option<u64>);

impl When {
    pub(super) const NOW: When = When(None);

    #[inline(always)]
    pub(super) fn at(time: Timestamp) -> Self {
        When(Some(time.as_unix_nanos()))
    }

    /// The stamp, and the flags that go with it.
    #[inline(always)]
    pub(super) fn stamp(self, core: &Core) -> (u64, u8) {
        match self.0 {
            Some(at) => (at, flags::AT),
            None => (core.hot.stamper.now(), 0),
        }
    }
}

/// A slot that waits for its values.
pub struct Claimed(pub(super) Begun);

/// A logger, and the way to the lane in it that belongs to the caller.
///
/// Only made in [`submit`](super::submit), so that the lane can be trusted.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    core: &'a Core,
    way: Way,
}

impl<'a> Path<'a> {
    #[inline(always)]
    pub(super) fn new(core: &'a Core, way: Way) -> Self {
        Path { core, way }
    }
}

impl Path<'_> {
    /// The lane, if the way there is straight and the statement has these types, and a stamp, if that
    /// takes no more than an instruction.
    #[inline(always)]
    fn straight(
        self,
        site: &'static Callsite,
        types: &'static TypeList,
    ) -> Option<(*const Lane, u64)> {
        let lane = self.way.straight()?;
        if !site.is_first(types) {
            return None;
        }
        Some((lane, self.core.hot.stamper.now_at_once()?))
    }

    /// Logs a record of words in a lane.
    ///
    /// # Errors
    ///
    /// Something stands in the way, and [`claim`](Self::claim) goes on.
    #[inline(always)]
    pub(super) fn log_at_once<const N: usize>(
        self,
        site: &'static Callsite,
        types: &'static TypeList,
        upper: u32,
        detail: bool,
        words: [Word; N],
    ) -> Result<(), Unclaimed> {
        let (lane, stamp) = self.straight(site, types).ok_or(Unclaimed::REFUSED)?;
        // SAFETY: a path has the caller's own lane, of this ring; the claim is published at once. A
        // straight way leads to no lane that must fence, and says that pairs are published whole.
        unsafe {
            let claim = self.core.ring.claim(&*lane, detail, false)?;
            claim.publish_with(stamp, |body| {
                write_words(body, site.first_id(), upper, words);
            });
        }
        Ok(())
    }

    /// Claims one slot of a lane and writes what comes before the values.
    ///
    /// # Errors
    ///
    /// As for [`log_at_once`](Self::log_at_once).
    #[inline(always)]
    pub(super) fn claim_at_once(
        self,
        site: &'static Callsite,
        types: &'static TypeList,
        payload: usize,
        detail: bool,
    ) -> Result<Claimed, Unclaimed> {
        let (lane, stamp) = self.straight(site, types).ok_or(Unclaimed::REFUSED)?;
        let begin = |body: &mut Body| {
            let header = Header {
                stamp,
                // Late, so that it need not wait in a register that others want.
                statement: site.first_id(),
                flags: 0,
            };
            begin_record(body, header, None, payload)
        };
        // SAFETY: a path has the caller's own lane, of this ring; the claim is published before
        // anything else is done with it. A straight way leads to no lane that must fence.
        let claim = unsafe { self.core.ring.claim(&*lane, detail, false) }?;
        Ok(Claimed(claim.begin(begin)))
    }

    /// Claims one slot, of whichever ring, and writes what comes before the values. `unclaimed`: what
    /// became of the same when it was tried at once.
    pub(super) fn claim(
        self,
        site: &'static Callsite,
        types: &'static TypeList,
        payload: usize,
        when: When,
        unclaimed: Unclaimed,
    ) -> Option<Claimed> {
        let Path { core, way } = self;
        let level = site.level().index();
        let detail = !Drops::is_reserved(level);
        // SAFETY: a path has the caller's own lane, of this ring, or null.
        let lane = unsafe { way.lane().as_ref() };
        // SAFETY: nothing else has been done with the lane meanwhile.
        let found = lane.and_then(|lane| unsafe { core.ring.find(lane, unclaimed, detail) });
        if found.is_none() && context::is_active() {
            return None;
        }
        let (stamp, flags) = when.stamp(core);
        let mut header = Header {
            stamp,
            statement: site.id(types),
            flags,
        };
        if let Some(lane) = lane {
            let begin = |body: &mut Body| begin_record(body, header, None, payload);
            // SAFETY: as above; the claim is published before anything else is done with the lane.
            let claim = found.or_else(|| unsafe {
                match core.ring.claim(lane, detail, true) {
                    Ok(claim) => Some(claim),
                    Err(unclaimed) => core.ring.find(lane, unclaimed, detail),
                }
            });
            return claim.map(|claim| Claimed(claim.begin(begin)));
        }
        if payload + size_of::<u64>() > FIRST_PAYLOAD {
            return None;
        }
        let thread = Some(thread_number());
        header.flags |= flags::THREAD;
        let begin = |body: &mut Body| begin_record(body, header, thread, payload);
        if LATEST_SHARED.get().is_unfinished(core) {
            return None;
        }
        LATEST_SHARED.set(SharedClaim::coming(core));
        compiler_fence(Ordering::SeqCst);
        let claim = core.ring.claim_shared(level).ok();
        LATEST_SHARED.set(
            claim
                .as_ref()
                .map_or(SharedClaim::NONE, |claim| SharedClaim {
                    logger: core.hot.id,
                    ticket: claim.ticket(),
                }),
        );
        claim.map(|claim| Claimed(claim.begin(begin)))
    }

    /// Logs a record in any way.
    pub(super) fn submit(
        self,
        site: &'static Callsite,
        mut values: Erased<'_>,
        when: When,
        suppressed: u64,
    ) -> Outcome {
        let Path { core, way } = self;
        let (stamp, flags) = when.stamp(core);
        let header = Header {
            stamp,
            statement: site.id(values.types()),
            flags,
        };
        let context = with_suppressed(context::current(), suppressed);
        core.submit_any(way.lane(), site.level(), header, context, &mut values)
    }
}

/// The fields of a record after so many that were held back.
pub(super) fn with_suppressed(context: Option<Block>, suppressed: u64) -> Option<Block> {
    if suppressed == 0 {
        return context;
    }
    let fields = context.unwrap_or(Block::EMPTY);
    let count = suppressed.to_le_bytes();
    Some(fields.with_own("suppressed", Type::U64, &count))
}
