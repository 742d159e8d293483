//! Records on their way from the ring to the formatter: copied in bulk, then merged by time.
//!
//! Copying first takes one cache miss per line, many at a time; formatting from the ring would take
//! them one by one. The merge costs nothing while one source is busy, and grows with the number of
//! sources that are, not with the number there are.

use crate::clock::Timeline;
use crate::record::{Header, flags};
use crate::ring::consumer::Consumer;
use crate::ring::slot::{Body, span_of};

/// How many slots are staged in one round, all sources together.
const SLOTS: usize = 4096;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Staging {
    slots: Vec<Body>,
    runs: Vec<Run>,
}

/// What one source brought: `slots[next..end]`, in the order in which it was written.
#[derive(Clone, Copy, Debug)]
struct Run {
    source: usize,
    next: usize,
    end: usize,
    /// The time of the record at `next`.
    time: u64,
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
        let mut slots = vec![[1; _]; SLOTS + crate::record::MAX_SLOTS + 1];
        slots.clear();
        Staging {
            slots,
            runs: Vec::new(),
        }
    }

    /// Copies what has been published: at most a quarter of a source, at most `most` records.
    /// Answers how many records it was.
    pub(crate) fn fill(
        &mut self,
        consumer: &mut Consumer,
        times: Times,
        timeline: &Timeline,
        now: u64,
        most: usize,
    ) -> usize {
        self.slots.clear();
        self.runs.clear();
        let mut records = 0;
        let sources = consumer.active().len();
        for index in 0..sources {
            let source = consumer.active()[index];
            let share = (SLOTS - self.slots.len()) / (sources - index);
            let budget = share.min(consumer.capacity(source) / 4).max(1);
            let start = self.slots.len();
            while self.slots.len() - start < budget && records < most {
                let taken = consumer.take(source, &mut self.slots, |body| match times {
                    Times::Arrival => true,
                    Times::Stamped { watermark } => {
                        body[0] <= watermark || Header::read(body).0.flags & flags::AT != 0
                    }
                });
                if taken == 0 {
                    break;
                }
                records += 1;
            }
            if self.slots.len() > start {
                let mut run = Run {
                    source,
                    next: start,
                    end: self.slots.len(),
                    time: 0,
                };
                run.time = self.time_at(run.next, times, timeline, now);
                self.runs.push(run);
            }
        }
        records
    }

    /// The sources that brought records in this round.
    pub(crate) fn sources(&self) -> impl Iterator<Item = usize> + '_ {
        self.runs.iter().map(|run| run.source)
    }

    /// Hands out every staged record, ordered by time; those of one source in their own order.
    pub(crate) fn merge(
        &mut self,
        times: Times,
        timeline: &Timeline,
        now: u64,
        mut each: impl FnMut(Staged<'_>),
    ) {
        loop {
            // The run to go on with, and how far: up to the earliest record of the others.
            let mut first: Option<usize> = None;
            let mut bound = u64::MAX;
            for (index, run) in self.runs.iter().enumerate() {
                if run.next == run.end {
                    continue;
                }
                match first {
                    Some(best) if self.runs[best].time <= run.time => bound = bound.min(run.time),
                    Some(best) => {
                        bound = bound.min(self.runs[best].time);
                        first = Some(index);
                    }
                    None => first = Some(index),
                }
            }
            let Some(index) = first else {
                return;
            };
            let mut run = self.runs[index];
            while run.next < run.end && run.time <= bound {
                let body = &self.slots[run.next];
                let slots = span_of(body) as usize;
                let words = self.slots[run.next..(run.next + slots).min(run.end)].as_flattened();
                let (header, length) = Header::read(body);
                each(Staged {
                    source: run.source,
                    time: run.time,
                    header,
                    payload: &words[2..],
                    length,
                });
                run.next += slots;
                if run.next < run.end {
                    run.time = self.time_at(run.next, times, timeline, now);
                }
            }
            self.runs[index] = run;
        }
    }

    /// The time of the record at `slot`. One that the caller named may lie in the future: the record
    /// then comes last in its round.
    fn time_at(&self, slot: usize, times: Times, timeline: &Timeline, now: u64) -> u64 {
        let header = Header::read(&self.slots[slot]).0;
        if header.flags & flags::AT != 0 {
            header.stamp
        } else {
            match times {
                Times::Stamped { .. } => timeline.unix_nanos(header.stamp),
                Times::Arrival => now,
            }
        }
    }
}
