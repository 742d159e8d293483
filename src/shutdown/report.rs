//! What a shutdown says when it is over.

use std::fmt;
use std::time::Duration;

use crate::stats::PerLevel;

/// How a shutdown ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum ShutdownOutcome {
    /// Every accepted record was handed to every sink, and every sink was flushed.
    Drained,
    /// The deadline passed first. [`ShutdownReport::abandoned`] and
    /// [`ShutdownReport::in_flight`] say what was cut off.
    TimedOut,
    /// This process is a fork of the one that the logger belongs to: the parent writes what was
    /// accepted before the fork, and there was nothing else. [`ShutdownReport::rejected`] says how
    /// many records came in the child.
    Forked,
}

/// What became of every record, when the logger closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Whether all was written in time.
    pub outcome: ShutdownOutcome,
    /// Records that every sink took.
    pub written: u64,
    /// Records that found the ring full, in all the logger's life.
    pub dropped: PerLevel,
    /// Records that came after the closing, until this report was made.
    pub rejected: PerLevel,
    /// Records that at least one sink could not take.
    pub failed: u64,
    /// Records that were accepted and that the deadline cut off.
    pub abandoned: u64,
    /// Threads that were in the middle of writing a record when the deadline passed.
    pub in_flight: u64,
    /// Failed calls of sinks in all the logger's life, retries included.
    pub sink_errors: u64,
    /// The sink whose call had not returned when the deadline passed, if that was the cause.
    pub stuck_sink: Option<String>,
    /// From the closing to this report.
    pub elapsed: Duration,
}

impl ShutdownReport {
    /// Whether every record that was accepted was handed to every sink, and taken by it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.outcome == ShutdownOutcome::Drained && self.failed == 0
    }
}

impl fmt::Display for ShutdownReport {
    /// One line: `log closed: 1204331 written, 0 dropped, 0 rejected in 1.2ms`; what went wrong
    /// follows, if anything did.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "log {}: {} written, {} dropped, {} rejected",
            match self.outcome {
                ShutdownOutcome::Drained => "closed",
                ShutdownOutcome::TimedOut => "cut off by its deadline",
                ShutdownOutcome::Forked => "left to the parent process",
            },
            self.written,
            self.dropped.total(),
            self.rejected.total(),
        )?;
        for (count, what) in [
            (self.failed, "lost by a sink"),
            (self.abandoned, "abandoned in the ring"),
            (self.in_flight, "being written"),
            (self.sink_errors, "sink errors"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if let Some(name) = &self.stuck_sink {
            write!(f, ", sink `{name}` stuck")?;
        }
        write!(f, " in {:?}", self.elapsed)
    }
}
