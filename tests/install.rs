//! The installed logger, which statements use that name none. There is one in a process, so each
//! fact has a process of its own.

#![cfg(not(miri))] // which starts no processes

mod support;

use std::sync::Barrier;
use std::thread;

use ringlog::sink::{Memory, Null};
use ringlog::{
    BuildError, Level, LevelFilter, Outcome, RingLogger, ShutdownOutcome, debug, error, info, rlog,
    warn,
};
use support::child::alone;
use support::{Books, LONG, Log};

#[test]
fn without_an_installed_logger_records_are_filtered() {
    alone("without_an_installed_logger_records_are_filtered", || {
        let mut evaluated = false;
        let outcome = error!("nobody hears {}", {
            evaluated = true;
            1
        });
        assert_eq!(outcome, Outcome::Filtered);
        assert!(!evaluated);
        // A logger that was built is not the installed one.
        let logger = RingLogger::builder().sink(Null).build().unwrap();
        assert_eq!(error!("nobody hears"), Outcome::Filtered);
        assert_eq!(logger.shutdown(LONG).written, 0);
    });
}

#[test]
fn the_installed_logger_gets_what_names_no_other() {
    alone("the_installed_logger_gets_what_names_no_other", || {
        // Statements that ran before are asked again.
        let statement = || info!("again");
        assert_eq!(statement(), Outcome::Filtered);
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .lanes(2)
            .sink(memory.clone())
            .install()
            .unwrap();
        let other_memory = Memory::new();
        let other = RingLogger::builder()
            .sink(other_memory.clone())
            .build()
            .unwrap();
        books.note(Level::Info, statement());
        books.note(Level::Info, info!("named {}", 1));
        books.note(Level::Warn, warn!(target: "risk", "target"));
        books.note(Level::Error, rlog!(Level::Error, "level"));
        books.note(Level::Debug, debug!("filtered"));
        books.note(Level::Info, info!(logger: &logger, "by name"));
        info!(logger: &other, "other");
        assert_eq!(books.accepted(), 5);
        logger.set_level(LevelFilter::Error);
        books.note(Level::Info, statement());
        assert_eq!(books.filtered(), 2);
        logger.set_level(LevelFilter::Info);
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for thread in 0..4 {
                let (books, start) = (&books, &start);
                scope.spawn(move || {
                    start.wait();
                    for number in 0..100 {
                        books.note(Level::Info, info!("t{thread} {number}"));
                    }
                });
            }
        });
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(report.written, 405);
        assert_eq!(books.note(Level::Info, statement()), Outcome::Closed);
        books.check(&logger);
        let log = Log::of(&memory);
        assert_eq!(
            log.texts()[..5],
            ["again", "named 1", "target", "level", "by name"]
        );
        assert_eq!(other.shutdown(LONG).written, 1);
        assert_eq!(Log::of(&other_memory).texts(), ["other"]);
    });
}

#[test]
fn a_second_logger_cannot_be_installed() {
    alone("a_second_logger_cannot_be_installed", || {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .sink(memory.clone())
            .install()
            .unwrap();
        let refused = || RingLogger::builder().sink(Null).install().unwrap_err();
        let error = refused();
        assert!(matches!(error, BuildError::AlreadyInstalled), "{error}");
        assert!(error.to_string().contains("installed before"), "{error}");
        // The first is as it was.
        assert_eq!(info!("text"), Outcome::Accepted);
        assert_eq!(logger.shutdown(LONG).written, 1);
        // Nor when the first is closed or gone: records must not change their destination.
        assert!(matches!(refused(), BuildError::AlreadyInstalled));
        drop(logger);
        assert!(matches!(refused(), BuildError::AlreadyInstalled));
        assert_eq!(info!("text"), Outcome::Closed);
        assert_eq!(Log::of(&memory).texts(), ["text"]);
    });
}

#[test]
fn a_logger_that_could_not_be_built_is_not_installed() {
    alone("a_logger_that_could_not_be_built_is_not_installed", || {
        assert!(RingLogger::builder().lane_capacity(0).install().is_err());
        #[cfg(target_os = "linux")]
        assert!(matches!(
            RingLogger::builder().pin(usize::MAX).sink(Null).install(),
            Err(BuildError::Pin(_))
        ));
        assert_eq!(error!("nobody hears"), Outcome::Filtered);
        let logger = RingLogger::builder().sink(Null).install().unwrap();
        assert_eq!(info!("text"), Outcome::Accepted);
        assert_eq!(logger.shutdown(LONG).written, 1);
    });
}

