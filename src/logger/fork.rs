//! What becomes of the loggers when the process forks.
//!
//! The parent keeps them as they are. In the child they are closed from its first instruction on:
//! it has a copy of the ring, whose records the parent will write, and no consumer. What holds then
//! without any further call: `rlog!` answers `Closed` and counts, and nothing waits for a thread or
//! a lock that is not there. A logger that is [restarted](Core::restart) gets a ring, a consumer,
//! and an account of its own, and its old self is leaked, since threads that do not exist here may
//! have been at work on it.
//!
//! Before the fork, the consumers come to rest between two rounds, so that the child finds whole
//! sinks to go on with; and the lock of the call sites is taken, so that the child finds it free.

use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

use super::core::Core;
use super::{lanes, live};
use crate::callsite;
use crate::error::{BuildError, RestartError};
use crate::routing::Attached;
use crate::shutdown::{ShutdownOutcome, ShutdownReport};
use crate::stats::{PerLevel, Stats};
use crate::sys;
use crate::worker::Worker;

/// How long a fork waits for consumers to come to rest. An ordinary round is shorter; a sink that
/// is stuck costs the fork this long, and the child the restart of that logger.
const PATIENCE: Duration = Duration::from_millis(20);

/// From now on, forks are prepared for.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Without memory for it, a child that logs waits for its deadlines.
        let _ = sys::fork::register(sys::fork::Handlers {
            before,
            in_parent,
            in_child,
        });
    });
}

extern "C" fn before() {
    sys::fork::begin();
    let started = Instant::now();
    live::for_each(|core| {
        if !core.is_inside() {
            core.common.control.nudge_consumer();
        }
    });
    live::for_each(|core| {
        let inside = core.is_inside();
        let mut patience = || {
            let wait = !inside && started.elapsed() < PATIENCE;
            if wait {
                thread::sleep(Duration::from_micros(20));
            }
            wait
        };
        core.worker.rest(&mut patience);
        core.common.rest_sinks(&mut patience);
    });
    // Last: a consumer that is coming to rest may need it.
    callsite::lock_for_fork();
}

extern "C" fn in_parent() {
    callsite::unlock_after_fork();
    sys::fork::end_in_parent();
}

extern "C" fn in_child() {
    live::forget_readers();
    live::for_each(Core::become_forked);
    lanes::forget_thread_number();
    callsite::unlock_after_fork();
    sys::fork::end_in_child();
}

/// The child handles the signals that its parent did.
fn restart_handlers() -> Result<(), BuildError> {
    #[cfg(all(feature = "crash", target_os = "linux", not(miri)))]
    super::crash::restart_in_child();
    #[cfg(all(feature = "signals", target_os = "linux", not(miri)))]
    super::signals::restart_in_child().map_err(BuildError::Thread)?;
    Ok(())
}

/// Makes the sinks fit for use in the child, all or none.
fn restart_sinks(worker: &mut Worker) -> Result<Vec<Attached>, RestartError> {
    for branch in worker.branches() {
        if let Err(error) = branch.restart_in_child() {
            let name = branch.name();
            return Err(RestartError::Sink { name, error });
        }
    }
    Ok(worker.take_sinks())
}

impl Core {
    /// Closes the child's copy of a logger, and begins the child's own account.
    fn become_forked(&self) {
        self.ring.gate().fork();
        self.common.forked.store(true, Ordering::Release);
        for count in &self.common.rejected {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Whether this is the copy of a logger in a forked child. If so, none of its locks may be
    /// taken.
    #[inline]
    pub(super) fn is_forked(&self) -> bool {
        self.ring.gate().is_forked()
    }

    /// What a shutdown says in the child.
    pub(super) fn forked_report(&self) -> ShutdownReport {
        ShutdownReport {
            outcome: ShutdownOutcome::Forked,
            written: 0,
            dropped: PerLevel::default(),
            rejected: self.common.rejected(),
            failed: 0,
            abandoned: PerLevel::default(),
            in_flight: 0,
            sink_errors: 0,
            stuck_sink: None,
            elapsed: Duration::ZERO,
        }
    }

    /// The child's own account.
    pub(super) fn forked_stats(&self) -> Stats {
        Stats {
            rejected: self.common.rejected(),
            ..Stats::default()
        }
    }

    /// A logger of the child's own, with this one's settings, place and sinks.
    ///
    /// # Errors
    ///
    /// See [`RestartError`]. If a sink is the reason, all is as before, and it can be tried again.
    pub(super) fn restart(&self) -> Result<Arc<Core>, RestartError> {
        if !self.is_forked() {
            return Err(RestartError::NotForked);
        }
        // Nobody else takes this lock but another thread that restarts.
        let Ok(mut settings) = self.settings.try_lock() else {
            return Err(RestartError::NotForked);
        };
        let sinks = self.worker.take_over(restart_sinks);
        let sinks = sinks.unwrap_or(Err(RestartError::SinkBusy))?;
        let mut builder = mem::take(&mut *settings);
        builder.sinks = sinks;
        let place = self.place.inherit();
        let core = Core::new(builder, |_| Ok(place)).map_err(RestartError::Build)?;
        for (mine, before) in core.common.rejected.iter().zip(&self.common.rejected) {
            mine.store(before.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        core.start().map_err(RestartError::Build)?;
        restart_handlers().map_err(RestartError::Build)?;
        Ok(core)
    }
}
