//! The counters that account for every record.

use std::fmt;
use std::ops::{AddAssign, Index};
use std::time::Duration;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Records that carry an earlier timestamp than one that was written before them: their threads
    /// were held up between the two steps of a log statement, by the scheduler or by an argument
    /// that takes its time. In the log they have a field `late=true`. They are counted above as well.
    pub late: u64,
    /// Failed calls of sinks, panics included, retries too.
    pub sink_errors: u64,
    /// Bytes of rendered text.
    pub bytes: u64,
    /// How far the consumer is behind: the age of the oldest record in the ring, that is, of those that
    /// have not been handed to the sinks yet; zero if there is none. With
    /// [`Clock::Arrival`](crate::Clock::Arrival) records have no age before the consumer has seen them.
    pub lag: Duration,
    /// The longest that it was behind when it had handed records on.
    pub longest_lag: Duration,
    /// The lanes that were ever used, then the shared ring.
    pub lanes: Vec<LaneStats>,
    /// The sinks, in the order in which they were added.
    pub sinks: Vec<SinkStats>,
}

/// How a lane stands, or the shared ring.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LaneStats {
    /// The lane's number, as gap lines tell it; `None` for the shared ring.
    pub lane: Option<usize>,
    /// The name of the thread that owns the lane; `None` if nobody does.
    pub owner: Option<String>,
    /// Slots in all.
    pub capacity: u64,
    /// Slots that hold records which are not handed to the sinks yet.
    pub depth: u64,
    /// The most slots that the consumer ever found waiting when it came to read.
    pub high_water: u64,
    /// Records that got in, all owners' together.
    pub accepted: u64,
    /// Records that found no room.
    pub dropped: PerLevel,
}

/// What became of one sink's share.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SinkStats {
    /// The sink's name.
    pub name: String,
    /// Bytes that it took.
    pub bytes: u64,
    /// Calls that wrote to it.
    pub writes: u64,
    /// Calls that failed, panics included, retries too.
    pub errors: u64,
    /// Records that it did not get.
    pub lost: u64,
    /// Bytes that wait for it, because it fails or is slower than they come.
    pub waiting: u64,
    /// How long the calls took that wrote to it.
    pub latency: Latency,
}

/// Percentiles of times; each is at most an eighth above the true one. All zero if there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Latency {
    /// Half of them took no longer.
    pub p50: Duration,
    /// 99 of 100.
    pub p99: Duration,
    /// 999 of 1,000.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
}

/// One line: `stats: 1204331 written, 0 dropped, 0 rejected, 812 in ring, 12.3µs behind; lane 2
/// (gateway) 812 of 4096, at most 3901; file app.log 126000000 bytes, p99 1.2ms, 0 errors`.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stats: {} written, {} dropped, {} rejected, {} in ring, {:.1?} behind",
            self.written,
            self.dropped.total(),
            self.rejected.total(),
            self.in_ring,
            self.lag
        )?;
        for (count, what) in [
            (self.failed_sink, "lost by a sink"),
            (self.abandoned.total(), "abandoned"),
            (self.cut, "cut"),
            (self.late, "late"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        for lane in self.lanes.iter().filter(|lane| lane.accepted > 0) {
            match (lane.lane, &lane.owner) {
                (None, _) => f.write_str("; shared ring")?,
                (Some(lane), None) => write!(f, "; lane {lane}")?,
                (Some(lane), Some(owner)) => write!(f, "; lane {lane} ({owner})")?,
            }
            let (depth, capacity) = (lane.depth, lane.capacity);
            write!(f, " {depth} of {capacity}, at most {}", lane.high_water)?;
            if lane.dropped.total() > 0 {
                write!(f, ", dropped {}", lane.dropped)?;
            }
        }
        for sink in &self.sinks {
            let SinkStats { name, bytes, .. } = sink;
            write!(f, "; {name} {bytes} bytes, p99 {:.1?}", sink.latency.p99)?;
            write!(f, ", {} errors", sink.errors)?;
            for (count, what) in [(sink.lost, "records lost"), (sink.waiting, "bytes waiting")] {
                if count > 0 {
                    write!(f, ", {count} {what}")?;
                }
            }
        }
        Ok(())
    }
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
