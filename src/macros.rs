//! `rlog!` and the level macros.

/// Logs at a level: `rlog!(Level::Info, "filled {qty} lots at {px:.2}")`.
///
/// The format string has the syntax of [`std::format!`], with positional, named and captured
/// arguments. Every form has an example in `docs/macros.md`; in short:
///
/// | form | what it is |
/// | --- | --- |
/// | `rlog!(Level::Info, "{px:.2} {} {qty}", 7)` | a message; the level is a constant |
/// | `rlog!(Level::Info, order_id, px = p, %side, ?kind, user.name = n, "text")` | fields, as in `tracing`: the variable, an expression, by `Display`, by `Debug` |
/// | `rlog!(Level::Info, order_id, px:? = p, side:% = s; "text")` | fields, as in `log` |
/// | `logger: EXPR` | to this [`RingLogger`], [`Producer`] or [`in_handler`], by value or by reference; without it, to the installed logger |
/// | `target: "risk"` | under this target, a constant; without it, under the module's path |
/// | `at: EXPR` | with this [`Timestamp`] or `SystemTime`; without it, that of the logger's clock |
/// | `once`, `every = 1000`, `per = Duration::from_millis(100)`, `sample = 0.01` | less often than it is called; the next record that passes says how many did not, in a field `suppressed` |
/// | `rlog!(typed; Level::Info, ...)` | what would be formatted at the call does not compile |
///
/// `logger:`, `target:` and `at:` come first, in any order. The level macros ([`error!`], [`warn!`],
/// [`info!`], [`debug!`], [`trace!`]) take the same, without the level.
///
/// The value of the expression is an [`Outcome`]. Arguments are evaluated once, from left to right,
/// and not at all when the level is off or the limit holds the call back.
///
/// ```
/// use ringlog::{Level, RingLogger, rlog, sink::Memory};
///
/// let memory = Memory::new();
/// let logger = RingLogger::builder().sink(memory.clone()).build()?;
/// let (order_id, p, side, kind, qty) = (17, 101.25, 'B', Some("limit"), 3);
/// rlog!(
///     logger: &logger, target: "engine", Level::Warn,
///     order_id, px = p, %side, ?kind, "filled {qty} lots at {p:.1}"
/// );
/// logger.shutdown(std::time::Duration::from_secs(5));
/// let log = memory.contents();
/// assert!(log.lines().next().unwrap().ends_with(
///     r#"filled 3 lots at 101.2 order_id=17 px=101.25 side=B kind="Some(\"limit\")""#
/// ));
/// # Ok::<(), ringlog::BuildError>(())
/// ```
///
/// Costs a few nanoseconds, never allocates, locks or enters the kernel; except that a statement's
/// first run registers it, a thread's first record claims a lane, and an
/// [`Overflow`](crate::Overflow) policy that blocks waits when the ring is full.
///
/// [`RingLogger`]: crate::RingLogger
/// [`Producer`]: crate::Producer
/// [`in_handler`]: crate::in_handler
/// [`Timestamp`]: crate::Timestamp
/// [`Outcome`]: crate::Outcome
/// [`error!`]: crate::error
/// [`warn!`]: crate::warn
/// [`info!`]: crate::info
/// [`debug!`]: crate::debug
/// [`trace!`]: crate::trace
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
                                            [$dollar crate] [$level] $dollar($dollar arguments)*
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
