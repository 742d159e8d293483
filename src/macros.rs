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
