//! A logger without a thread of its own is drained by whoever polls it.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::{Memory, Null, Sink as _};
use ringlog::{Builder, Clock, Level, Outcome, Overflow, RingLogger, info};
use support::sinks::Scripted;
use support::{Books, LONG, Log, scaled, wait_for};

fn polled() -> Builder {
    RingLogger::builder().thread(false)
}

#[test]
fn nothing_is_written_before_somebody_polls() {
    let (books, memory) = (Books::new(), Memory::new());
    let logger = polled().sink(memory.clone()).build().unwrap();
    for number in 0..100 {
        books.note(Level::Info, info!(logger: &logger, "n {number}"));
    }
    assert_eq!(memory.contents(), "");
    let stats = books.check(&logger);
    assert_eq!((stats.written, stats.in_ring), (0, 100));
    let mut polled = 0;
    wait_for("the records", || {
        polled += logger.poll(usize::MAX);
        polled == 100
    });
    assert_eq!(logger.poll(usize::MAX), 0);
    let stats = books.check(&logger);
    assert_eq!((stats.written, stats.in_ring), (100, 0));
    assert!(Log::of(&memory).numbers()["n"].iter().copied().eq(0..100));
}

#[test]
fn a_record_that_nobody_polls_for_grows_old() {
    for clock in [Clock::Tsc, Clock::System] {
        for lanes in [2, 0] {
            let logger = polled()
                .lanes(lanes)
                .clock(clock)
                .sink(Null)
                .build()
                .unwrap();
            assert_eq!(logger.stats().lag, Duration::ZERO);
            let before = Instant::now();
            info!(logger: &logger, "first");
            let logged = Instant::now();
            thread::sleep(Duration::from_millis(5));
            info!(logger: &logger, "second");
            let (least, lag, most) = (logged.elapsed(), logger.stats().lag, before.elapsed());
            // The clocks need not agree to the last digit.
            let tolerance = Duration::from_micros(100);
            assert!(
                lag + tolerance >= least && lag <= most + tolerance,
                "{lag:?}"
            );
            wait_for("the records", || {
                logger.poll(usize::MAX);
                logger.stats().in_ring == 0
            });
            assert_eq!(logger.stats().lag, Duration::ZERO);
        }
    }
}

#[test]
fn a_poll_keeps_within_its_budget() {
    for clock in [Clock::Tsc, Clock::Arrival, Clock::System] {
        for lanes in [2, 0] {
            let (books, memory) = (Books::new(), Memory::new());
            let logger = polled()
                .lanes(lanes)
                .clock(clock)
                .sink(memory.clone())
                .build()
                .unwrap();
            let producer = logger.producer();
            for number in 0..250 {
                books.note(Level::Info, info!(logger: &logger, "a {number}"));
                books.note(Level::Info, info!(logger: &producer, "b {number}"));
            }
            let mut written = 0;
            for budget in [0, 1, 1, 2, 3, 50, 7, 100, 0, 1000].into_iter().cycle() {
                let taken = logger.poll(budget);
                assert!(taken <= budget);
                written += taken;
                assert_eq!(Log::of(&memory).records().count(), written);
                if written == 500 {
                    break;
                }
            }
            books.check(&logger);
            for numbers in Log::of(&memory).numbers().values() {
                assert!(numbers.iter().copied().eq(0..250));
            }
        }
    }
}

#[test]
fn polling_a_logger_that_has_a_thread_does_nothing() {
    let memory = Memory::new();
    let logger = RingLogger::builder().sink(memory.clone()).build().unwrap();
    for number in 0..100 {
        info!(logger: &logger, "n {number}");
        assert_eq!(logger.poll(usize::MAX), 0);
    }
    assert_eq!(logger.shutdown(LONG).written, 100);
    assert_eq!(logger.poll(usize::MAX), 0);
}

#[test]
fn one_thread_logs_and_another_polls() {
    let each = scaled(40_000) as u64;
    let (books, memory) = (Books::new(), Memory::new());
    let logger = polled()
        .lanes(1)
        .lane_capacity(64)
        .overflow(Overflow::Block)
        .sink(memory.clone())
        .build()
        .unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if logger.poll(16) == 0 {
                    thread::yield_now();
                }
            }
        });
        for number in 0..each {
            books.note(Level::Info, info!(logger: &logger, "n {number}"));
        }
        done.store(true, Ordering::Relaxed);
    });
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert!(Log::of(&memory).numbers()["n"].iter().copied().eq(0..each));
}

#[test]
fn two_threads_may_poll_at_once_and_only_one_drains() {
    let each = scaled(20_000) as u64;
    let (books, memory) = (Books::new(), Memory::new());
    let logger = polled()
        .lanes(1)
        .lane_capacity(64)
        .overflow(Overflow::Block)
        .sink(memory.clone())
        .build()
        .unwrap();
    let polled = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    polled.fetch_add(logger.poll(100) as u64, Ordering::Relaxed);
                    thread::yield_now();
                }
            });
        }
        for number in 0..each {
            books.note(Level::Info, info!(logger: &logger, "n {number}"));
        }
        done.store(true, Ordering::Relaxed);
    });
    let before = polled.into_inner();
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert!(before <= each);
    assert!(Log::of(&memory).numbers()["n"].iter().copied().eq(0..each));
}

#[test]
fn a_sink_that_polls_its_own_logger_gets_nothing() {
    let own = Arc::new(OnceLock::<Weak<RingLogger>>::new());
    let memory = Memory::new();
    let (logger, mut inner) = (own.clone(), memory.clone());
    let logger = Arc::new(
        polled()
            .sink(Scripted::new("greedy", move |batch| {
                if let Some(logger) = logger.get().and_then(Weak::upgrade) {
                    assert_eq!(logger.poll(usize::MAX), 0);
                }
                inner.write(batch)
            }))
            .build()
            .unwrap(),
    );
    own.set(Arc::downgrade(&logger)).unwrap();
    for number in 0..10 {
        info!(logger: &*logger, "n {number}");
    }
    logger.flush(LONG).unwrap();
    assert_eq!(Log::of(&memory).records().count(), 10);
    assert_eq!(logger.shutdown(LONG).failed, 0);
}

#[test]
fn polling_a_closed_logger_does_nothing() {
    let logger = polled().sink(Null).build().unwrap();
    assert_eq!(info!(logger: &logger, "text"), Outcome::Accepted);
    assert_eq!(logger.shutdown(LONG).written, 1);
    assert_eq!(logger.poll(usize::MAX), 0);
}
