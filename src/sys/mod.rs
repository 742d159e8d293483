//! The platform corners: what the standard library does not offer.
//!
//! Each module promises the same on every target. Linux on x86-64 gets the fast or the complete
//! way; elsewhere, and under Miri, a plain one takes its place, or an error says that there is
//! none.

pub(crate) mod affinity;
pub(crate) mod console;
#[cfg(all(feature = "crash", target_os = "linux", not(miri)))]
pub(crate) mod crash;
pub(crate) mod exclusive;
pub(crate) mod exit;
pub(crate) mod file;
pub(crate) mod fork;
pub(crate) mod mapping;
pub(crate) mod membarrier;
#[cfg(unix)]
pub(crate) mod memfd;
pub(crate) mod pair;
pub(crate) mod prefetch;
#[cfg(all(
    any(feature = "signals", feature = "crash"),
    target_os = "linux",
    not(miri)
))]
pub(crate) mod signal;
pub(crate) mod thread;
pub(crate) mod tsc;
pub(crate) mod uninterrupted;
