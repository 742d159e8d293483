//! Records that are kept in memory, and written when something bad happens.

mod support;

use std::thread;

use ringlog::sink::Memory;
use ringlog::{
    BuildError, Builder, Level, Outcome, Overflow, RingLogger, context, debug, error, info, trace,
    warn,
};
use support::{Books, LONG, Log, wait_for};

fn builder(memory: &Memory) -> Builder {
    RingLogger::builder().sink(memory.clone())
}

/// Info and above are written; the last `records` below that are kept for an error.
fn keeping(records: usize, memory: &Memory) -> RingLogger {
    builder(memory)
        .overflow(Overflow::Block)
        .backtrace(records, Level::Debug..=Level::Trace, Level::Error)
        .build()
        .unwrap()
}

const MARK: &str = " backtrace=true";

#[test]
fn what_was_kept_is_written_marked_before_the_record_that_calls_for_it() {
    let memory = Memory::new();
    let logger = keeping(100, &memory);
    debug!(logger: &logger, "a {}", 1);
    info!(logger: &logger, "b");
    trace!(logger: &logger, field = "x y", "c");
    warn!(logger: &logger, "d");
    error!(logger: &logger, "e");
    error!(logger: &logger, "f");
    debug!(logger: &logger, "g");
    error!(logger: &logger, "h");
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    assert_eq!(
        log.texts(),
        [
            "b",
            "d",
            "a 1 backtrace=true",
            "c field=\"x y\" backtrace=true",
            "e",
            "f",
            "g backtrace=true",
            "h"
        ]
    );
    // Each with its own level and time.
    assert_eq!(log.lines[2].level, Level::Debug);
    assert!(log.lines[2].time < log.lines[1].time);
}

#[test]
fn only_the_last_are_kept_and_what_nothing_calls_for_is_not_written() {
    let (memory, books) = (Memory::new(), Books::new());
    let logger = keeping(10, &memory);
    for number in 0..1000 {
        books.note(Level::Debug, debug!(logger: &logger, "kept {number}"));
    }
    books.note(Level::Error, error!(logger: &logger, "error"));
    for number in 0..1000 {
        books.note(Level::Trace, trace!(logger: &logger, "in vain {number}"));
    }
    logger.flush(LONG).unwrap();
    assert_eq!(books.check(&logger).in_ring, 10);
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!(report.written, 2001);
    let mut expected: Vec<String> = (990..1000)
        .map(|number| format!("kept {number}{MARK}"))
        .collect();
    expected.push("error".into());
    assert_eq!(Log::of(&memory).texts(), expected);
}

#[test]
fn the_levels_may_be_given_in_either_order_and_any_level_may_call() {
    let memory = Memory::new();
    let logger = builder(&memory)
        .level(Level::Error)
        .backtrace(5, Level::Trace..=Level::Info, Level::Warn)
        .build()
        .unwrap();
    assert_eq!(trace!(logger: &logger, "trace"), Outcome::Accepted);
    assert_eq!(info!(logger: &logger, "info"), Outcome::Accepted);
    // Warnings are neither kept nor written.
    assert_eq!(warn!(logger: &logger, "warn"), Outcome::Filtered);
    logger.set_level(Level::Warn);
    assert_eq!(warn!(logger: &logger, "warn"), Outcome::Accepted);
    logger.shutdown(LONG);
    assert_eq!(
        Log::of(&memory).texts(),
        ["trace backtrace=true", "info backtrace=true", "warn"]
    );
}

