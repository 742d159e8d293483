//! The reading end of the ring.
//!
//! Reading and returning are two steps: a record's space is returned only once its text has been
//! handed on, so that it is in the log or in the ring at every moment. Positions are kept here,
//! not in the lanes, so that reading touches no line of a producer's but the slots.

use super::slab::Track;
use super::slot::{Body, span_of};
use super::sync::{Arc, Ordering, prefetch_for_read};
use super::{Drops, Ring};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Consumer {
    ring: Arc<Ring>,
    /// One per lane, then one for the shared ring.
    cursors: Vec<Cursor>,
    /// The lanes that may hold records, and the shared ring: indices into `cursors`.
    active: Vec<usize>,
    /// The bits that `active` was made from.
    active_bits: Vec<u64>,
}

#[derive(Debug)]
struct Cursor {
    track: Track,
    /// The ticket to read next.
    next: u64,
    /// Every ticket below this has been returned.
    returned: u64,
    /// Whether there was more than the consumer would take when it last took some.
    is_behind: bool,
}

/// How far ahead slots are asked for where the consumer is behind, so that the lines come from the
/// other core while earlier ones are copied. Where it is not, that would take away the lines that the
/// producer is about to write.
const READ_AHEAD: u64 = 24;

impl Consumer {
    pub(super) fn new(ring: Arc<Ring>) -> Self {
        let tracks = ring.lanes.iter().map(super::Lane::track);
        let cursors = tracks
            .chain([ring.shared.track()])
            .map(|track| Cursor {
                track,
                next: 0,
                returned: 0,
                is_behind: false,
            })
            .collect::<Vec<_>>();
        let mut consumer = Consumer {
            active: Vec::with_capacity(cursors.len()),
            active_bits: vec![0; ring.active.len()],
            ring,
            cursors,
        };
        consumer.rebuild_active();
        consumer
    }

    pub(crate) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Looks which sources may hold records.
    pub(crate) fn refresh_active(&mut self) {
        let mut changed = false;
        for (known, bits) in self.active_bits.iter_mut().zip(&self.ring.active) {
            // Acquire: pairs with the Release in `acquire_lane`.
            let bits = bits.load(Ordering::Acquire);
            changed |= *known != bits;
            *known = bits;
        }
        if changed {
            self.rebuild_active();
        }
    }

    fn rebuild_active(&mut self) {
        self.active.clear();
        let bits = &self.active_bits;
        self.active
            .extend((0..self.cursors.len() - 1).filter(|i| bits[i / 64] >> (i % 64) & 1 == 1));
        self.active.push(self.cursors.len() - 1);
    }

    /// The sources found by [`refresh_active`](Self::refresh_active), the shared ring last.
    pub(crate) fn active(&self) -> &[usize] {
        &self.active
    }

    /// Whether the next record of a source has been published.
    #[inline]
    pub(crate) fn has_next(&self, source: usize) -> bool {
        let cursor = &self.cursors[source];
        // SAFETY: the ring owns the slab, and `self` owns a share of the ring.
        unsafe { cursor.track.slot(cursor.next) }.holds(cursor.next)
    }

    /// Copies the next records of a source to the beginning of `out`, as long as they have been
    /// published, `wanted` says yes to their first bodies, and no `most` slots have been copied.
    /// Answers how many slots that were: the last record may take some more than `most`, for which
    /// `out` must have room, or it stays.
    #[inline]
    pub(crate) fn take(
        &mut self,
        source: usize,
        out: &mut [Body],
        most: usize,
        wanted: impl Fn(&Body) -> bool,
    ) -> usize {
        let cursor = &mut self.cursors[source];
        let (track, mut next) = (cursor.track, cursor.next);
        let mut taken = 0;
        while taken < most {
            if cursor.is_behind {
                prefetch_for_read(track.address(next + READ_AHEAD));
            }
            // SAFETY: the ring owns the slab, and `self` owns a share of the ring.
            let first = unsafe { track.slot(next) };
            if !first.holds(next) {
                break;
            }
            // SAFETY: published, and not returned.
            let body = unsafe { first.copy() };
            if !wanted(&body) {
                break;
            }
            let span = span_of(&body).min(track.capacity()) as usize;
            let Some((head, tail)) = out
                .get_mut(taken..taken + span)
                .and_then(<[Body]>::split_first_mut)
            else {
                break;
            };
            *head = body;
            for (ticket, place) in (next + 1..).zip(tail) {
                // SAFETY: published with the record's first slot, and not returned.
                *place = unsafe { track.slot(ticket).copy() };
            }
            taken += span;
            next += span as u64;
        }
        cursor.next = next;
        cursor.is_behind = taken >= most;
        taken
    }

    /// Passes over the next record of a source, if it has been published and `unwanted` says yes to
    /// its ticket and first body.
    pub(crate) fn pass(
        &mut self,
        source: usize,
        unwanted: impl FnOnce(u64, &Body) -> bool,
    ) -> bool {
        let Some(body) = self.peek(source) else {
            return false;
        };
        let cursor = &mut self.cursors[source];
        let pass = unwanted(cursor.next, &body);
        if pass {
            cursor.next += span_of(&body).min(cursor.track.capacity());
        }
        pass
    }

