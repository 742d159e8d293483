//! [`RingLogger`]: build, log, flush, shut down.

mod context;
mod core;
#[cfg(all(feature = "crash", target_os = "linux", not(miri)))]
mod crash;
mod ending;
mod fork;
mod handler;
mod installed;
mod lanes;
mod live;
mod panic;
mod path;
mod producer;
#[cfg(all(
    any(feature = "signals", feature = "crash"),
    target_os = "linux",
    not(miri)
))]
mod rescue;
mod route;
#[cfg(all(feature = "signals", target_os = "linux", not(miri)))]
mod signals;
mod submit;
mod wait;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use crate::callsite::{PLACES, Place, Wishes};
use crate::config::Builder;
#[cfg(any(feature = "signals", feature = "crash"))]
use crate::error::SignalError;
use crate::error::{BuildError, FlushError, RestartError};
use crate::filter::{Filter, FilterError};
use crate::format::Redaction;
use crate::level::LevelFilter;
use crate::shutdown::ShutdownReport;
use crate::stats::Stats;

use self::core::Core;

pub use context::{ContextGuard, ParseTraceIdError, TraceId, enter_context, in_context};
pub use ending::ShutdownFuture;
pub use handler::{InHandler, in_handler};
pub use installed::{Guard, configure, logger};
pub use producer::Producer;
pub use submit::{
    Global, Log, Outcome, enabled, submit, submit_at, submit_limited, submit_limited_at,
};

/// A logger: a ring, the consumer that empties it, and the sinks it writes to.
///
/// Dropping it shuts it down with its [deadline](Builder::shutdown_deadline). Until then, any thread
/// may log to it, through a reference or, if it was [installed](Builder::install), through `rlog!`
/// alone.
pub struct RingLogger {
    /// From `Arc::into_raw`, alive as long as this. Changes when the logger is restarted in a forked
    /// child, which leaks what was here before.
    core: AtomicPtr<Core>,
}

