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
    /// Records that were accepted and that the deadline cut off: they were still in the ring, or waited
    /// for a slow sink.
    pub abandoned: PerLevel,
    /// Records whose threads were in the middle of writing them when the deadline passed, and those
    /// that lie behind such a one in the shared ring. Their levels are not known.
    pub in_flight: u64,
    /// Failed calls of sinks in all the logger's life, retries included.
    pub sink_errors: u64,
    /// The sink whose call had not returned when the deadline passed, if that was the cause.
    pub stuck_sink: Option<String>,
    /// From the closing to this report.
    pub elapsed: Duration,
}

impl ShutdownReport {
    pub(crate) fn summary(&self) -> impl fmt::Display + '_ {
        Summary(self)
    }

    /// Whether every record that was accepted was handed to every sink, and taken by it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.outcome == ShutdownOutcome::Drained && self.failed == 0
    }
}

impl fmt::Display for ShutdownReport {
    /// One line: `log closed: 1,204,331 written, 0 dropped, 0 rejected in 1.2ms`; what went wrong
    /// stands before the time, if anything did.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:?}", self.summary(), self.elapsed)
    }
}

/// A report without the time it took: what the log itself says last.
struct Summary<'a>(&'a ShutdownReport);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary(report) = self;
        write!(
            f,
            "log {}: {} written, {} dropped, {} rejected",
            match report.outcome {
                ShutdownOutcome::Drained => "closed",
                ShutdownOutcome::TimedOut => "cut off by its deadline",
                ShutdownOutcome::Forked => "left to the parent process",
            },
            Grouped(report.written),
            Grouped(report.dropped.total()),
            Grouped(report.rejected.total()),
        )?;
        for (count, what) in [
            (report.failed, "lost by a sink"),
            (report.in_flight, "in the middle of being written"),
            (report.sink_errors, "sink errors"),
        ] {
            if count > 0 {
                write!(f, ", {} {what}", Grouped(count))?;
            }
        }
        let abandoned = report.abandoned.total();
        if abandoned > 0 {
            write!(f, ", {} abandoned", Grouped(abandoned))?;
            write!(f, " ({})", report.abandoned)?;
        }
        if let Some(name) = &report.stuck_sink {
            write!(f, ", sink `{name}` stuck")?;
        }
        Ok(())
    }
}

/// A number with its thousands apart: `1,204,331`.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place) % 3 == 0 {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Grouped;

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_204_331, "1,204,331"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(Grouped(number).to_string(), text);
        }
    }
}
