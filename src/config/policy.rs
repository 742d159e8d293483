//! What the two sides of the ring do when they cannot go on.

use std::time::Duration;

/// What happens to a record that finds the ring full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// It is dropped and counted, and the log says so where it is missing. Never waits.
    #[default]
    Drop,
    /// The thread waits for room. It gives up, and the record is dropped and counted, when the
    /// consumer has not moved for ten seconds; when the logger closes; and at once inside a sink or
    /// in a signal handler that interrupted another record, where waiting could not end.
    Block,
    /// As `Block`, for at most so long.
    BlockFor(Duration),
}

/// What the consumer thread does when there is nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Idle {
    /// Spins a little, then yields, then sleeps, longer and longer up to a millisecond. A record
    /// that comes meanwhile waits that long at most; the thread that logs never wakes the consumer.
    #[default]
    Adaptive,
    /// Spins, always. For those who own the core that the consumer is pinned to.
    Spin,
}