impl RingLogger {
    /// Starts to set up a logger.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(builder: Builder, install: bool) -> Result<RingLogger, BuildError> {
        let core = Core::new(builder, |builder| {
            let wishes = Wishes {
                filter: builder.effective_filter()?,
                kept: builder.backtrace.as_ref().map(|kept| kept.levels.clone()),
            };
            if install {
                Place::claim_global(wishes).ok_or(BuildError::AlreadyInstalled)
            } else {
                Place::claim(wishes).ok_or(BuildError::TooManyLoggers { most: PLACES - 1 })
            }
        })?;
        core.start()?;
        Ok(RingLogger {
            core: AtomicPtr::new(Arc::into_raw(core).cast_mut()),
        })
    }

    #[inline(always)]
    fn core(&self) -> &Core {
        // Acquire: pairs with the Release in `restart_in_child`.
        // SAFETY: it points to a core that lives until `self` is dropped, or longer.
        unsafe { &*self.core.load(Ordering::Acquire) }
    }

    /// What the kernel refused or the machine lacks, one sentence each; also written to the log.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.core().warnings
    }

    /// An owned handle that logs without thread-local storage. It takes a lane if one is free, and
    /// uses the shared ring otherwise. Takes a few hundred nanoseconds.
    #[must_use]
    pub fn producer(&self) -> Producer {
        let core = self.core().me.upgrade();
        Producer::new(core.expect("a logger keeps its core alive"))
    }

    /// Claims a lane for the calling thread now, rather than with its first record.
    pub fn warm_up(&self) {
        self.core().current_lane();
    }

    /// The most verbose level that is logged for any target.
    #[must_use]
    pub fn level(&self) -> LevelFilter {
        self.filter().most_verbose()
    }

    /// Changes the level, for all targets. Takes a lock, and visits every statement that has run.
    pub fn set_level(&self, level: impl Into<LevelFilter>) {
        self.core().place.set_filter(level.into().into());
    }

    pub(crate) fn replace_filter(&self, filter: Filter) {
        self.core().place.set_filter(filter);
    }

    /// What tells the sinks of its configuration from others.
    #[cfg(feature = "config")]
    pub(crate) fn configured(&self) -> Vec<String> {
        let core = self.core();
        let settings = core.settings.lock();
        let settings = settings.unwrap_or_else(std::sync::PoisonError::into_inner);
        settings.configured.clone()
    }

    /// Changes what goes to which sink.
    #[cfg(feature = "config")]
    pub(crate) fn reselect(&self, to: crate::routing::Reselection) -> Result<(), BuildError> {
        let common = &self.core().common;
        let sinks: Vec<String> = common
            .meters
            .iter()
            .map(|meter| meter.name.clone())
            .collect();
        to.routes.check(&sinks)?;
        common.reselection.set(to);
        Ok(())
    }

    /// The filter as it was last set. Takes a lock, and allocates.
    #[must_use]
    pub fn filter(&self) -> Filter {
        self.core().place.filter()
    }

    /// Changes the filter: `logger.set_filter("info,engine::risk=trace,net=off")?`. It counts from the
    /// next record on, on all threads. Takes a lock, and visits every statement that has run.
    ///
    /// # Errors
    ///
    /// The text is not a [`Filter`]; the one before stays.
    pub fn set_filter<F>(&self, filter: F) -> Result<(), FilterError>
    where
        F: TryInto<Filter>,
        FilterError: From<F::Error>,
    {
        self.replace_filter(filter.try_into()?);
        Ok(())
    }

    /// Changes which values are masked, in records that are written from now on. Takes a lock; every
    /// statement is compiled anew.
    pub fn set_redaction(&self, redaction: Redaction) {
        self.core().common.redaction.set(redaction);
    }

    /// Has the consumer write what the [backtrace](Builder::backtrace) keeps: all records that were
    /// accepted before the call and that nothing has called for yet. A [`flush`](Self::flush) that
    /// comes after it waits for that.
    ///
    /// Does not block or allocate. Without a backtrace, it does nothing.
    pub fn dump_backtrace(&self) {
        self.core().common.control.ask_for_dump();
        self.core().common.control.wake_consumer();
    }

    /// Writes out at most so many records on the calling thread, and answers how many it was. For
    /// loggers [without a consumer thread](Builder::thread); with one, or while another thread
    /// polls, it answers 0.
    ///
    /// Goes on until there is nothing left, if that is fewer: while other threads log faster than this
    /// one writes, there is always more, and only the number ends it.
    ///
    /// Records of the last microsecond may stay for the next call: another thread may be about to
    /// publish an earlier one.
    pub fn poll(&self, most: usize) -> usize {
        self.core()
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
        self.core().flush(deadline)
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
        self.core().reopen();
    }

    /// Closes the logger, writes out what was accepted, flushes every sink, and reports.
    ///
    /// May be called from any thread, any number of times, at any time: the earliest deadline that
    /// any caller names counts, and every caller gets the same report. Returns when all is written,
    /// or when the deadline has passed. Every record that is submitted after it has returned is
    /// answered [`Outcome::Closed`].
    ///
    /// A consumer thread that was killed while it slept, or that does not wake within 20 ms, is not
    /// waited for: the caller drains in its place.
    ///
    /// From inside a sink it cannot wait for itself: it begins the closing and answers at once
    /// with how things stand, as [`TimedOut`](crate::ShutdownOutcome::TimedOut). The consumer goes
    /// on when the sink returns, until the deadline; a later call gets its report.
    ///
    /// Blocks; takes locks.
    pub fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let report = self.core().shutdown(deadline);
        self.core().join_consumer(&report);
        report
    }

    /// Gives a forked child a logger of its own: the same settings and sinks, which open their
    /// destinations anew, an empty ring, a consumer thread if there was one, and an account that
    /// begins at the fork.
    ///
    /// After a `fork` the child has no consumer, and what is in the ring is the parent's, who will
    /// write it. So a logger is closed in the child: `rlog!` answers [`Outcome::Closed`] and counts,
    /// [`shutdown`](Self::shutdown) and [`flush`](Self::flush) return at once, and nothing is
    /// written to the sinks. After this call all is as in any process. It is called once, in the
    /// child, by one thread.
    ///
    /// Parent and child then write to the same destinations. A [`File`](crate::sink::File) is
    /// appended to by both, whole lines at a time. Handles made with [`producer`](Self::producer)
    /// before the fork stay closed.
    ///
    /// Allocates, and takes as long as building a logger does. In the child of a program with
    /// several threads that is possible where `fork` leaves the allocator in order, as the C
    /// libraries of Linux and macOS see to.
    ///
    /// ```no_run
    /// # fn fork() -> i32 { 1 }
    /// use ringlog::{RingLogger, info, sink::File};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let logger = RingLogger::builder().sink(File::append("app.log")?).build()?;
    /// if fork() == 0 {
    ///     logger.restart_in_child()?;
    ///     info!(logger: &logger, "the child's own line");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The process is not such a child, a sink could not be made fit for use or was being called
    /// while the process forked, or the logger could not be built.
    pub fn restart_in_child(&self) -> Result<(), RestartError> {
        let before = self.core.load(Ordering::Acquire);
        let core = Arc::into_raw(self.core().restart()?).cast_mut();
        // Release: pairs with the Acquire in `core`.
        self.core.store(core, Ordering::Release);
        // SAFETY: `self` keeps the new core alive.
        unsafe { installed::replace(before, core) };
        Ok(())
    }

    /// Where every record is. Takes a lock, and reads lines that producers write: not for loops.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core().stats()
    }
}

