//! A ring that is full drops or waits, as its owner chose, and the log says exactly what is missing
//! and where.

mod support;

use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::{Memory, Null};
use ringlog::{
    Builder, Level, LevelFilter, Outcome, Overflow, RingLogger, ShutdownOutcome, debug, error,
    info, rlog, trace, warn,
};
use support::log::Line;
use support::sinks::{Scripted, Valve};
use support::{Books, LONG, Log, Random, scaled, wait_for};

/// The two kinds of rings: a lane of the thread's own, and the one that threads share.
const KINDS: [usize; 2] = [1, 0];

/// A logger that nobody drains unasked. Both kinds of rings have so many slots.
fn undrained(lanes: usize, capacity: usize) -> Builder {
    RingLogger::builder()
        .lanes(lanes)
        .lane_capacity(capacity)
        .shared_capacity(capacity)
        .level(LevelFilter::Trace)
        .thread(false)
}

/// Logs at any level.
fn log(logger: &RingLogger, level: Level, number: u64) -> Outcome {
    match level {
        Level::Error => error!(logger: logger, "r {number}"),
        Level::Warn => warn!(logger: logger, "r {number}"),
        Level::Info => info!(logger: logger, "r {number}"),
        Level::Debug => debug!(logger: logger, "r {number}"),
        Level::Trace => trace!(logger: logger, "r {number}"),
    }
}

#[test]
fn a_full_ring_drops_and_counts() {
    for lanes in KINDS {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = undrained(lanes, 64).sink(memory.clone()).build().unwrap();
        for number in 0..100 {
            let outcome = books.note(Level::Info, log(&logger, Level::Info, number));
            // The last sixteenth is not for INFO.
            let expected = if number < 60 {
                Outcome::Accepted
            } else {
                Outcome::Full
            };
            assert_eq!(outcome, expected, "{number}");
        }
        let stats = books.check(&logger);
        assert_eq!(stats.in_ring, 60);
        assert_eq!(stats.dropped[Level::Info], 40);
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        let log = Log::of(&memory);
        assert!(log.numbers()["r"].iter().copied().eq(0..60));
        assert_eq!(log.lines.last().unwrap().gap(), Some([0, 0, 40, 0, 0]));
    }
}

