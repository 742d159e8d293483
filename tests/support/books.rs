//! The test's own count of what became of its records, against which the logger's is checked.

use std::sync::atomic::{AtomicU64, Ordering};

use ringlog::{Level, Outcome, PerLevel, RingLogger, ShutdownReport, Stats};

/// One count for each outcome and level. Any number of threads may write to it.
#[derive(Debug, Default)]
pub struct Books {
    accepted: [AtomicU64; Level::COUNT],
    full: [AtomicU64; Level::COUNT],
    closed: [AtomicU64; Level::COUNT],
    filtered: AtomicU64,
}

impl Books {
    pub fn new() -> Self {
        Books::default()
    }

    /// Writes down what became of a record.
    pub fn note(&self, level: Level, outcome: Outcome) -> Outcome {
        let count = match outcome {
            Outcome::Accepted => &self.accepted[level.index()],
            Outcome::Full => &self.full[level.index()],
            Outcome::Closed => &self.closed[level.index()],
            Outcome::Filtered => &self.filtered,
            other => panic!("unknown outcome {other:?}"),
        };
        count.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    pub fn accepted(&self) -> u64 {
        total(&self.accepted)
    }

    pub fn accepted_at(&self, level: Level) -> u64 {
        self.accepted[level.index()].load(Ordering::Relaxed)
    }

    pub fn full(&self) -> u64 {
        total(&self.full)
    }

    pub fn full_at(&self, level: Level) -> u64 {
        self.full[level.index()].load(Ordering::Relaxed)
    }

    pub fn closed(&self) -> u64 {
        total(&self.closed)
    }

    pub fn filtered(&self) -> u64 {
        self.filtered.load(Ordering::Relaxed)
    }

    pub fn submitted(&self) -> u64 {
        self.accepted() + self.full() + self.closed()
    }

    /// The conservation law: the logger accounts for every record exactly as it answered for it.
    ///
    /// To be asked when no thread is logging.
    #[track_caller]
    pub fn check(&self, logger: &RingLogger) -> Stats {
        let stats = logger.stats();
        let terms = stats.written
            + stats.dropped.total()
            + stats.rejected.total()
            + stats.failed_sink
            + stats.abandoned.total()
            + stats.in_ring;
        assert_eq!(stats.submitted(), terms);
        assert_eq!(stats.submitted(), self.submitted(), "submitted: {stats:?}");
        assert_eq!(stats.accepted(), self.accepted(), "accepted: {stats:?}");
        check_levels("dropped", &stats.dropped, &self.full);
        check_levels("rejected", &stats.rejected, &self.closed);
        stats
    }

    /// The same after a shutdown that nothing was in the middle of.
    #[track_caller]
    pub fn check_report(&self, logger: &RingLogger, report: &ShutdownReport) {
        let stats = self.check(logger);
        assert_eq!(
            report.written + report.failed + report.abandoned.total(),
            self.accepted(),
            "{report:?}"
        );
        check_levels("dropped", &report.dropped, &self.full);
        for (level, count) in report.abandoned.iter() {
            assert!(count <= self.accepted_at(level), "{report:?}");
        }
        assert!(report.rejected.total() <= self.closed(), "{report:?}");
        assert_eq!(stats.written, report.written);
        assert_eq!(stats.failed_sink, report.failed);
        assert_eq!(stats.abandoned, report.abandoned);
        assert_eq!(stats.in_ring, 0, "{stats:?}");
    }
}

fn total(counts: &[AtomicU64; Level::COUNT]) -> u64 {
    counts
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .sum()
}

#[track_caller]
fn check_levels(what: &str, theirs: &PerLevel, mine: &[AtomicU64; Level::COUNT]) {
    for (level, count) in theirs.iter() {
        let expected = mine[level.index()].load(Ordering::Relaxed);
        assert_eq!(count, expected, "{what} at {level}");
    }
}
