//! Memory is allocated when a logger is built, and not afterwards. Each fact has a process of its
//! own, in which nothing else allocates.

#![cfg(not(miri))] // which starts no processes

mod support;

use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ringlog::sink::Null;
use ringlog::{Level, Outcome, Overflow, RingLogger, context, debug, info, warn};
use support::allocator::{Counting, allocations, live_bytes, my_allocations};
use support::child::alone;
use support::sinks::Scripted;
use support::{Books, LONG, scaled, wait_for};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A type that is formatted at the call.
struct Price(f64);

impl std::fmt::Display for Price {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} EUR", self.0)
    }
}

/// How many records `log` submits.
const KINDS: u64 = 5;

/// Records of all kinds: short and long, typed and formatted at the call, with fields and in a
/// context, and one that is filtered.
fn log(books: &Books, logger: &RingLogger, number: u64, text: &str) {
    let px = number as f64 / 8.0;
    let info = |outcome| books.note(Level::Info, outcome);
    info(info!(logger: logger, "filled {number} at {px:.2} by {}", 7_u8));
    info(info!(logger: logger, "text {text} {number}"));
    info(info!(logger: logger, "formatted {} {:?}", Price(px), Some(number)));
    info(debug!(logger: logger, "filtered {}", Price(px)));
    {
        let _context = context!(number, text, price = Price(px));
        info(info!(logger: logger, px, %text, price = Price(px), "in a context"));
    }
    let outcome = warn!(logger: logger, target: "risk", "{text}{text}{text}{text}");
    books.note(Level::Warn, outcome);
}

/// After one round of each statement on each thread.
#[test]
fn a_million_records_of_two_threads_allocate_nothing() {
    alone("a_million_records_of_two_threads_allocate_nothing", || {
        for overflow in [Overflow::Block, Overflow::Drop] {
            for lanes in [2, 0] {
                log_from_two_threads(overflow, lanes);
            }
        }
    });
}

fn log_from_two_threads(overflow: Overflow, lanes: usize) {
    const THREADS: usize = 2;
    let rounds = scaled(1_000_000) as u64 / KINDS / THREADS as u64 / 4;
    let books = Books::new();
    let logger = RingLogger::builder()
        .lanes(lanes)
        .lane_capacity(256)
        .shared_capacity(256)
        .overflow(overflow)
        .sink(Null)
        .build()
        .unwrap();
    let text = "x".repeat(60);
    let step = Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                log(&books, &logger, 0, &text);
                step.wait();
                step.wait();
                let before = my_allocations();
                for number in 0..rounds {
                    log(&books, &logger, number, &text);
                }
                let more = my_allocations() - before;
                step.wait();
                step.wait();
                assert_eq!(more, 0, "a producer allocated");
            });
        }
        step.wait();
        // The consumer, too, has seen each statement.
        logger.flush(LONG).unwrap();
        // All but this thread's own, which asks for statistics.
        let others = || allocations() - my_allocations();
        let before = others();
        step.wait();
        step.wait();
        wait_for("an empty ring", || logger.stats().in_ring == 0);
        let more = others() - before;
        step.wait();
        // A gap is told with a line that is put together as such lines are: rarely.
        assert!(
            more == 0 || books.full() > 0,
            "the consumer allocated {more} times"
        );
    });
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!(books.submitted(), KINDS * THREADS as u64 * (rounds + 1));
    assert_eq!(books.full() > 0, overflow == Overflow::Drop);
}

#[test]
fn records_that_are_filtered_or_come_too_late_allocate_nothing() {
    alone(
        "records_that_are_filtered_or_come_too_late_allocate_nothing",
        || {
            let books = Books::new();
            let logger = RingLogger::builder().sink(Null).build().unwrap();
            let filtered =
                |number: u64| ringlog::trace!(logger: &logger, "{}", Price(number as f64));
            filtered(0);
            log(&books, &logger, 0, "text");
            let before = my_allocations();
            for number in 0..1000 {
                assert_eq!(filtered(number), Outcome::Filtered);
            }
            assert_eq!(my_allocations(), before);
            logger.shutdown(LONG);
            let before = my_allocations();
            for number in 0..1000 {
                log(&books, &logger, number, "text");
            }
            assert_eq!(my_allocations(), before);
            assert_eq!(books.closed(), 1000 * KINDS);
        },
    );
}

/// The thread's own share of the standard library's bookkeeping comes and goes with it.
#[test]
fn ten_thousand_threads_that_come_and_go_leave_nothing_behind() {
    alone(
        "ten_thousand_threads_that_come_and_go_leave_nothing_behind",
        || {
            const WAVE: usize = 20;
            let books = Books::new();
            let logger = RingLogger::builder()
                .lanes(8)
                .overflow(Overflow::Block)
                .sink(Null)
                .build()
                .unwrap();
            let run = |threads: usize| {
                for _ in 0..threads / WAVE {
                    thread::scope(|scope| {
                        for _ in 0..WAVE {
                            scope.spawn(|| log(&books, &logger, 1, "text"));
                        }
                    });
                }
                logger.flush(LONG).unwrap();
            };
            run(1000);
            let (live, resident) = (live_bytes(), resident_bytes());
            run(10_000);
            let (live, resident) = (live_bytes() - live, resident_bytes() - resident);
            assert!(live < 16 << 10, "{live} bytes were allocated and stayed");
            assert!(resident < 16 << 20, "{resident} bytes more are resident");
            let report = logger.shutdown(LONG);
            books.check_report(&logger, &report);
            assert_eq!(report.written, KINDS * 11_000);
        },
    );
}

/// What the process has in memory, as far as the system tells.
fn resident_bytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?
            .trim()
            .strip_suffix(" kB")?
            .parse()
            .ok()
    });
    kilobytes.unwrap_or(0_i64) << 10
}

#[test]
fn loggers_that_come_and_go_leave_nothing_behind() {
    alone("loggers_that_come_and_go_leave_nothing_behind", || {
        let books = Books::new();
        let run = |loggers: usize| {
            for _ in 0..loggers {
                let logger = RingLogger::builder()
                    .lane_capacity(64)
                    .shared_capacity(64)
                    .sink(Null)
                    .build()
                    .unwrap();
                log(&books, &logger, 1, "text");
                logger.shutdown(LONG);
            }
        };
        run(20);
        let live = live_bytes();
        run(100);
        let live = live_bytes() - live;
        assert!(live < 4 << 10, "{live} bytes were allocated and stayed");
    });
}

#[test]
fn a_sink_that_fails_for_ever_does_not_fill_the_memory() {
    alone(
        "a_sink_that_fails_for_ever_does_not_fill_the_memory",
        || {
            let failing = Arc::new(AtomicBool::new(true));
            let fails = failing.clone();
            let books = Books::new();
            let logger = RingLogger::builder()
                .thread(false)
                .sink(Scripted::new("failing", move |batch| {
                    if fails.load(Ordering::Relaxed) {
                        return Err(std::io::Error::other("broken"));
                    }
                    Ok(batch.bytes().len())
                }))
                .build()
                .unwrap();
            let before = live_bytes();
            while logger.stats().bytes < 8 << 20 {
                for number in 0..500 {
                    log(&books, &logger, number, "text");
                }
                while logger.poll(usize::MAX) > 0 {}
            }
            let live = live_bytes() - before;
            assert!(live < 3 << 20, "{live} bytes wait");
            failing.store(false, Ordering::Relaxed);
            let report = logger.shutdown(LONG);
            books.check_report(&logger, &report);
            assert!(report.failed > 0);
        },
    );
}
