//! What the worker counts, and how it is told: to whoever asks, and in the log itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Common, TICK, Worker};
use crate::clock;
use crate::level::Level;
use crate::record::{Header, flags};
use crate::ring::Ring;
use crate::stats::{LaneStats, PerLevel, Stats};

/// What the consumer counts. Written by whoever holds the worker, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) written: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) cut: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) sink_errors: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Counts rounds, so that a producer that waits can see whether the consumer is alive.
    pub(crate) rounds: AtomicU64,
    /// The round in which the consumer was found to be stuck, or gone. Written by producers that
    /// waited in vain, so that no other one does until it moves.
    pub(crate) stuck_since: AtomicU64,
    /// The sink that is being called, as its place plus one; 0 if none.
    pub(crate) in_sink: AtomicU64,
    /// The time of the oldest record that was seen and is not handed on; 0 if there is none.
    pub(crate) oldest: AtomicU64,
    /// The longest that a record had waited when it was handed on, in nanoseconds.
    pub(crate) longest_lag: AtomicU64,
    /// By source, the most slots that were ever found waiting.
    pub(crate) high_water: Box<[AtomicU64]>,
}

impl Counters {
    pub(crate) fn new(sources: usize) -> Self {
        Counters {
            // No round that there is.
            stuck_since: AtomicU64::new(u64::MAX),
            high_water: (0..sources).map(|_| AtomicU64::new(0)).collect(),
            ..Counters::default()
        }
    }
}

/// How often the log says how the logger does, and when it does next; in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    period: u64,
    at: u64,
}

impl Worker {
    /// Notes how much was found waiting, and since when.
    pub(super) fn note_backlog(&mut self) {
        let counters = &self.common.counters;
        let high_water = &counters.high_water;
        let known = |source: usize| high_water[source].load(Ordering::Relaxed);
        for (source, slots) in self.staging.found(&self.consumer, known) {
            high_water[source].store(slots, Ordering::Relaxed);
        }
        let oldest = self.staging.oldest().unwrap_or(0);
        counters.oldest.store(oldest, Ordering::Relaxed);
    }

    /// Notes how long the records of this round had waited, and since when others wait.
    pub(super) fn note_lag(&mut self) {
        let counters = &self.common.counters;
        let oldest = counters.oldest.load(Ordering::Relaxed);
        let lag = self.timeline.now().saturating_sub(oldest);
        counters.longest_lag.fetch_max(lag, Ordering::Relaxed);
        let left = self.staging.oldest().unwrap_or(0);
        counters.oldest.store(left, Ordering::Relaxed);
    }

    /// Has the log say every so often how the logger does.
    pub(crate) fn tell_stats_every(&mut self, period: Option<Duration>) {
        let now = self.timeline.now();
        self.stats_due = period.map(|period| {
            let nanos = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
            let period = nanos.max(TICK);
            Due {
                period,
                at: now.saturating_add(period),
            }
        });
    }

    /// Says in the log how the logger does, if it is time.
    pub(super) fn tell_stats(&mut self, now: u64) {
        let Some(due) = self.stats_due.as_mut().filter(|due| now >= due.at) else {
            return;
        };
        // From now, if the consumer was held up for more than a period.
        due.at = now.max(due.at.saturating_add(due.period));
        let stats = self.common.stats(self.consumer.ring());
        self.notice(Level::Info, &stats.to_string());
    }
}

impl Common {
    /// Where every record is, and how the lanes and the sinks stand.
    pub(crate) fn stats(&self, ring: &Ring) -> Stats {
        let counters = &self.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (written, failed_sink, abandoned) = match self.control.wait_for_report(Duration::ZERO) {
            Some(report) => (report.written, report.failed, report.abandoned),
            None => {
                let abandoned = PerLevel::default();
                (read(&counters.written), read(&counters.failed), abandoned)
            }
        };
        // After the others: a record that is written meanwhile is then counted as in the ring.
        let accepted = ring.accepted();
        let is_over = self.control.wait_for_report(Duration::ZERO).is_some();
        let lag = if is_over { 0 } else { self.lag(ring) };
        Stats {
            written,
            dropped: PerLevel::new(ring.dropped().by_level),
            rejected: self.rejected(),
            failed_sink,
            abandoned,
            in_ring: accepted.saturating_sub(written + failed_sink + abandoned.total()),
            cut: read(&counters.cut),
            late: read(&counters.late),
            sink_errors: read(&counters.sink_errors),
            bytes: read(&counters.bytes),
            lag: Duration::from_nanos(lag),
            longest_lag: Duration::from_nanos(read(&counters.longest_lag)),
            lanes: (0..ring.sources())
                .filter_map(|source| self.lane_stats(ring, source))
                .collect(),
            sinks: self.meters.iter().map(|meter| meter.stats()).collect(),
        }
    }

    /// The age of the oldest record in the ring, in nanoseconds. As a round saw it, where records are
    /// dated by the consumer.
    fn lag(&self, ring: &Ring) -> u64 {
        let mut oldest = 0;
        ring.for_first_left(|_, _, body| {
            let header = Header::read(body).0;
            // A time that the caller named says nothing of when it was logged.
            if header.flags & flags::AT == 0 {
                let age = self.ages.get().and_then(|ages| ages.of(header.stamp));
                oldest = oldest.max(age.unwrap_or(0));
            }
        });
        let seen = match self.counters.oldest.load(Ordering::Relaxed) {
            0 => 0,
            seen => clock::system_nanos().saturating_sub(seen),
        };
        oldest.max(seen)
    }

    /// How a source stands; `None` if it is a lane that was never used.
    fn lane_stats(&self, ring: &Ring, source: usize) -> Option<LaneStats> {
        let load = ring.load(source);
        let lane = (source + 1 < ring.sources()).then_some(source);
        let used = load.owned || load.accepted > 0 || !load.dropped.is_none();
        used.then(|| LaneStats {
            lane,
            owner: lane
                .filter(|_| load.owned)
                .map(|lane| self.threads.of_lane(lane).as_text().into_owned()),
            capacity: load.capacity,
            depth: load.depth,
            high_water: self.counters.high_water[source].load(Ordering::Relaxed),
            accepted: load.accepted,
            dropped: PerLevel::new(load.dropped.by_level),
        })
    }
}
