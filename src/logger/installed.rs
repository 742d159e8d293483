//! The installed logger: the one that `rlog!` uses when none is named, and that ends with the
//! process.
//!
//! There is one in a process, from its installation on; it is closed, not freed. So the hooks that
//! end it need nobody to keep it alive.

use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, OnceLock};
#[cfg(feature = "crash")]
use std::time::Duration;

use super::core::Core;
use super::{RingLogger, panic};
use crate::config::Builder;
use crate::error::BuildError;
#[cfg(any(feature = "signals", feature = "crash"))]
use crate::error::SignalError;
use crate::sink::Console;
use crate::sys;

/// What the hot path needs of it. Set once, and again when it is restarted in a forked child; what
/// it points to is never freed.
static INSTALLED: AtomicPtr<Core> = AtomicPtr::new(ptr::null_mut());

/// All of it. Set once, before `INSTALLED`.
static LOGGER: OnceLock<RingLogger> = OnceLock::new();

/// The installed logger's core.
#[inline(always)]
pub(super) fn core() -> Option<&'static Core> {
    // Acquire: pairs with the Release in `set`.
    let core = INSTALLED.load(Ordering::Acquire);
    // SAFETY: it points to a core that is never freed, or is null.
    unsafe { core.as_ref() }
}

/// The installed logger; `None` if there is none yet.
///
/// It is there for the rest of the process, closed or not.
///
/// ```no_run
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// ringlog::configure()?;
/// if let Some(logger) = ringlog::logger() {
///     logger.flush(Duration::from_secs(1))?;
/// }
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn logger() -> Option<&'static RingLogger> {
    LOGGER.get()
}

/// The one call that a program needs: installs a logger that writes to standard error, and that
/// ends with the process, however long it lives.
///
/// The same as [`Builder::configure`] with [`Console::stderr`] as the only sink and everything else
/// at its default. [`shutdown`](RingLogger::shutdown) need not be called; it may be.
///
/// ```no_run
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     ringlog::configure()?;
///     ringlog::info!("started with {} arguments", std::env::args().count());
///     std::process::exit(3); // and the line is there
/// }
/// ```
///
/// # Errors
///
/// As for [`Builder::install`].
pub fn configure() -> Result<&'static RingLogger, BuildError> {
    RingLogger::builder().sink(Console::stderr()).configure()
}

/// Installs a logger for the rest of the process.
fn install(builder: Builder) -> Result<&'static RingLogger, BuildError> {
    let (exit_hook, panic_hook) = (builder.exit_hook, builder.panic_hook);
    #[cfg(feature = "signals")]
    let signals = builder.signals.then_some(builder.shutdown_deadline);
    #[cfg(feature = "crash")]
    let crash_handler = builder.crash_handler;
    let logger = RingLogger::new(builder, true)?;
    // Nobody else gets here: `new` claimed the place of the installed logger.
    let logger = LOGGER.get_or_init(|| logger);
    // SAFETY: `logger` keeps it alive.
    unsafe { set(logger.core.load(Ordering::Acquire)) };
    if exit_hook {
        sys::exit::at_exit(end_with_the_process);
    }
    if panic_hook {
        panic::install();
    }
    #[cfg(feature = "crash")]
    if crash_handler {
        expect_support(RingLogger::handle_crashes(CRASH_PATIENCE))?;
    }
    #[cfg(feature = "signals")]
    if let Some(deadline) = signals {
        expect_support(RingLogger::handle_signals(deadline))?;
    }
    Ok(logger)
}

/// How long a crash waits for the consumer.
#[cfg(feature = "crash")]
const CRASH_PATIENCE: Duration = Duration::from_millis(500);

/// Where signals are not handled at all, a logger is installed all the same.
#[cfg(any(feature = "signals", feature = "crash"))]
fn expect_support(answer: Result<(), SignalError>) -> Result<(), BuildError> {
    match answer {
        Ok(()) | Err(SignalError::Unsupported) => Ok(()),
        Err(error) => Err(BuildError::Signals(error)),
    }
}

/// From now on, statements that name no logger go to this one.
///
/// # Safety
///
/// The core came from `Arc::into_raw`, and is alive.
unsafe fn set(core: *mut Core) {
    // One count more, for the installed logger is never freed.
    // SAFETY: by contract.
    unsafe { Arc::increment_strong_count(core) };
    // Release: pairs with the Acquire in `core`.
    INSTALLED.store(core, Ordering::Release);
}

/// A logger was restarted, and has a new core: if it is the installed one, that is what counts now.
///
/// # Safety
///
/// The new core came from `Arc::into_raw`, and is alive.
pub(super) unsafe fn replace(before: *mut Core, core: *mut Core) {
    if INSTALLED.load(Ordering::Relaxed) == before {
        // SAFETY: by contract.
        unsafe { set(core) };
    }
}

/// Runs when the process exits, on the thread that exits: uses no thread-local storage that could
/// be gone, and starts no thread.
extern "C" fn end_with_the_process() {
    if let Some(core) = core() {
        core.end();
    }
}

impl Builder {
    /// Builds the logger, makes it the one that `rlog!` uses when none is named, and has it end with
    /// the guard that is returned, or with the process, whichever comes first.
    ///
    /// For programs that want to say where logging ends. Those that do not want to call
    /// [`configure`](Self::configure).
    ///
    /// ```no_run
    /// use ringlog::{RingLogger, sink::File};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let _guard = RingLogger::builder().sink(File::append("app.log")?).install()?;
    ///     ringlog::info!("text");
    ///     Ok(())
    /// } // all is written when the guard is dropped
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build), or a logger has been installed before.
    #[track_caller]
    pub fn install(self) -> Result<Guard, BuildError> {
        let place = Location::caller();
        install(self).map(|logger| Guard { logger, place })
    }

    /// Builds the logger, makes it the one that `rlog!` uses when none is named, and has it end with
    /// the process.
    ///
    /// When the process exits, by [`exit`](std::process::exit) on any thread or because `main`
    /// returns, the logger is shut down with its [deadline](Self::shutdown_deadline). Nothing has to
    /// be kept or called.
    ///
    /// ```no_run
    /// use ringlog::{RingLogger, sink::File};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     RingLogger::builder().sink(File::append("app.log")?).configure()?;
    ///     ringlog::info!("text");
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`install`](Self::install).
    pub fn configure(self) -> Result<&'static RingLogger, BuildError> {
        install(self)
    }
}

/// Keeps the installed logger open. It can be used as the [`RingLogger`] that it is the guard of.
///
/// Dropping it shuts the logger down with its [deadline](Builder::shutdown_deadline), and says on
/// standard error if records were lost then. A guard that is dropped before anything was logged has
/// been dropped by mistake, as `let _ = builder.install()` does: the log says so, and standard error
/// does as soon as a record is rejected because of it.
///
/// The hooks that end the logger with the process work whether or not the guard lives.
#[must_use = "dropping the guard shuts the logger down: `let _guard = ...`, or call `configure`"]
pub struct Guard {
    logger: &'static RingLogger,
    /// Where `install` was called.
    place: &'static Location<'static>,
}

impl Deref for Guard {
    type Target = RingLogger;

    fn deref(&self) -> &RingLogger {
        self.logger
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let core = self.logger.core();
        if core.ring.gate().is_open() && self.logger.stats().submitted() == 0 {
            core.common.notes.misuse(format!(
                "the guard that `install` returned at {} was dropped before anything was logged, \
                 which closed the log; keep it (`let _guard = ...`), or call `configure` instead",
                self.place
            ));
        }
        core.end();
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(self.logger).finish()
    }
}
