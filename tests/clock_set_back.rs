//! A clock that is set back holds nothing up.
//!
//! The tests of this program have a system clock of their own to set: the standard library's calls of
//! `clock_gettime` find the one that is defined here.

#![cfg(all(target_os = "linux", not(miri)))]

mod support;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use ringlog::sink::Memory;
use ringlog::{Clock, RingLogger, info};
use support::{LONG, wait_for};

/// By how many seconds the clock was set back.
static BACK: AtomicI64 = AtomicI64::new(0);

/// # Safety
///
/// As for the one of the C library.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(
    clock: libc::clockid_t,
    time: *mut libc::timespec,
) -> libc::c_int {
    // SAFETY: the caller's promises are those that the system call asks for.
    let answer = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    if answer == 0 && clock == libc::CLOCK_REALTIME {
        // SAFETY: the kernel has just written there.
        unsafe { (*time).tv_sec -= BACK.load(Ordering::Relaxed) };
    }
    answer as libc::c_int
}

#[test]
fn what_was_logged_before_the_clock_was_set_back_is_written_at_once() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .clock(Clock::System)
        .thread(false)
        .closing_record(false)
        .sink(memory.clone())
        .build()
        .unwrap();
    let before = SystemTime::now();
    info!(logger: &logger, "before");
    BACK.store(3600, Ordering::Relaxed);
    let by = before.duration_since(SystemTime::now());
    assert!(
        by.unwrap() > Duration::from_secs(3000),
        "the clock is not ours"
    );
    info!(logger: &logger, "after");
    let mut written = 0;
    wait_for("both records", || {
        written += logger.poll(usize::MAX);
        written == 2
    });
    let lines = memory.contents();
    let lines: Vec<&str> = lines.lines().collect();
    assert!(lines[0].ends_with("] before"), "{lines:?}");
    // It is earlier than one that was written before it.
    assert!(lines[1].ends_with("] after late=true"), "{lines:?}");
    logger.flush(LONG).unwrap();
}
