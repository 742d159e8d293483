//! Which records pass, and that those which do not cost nothing.

mod support;

use std::cell::Cell;
use std::sync::Barrier;
use std::thread;

use ringlog::sink::{Memory, Null};
use ringlog::{Level, LevelFilter, Outcome, RingLogger, debug, error, info, rlog, trace, warn};
use support::{Books, LONG, Log};

const FILTERS: [LevelFilter; 6] = [
    LevelFilter::Off,
    LevelFilter::Error,
    LevelFilter::Warn,
    LevelFilter::Info,
    LevelFilter::Debug,
    LevelFilter::Trace,
];

/// One record of each level, the most severe first.
fn one_of_each(logger: &RingLogger) -> [Outcome; Level::COUNT] {
    [
        error!(logger: logger, "error"),
        warn!(logger: logger, "warn"),
        info!(logger: logger, "info"),
        debug!(logger: logger, "debug"),
        trace!(logger: logger, "trace"),
    ]
}

#[test]
fn a_filter_lets_through_its_level_and_all_that_is_more_severe() {
    for (passing, filter) in FILTERS.into_iter().enumerate() {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .level(filter)
            .sink(memory.clone())
            .build()
            .unwrap();
        assert_eq!(logger.level(), filter);
        for (level, outcome) in Level::ALL.into_iter().zip(one_of_each(&logger)) {
            let expected = if filter.allows(level) {
                Outcome::Accepted
            } else {
                Outcome::Filtered
            };
            assert_eq!(
                books.note(level, outcome),
                expected,
                "{level} at {filter:?}"
            );
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(report.written, passing as u64);
        let log = Log::of(&memory);
        let levels: Vec<_> = log.records().map(|line| line.level).collect();
        assert_eq!(levels, Level::ALL[..passing]);
    }
}

#[test]
fn without_a_word_a_logger_takes_what_operators_want_to_see() {
    let logger = RingLogger::builder().sink(Null).build().unwrap();
    assert_eq!(logger.level(), LevelFilter::Info);
    use Outcome::{Accepted, Filtered};
    assert_eq!(
        one_of_each(&logger),
        [Accepted, Accepted, Accepted, Filtered, Filtered]
    );
}

#[test]
fn a_level_that_is_changed_counts_from_the_next_record_on() {
    let (books, memory) = (Books::new(), Memory::new());
    let logger = RingLogger::builder()
        .level(LevelFilter::Off)
        .sink(memory.clone())
        .build()
        .unwrap();
    let mut expected = Vec::new();
    for _ in 0..3 {
        for filter in FILTERS {
            logger.set_level(filter);
            assert_eq!(logger.level(), filter);
            for (level, outcome) in Level::ALL.into_iter().zip(one_of_each(&logger)) {
                books.note(level, outcome);
                assert_eq!(outcome == Outcome::Accepted, filter.allows(level));
                if filter.allows(level) {
                    expected.push(level);
                }
            }
        }
    }
    logger.set_level(Level::Warn);
    assert_eq!(logger.level(), LevelFilter::Warn);
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    let log = Log::of(&memory);
    assert!(log.records().map(|line| line.level).eq(expected));
}

#[test]
fn another_thread_may_change_the_level() {
    let logger = RingLogger::builder()
        .level(LevelFilter::Error)
        .sink(Null)
        .build()
        .unwrap();
    let meet = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            meet.wait();
            logger.set_level(LevelFilter::Debug);
            meet.wait();
        });
        let log = || debug!(logger: &logger, "detail");
        assert_eq!(log(), Outcome::Filtered);
        meet.wait();
        meet.wait();
        assert_eq!(log(), Outcome::Accepted);
    });
}

#[test]
fn arguments_are_evaluated_once_if_the_record_is_wanted_and_not_at_all_otherwise() {
    let evaluated = Cell::new(0);
    let expensive = || {
        evaluated.set(evaluated.get() + 1);
        evaluated.get()
    };
    let logger = RingLogger::builder()
        .level(LevelFilter::Info)
        .sink(Null)
        .build()
        .unwrap();
    for _ in 0..10 {
        assert_eq!(
            debug!(logger: &logger, "{}", expensive()),
            Outcome::Filtered
        );
        assert_eq!(
            rlog!(logger: &logger, Level::Trace, "{0} {0} {n}", expensive(), n = expensive()),
            Outcome::Filtered
        );
    }
    assert_eq!(evaluated.get(), 0);
    // Twice in the text, evaluated once.
    assert_eq!(
        info!(logger: &logger, "{0} {0} {n}", expensive(), n = expensive()),
        Outcome::Accepted
    );
    assert_eq!(evaluated.get(), 2);
}

#[test]
fn filtered_records_are_not_counted() {
    let books = Books::new();
    let logger = RingLogger::builder()
        .level(LevelFilter::Off)
        .sink(Null)
        .build()
        .unwrap();
    for (level, outcome) in Level::ALL.into_iter().zip(one_of_each(&logger)) {
        books.note(level, outcome);
    }
    assert_eq!(books.filtered(), 5);
    assert_eq!(books.check(&logger).submitted(), 0);
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    // A closed logger still filters first.
    assert_eq!(one_of_each(&logger), [Outcome::Filtered; 5]);
}

#[test]
fn a_level_is_read_from_its_name() {
    for level in Level::ALL {
        for name in [level.as_str().to_owned(), level.as_str().to_lowercase()] {
            assert_eq!(name.parse(), Ok(level));
            assert_eq!(name.parse(), Ok(LevelFilter::from(level)));
        }
        assert_eq!(level.to_string(), level.as_str());
        assert_eq!(format!("{level:<6}|"), format!("{:<6}|", level.as_str()));
    }
    assert_eq!("off".parse(), Ok(LevelFilter::Off));
    assert!("off".parse::<Level>().is_err());
    let error = "loud".parse::<LevelFilter>().unwrap_err().to_string();
    assert!(
        error.contains("`loud`") && error.contains("trace"),
        "{error}"
    );
}
