//! [`RingLogger`]: build, log, flush, shut down.

mod core;
mod lanes;
mod producer;
mod submit;
mod wait;

use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::config::Builder;
use crate::error::{BuildError, FlushError};
use crate::level::LevelFilter;
use crate::shutdown::{ShutdownOutcome, ShutdownReport};
use crate::stats::Stats;

use self::core::Core;

pub use producer::Producer;
pub use submit::{Global, Log, Outcome, enabled, submit, submit_at};

/// How long a shutdown that nobody asked for may take: the one of a logger that is dropped.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);

/// The installed logger. Set once; what it points to is never freed.
static INSTALLED: AtomicPtr<Core> = AtomicPtr::new(ptr::null_mut());

/// A logger: a ring, the consumer that empties it, and the sinks it writes to.
///
/// Dropping it shuts it down with a deadline of five seconds. Until then, any thread may log to it,
/// through a reference or, if it was [installed](Builder::install), through `rlog!` alone.
pub struct RingLogger {
    core: Arc<Core>,
    consumer: Mutex<Option<JoinHandle<()>>>,
    warnings: Vec<String>,
}

impl RingLogger {
    /// Starts to set up a logger.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(builder: Builder, install: bool) -> Result<RingLogger, BuildError> {
        let (thread, pin) = (builder.thread, builder.pin);
        let (core, warnings) = Core::new(builder, install)?;
        let consumer = if thread {
            Some(core.spawn_consumer(pin)?)
        } else {
            None
        };
        if install {
            // Release: pairs with the Acquire in `Global::route`.
            INSTALLED.store(Arc::into_raw(core.clone()).cast_mut(), Ordering::Release);
        }
        Ok(RingLogger {
            core,
            consumer: Mutex::new(consumer),
            warnings,
        })
    }

    /// What the kernel refused or the machine lacks, one sentence each; also written to the log.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// An owned handle that logs without thread-local storage. It takes a lane if one is free, and
    /// uses the shared ring otherwise. Takes a few hundred nanoseconds.
    #[must_use]
    pub fn producer(&self) -> Producer {
        Producer::new(self.core.clone())
    }

    /// Claims a lane for the calling thread now, rather than with its first record.
    pub fn warm_up(&self) {
        self.core.current_lane();
    }

    /// The most verbose level that is logged.
    #[must_use]
    pub fn level(&self) -> LevelFilter {
        self.core.place.filter()
    }

    /// Changes the level. Takes a lock, and visits every statement that has run.
    pub fn set_level(&self, level: impl Into<LevelFilter>) {
        self.core.place.set_filter(level.into());
    }

    /// Writes out at most so many records on the calling thread, and answers how many it was. For
    /// loggers [without a consumer thread](Builder::thread); with one, or while another thread
    /// polls, it answers 0.
    ///
    /// Records of the last microsecond may stay for the next call: another thread may be about to
    /// publish an earlier one.
    pub fn poll(&self, most: usize) -> usize {
        self.core
            .try_drain()
            .map_or(0, |mut worker| worker.poll(most))
    }

    /// Waits until everything that was accepted before the call has been handed to every sink and
    /// every sink has been flushed.
    ///
    /// Blocks; takes locks; may be called from any number of threads at once.
    ///
    /// # Errors
    ///
    /// The deadline passed, the logger was shut down, a sink failed, or the call came from inside
    /// a sink.
    pub fn flush(&self, deadline: Duration) -> Result<(), FlushError> {
        self.core.flush(deadline)
    }

    /// Asks every sink to open its destination anew, as after a log file has been moved away by
    /// another program. The consumer does it after the round it is in; returns at once.
    ///
    /// What is logged after the call goes to the new destination. A [`flush`](Self::flush) after it
    /// returns when that is the case. A sink that cannot open its destination goes on with the old
    /// one, and the log says so.
    ///
    /// Without a [consumer thread](Builder::thread) it is done by the next `poll` or `flush`.
    pub fn reopen(&self) {
        self.core.common.control.ask_to_reopen();
        self.core.common.control.wake_consumer();
    }

    /// Closes the logger, writes out what was accepted, flushes every sink, and reports.
    ///
    /// May be called from any thread, any number of times, at any time: the earliest deadline that
    /// any caller names counts, and every caller gets the same report. Returns when all is written,
    /// or when the deadline has passed. Every record that is submitted after it has returned is
    /// answered [`Outcome::Closed`].
    ///
    /// From inside a sink it cannot wait for itself: it begins the closing and answers at once
    /// with how things stand, as [`ShutdownOutcome::TimedOut`]. The consumer goes on when the sink
    /// returns, until the deadline; a later call gets its report.
    ///
    /// Blocks; takes locks.
    pub fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let report = self.core.shutdown(deadline);
        if report.outcome == ShutdownOutcome::Drained && !self.core.is_inside() {
            self.join_consumer();
        }
        report
    }

    /// After a drain, the consumer thread has nothing left to do but end.
    fn join_consumer(&self) {
        let consumer = self
            .consumer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(consumer) = consumer {
            // It catches what sinks throw; a panic of its own has been reported by the hook.
            let _ = consumer.join();
        }
    }

    /// Where every record is. Takes a lock, and reads lines that producers write: not for loops.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }
}

impl Drop for RingLogger {
    fn drop(&mut self) {
        self.shutdown(DEFAULT_DEADLINE);
    }
}

impl fmt::Debug for RingLogger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingLogger")
            .field("sinks", &self.core.common.sink_names)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
