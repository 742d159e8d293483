//! What happens around a fork.
//!
//! The child of a fork has a copy of all memory and none of the other threads, so a lock that one
//! of them held is never unlocked there. Three functions are called around every `fork`: `before`
//! in the parent, then `in_parent`, and `in_child` in the child, all on the thread that forks. A
//! process that is started without a copy (`posix_spawn`, `vfork`) does not call them.

use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How many threads are forking at the moment.
static UNDER_WAY: AtomicU32 = AtomicU32::new(0);

/// How many forks this process is away from the first one that used the crate.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// A number that is one greater in the child of a fork than in its parent.
pub(crate) fn generation() -> u64 {
    // Relaxed: it changes while the process has one thread only.
    GENERATION.load(Ordering::Relaxed)
}

/// Whether this process is a forked child.
#[cfg(all(unix, not(miri)))]
pub(crate) fn is_child() -> bool {
    generation() != 0
}

/// Whether a thread of this process is forking.
pub(crate) fn is_under_way() -> bool {
    // SeqCst: see `Exclusive::try_take`.
    UNDER_WAY.load(Ordering::SeqCst) > 0
}

/// A fork begins. Must be followed by [`end_in_parent`] and, in the child, [`end_in_child`].
pub(crate) fn begin() {
    UNDER_WAY.fetch_add(1, Ordering::SeqCst);
}

/// A fork is over, for the parent.
pub(crate) fn end_in_parent() {
    UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
}

/// A fork is over, for the child, which has one thread only.
pub(crate) fn end_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    UNDER_WAY.store(0, Ordering::SeqCst);
}

/// The functions to be called around a fork. They must not unwind.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(all(unix, not(miri))),
    expect(dead_code, reason = "there is no fork that could call them")
)]
pub(crate) struct Handlers {
    pub(crate) before: extern "C" fn(),
    pub(crate) in_parent: extern "C" fn(),
    pub(crate) in_child: extern "C" fn(),
}

/// Has the functions called around every fork from now on, for the life of the process.
///
/// # Errors
///
/// There is no memory for it. Where there is no fork, there is nothing to do.
pub(crate) fn register(handlers: Handlers) -> io::Result<()> {
    platform::register(handlers)
}

#[cfg(all(unix, not(miri)))]
mod platform {
    use super::{Handlers, io};

    // The C library has it on every Unix, and the libc crate not for every one.
    unsafe extern "C" {
        fn pthread_atfork(
            before: Option<extern "C" fn()>,
            in_parent: Option<extern "C" fn()>,
            in_child: Option<extern "C" fn()>,
        ) -> libc::c_int;
    }

    pub(super) fn register(handlers: Handlers) -> io::Result<()> {
        // SAFETY: the functions take nothing and live as long as the process.
        let result = unsafe {
            pthread_atfork(
                Some(handlers.before),
                Some(handlers.in_parent),
                Some(handlers.in_child),
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(result))
        }
    }
}

#[cfg(not(all(unix, not(miri))))]
mod platform {
    use super::{Handlers, io};

    /// There is no fork that could call them.
    pub(super) fn register(_handlers: Handlers) -> io::Result<()> {
        Ok(())
    }
}