#[test]
fn a_ring_takes_records_again_when_it_has_been_drained() {
    for lanes in KINDS {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = undrained(lanes, 16).sink(memory.clone()).build().unwrap();
        for round in 0..200 {
            while books.note(Level::Info, log(&logger, Level::Info, round)) == Outcome::Accepted {}
            logger.flush(LONG).unwrap();
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        let log = Log::of(&memory);
        assert_eq!(log.records().count() as u64, books.accepted());
        assert_eq!(log.gaps(), [0, 0, 200, 0, 0]);
    }
}

/// What the log has to look like follows from the answers alone.
#[test]
fn the_log_tells_exactly_what_is_missing_exactly_where_it_is() {
    for lanes in KINDS {
        for seed in 0..scaled(80) as u64 {
            let mut random = Random::new(seed);
            let (books, memory) = (Books::new(), Memory::new());
            let logger = undrained(lanes, 32).sink(memory.clone()).build().unwrap();
            let mut expected = Vec::new();
            let mut gap = [0; Level::COUNT];
            for number in 0..400 {
                let level = Level::ALL[random.below(5) as usize];
                match books.note(level, log(&logger, level, number)) {
                    Outcome::Full => gap[level.index()] += 1,
                    _ => {
                        if gap != [0; Level::COUNT] {
                            expected.push(Err(gap));
                            gap = [0; Level::COUNT];
                        }
                        expected.push(Ok(format!("r {number}")));
                    }
                }
                if random.below(40) == 0 {
                    logger.poll(random.below(30) as usize);
                }
            }
            if gap != [0; Level::COUNT] {
                expected.push(Err(gap));
            }
            let report = logger.shutdown(LONG);
            books.check_report(&logger, &report);
            assert!(books.full() > 0, "nothing was dropped");
            let log = Log::of(&memory);
            let found: Vec<_> = log
                .lines
                .into_iter()
                .map(|line| line.gap().map_or(Ok(line.text), Err))
                .collect();
            assert_eq!(found, expected, "lanes({lanes}), seed {seed}");
        }
    }
}

#[test]
fn a_flood_of_detail_does_not_push_out_the_line_that_explains_it() {
    for lanes in KINDS {
        for capacity in [16, 32, 64, 1024] {
            let (books, memory) = (Books::new(), Memory::new());
            let logger = undrained(lanes, capacity)
                .sink(memory.clone())
                .build()
                .unwrap();
            for number in 0..2 * capacity as u64 {
                let level = [Level::Info, Level::Debug, Level::Trace][number as usize % 3];
                books.note(level, log(&logger, level, number));
            }
            assert!(books.full() > 0);
            for level in [Level::Warn, Level::Error] {
                // The two least rings have kept a place for one line and the gap before it.
                if capacity >= 64 || level == Level::Warn {
                    let outcome = books.note(level, log(&logger, level, 0));
                    assert_eq!(
                        outcome,
                        Outcome::Accepted,
                        "lanes({lanes}), {capacity} slots"
                    );
                }
            }
            let report = logger.shutdown(LONG);
            books.check_report(&logger, &report);
            let log = Log::of(&memory);
            let gap = log
                .lines
                .iter()
                .position(|line| line.gap().is_some())
                .unwrap();
            assert_eq!(log.lines[gap + 1].level, Level::Warn);
            assert_eq!(log.gaps().iter().sum::<u64>(), books.full());
        }
    }
}

#[test]
fn warnings_and_errors_may_fill_a_ring_to_its_last_slot() {
    for lanes in KINDS {
        for level in [Level::Warn, Level::Error] {
            let books = Books::new();
            let logger = undrained(lanes, 64).sink(Null).build().unwrap();
            for number in 0..70 {
                books.note(level, log(&logger, level, number));
            }
            assert_eq!(books.accepted(), 64);
            assert_eq!(books.full_at(level), 6);
            let report = logger.shutdown(LONG);
            books.check_report(&logger, &report);
        }
    }
}

/// A record of several slots waits for room for all of them, and what is dropped meanwhile is whole.
#[test]
fn a_long_record_gets_in_whole_or_not_at_all() {
    for lanes in KINDS {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = undrained(lanes, 64).sink(memory.clone()).build().unwrap();
        let text = "x".repeat(600);
        for number in 0..20 {
            let text = &text[..number * 30];
            books.note(Level::Info, info!(logger: &logger, "r {number} {text}"));
        }
        assert!(books.full() > 0 && books.accepted() > 5, "{books:?}");
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(logger.stats().cut, 0);
        let log = Log::of(&memory);
        for line in log.records() {
            let words: Vec<_> = line.text.split(' ').collect();
            assert_eq!(words[2].len(), words[1].parse::<usize>().unwrap() * 30);
        }
        assert_eq!(log.records().count() as u64, books.accepted());
    }
}

#[test]
fn drops_that_nothing_follows_are_told_when_the_thread_has_ended() {
    let (books, memory) = (Books::new(), Memory::new());
    let logger = undrained(1, 16).sink(memory.clone()).build().unwrap();
    thread::scope(|scope| {
        thread::Builder::new()
            .name("flood".into())
            .spawn_scoped(scope, || {
                for number in 0..50 {
                    books.note(Level::Info, log(&logger, Level::Info, number));
                }
            })
            .unwrap();
    });
    // The lane may be let go of a moment after the scope has ended.
    wait_for("the lane's gap", || {
        logger.poll(usize::MAX);
        Log::of(&memory).gaps()[2] == books.full()
    });
    let log = Log::of(&memory);
    let gap = log.lines.last().unwrap();
    assert!(gap.gap().is_some());
    assert_eq!(gap.thread, "flood");
    books.check(&logger);
}

/// In each thread's own sequence of numbers, what is missing is what its gap lines say.
#[test]
fn floods_from_several_threads_leave_gaps_that_add_up() {
    let each = scaled(60_000) as u64;
    let (books, memory) = (Books::new(), Memory::new());
    let logger = RingLogger::builder()
        .lanes(3)
        .lane_capacity(128)
        .sink(memory.clone())
        .build()
        .unwrap();
    thread::scope(|scope| {
        for thread in 0..3 {
            let (books, logger) = (&books, &logger);
            thread::Builder::new()
                .name(format!("t{thread}"))
                .spawn_scoped(scope, move || {
                    for number in 0..each {
                        books.note(Level::Info, log(logger, Level::Info, number));
                    }
                })
                .unwrap();
        }
    });
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    let log = Log::of(&memory);
    assert_eq!(log.gaps()[Level::Info.index()], books.full());
    for thread in ["t0", "t1", "t2"] {
        let mut next = 0;
        for line in log.lines.iter().filter(|line| line.thread == thread) {
            match line.gap() {
                Some(gap) => next += gap[Level::Info.index()],
                None => {
                    assert_eq!(line.text, format!("r {next}"), "{thread}");
                    next += 1;
                }
            }
        }
        assert_eq!(next, each, "{thread}");
    }
}

#[test]
fn a_flooded_shared_ring_tells_of_every_drop_once() {
    let each = scaled(60_000) as u64;
    let (books, memory) = (Books::new(), Memory::new());
    let logger = RingLogger::builder()
        .lanes(0)
        .shared_capacity(64)
        .sink(memory.clone())
        .build()
        .unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let (books, logger) = (&books, &logger);
            scope.spawn(move || {
                for number in 0..each {
                    let level = if number % 10 == 0 {
                        Level::Warn
                    } else {
                        Level::Info
                    };
                    books.note(level, rlog_at(logger, level, thread, number));
                }
            });
        }
    });
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    let log = Log::of(&memory);
    let expected = Level::ALL.map(|level| books.full_at(level));
    assert_eq!(log.gaps(), expected);
    for (thread, numbers) in log.numbers() {
        assert!(numbers.is_sorted_by(|a, b| a < b), "{thread}");
    }
    assert_eq!(log.records().count() as u64, books.accepted());
}