#[test]
fn a_filter_decides_what_is_written_at_once_and_off_means_off() {
    let memory = Memory::new();
    let logger = builder(&memory)
        .filter("info,loud=debug,silent=off")
        .backtrace(5, Level::Debug..=Level::Trace, Level::Error)
        .build()
        .unwrap();
    let log = || {
        [
            debug!(logger: &logger, target: "loud", "at once"),
            trace!(logger: &logger, target: "loud", "kept"),
            debug!(logger: &logger, target: "silent", "never"),
            debug!(logger: &logger, "kept too"),
        ]
    };
    use Outcome::{Accepted, Filtered};
    assert_eq!(log(), [Accepted, Accepted, Filtered, Accepted]);
    error!(logger: &logger, "error");
    logger.flush(LONG).unwrap();
    logger.set_filter("loud=trace").unwrap();
    assert_eq!(log(), [Accepted, Accepted, Filtered, Filtered]);
    logger.shutdown(LONG);
    assert_eq!(
        Log::of(&memory).texts(),
        [
            "at once",
            "kept backtrace=true",
            "kept too backtrace=true",
            "error",
            "at once",
            "kept"
        ]
    );
}

#[test]
fn it_is_written_when_it_is_asked_for() {
    for thread in [true, false] {
        let memory = Memory::new();
        let logger = builder(&memory)
            .thread(thread)
            .backtrace(5, Level::Debug..=Level::Trace, Level::Error)
            .build()
            .unwrap();
        for round in 0..3 {
            debug!(logger: &logger, "kept {round}");
            logger.dump_backtrace();
            logger.flush(LONG).unwrap();
            let log = Log::of(&memory);
            assert_eq!(*log.texts().last().unwrap(), format!("kept {round}{MARK}"));
        }
        debug!(logger: &logger, "last");
        logger.dump_backtrace();
        logger.shutdown(LONG);
        let log = Log::of(&memory);
        assert_eq!(log.texts().len(), 4);
        assert_eq!(log.texts()[3], "last backtrace=true");
    }
}

#[test]
fn records_keep_their_thread_their_context_and_their_length() {
    let memory = Memory::new();
    let logger = keeping(100, &memory);
    let long = "x".repeat(2000);
    thread::scope(|scope| {
        for name in ["one", "two"] {
            let (logger, long) = (&logger, &long);
            let thread = thread::Builder::new().name(name.into());
            let run = move || {
                let _context = context!(session = name);
                debug!(logger: logger, "{long}");
            };
            thread.spawn_scoped(scope, run).unwrap().join().unwrap();
        }
    });
    error!(logger: &logger, "error");
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    for (line, name) in log.lines.iter().zip(["one", "two"]) {
        assert_eq!(line.thread, name);
        assert_eq!(line.text, format!("{long} session={name}{MARK}"));
    }
    assert_eq!(log.lines.len(), 3);
}

#[test]
fn long_records_take_the_room_of_others() {
    let memory = Memory::new();
    let logger = keeping(100, &memory);
    let long = "y".repeat(3000);
    for number in 0..100 {
        debug!(logger: &logger, "{number} {long}");
    }
    error!(logger: &logger, "error");
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    let kept = log.texts().len() - 1;
    assert!((2..10).contains(&kept), "{kept}");
    for (place, text) in log.texts()[..kept].iter().enumerate() {
        assert!(text.starts_with(&format!("{} yyy", 100 - kept + place)));
    }
}

#[test]
fn it_may_hold_more_than_a_ring() {
    let memory = Memory::new();
    let logger = builder(&memory)
        .lanes(1)
        .lane_capacity(64)
        .overflow(Overflow::Block)
        .backtrace(5000, Level::Debug..=Level::Trace, Level::Error)
        .build()
        .unwrap();
    for number in 0..5000 {
        debug!(logger: &logger, "kept {number}");
    }
    wait_for("all records to be kept", || logger.stats().in_ring == 5000);
    assert_eq!(error!(logger: &logger, "error"), Outcome::Accepted);
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    assert_eq!(log.texts().len(), 5001);
    assert_eq!(log.texts()[0], "kept 0 backtrace=true");
}

#[test]
fn a_size_beyond_its_range_is_refused() {
    for records in [0, (1 << 20) + 1] {
        let builder =
            builder(&Memory::new()).backtrace(records, Level::Debug..=Level::Trace, Level::Error);
        let error = builder.build().unwrap_err();
        assert!(
            matches!(
                error,
                BuildError::Capacity {
                    setting: "backtrace",
                    ..
                }
            ),
            "{error}"
        );
    }
}
