//! A record never enters the kernel: a thread that the kernel would kill for it logs a million.

#![cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use ringlog::sink::Null;
use ringlog::{Clock, Level, RingLogger, debug, info, warn};
use support::child::alone;
use support::{Books, LONG, wait_for};

/// Bars the calling thread from all system calls but read, write, exit and sigreturn, and from the
/// time stamp counter. Any other ends the thread.
fn enter_strict_mode() -> bool {
    // SAFETY: no pointers are involved.
    unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) == 0 }
}

/// Bars the calling thread from every system call but exit. Any other ends the process.
fn enter_filter() -> bool {
    let statement = |code: u32, k: u32, on_true, on_false| libc::sock_filter {
        code: code as u16,
        jt: on_true,
        jf: on_false,
        k,
    };
    let is_equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let answer = libc::BPF_RET | libc::BPF_K;
    let mut program = [
        // The call's number comes first in what a filter sees.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(is_equal, libc::SYS_exit as u32, 0, 1),
        statement(answer, libc::SECCOMP_RET_ALLOW, 0, 0),
        statement(answer, libc::SECCOMP_RET_KILL_PROCESS, 0, 0),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the filter and its program live through the calls.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter) == 0
    }
}

/// Runs `prepare`, bars the thread from the kernel, runs `run`, and ends the thread. Answers
/// whether it came to its end by itself.
fn barred(
    enter: fn() -> bool,
    prepare: impl FnOnce() + Send + 'static,
    run: impl FnOnce() + Send + 'static,
) -> bool {
    static THREAD: AtomicU64 = AtomicU64::new(0);
    static ENTERED: AtomicBool = AtomicBool::new(false);
    static ENDED: AtomicBool = AtomicBool::new(false);

    let thread = thread::spawn(move || {
        prepare();
        // SAFETY: gettid takes nothing.
        let id = unsafe { libc::syscall(libc::SYS_gettid) };
        THREAD.store(id as u64, Ordering::Release);
        if enter() {
            ENTERED.store(true, Ordering::Release);
            run();
        }
        ENDED.store(true, Ordering::Release);
        // The way out of a thread that the standard library takes has other system calls in it.
        // SAFETY: nobody waits for the thread, and nothing that it borrowed is used after it.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    });
    // Not to be joined, since it does not come back.
    drop(thread);
    wait_for("the thread", || THREAD.load(Ordering::Acquire) != 0);
    let task = format!("/proc/self/task/{}", THREAD.load(Ordering::Acquire));
    wait_for("the end of the thread", || !Path::new(&task).exists());
    assert!(ENTERED.load(Ordering::Acquire), "the kernel has no seccomp");
    ENDED.load(Ordering::Acquire)
}

/// What the other facts rest on.
#[test]
fn the_kernel_ends_a_thread_that_enters_it() {
    alone("the_kernel_ends_a_thread_that_enters_it", || {
        let ended = barred(
            enter_strict_mode,
            || (),
            || {
                // SAFETY: getppid takes nothing.
                unsafe { libc::syscall(libc::SYS_getppid) };
            },
        );
        assert!(!ended);
    });
}

/// A type that is formatted at the call.
struct Price(f64);

impl std::fmt::Display for Price {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} EUR", self.0)
    }
}

/// Records of all kinds.
fn log(books: &Books, logger: &RingLogger, number: u64, text: &str) {
    let level = Level::Info;
    let px = number as f64 / 8.0;
    books.note(
        level,
        info!(logger: logger, "filled {number} at {px:.2} by {}", 7_u8),
    );
    books.note(
        level,
        info!(logger: logger, "formatted {} {:?}", Price(px), Some(number)),
    );
    books.note(level, warn!(logger: logger, "text {text} {number}"));
    books.note(level, debug!(logger: logger, "filtered {text}"));
}

/// The other thread drains meanwhile. The ring is small, so that it is full now and then.
fn log_a_million_records(enter: fn() -> bool, clock: Clock, lanes: usize) {
    let records = if cfg!(debug_assertions) {
        250_000
    } else {
        1_000_000
    };
    let books: &'static Books = Box::leak(Box::default());
    let logger: &'static RingLogger = Box::leak(Box::new(
        RingLogger::builder()
            .lanes(lanes)
            .lane_capacity(64)
            .shared_capacity(64)
            .clock(clock)
            .sink(Null)
            .build()
            .unwrap(),
    ));
    let text = "x".repeat(100);
    let warm_up = text.clone();
    let ended = barred(
        enter,
        move || {
            // Statements are registered, and the thread has its lane.
            log(books, logger, 0, &warm_up);
        },
        move || {
            while books.submitted() < records {
                log(books, logger, books.submitted(), &text);
            }
            // Freeing it could take the thread there.
            std::mem::forget(text);
        },
    );
    assert!(
        ended,
        "the thread entered the kernel after {} records",
        books.submitted()
    );
    assert!(books.submitted() >= records);
    assert!(books.full() > 0 && books.accepted() > 0 && books.filtered() > 0);
    // Drops that no record follows are told at the end; the lane is never let go of.
    let report = logger.shutdown(LONG);
    assert_eq!(report.written, books.accepted());
    assert_eq!(report.dropped.total(), books.full());
}

#[test]
fn a_record_in_a_lane_makes_no_system_call() {
    alone("a_record_in_a_lane_makes_no_system_call", || {
        log_a_million_records(enter_filter, Clock::Tsc, 1);
    });
}

#[test]
fn a_record_in_the_shared_ring_makes_no_system_call() {
    alone("a_record_in_the_shared_ring_makes_no_system_call", || {
        log_a_million_records(enter_filter, Clock::Tsc, 0);
    });
}

#[test]
fn a_record_stamped_on_arrival_needs_no_clock() {
    alone("a_record_stamped_on_arrival_needs_no_clock", || {
        log_a_million_records(enter_strict_mode, Clock::Arrival, 1);
    });
}
