//! What the process does last.

/// Has `run` called when the process exits: by `exit` on any thread, or because `main` returned.
/// Not when a signal ends it, nor by `_exit`; and never on platforms other than Unix. It cannot be
/// taken back.
///
/// The thread that exits has no thread-local storage with destructors any more when `run` is
/// called, and cannot start threads. All other threads go on.
pub(crate) fn at_exit(run: extern "C" fn()) {
    platform::at_exit(run);
}

#[cfg(all(unix, not(miri)))]
mod platform {
    pub(super) fn at_exit(run: extern "C" fn()) {
        // It fails when there is no memory for 24 bytes.
        // SAFETY: the function takes nothing, may be called at any time, and does not unwind: an
        // `extern "C"` function that would aborts.
        let _ = unsafe { libc::atexit(run) };
    }
}

#[cfg(not(all(unix, not(miri))))]
mod platform {
    pub(super) fn at_exit(_: extern "C" fn()) {}
}