fn rlog_at(logger: &RingLogger, level: Level, thread: usize, number: u64) -> Outcome {
    if level == Level::Warn {
        rlog!(logger: logger, Level::Warn, "t{thread} {number}")
    } else {
        rlog!(logger: logger, Level::Info, "t{thread} {number}")
    }
}

#[test]
fn a_thread_that_blocks_loses_nothing() {
    for lanes in KINDS {
        let (books, memory) = (Books::new(), Memory::new());
        let valve = Valve::shut(memory.clone());
        let logger = RingLogger::builder()
            .lanes(lanes)
            .lane_capacity(64)
            .shared_capacity(64)
            .overflow(Overflow::Block)
            .sink(valve.clone())
            .build()
            .unwrap();
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                for number in 0..1000 {
                    books.note(Level::Info, log(&logger, Level::Info, number));
                }
            });
            valve.wait_until_stuck();
            // More than the ring and the consumer can hold is not accepted before it is drained.
            assert!(!thread.is_finished());
            assert!(books.accepted() < 200);
            valve.open();
        });
        assert_eq!(books.accepted(), 1000);
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert!(Log::of(&memory).numbers()["r"].iter().copied().eq(0..1000));
    }
}

#[test]
fn a_thread_that_blocks_for_a_while_gives_up_after_it() {
    const LIMIT: Duration = Duration::from_millis(50);
    for lanes in KINDS {
        let books = Books::new();
        let logger = undrained(lanes, 64)
            .overflow(Overflow::BlockFor(LIMIT))
            .sink(Null)
            .build()
            .unwrap();
        for number in 0..60 {
            let outcome = books.note(Level::Info, log(&logger, Level::Info, number));
            assert_eq!(outcome, Outcome::Accepted);
        }
        let started = Instant::now();
        let outcome = books.note(Level::Info, log(&logger, Level::Info, 60));
        assert_eq!(outcome, Outcome::Full);
        assert!(started.elapsed() >= LIMIT);
        assert!(started.elapsed() < 40 * LIMIT);
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
    }
}

#[test]
fn a_thread_that_blocks_for_a_while_gets_the_room_that_comes_meanwhile() {
    for lanes in KINDS {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = undrained(lanes, 64)
            .overflow(Overflow::BlockFor(LONG))
            .sink(memory.clone())
            .build()
            .unwrap();
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                for number in 0..61 {
                    books.note(Level::Info, log(&logger, Level::Info, number));
                }
            });
            wait_for("a full ring", || books.accepted() == 60);
            assert!(!thread.is_finished());
            wait_for("the blocked record", || {
                logger.poll(usize::MAX);
                thread.is_finished()
            });
        });
        assert_eq!(books.accepted(), 61);
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(Log::of(&memory).records().count(), 61);
    }
}

