//! Records on their way from the ring to the formatter: copied in bulk, then merged by time.
//!
//! Copying first takes one cache miss per line, many at a time; formatting from the ring would take
//! them one by one. The merge costs nothing while one source is busy, and grows with the number of
//! sources that are, not with the number there are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::Timeline;
use crate::record::{Header, MAX_SLOTS, flags};
use crate::ring::consumer::Consumer;
use crate::ring::slot::{BODY_WORDS, Body, span_of};

/// How many slots are staged in one round, all sources together.
const SLOTS: usize = 4096;

/// A stamp that lies so much ahead of the clock is one from before the clock was set back, in units
/// of the stamp: a quarter of a second in nanoseconds, and less in ticks. The records behind it
/// wait no longer than that for the clock to get there.
const AHEAD: u64 = 1 << 28;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Staging {
    /// Of these, the first `filled` are staged.
    slots: Vec<Body>,
    filled: usize,
    /// The sources that have something for this round.
    ready: Vec<usize>,
    runs: Vec<Run>,
    /// The runs that have records left, by the time of their next one. Only within a merge.
    earliest: BinaryHeap<Reverse<(u64, usize)>>,
    /// The time up to which the staged records are all there are: a source that had more than its
    /// share has its next record then.
    horizon: u64,
    /// Stamps from here on are from before the clock was set back.
    stranded: u64,
}

/// What one source brought: `slots[next..end]`, in the order in which it was written.
#[derive(Clone, Copy, Debug)]
struct Run {
    source: usize,
    next: usize,
    end: usize,
    /// The time of the record at `next`.
    time: u64,
    /// Whether the source had more than its share.
    more: bool,
}

/// How the time of a record is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Times {
    /// From its stamp. Records with a later one than this stay in the ring: another source may
    /// still publish an earlier one.
    Stamped {
        /// The stamp up to which all records have been published.
        watermark: u64,
    },
    /// It is the time of the round.
    Arrival,
}

/// A staged record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Staged<'a> {
    pub(crate) source: usize,
    /// Nanoseconds since 1970.
    pub(crate) time: u64,
    pub(crate) header: Header,
    payload: &'a [u64],
    length: usize,
}

impl<'a> Staged<'a> {
    pub(crate) fn payload(&self) -> &'a [u8] {
        let bytes = crate::record::as_bytes(self.payload);
        &bytes[..self.length.min(bytes.len())]
    }
}

impl Staging {
    pub(crate) fn new() -> Self {
        // The last record of a round may begin in the last slot. Written once, so that the pages
        // are there.
        Staging {
            slots: vec![[1; BODY_WORDS]; SLOTS + MAX_SLOTS],
            filled: 0,
            ready: Vec::new(),
            runs: Vec::new(),
            earliest: BinaryHeap::new(),
            horizon: u64::MAX,
            stranded: u64::MAX,
        }
    }

    /// Copies what has been published, at most a quarter of each source. Answers whether it was
    /// anything.
    pub(crate) fn fill(
        &mut self,
        consumer: &mut Consumer,
        times: Times,
        timeline: &Timeline,
        now: u64,
    ) -> bool {
        self.filled = 0;
        self.runs.clear();
        // The latest stamp that may be taken.
        let mut latest = match times {
            Times::Arrival => u64::MAX,
            Times::Stamped { watermark } => watermark,
        };
        self.horizon = u64::MAX;
        let stranded = latest.saturating_add(AHEAD);
        self.stranded = stranded;
        // Those that have nothing get no share. What they publish from now on is later than the
        // watermark, or late.
        self.ready.clear();
        let active = consumer.active().iter().copied();
        self.ready
            .extend(active.filter(|&source| consumer.has_next(source)));
        for index in 0..self.ready.len() {
            let source = self.ready[index];
            let rest = self.ready.len() - index;
            let share = SLOTS.saturating_sub(self.filled) / rest;
            let budget = share.min(consumer.capacity(source) / 4).max(1);
            let start = self.filled;
            // All but those between the two, which takes one comparison.
            let (first, count) = (
                latest.wrapping_add(1),
                (stranded - latest).saturating_sub(1),
            );
            let is_early = |stamp: u64| stamp.wrapping_sub(first) < count;
            let wanted = |body: &Body| !is_early(body[0]) || names_its_time(body);
            self.filled += consumer.take(source, self.room(budget), budget, wanted);
            let more = self.filled - start >= budget;
            if more {
                // What is later than the first record left behind would overtake it.
                let left_behind = match times {
                    Times::Arrival => None,
                    Times::Stamped { .. } => consumer.peek(source),
                };
                if let Some(body) = left_behind.filter(|body| !names_its_time(body)) {
                    // In the shared ring, stamps are nearly in order. What came first may go in any
                    // case, so that every round gets on.
                    let stamp = body[0].max(self.slots[start][0]);
                    if stamp < latest {
                        latest = stamp;
                        self.horizon = timeline.unix_nanos(latest);
                    }
                }
            }
            if self.filled > start {
                let mut run = Run {
                    source,
                    next: start,
                    end: self.filled,
                    time: 0,
                    more,
                };
                run.time = self.time_of(&self.slots[run.next], times, timeline, now);
                self.runs.push(run);
            }
        }
        !self.runs.is_empty()
    }

