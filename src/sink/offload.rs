//! A sink on a thread of its own.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Sink;

/// Moves a sink to a thread of its own, behind a bounded queue, so that a slow one delays nobody.
///
/// The consumer copies each batch into the queue and goes on; it never waits for the sink. What
/// does not fit into the queue is lost for this sink only: it is counted
/// ([`Stats::failed_sink`](crate::Stats::failed_sink)), and a line in the sink's own output says how
/// many records are missing, where they are missing. Records count as written when the sink has
/// taken them, not when they are in the queue. A sink that fails or panics is treated as without an
/// `Offload`, except that what it did not take waits in this queue.
///
/// A [flush](crate::RingLogger::flush) waits until the queue has been written and the sink flushed.
/// A [shutdown](crate::RingLogger::shutdown) does so too: the sinks behind an `Offload` work at the
/// same time, each with all that is left of the deadline. While it drains the ring, the shutdown
/// waits for room in a full queue, each queue for its share of the deadline. A sink that has not
/// come to its end by the deadline is named in
/// [`ShutdownReport::stuck_sink`](crate::ShutdownReport::stuck_sink), and its thread is left behind.
///
/// The thread starts when the logger is built and inherits the pin of the thread that builds it,
/// not the consumer's.
///
/// ```
/// use std::time::Duration;
///
/// use ringlog::sink::{Memory, Offload, QueueFull};
/// use ringlog::{RingLogger, info};
///
/// let memory = Memory::new();
/// let logger = RingLogger::builder()
///     .sink(
///         Offload::new(memory.clone())
///             .queue_bytes(1 << 20)
///             .when_full(QueueFull::DropOldest)
///             .batch_age(Duration::from_millis(5)),
///     )
///     .build()?;
/// info!(logger: &logger, "filled {} lots", 3);
/// logger.flush(Duration::from_secs(1))?;
/// assert!(memory.contents().ends_with("filled 3 lots\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Offload {
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) settings: Settings,
}

/// What an [`Offload`] loses when its queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueFull {
    /// The records that come. What waits is kept: the beginning of the trouble.
    #[default]
    DropNewest,
    /// The records that have waited longest, as many as must go. The end of the trouble is kept.
    DropOldest,
}

/// How an [`Offload`] queues and batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) queue_bytes: usize,
    pub(crate) when_full: QueueFull,
    pub(crate) batch_bytes: usize,
    pub(crate) batch_records: usize,
    pub(crate) batch_age: Duration,
}

impl Settings {
    pub(crate) const QUEUE_BYTES: RangeInclusive<usize> = 1 << 10..=1 << 30;
    pub(crate) const BATCH_BYTES: RangeInclusive<usize> = 1..=1 << 20;
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            queue_bytes: 4 << 20,
            when_full: QueueFull::default(),
            batch_bytes: 64 << 10,
            batch_records: usize::MAX,
            batch_age: Duration::ZERO,
        }
    }
}

impl Offload {
    /// Puts the sink behind a queue of 4 MiB that refuses what does not fit, in batches of at most
    /// 64 KiB that are written as soon as the sink is free.
    #[must_use]
    pub fn new(sink: impl Sink + 'static) -> Self {
        Offload {
            sink: Box::new(sink),
            settings: Settings::default(),
        }
    }

    /// The most bytes of text that wait, 1 KiB to 1 GiB; default 4 MiB. The batch that the sink is
    /// being given is not counted. Building fails if it is out of range.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.settings.queue_bytes = bytes;
        self
    }

    /// What is lost when the queue is full; default [`QueueFull::DropNewest`].
    #[must_use]
    pub fn when_full(mut self, policy: QueueFull) -> Self {
        self.settings.when_full = policy;
        self
    }

    /// The most bytes that the sink is given at once, 1 to 1 MiB; default 64 KiB. A batch of as
    /// many is written without waiting for more; a single record that is longer goes alone.
    #[must_use]
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        let range = Settings::BATCH_BYTES;
        self.settings.batch_bytes = bytes.clamp(*range.start(), *range.end());
        self
    }

    /// The most records that the sink is given at once, at least 1; default no limit. A batch of as
    /// many is written without waiting for more.
    #[must_use]
    pub fn batch_records(mut self, records: usize) -> Self {
        self.settings.batch_records = records.max(1);
        self
    }

    /// How long a batch waits for more records before it is written; default zero, which writes
    /// what there is as soon as the sink is free. A flush or a shutdown does not wait for it.
    #[must_use]
    pub fn batch_age(mut self, age: Duration) -> Self {
        self.settings.batch_age = age;
        self
    }
}

impl fmt::Debug for Offload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offload")
            .field("sink", &self.sink.name())
            .field("settings", &self.settings)
            .finish()
    }
}