#[cfg(feature = "signals")]
impl RingLogger {
    /// Has the process end well by `SIGTERM`, `SIGINT` and `SIGQUIT`, and `SIGHUP` open the log
    /// files anew. It concerns all loggers that are alive when a signal comes. Part of
    /// [`Builder::install`] and [`Builder::configure`], unless they are
    /// [told otherwise](Builder::signals).
    ///
    /// * `SIGTERM`, `SIGINT`, `SIGQUIT`: every logger is shut down, within the deadline; then the
    ///   signal does what it did before, so that the exit status is that of the signal. A second one
    ///   ends the process at once.
    /// * `SIGHUP`: as [`reopen`](Self::reopen). It no longer ends the process.
    /// * A handler that the program installed before is called, with all that came with the signal.
    ///   As it is for the program then whether it ends, its loggers are not shut down: the handler is
    ///   called when they have written out what they have, or after 100 ms.
    /// * A handler that the program installs later takes the place of this one. If it calls what was
    ///   there before, as those of `tokio` and `signal-hook` do, the same holds for it.
    /// * A signal that was ignored stays so, as `SIGHUP` does under `nohup`.
    ///
    /// May be called again, with another deadline. Starts a thread that sleeps until a signal comes;
    /// call it before threads are pinned.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use ringlog::{RingLogger, sink::File};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let logger = RingLogger::builder().sink(File::append("app.log")?).build()?;
    /// RingLogger::handle_signals(Duration::from_secs(2))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The thread cannot be started, the kernel refuses a signal, or the platform is not Linux.
    pub fn handle_signals(deadline: Duration) -> Result<(), SignalError> {
        #[cfg(all(target_os = "linux", not(miri)))]
        return signals::handle(deadline);
        #[cfg(not(all(target_os = "linux", not(miri))))]
        {
            let _ = deadline;
            Err(SignalError::Unsupported)
        }
    }
}

#[cfg(feature = "crash")]
impl RingLogger {
    /// Has the log say why the process crashed, and hold what was logged before. It concerns all
    /// loggers that are alive when that happens. Part of [`Builder::install`] and
    /// [`Builder::configure`], unless they are [told otherwise](Builder::crash_handler).
    ///
    /// On `SIGSEGV`, `SIGBUS`, `SIGILL`, `SIGFPE` and `SIGABRT`, the thread that crashed lets the
    /// consumers write out what is in the rings, for as long as `patience` says; writes one line to
    /// standard error and to each file or stream that a logger writes to, with the signal, the
    /// address, and the thread; and lets the signal do what it did before. So the core dump and the
    /// exit status are what they would have been, and what Rust says of a stack overflow is said.
    ///
    /// A consumer that crashes itself is not waited for. A logger without a
    /// [consumer thread](Builder::thread) writes out nothing.
    ///
    /// The handler runs on the alternate stack of the thread that crashed: those that the standard
    /// library starts have one, and so has the calling thread after this. On one that has none, the
    /// overflow of its stack ends the process without a word.
    ///
    /// May be called again, with another patience.
    ///
    /// # Errors
    ///
    /// The kernel refuses a signal or memory for an alternate stack, or the platform is not Linux.
    pub fn handle_crashes(patience: Duration) -> Result<(), SignalError> {
        #[cfg(all(target_os = "linux", not(miri)))]
        return crash::handle(patience);
        #[cfg(not(all(target_os = "linux", not(miri))))]
        {
            let _ = patience;
            Err(SignalError::Unsupported)
        }
    }
}

impl Drop for RingLogger {
    fn drop(&mut self) {
        self.shutdown(self.core().deadline);
        if !self.core().is_forked() {
            // SAFETY: it came from `Arc::into_raw`, and nobody has a reference from `core` any more.
            drop(unsafe { Arc::from_raw(*self.core.get_mut()) });
        }
    }
}

impl fmt::Debug for RingLogger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingLogger")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