    /// Copies the records that `wanted` says yes to by their source, ticket and first body, at most
    /// so many, and passes over the others. Answers whether it was anything. All of it is handed out
    /// by the next merge, in the order of time, whatever may come later.
    pub(crate) fn pick(
        &mut self,
        consumer: &mut Consumer,
        most: usize,
        (times, timeline, now): (Times, &Timeline, u64),
        mut wanted: impl FnMut(usize, u64, &Body) -> bool,
    ) -> bool {
        self.filled = 0;
        self.runs.clear();
        self.horizon = u64::MAX;
        let mut records = 0;
        let sources = consumer.active().len();
        for index in 0..sources {
            let source = consumer.active()[index];
            let rest = sources - index;
            let share = (SLOTS.saturating_sub(self.filled) / rest).max(1);
            let most = (most - records).div_ceil(rest).min(SLOTS);
            let start = self.filled;
            let mut taken = 0;
            while taken < most && self.filled - start < share {
                if consumer.pass(source, |ticket, body| !wanted(source, ticket, body)) {
                    continue;
                }
                let slots = consumer.take(source, self.room(1), 1, |_| true);
                if slots == 0 {
                    break;
                }
                self.filled += slots;
                taken += 1;
            }
            records += taken;
            if taken > 0 {
                let mut run = Run {
                    source,
                    next: start,
                    end: self.filled,
                    time: 0,
                    more: false,
                };
                run.time = self.time_of(&self.slots[start], times, timeline, now);
                self.runs.push(run);
            }
        }
        records > 0
    }

    /// Room for so many slots, and for the rest of a record that begins in the last of them. Makes
    /// some if hundreds of sources have long records at once.
    #[inline]
    fn room(&mut self, slots: usize) -> &mut [Body] {
        let least = self.filled + slots + MAX_SLOTS - 1;
        if self.slots.len() < least {
            self.slots.resize(least, [0; BODY_WORDS]);
        }
        &mut self.slots[self.filled..]
    }

    /// Leaves to the consumer what was staged and not handed out: it will be read again.
    pub(crate) fn leave_rest(&mut self, consumer: &mut Consumer) {
        for run in &self.runs {
            consumer.rewind(run.source, (run.end - run.next) as u64);
        }
    }

    /// The time of the oldest record that is staged and not handed out, or left in the ring because
    /// there was too much; `None` if there is none.
    pub(crate) fn oldest(&self) -> Option<u64> {
        let dated = |run: &&Run| run.next < run.end && !names_its_time(&self.slots[run.next]);
        let staged = self.runs.iter().filter(dated);
        let left = Some(self.horizon).filter(|&horizon| horizon < u64::MAX);
        staged.map(|run| run.time).chain(left).min()
    }

    /// How many slots each source had that brought records in this round, where that may be more
    /// than `known` says of it.
    pub(crate) fn found(
        &self,
        consumer: &Consumer,
        known: impl Fn(usize) -> u64,
    ) -> impl Iterator<Item = (usize, u64)> {
        self.runs.iter().filter_map(move |run| {
            let staged = (run.end - run.next) as u64;
            let backlog = if run.more {
                let above = known(run.source).saturating_sub(staged);
                consumer.published(run.source, above)
            } else {
                0
            };
            let found = staged + backlog;
            (found > known(run.source)).then_some((run.source, found))
        })
    }

    /// Hands out the staged records, ordered by time and those of one source in their own order: up
    /// to the horizon, and at most `most`. Answers how many it was.
    pub(crate) fn merge(
        &mut self,
        times: Times,
        timeline: &Timeline,
        now: u64,
        most: usize,
        mut each: impl FnMut(Staged<'_>),
    ) -> usize {
        self.earliest.clear();
        let runs = self.runs.iter().enumerate();
        self.earliest
            .extend(runs.map(|(index, run)| Reverse((run.time, index))));
        let mut records = 0;
        // The run to go on with, and how far: up to the earliest record of the others.
        while let Some(&Reverse((time, index))) = self.earliest.peek() {
            if time > self.horizon || records == most {
                break;
            }
            self.earliest.pop();
            let others = self.earliest.peek().map_or(u64::MAX, |next| next.0.0);
            let bound = self.horizon.min(others);
            let mut run = self.runs[index];
            let mut rest = &self.slots[run.next..run.end];
            while let Some(body) = rest.first() {
                if run.time > bound || records == most {
                    break;
                }
                records += 1;
                let (record, after) = rest
                    .split_at_checked(span_of(body) as usize)
                    .unwrap_or((rest, &[]));
                let (header, length) = Header::read(body);
                each(Staged {
                    source: run.source,
                    time: if header.flags & flags::AT != 0 {
                        header.stamp
                    } else if run.time < self.horizon {
                        run.time
                    } else {
                        // It may not be merged by its own time.
                        match times {
                            Times::Stamped { .. } => timeline.unix_nanos(header.stamp),
                            Times::Arrival => now,
                        }
                    },
                    header,
                    payload: &record.as_flattened()[2..],
                    length,
                });
                rest = after;
                if let Some(next) = rest.first() {
                    run.time = self.time_of(next, times, timeline, now);
                }
            }
            run.next = run.end - rest.len();
            self.runs[index] = run;
            if run.next < run.end {
                self.earliest.push(Reverse((run.time, index)));
            }
        }
        records
    }

    /// The time by which the record with this first body is merged. One that lies in the future,
    /// because the caller named it or the clock was set back, comes last in its round.
    #[inline(always)]
    fn time_of(&self, body: &Body, times: Times, timeline: &Timeline, now: u64) -> u64 {
        let header = Header::read(body).0;
        if header.flags & flags::AT != 0 {
            return header.stamp.min(self.horizon);
        }
        match times {
            Times::Stamped { .. } if header.stamp >= self.stranded => {
                timeline.unix_nanos(header.stamp).min(self.horizon)
            }
            Times::Stamped { .. } => timeline.unix_nanos(header.stamp),
            Times::Arrival => now,
        }
    }
}

/// Whether the stamp is the time that the caller named.
#[inline(always)]
fn names_its_time(body: &Body) -> bool {
    Header::read(body).0.flags & flags::AT != 0
}
