//! The counters that account for every record.

use std::fmt;
use std::ops::{AddAssign, Index};

use crate::level::Level;

/// A number of records for each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerLevel {
    counts: [u64; Level::COUNT],
}

impl PerLevel {
    pub(crate) fn new(counts: [u64; Level::COUNT]) -> Self {
        PerLevel { counts }
    }

    pub(crate) fn less(mut self, other: PerLevel) -> Self {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine = mine.saturating_sub(theirs);
        }
        self
    }

    /// One more at this level.
    pub(crate) fn add(&mut self, level: Level) {
        self.counts[level.index()] += 1;
    }

    /// The number for all levels together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each level and its number, the most severe first.
    pub fn iter(&self) -> impl Iterator<Item = (Level, u64)> + '_ {
        Level::ALL.into_iter().zip(self.counts)
    }
}

/// As a map from the level's name to its number: `{"ERROR": 0, "WARN": 2, ...}`.
#[cfg(feature = "serde")]
impl serde::Serialize for PerLevel {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(level, count)| (level.as_str(), count)))
    }
}

impl Index<Level> for PerLevel {
    type Output = u64;

    fn index(&self, level: Level) -> &u64 {
        &self.counts[level.index()]
    }
}

impl AddAssign for PerLevel {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
    }
}

/// The levels that are not zero: `400 DEBUG, 17 INFO`, the most verbose first; or `0`.
impl fmt::Display for PerLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for level in Level::ALL
            .into_iter()
            .rev()
            .filter(|&level| self[level] > 0)
        {
            write!(f, "{separator}{} {level}", self[level])?;
            separator = ", ";
        }
        if separator.is_empty() {
            f.write_str("0")?;
        }
        Ok(())
    }
}

/// Where every record is that was ever submitted to a logger: a moment's view.
///
/// The terms add up, always:
///
/// ```text
/// submitted = written + dropped + rejected + failed_sink + abandoned + in_ring
/// ```
///
/// While threads are logging, the view is taken counter by counter; a record that is written
/// meanwhile may still appear as `in_ring`, and never appears twice or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// Records that every sink took; and those of a [backtrace](crate::Builder::backtrace) that
    /// nothing had called for when they made room for others.
    pub written: u64,
    /// Records that found the ring full ([`Outcome::Full`](crate::Outcome::Full)).
    pub dropped: PerLevel,
    /// Records that came after the closing ([`Outcome::Closed`](crate::Outcome::Closed)).
    pub rejected: PerLevel,
    /// Records that at least one sink could not take, and never will.
    pub failed_sink: u64,
    /// Records that the deadline of the shutdown cut off: that were still in the ring, or waited for
    /// a slow sink.
    pub abandoned: PerLevel,
    /// Records that were accepted, and wait: in the ring, with the consumer, in the
    /// [backtrace](crate::Builder::backtrace), or for a sink that is to be tried again.
    pub in_ring: u64,
    /// Records of which text was cut off to make them fit. They are counted above as well.
    pub cut: u64,
    /// Records that carry an earlier timestamp than one that was written before them. They are
    /// counted above as well.
    pub late: u64,
    /// Failed calls of sinks, panics included, retries too.
    pub sink_errors: u64,
    /// Bytes of rendered text.
    pub bytes: u64,
}

impl Stats {
    /// Records that were submitted and not filtered: the sum of all terms.
    #[must_use]
    pub fn submitted(&self) -> u64 {
        self.written
            + self.dropped.total()
            + self.rejected.total()
            + self.failed_sink
            + self.abandoned.total()
            + self.in_ring
    }

    /// Records that were answered [`Outcome::Accepted`](crate::Outcome::Accepted).
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.written + self.failed_sink + self.abandoned.total() + self.in_ring
    }
}