#[test]
fn dropping_the_guard_shuts_the_installed_logger_down() {
    let output = alone("dropping_the_guard_shuts_the_installed_logger_down", || {
        let memory = Memory::new();
        let guard = RingLogger::builder()
            .sink(memory.clone())
            .install()
            .unwrap();
        for number in 0..1000 {
            assert_eq!(info!("n {number}"), Outcome::Accepted);
        }
        drop(guard);
        assert!(Log::of(&memory).numbers()["n"].iter().copied().eq(0..1000));
        assert_eq!(info!("n {}", 1000), Outcome::Closed);
    });
    // That it was dropped is no mistake.
    let Some(output) = output else { return };
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_guard_that_is_dropped_at_once_is_told_in_the_log_and_on_standard_error() {
    let test = "a_guard_that_is_dropped_at_once_is_told_in_the_log_and_on_standard_error";
    let output = alone(test, || {
        let memory = Memory::new();
        let _ = RingLogger::builder()
            .sink(memory.clone())
            .install()
            .unwrap();
        let log = Log::of(&memory);
        let line = log.lines.iter().find(|line| line.level == Level::Warn);
        let text = &line.expect("a warning").text;
        assert!(text.contains("the guard that `install` returned at tests/install.rs:"));
        assert!(text.contains("was dropped before anything was logged"));
        for _ in 0..3 {
            assert_eq!(info!("nobody hears"), Outcome::Closed);
        }
    });
    let Some(output) = output else { return };
    let text = String::from_utf8_lossy(&output.stderr);
    let expected = "ringlog: the guard that `install` returned at tests/install.rs:";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("let _guard"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_guard_that_had_nothing_to_guard_is_no_mistake_until_a_record_is_lost() {
    let test = "a_guard_that_had_nothing_to_guard_is_no_mistake_until_a_record_is_lost";
    let output = alone(test, || {
        let guard = RingLogger::builder().sink(Null).install().unwrap();
        debug!("filtered");
        drop(guard);
    });
    let Some(output) = output else { return };
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_guard_that_was_shut_down_has_nothing_to_say() {
    let output = alone("a_guard_that_was_shut_down_has_nothing_to_say", || {
        let guard = RingLogger::builder().sink(Null).install().unwrap();
        let report = guard.shutdown(LONG);
        drop(guard);
        assert_eq!(ringlog::logger().unwrap().shutdown(LONG), report);
        assert_eq!(info!("late"), Outcome::Closed);
    });
    let Some(output) = output else { return };
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn one_call_sets_up_a_logger_that_ends_with_the_process() {
    let test = "one_call_sets_up_a_logger_that_ends_with_the_process";
    let output = alone(test, || {
        assert!(ringlog::logger().is_none());
        let logger = ringlog::configure().unwrap();
        assert!(std::ptr::eq(ringlog::logger().unwrap(), logger));
        assert_eq!(info!("by itself"), Outcome::Accepted);
        assert_eq!(info!(logger: logger, "by name"), Outcome::Accepted);
        let error = ringlog::configure().unwrap_err();
        assert!(matches!(error, BuildError::AlreadyInstalled), "{error}");
    });
    let Some(output) = output else { return };
    let log = Log::parse(std::str::from_utf8(&output.stderr).unwrap());
    assert_eq!(log.texts(), ["by itself", "by name"]);
}

/// Threads log all the while, before there is a logger, through its life, and after its end.
#[test]
fn a_logger_may_come_and_go_under_threads_that_log() {
    alone("a_logger_may_come_and_go_under_threads_that_log", || {
        let (books, memory) = (Books::new(), Memory::new());
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for thread in 0..3 {
                let (books, start) = (&books, &start);
                scope.spawn(move || {
                    start.wait();
                    for number in 0.. {
                        let outcome = info!("t{thread} {number}");
                        if books.note(Level::Info, outcome) == Outcome::Closed {
                            break;
                        }
                    }
                });
            }
            start.wait();
            let logger = RingLogger::builder()
                .lanes(2)
                .lane_capacity(256)
                .shared_capacity(256)
                .sink(memory.clone())
                .install()
                .unwrap();
            support::wait_for("records", || books.accepted() > 100);
            let report = logger.shutdown(LONG);
            assert_eq!(report.outcome, ShutdownOutcome::Drained);
            support::wait_for("the end of all threads", || books.closed() == 3);
            books.check_report(&logger, &report);
        });
        assert_eq!(Log::of(&memory).records().count() as u64, books.accepted());
    });
}