    /// Goes back to the first record of each source whose space was not returned.
    pub(crate) fn rewind_all(&mut self) {
        for cursor in &mut self.cursors {
            cursor.next = cursor.returned;
        }
    }

    /// How many slots were claimed and not read, as far as this thread knows.
    pub(crate) fn backlog(&self) -> u64 {
        let left =
            |(source, cursor): (usize, &Cursor)| self.end(source).saturating_sub(cursor.next);
        self.cursors.iter().enumerate().map(left).sum()
    }

    /// The first body of a source's next record, if it has been published.
    pub(crate) fn peek(&self, source: usize) -> Option<Body> {
        let cursor = &self.cursors[source];
        // SAFETY: the ring owns the slab, and `self` owns a share of the ring.
        let first = unsafe { cursor.track.slot(cursor.next) };
        // SAFETY: published, and not returned.
        first.holds(cursor.next).then(|| unsafe { first.copy() })
    }

    /// How many slots of a source have been published and not been read, if that is more than
    /// `above`; some number up to `above` otherwise. Reads a few slots, mostly one, and no other line
    /// that a producer writes.
    pub(crate) fn published(&self, source: usize, above: u64) -> u64 {
        let cursor = &self.cursors[source];
        let (mut published, mut unknown) = (0, cursor.track.capacity());
        let ticket = cursor.next + above;
        // SAFETY: the ring owns the slab, and `self` owns a share of the ring.
        if above >= unknown || !unsafe { cursor.track.slot(ticket) }.holds(ticket) {
            return published;
        }
        while published < unknown {
            let middle = published + (unknown - published) / 2;
            let ticket = cursor.next + middle;
            // SAFETY: the ring owns the slab, and `self` owns a share of the ring.
            if unsafe { cursor.track.slot(ticket) }.holds(ticket) {
                published = middle + 1;
            } else {
                unknown = middle;
            }
        }
        published
    }

    /// Goes back by so many slots, which were read and not returned: they will be read again.
    pub(crate) fn rewind(&mut self, source: usize, slots: u64) {
        let cursor = &mut self.cursors[source];
        debug_assert!(cursor.next - slots >= cursor.returned);
        cursor.next -= slots;
    }

    /// The ticket to be read next.
    pub(crate) fn position(&self, source: usize) -> u64 {
        self.cursors[source].next
    }

    /// Where every source ends now, as far as this thread knows.
    pub(crate) fn ends(&self) -> Vec<u64> {
        (0..self.cursors.len())
            .map(|source| self.end(source))
            .collect()
    }

    /// Whether everything has been read that the source held when it ended at `end`.
    pub(crate) fn has_reached(&self, source: usize, end: u64) -> bool {
        let next = self.cursors[source].next;
        // A lane's end may go back: then a claim was taken back that had been counted in.
        next >= end || next >= self.end(source)
    }

    /// Where the source ends now, as far as this thread knows.
    fn end(&self, source: usize) -> u64 {
        match self.ring.lanes.get(source) {
            Some(lane) => lane.position(),
            None => self.ring.shared.position(),
        }
    }

    /// How many slots a source has.
    pub(crate) fn capacity(&self, source: usize) -> usize {
        self.cursors[source].track.capacity() as usize
    }

    /// Returns the space of everything that was read from a source.
    pub(crate) fn give_back(&mut self, source: usize) {
        let cursor = &mut self.cursors[source];
        if cursor.returned == cursor.next {
            return;
        }
        let _held = self.ring.hold_space();
        cursor.returned = cursor.next;
        match self.ring.lanes.get(source) {
            Some(lane) => lane.give_back(cursor.next),
            None => self.ring.shared.give_back(cursor.next),
        }
    }

    /// Whether an owner has let go of a lane that is not free yet.
    pub(crate) fn has_draining(&self) -> bool {
        // Acquire: pairs with the Release in `Ring::let_go`.
        self.ring.draining.load(Ordering::Acquire) > 0
    }

    /// Frees the lane if its owner has let go and all of it has been read and returned. Answers
    /// the drops that no gap record told of.
    pub(crate) fn reap(&mut self, source: usize) -> Option<Drops> {
        let lane = self.ring.lanes.get(source)?;
        let cursor = &self.cursors[source];
        if !lane.is_draining() || lane.position() != cursor.returned {
            return None;
        }
        let untold = lane.untold_drops();
        // Before the lane is free: the bit belongs to the next owner from then on.
        self.ring.active[source / 64].fetch_and(!(1 << (source % 64)), Ordering::AcqRel);
        lane.free();
        // Relaxed: only the consumer looks.
        self.ring.draining.fetch_sub(1, Ordering::Relaxed);
        Some(untold)
    }

    /// The drops of a source that no gap record told of. To be asked when nobody writes any more.
    pub(crate) fn untold_drops(&self, source: usize) -> Drops {
        match self.ring.lanes.get(source) {
            Some(lane) => lane.untold_drops(),
            None => self.ring.shared.take_untold(),
        }
    }
}