#[test]
fn closing_ends_the_waiting() {
    for lanes in KINDS {
        let books = Books::new();
        let valve = Valve::shut(Memory::new());
        let logger = RingLogger::builder()
            .lanes(lanes)
            .lane_capacity(64)
            .shared_capacity(64)
            .overflow(Overflow::Block)
            .sink(valve.clone())
            .build()
            .unwrap();
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                while books.note(Level::Info, log(&logger, Level::Info, 0)) != Outcome::Closed {}
            });
            valve.wait_until_stuck();
            let report = logger.shutdown(Duration::from_millis(100));
            assert_eq!(report.outcome, ShutdownOutcome::TimedOut);
            thread.join().unwrap();
            assert_eq!(report.in_flight, 0);
        });
        assert_eq!(books.closed(), 1);
        books.check(&logger);
        valve.open();
    }
}

/// Takes ten seconds: the time for which a consumer may be stuck.
#[test]
#[cfg_attr(miri, ignore = "takes ten seconds")]
fn a_thread_that_blocks_gives_up_on_a_consumer_that_is_stuck() {
    let books = Books::new();
    let valve = Valve::shut(Memory::new());
    let logger = RingLogger::builder()
        .lane_capacity(64)
        .overflow(Overflow::Block)
        .sink(valve.clone())
        .build()
        .unwrap();
    let started = Instant::now();
    while books.note(Level::Info, log(&logger, Level::Info, 0)) == Outcome::Accepted {}
    assert_eq!(books.full(), 1);
    assert!(started.elapsed() >= Duration::from_secs(10));
    assert!(started.elapsed() < LONG);
    // Once is enough, for any thread.
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..2 {
            let log = || books.note(Level::Info, log(&logger, Level::Info, 0));
            scope.spawn(move || while log() == Outcome::Accepted {});
        }
    });
    for _ in 0..10 {
        books.note(Level::Info, log(&logger, Level::Info, 0));
    }
    assert_eq!(books.full(), 13);
    assert!(started.elapsed() < Duration::from_secs(9));
    // And they wait again when it moves.
    valve.open();
    wait_for("the consumer", || {
        books.note(Level::Info, log(&logger, Level::Info, 0)) == Outcome::Accepted
    });
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
}

#[test]
fn a_sink_that_logs_to_its_own_logger_never_waits_for_itself() {
    let books = Arc::new(Books::new());
    let memory = Memory::new();
    let own = Arc::new(OnceLock::<Weak<RingLogger>>::new());
    let mut sink = memory.clone();
    let mut left = 100;
    let logger = Arc::new(
        RingLogger::builder()
            .lane_capacity(16)
            .overflow(Overflow::Block)
            .sink(Scripted::new("chatty", {
                let (books, own) = (books.clone(), own.clone());
                move |batch| {
                    if let Some(logger) = own.get().and_then(Weak::upgrade) {
                        for number in 0..std::mem::take(&mut left) {
                            books.note(Level::Info, log(&logger, Level::Info, number));
                        }
                    }
                    ringlog::sink::Sink::write(&mut sink, batch)
                }
            }))
            .build()
            .unwrap(),
    );
    own.set(Arc::downgrade(&logger)).unwrap();
    books.note(Level::Info, info!(logger: &*logger, "first {}", 1));
    logger.flush(LONG).unwrap();
    assert!(books.full() > 0 && books.accepted() > 10, "{books:?}");
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    let log = Log::of(&memory);
    assert_eq!(log.records().count() as u64, books.accepted());
    assert_eq!(log.gaps()[Level::Info.index()], books.full());
}

#[test]
fn a_gap_does_not_make_the_log_go_back_in_time() {
    let memory = Memory::new();
    let logger = undrained(1, 16).sink(memory.clone()).build().unwrap();
    for number in 0..20 {
        log(&logger, Level::Info, number);
    }
    logger.flush(LONG).unwrap();
    log(&logger, Level::Info, 20);
    logger.shutdown(LONG);
    let lines: Vec<Line> = Log::of(&memory).lines;
    assert!(lines.is_sorted_by_key(|line| line.time), "{lines:#?}");
}
