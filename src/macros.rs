//! `rlog!` and the level macros.

/// Logs at a level: `rlog!(Level::Info, "filled {qty} lots at {px:.2}")`.
///
/// The format string has the syntax of [`std::format!`], with positional, named and captured
/// arguments. In front of it may stand, in any order, `logger: EXPR` (a [`RingLogger`] or a
/// [`Producer`], by value or by reference; without it the installed logger), `target: "..."`
/// (without it the module path), and `at: EXPR` (the record's [`Timestamp`] or `SystemTime`;
/// without it the logger's clock).
///
/// The value of the expression is an [`Outcome`]. Arguments are not evaluated when the level is
/// off. The level and the target must be constants.
///
/// Costs a few nanoseconds, never allocates, locks or enters the kernel; except that a statement's
/// first run registers it, a thread's first record claims a lane, and an
/// [`Overflow`](crate::Overflow) policy that blocks waits when the ring is full.
///
/// [`RingLogger`]: crate::RingLogger
/// [`Producer`]: crate::Producer
/// [`Timestamp`]: crate::Timestamp
/// [`Outcome`]: crate::Outcome
#[macro_export]
macro_rules! rlog {
    ($($arguments:tt)*) => {
        $crate::__private::rlog_impl!([$crate] [] $($arguments)*)
    };
}

/// Adds fields to every record of the calling thread, until the guard that it answers is dropped:
/// `let _context = context!(session = 42, symbol = "ESZ6");`
///
/// The fields are written as those of [`rlog!`]. Contexts nest: inner fields come after outer ones,
/// and each guard ends its own. The guard stays on its thread; a task that may go on on another
/// thread is run by [`in_context`](crate::in_context).
///
/// ```
/// use ringlog::{RingLogger, context, info, sink::Memory};
///
/// let memory = Memory::new();
/// let logger = RingLogger::builder().sink(memory.clone()).build()?;
/// {
///     let _session = context!(session = 42, symbol = "ESZ6");
///     info!(logger: &logger, "opened");
/// }
/// info!(logger: &logger, "closed");
/// logger.shutdown(std::time::Duration::from_secs(5));
/// let log = memory.contents();
/// let mut lines = log.lines();
/// assert!(lines.next().unwrap().ends_with("opened session=42 symbol=ESZ6"));
/// assert!(lines.next().unwrap().ends_with("closed"));
/// # Ok::<(), ringlog::BuildError>(())
/// ```
///
/// A value is captured when the context is set: numbers, `bool`, `char` and strings as they are, all
/// else as the text that `Display`, or else `Debug`, makes of it. A field named `trace_id` can be
/// read back with [`TraceId::current`](crate::TraceId::current).
///
/// A thread's contexts have 509 bytes, names and values together, for up to 64 guards. Texts that
/// do not fit are cut, and fields that do not fit are left out; records then have a field
/// `context.left_out` with their number. In a record, the context takes up to half of the
/// [most that it can hold](crate::Builder::max_record_slots).
///
/// Setting and ending a context takes some ten nanoseconds, and does not allocate, lock or enter the
/// kernel. A record of a thread with a context costs a copy of it, and takes more slots; without one
/// it costs nothing.
#[macro_export]
macro_rules! context {
    ($($arguments:tt)*) => {
        $crate::__private::context_impl!([$crate] $($arguments)*)
    };
}

macro_rules! level_macro {
    ($dollar:tt $name:ident, $level:ident, $text:literal) => {
        #[doc = concat!("Logs at level ", $text, ": [`rlog!`](crate::rlog) with the level given.")]
        #[macro_export]
        macro_rules! $name {
            ($dollar($dollar arguments:tt)*) => {
                $dollar crate::__private::rlog_impl!(
                    [$dollar crate] [$dollar crate::Level::$level] $dollar($dollar arguments)*
                )
            };
        }
    };
}

level_macro!($ trace, Trace, "TRACE");
level_macro!($ debug, Debug, "DEBUG");
level_macro!($ info, Info, "INFO");
level_macro!($ warn, Warn, "WARN");
level_macro!($ error, Error, "ERROR");
