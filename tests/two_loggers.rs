//! Loggers of one program know nothing of each other, whoever uses them.

mod support;

use std::sync::Barrier;
use std::thread;

use ringlog::sink::Memory;
use ringlog::{Level, LevelFilter, Outcome, Overflow, RingLogger, debug, info, warn};
use support::{Books, LONG, Log, scaled};

#[test]
fn the_same_statements_may_log_to_loggers_of_different_levels() {
    let (quiet_log, loud_log) = (Memory::new(), Memory::new());
    let quiet = RingLogger::builder()
        .level(LevelFilter::Warn)
        .sink(quiet_log.clone())
        .build()
        .unwrap();
    let loud = RingLogger::builder()
        .level(LevelFilter::Debug)
        .sink(loud_log.clone())
        .build()
        .unwrap();
    let log = |logger: &RingLogger| {
        [
            debug!(logger: logger, "debug"),
            info!(logger: logger, "info"),
            warn!(logger: logger, "warn"),
        ]
    };
    use Outcome::{Accepted, Filtered};
    assert_eq!(log(&quiet), [Filtered, Filtered, Accepted]);
    assert_eq!(log(&loud), [Accepted, Accepted, Accepted]);
    quiet.set_level(LevelFilter::Info);
    assert_eq!(log(&quiet), [Filtered, Accepted, Accepted]);
    loud.set_level(LevelFilter::Off);
    assert_eq!(log(&loud), [Filtered; 3]);
    assert_eq!(log(&quiet), [Filtered, Accepted, Accepted]);
    quiet.shutdown(LONG);
    loud.shutdown(LONG);
    assert_eq!(
        Log::of(&quiet_log).texts(),
        ["warn", "info", "warn", "info", "warn"]
    );
    assert_eq!(Log::of(&loud_log).texts(), ["debug", "info", "warn"]);
}

#[test]
fn threads_may_log_to_both_in_turns() {
    const THREADS: usize = 4;
    let each = scaled(8000) as u64;
    let logs = [Memory::new(), Memory::new()];
    let books = [Books::new(), Books::new()];
    // In one of them, half of the threads share a ring.
    let loggers = [(2, 64), (8, 256)].map(|(lanes, capacity)| {
        let sink = logs[usize::from(lanes == 8)].clone();
        RingLogger::builder()
            .lanes(lanes)
            .lane_capacity(capacity)
            .shared_capacity(64)
            .overflow(Overflow::Block)
            .sink(sink)
            .build()
            .unwrap()
    });
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (books, loggers, start) = (&books, &loggers, &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..each {
                    for (books, logger) in books.iter().zip(loggers) {
                        books.note(Level::Info, info!(logger: logger, "t{thread} {number}"));
                    }
                }
            });
        }
    });
    for ((books, logger), log) in books.iter().zip(&loggers).zip(&logs) {
        let report = logger.shutdown(LONG);
        books.check_report(logger, &report);
        let log = Log::of(log);
        let numbers = log.numbers();
        assert_eq!(numbers.len(), THREADS);
        for (name, numbers) in numbers {
            assert!(numbers.into_iter().eq(0..each), "{name}");
        }
    }
}

#[test]
fn closing_one_leaves_the_other_open() {
    let (first_log, second_log) = (Memory::new(), Memory::new());
    let first = RingLogger::builder()
        .sink(first_log.clone())
        .build()
        .unwrap();
    let second = RingLogger::builder()
        .sink(second_log.clone())
        .build()
        .unwrap();
    for logger in [&first, &second] {
        assert_eq!(info!(logger: logger, "both"), Outcome::Accepted);
    }
    assert_eq!(first.shutdown(LONG).written, 1);
    assert_eq!(info!(logger: &first, "closed"), Outcome::Closed);
    assert_eq!(info!(logger: &second, "open"), Outcome::Accepted);
    second.flush(LONG).unwrap();
    assert_eq!(Log::of(&first_log).texts(), ["both"]);
    assert_eq!(Log::of(&second_log).texts(), ["both", "open"]);
    drop(first);
    assert_eq!(info!(logger: &second, "still open"), Outcome::Accepted);
    assert_eq!(second.shutdown(LONG).written, 3);
}

/// As a sink that reports its own troubles to another log does.
#[test]
fn the_sink_of_one_may_log_to_the_other() {
    let (outer_log, inner_log) = (Memory::new(), Memory::new());
    let inner = RingLogger::builder()
        .sink(inner_log.clone())
        .build()
        .unwrap();
    let mut memory = outer_log.clone();
    let outer = RingLogger::builder()
        .sink(support::sinks::Scripted::new("relay", move |batch| {
            for line in std::str::from_utf8(batch.bytes()).unwrap().lines() {
                let text = &line[line.rfind("n ").unwrap()..];
                assert_eq!(info!(logger: &inner, "{text}"), Outcome::Accepted);
            }
            ringlog::sink::Sink::write(&mut memory, batch)
        }))
        .build()
        .unwrap();
    for number in 0..500 {
        assert_eq!(info!(logger: &outer, "n {number}"), Outcome::Accepted);
    }
    assert_eq!(outer.shutdown(LONG).written, 500);
    // With the outer logger goes its sink, and with that the inner logger.
    drop(outer);
    for log in [&outer_log, &inner_log] {
        assert!(Log::of(log).numbers()["n"].iter().copied().eq(0..500));
    }
}
