//! How a logger ends: everything that was accepted is written, or counted, within the deadline.

mod support;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, OnceLock, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::{Memory, Null, Sink};
use ringlog::{Clock, Level, Outcome, Overflow, RingLogger, ShutdownOutcome, ShutdownReport, info};
use support::sinks::{Scripted, Valve};
use support::{Books, LONG, Log, Random, scaled, wait_for, within};

/// The deadline of those tests in which it passes.
const SHORT: Duration = Duration::from_millis(100);

/// More than anything but waiting for the wrong event takes.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn shutdown_flushes_remaining_records() {
    for thread in [true, false] {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .thread(thread)
            .sink(memory.clone())
            .build()
            .unwrap();
        for number in 0..3000 {
            books.note(Level::Info, info!(logger: &logger, "main {number}"));
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        assert_eq!(
            (report.written, report.abandoned.total(), report.in_flight),
            (3000, 0, 0)
        );
        assert_eq!(report.stuck_sink, None);
        assert!(
            Log::of(&memory).numbers()["main"]
                .iter()
                .copied()
                .eq(0..3000)
        );
    }
}

#[test]
fn sinks_are_flushed_last() {
    let flushed = Arc::new(AtomicBool::new(false));
    let (on_write, on_flush) = (flushed.clone(), flushed.clone());
    let logger = RingLogger::builder()
        .sink(
            Scripted::new("buffering", move |batch| {
                on_write.store(false, Ordering::Relaxed);
                Ok(batch.bytes().len())
            })
            .on_flush(move || {
                on_flush.store(true, Ordering::Relaxed);
                Ok(())
            }),
        )
        .build()
        .unwrap();
    info!(logger: &logger, "text");
    assert_eq!(logger.shutdown(LONG).outcome, ShutdownOutcome::Drained);
    assert!(flushed.load(Ordering::Relaxed));
}

#[test]
fn shutdown_is_idempotent() {
    for thread in [true, false] {
        let logger = RingLogger::builder()
            .thread(thread)
            .sink(Null)
            .build()
            .unwrap();
        for number in 0..100 {
            info!(logger: &logger, "n {number}");
        }
        let report = logger.shutdown(LONG);
        assert_eq!(report.written, 100);
        info!(logger: &logger, "late {}", 1);
        assert_eq!(logger.shutdown(Duration::ZERO), report);
        assert_eq!(logger.shutdown(LONG), report);
        // What was rejected since is in the statistics.
        assert_eq!(logger.stats().rejected.total(), 1);
    }
}

#[test]
fn any_number_of_threads_may_shut_down_at_once() {
    for round in 0..scaled(80) {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .thread(round % 2 == 0)
            .sink(memory.clone())
            .build()
            .unwrap();
        for number in 0..500 {
            books.note(Level::Info, info!(logger: &logger, "main {number}"));
        }
        let meet = Barrier::new(4);
        let reports: Vec<ShutdownReport> = thread::scope(|scope| {
            let close = || {
                meet.wait();
                logger.shutdown(LONG)
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(close)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        books.check_report(&logger, &reports[0]);
        assert_eq!(reports[0].outcome, ShutdownOutcome::Drained);
        assert!(reports.iter().all(|report| report == &reports[0]));
        assert_eq!(Log::of(&memory).records().count(), 500);
    }
}

#[test]
fn shutdown_does_not_hang_when_idle() {
    for thread in [true, false] {
        for drained in [true, false] {
            let logger = RingLogger::builder()
                .thread(thread)
                .sink(Null)
                .build()
                .unwrap();
            if drained {
                info!(logger: &logger, "text");
                logger.flush(LONG).unwrap();
            }
            let report = within(SOON, "a shutdown", move || logger.shutdown(LONG));
            assert_eq!(report.outcome, ShutdownOutcome::Drained);
            assert_eq!(report.written, u64::from(drained));
            assert!(report.elapsed < SOON);
        }
    }
}

#[test]
fn nothing_is_accepted_after_shutdown() {
    for lanes in [2, 0] {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .lanes(lanes)
            .overflow(Overflow::Block)
            .sink(memory.clone())
            .build()
            .unwrap();
        let producer = logger.producer();
        let log = || {
            books.note(Level::Info, info!(logger: &logger, "log {}", 1));
            books.note(Level::Error, ringlog::error!(logger: &logger, "{}", 2));
        };
        log();
        let report = logger.shutdown(LONG);
        for _ in 0..100 {
            log();
            books.note(Level::Info, info!(logger: &producer, "producer"));
        }
        thread::scope(|scope| {
            scope.spawn(log);
        });
        assert_eq!(books.accepted(), 2);
        assert_eq!(books.closed(), 302);
        books.check_report(&logger, &report);
        assert_eq!(logger.stats().rejected[Level::Error], 101);
        assert_eq!(Log::of(&memory).records().count(), 2);
    }
}

/// The promise that all else serves. Rings of both kinds, handles, short and long records, a
/// consumer of its own or none, and a moment that nobody knows beforehand.
#[test]
fn whatever_was_accepted_is_in_the_log_when_the_report_says_drained() {
    const THREADS: usize = 4;
    for round in 0..scaled(1200) as u64 {
        let mut random = Random::new(round);
        let polled = round % 4 == 3;
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .lanes(2)
            .lane_capacity(64 << random.below(5))
            .shared_capacity(64 << random.below(5))
            .clock([Clock::Tsc, Clock::Arrival, Clock::System][(round % 3) as usize])
            .overflow([Overflow::Drop, Overflow::Block][(round / 3 % 2) as usize])
            .thread(!polled)
            .sink(memory.clone())
            .build()
            .unwrap();
        let start = Barrier::new(THREADS + 1);
        let mut accepted: Vec<Vec<u64>> = Vec::new();
        let report = thread::scope(|scope| {
            let (books, logger, start) = (&books, &logger, &start);
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    scope.spawn(move || {
                        let producer = logger.producer();
                        let padding = "x".repeat(thread * 30);
                        let mut accepted = Vec::with_capacity(10_000);
                        start.wait();
                        for number in 0.. {
                            let outcome = if number % 2 == 0 {
                                info!(logger: logger, "t{thread} {number} {padding}")
                            } else {
                                info!(logger: &producer, "p{thread} {number} {padding}")
                            };
                            match books.note(Level::Info, outcome) {
                                Outcome::Accepted => accepted.push(number),
                                Outcome::Closed => break,
                                _ => {}
                            }
                        }
                        accepted
                    })
                })
                .collect();
            start.wait();
            let moment = Instant::now() + Duration::from_micros(random.below(1500));
            while Instant::now() < moment {
                if polled {
                    logger.poll(100);
                }
            }
            let report = logger.shutdown(LONG);
            // Before the threads are joined: the log has to be complete now.
            let complete = memory.contents();
            for thread in threads {
                accepted.push(thread.join().unwrap());
            }
            assert_eq!(memory.contents(), complete, "written after the report");
            report
        });
        assert_eq!(
            report.outcome,
            ShutdownOutcome::Drained,
            "round {round}: {report:?}"
        );
        assert_eq!(report.in_flight, 0);
        books.check_report(&logger, &report);
        let log = Log::of(&memory);
        let numbers = log.numbers();
        for (thread, accepted) in accepted.iter().enumerate() {
            for (name, parity) in [("t", 0), ("p", 1)] {
                let name = format!("{name}{thread}");
                let found = numbers.get(&*name).map_or(&[][..], Vec::as_slice);
                let expected = accepted.iter().filter(|number| *number % 2 == parity);
                assert!(found.iter().eq(expected), "round {round}, {name}");
            }
        }
        assert_eq!(
            log.gaps()[Level::Info.index()],
            books.full(),
            "round {round}"
        );
    }
}

/// At each moment, some of them are about to find out that it is too late.
#[test]
fn a_drain_ends_although_threads_never_stop_trying() {
    const THREADS: usize = 256;
    let logger = RingLogger::builder()
        .lanes(THREADS)
        .lane_capacity(64)
        .sink(Null)
        .build()
        .unwrap();
    let (books, ready, stop) = (
        Books::new(),
        Barrier::new(THREADS + 1),
        AtomicBool::new(false),
    );
    let report = thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                books.note(Level::Info, info!(logger: &logger, "in time"));
                ready.wait();
                while !stop.load(Ordering::Relaxed) {
                    let outcome = info!(logger: &logger, "sooner or later");
                    if books.note(Level::Info, outcome) != Outcome::Closed {
                        thread::yield_now();
                    }
                }
            });
        }
        ready.wait();
        let report = logger.shutdown(SOON);
        stop.store(true, Ordering::Relaxed);
        report
    });
    assert_eq!(report.outcome, ShutdownOutcome::Drained, "{report}");
    assert_eq!(report.written, books.accepted());
    assert_eq!((report.in_flight, report.abandoned.total()), (0, 0));
}

#[test]
fn dropping_the_logger_shuts_it_down() {
    for thread in [true, false] {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .thread(thread)
            .sink(memory.clone())
            .build()
            .unwrap();
        for number in 0..2000 {
            assert_eq!(info!(logger: &logger, "main {number}"), Outcome::Accepted);
        }
        drop(logger);
        assert!(
            Log::of(&memory).numbers()["main"]
                .iter()
                .copied()
                .eq(0..2000)
        );
    }
}

#[test]
fn a_panic_that_drops_the_logger_loses_nothing() {
    let memory = Memory::new();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let logger = RingLogger::builder().sink(memory.clone()).build().unwrap();
        for number in 0..2000 {
            info!(logger: &logger, "main {number}");
        }
        panic!("on purpose");
    }));
    assert!(panic.is_err());
    assert!(
        Log::of(&memory).numbers()["main"]
            .iter()
            .copied()
            .eq(0..2000)
    );
}

/// The sink, and with it the file or the socket it has open.
#[test]
fn the_sinks_go_with_the_logger() {
    struct Dropped(mpsc::Sender<()>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    for thread in [true, false] {
        let (dropped, is_dropped) = mpsc::channel();
        let dropped = Dropped(dropped);
        let logger = RingLogger::builder()
            .thread(thread)
            .sink(Scripted::new("owner", move |batch| {
                let _ = &dropped;
                Ok(batch.bytes().len())
            }))
            .build()
            .unwrap();
        info!(logger: &logger, "text");
        logger.shutdown(LONG);
        drop(logger);
        is_dropped.recv_timeout(LONG).unwrap();
    }
}

#[test]
fn a_sink_that_sleeps_does_not_hold_up_a_shutdown_beyond_its_deadline() {
    let (entered, has_entered) = mpsc::channel();
    let books = Books::new();
    let logger = RingLogger::builder()
        .sink(Memory::new())
        .sink(Scripted::new("sleepy", move |batch| {
            let _ = entered.send(());
            thread::sleep(Duration::from_secs(4));
            Ok(batch.bytes().len())
        }))
        .build()
        .unwrap();
    for number in 0..100 {
        books.note(Level::Info, info!(logger: &logger, "n {number}"));
    }
    has_entered.recv_timeout(LONG).unwrap();
    let started = Instant::now();
    let report = logger.shutdown(SHORT);
    let elapsed = started.elapsed();
    assert_eq!(report.outcome, ShutdownOutcome::TimedOut);
    assert!(
        elapsed >= SHORT && elapsed < Duration::from_secs(3),
        "{elapsed:?}"
    );
    assert_eq!(report.stuck_sink.as_deref(), Some("sleepy"));
    assert_eq!(report.abandoned[Level::Info], 100);
    books.check_report(&logger, &report);
}

#[test]
fn a_sink_that_never_returns_does_not_hold_up_a_shutdown_beyond_its_deadline() {
    let (books, memory) = (Books::new(), Memory::new());
    let valve = Valve::shut(memory.clone());
    let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
    for number in 0..100 {
        books.note(Level::Info, info!(logger: &logger, "n {number}"));
    }
    valve.wait_until_stuck();
    let started = Instant::now();
    let report = logger.shutdown(SHORT);
    let elapsed = started.elapsed();
    assert_eq!(report.outcome, ShutdownOutcome::TimedOut);
    assert!(elapsed >= SHORT && elapsed < SOON, "{elapsed:?}");
    assert!(report.elapsed >= SHORT && report.elapsed <= elapsed);
    assert_eq!(report.stuck_sink.as_deref(), Some("valve"));
    assert_eq!((report.written, report.abandoned.total()), (0, 100));
    books.note(Level::Info, info!(logger: &logger, "too late"));
    books.check_report(&logger, &report);

    // What the sink takes when it wakes up changes no account that has been given.
    valve.open();
    wait_for("the sink to wake up", || !memory.contents().is_empty());
    assert_eq!(logger.shutdown(LONG), report);
    books.check_report(&logger, &report);
    within(SOON, "dropping the logger", move || drop(logger));
    // It was in the middle of its first batch, and got no other.
    let log = Log::of(&memory);
    let numbers = &log.numbers()["n"];
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64));
}

#[test]
fn a_sink_that_is_stuck_in_its_flush_is_named_too() {
    let (stuck, is_stuck) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let books = Books::new();
    let logger = RingLogger::builder()
        .sink(
            Scripted::new("syncing", |batch| Ok(batch.bytes().len())).on_flush(move || {
                let _ = stuck.send(());
                let _ = released.recv();
                Ok(())
            }),
        )
        .build()
        .unwrap();
    books.note(Level::Info, info!(logger: &logger, "text"));
    let report = logger.shutdown(SHORT);
    is_stuck.recv_timeout(LONG).unwrap();
    assert_eq!(report.outcome, ShutdownOutcome::TimedOut);
    assert_eq!(report.stuck_sink.as_deref(), Some("syncing"));
    books.check_report(&logger, &report);
    drop(release);
}

#[test]
fn without_time_a_shutdown_counts_what_it_leaves() {
    for thread in [true, false] {
        for records in [0, 1, 1000] {
            let (books, memory) = (Books::new(), Memory::new());
            let logger = RingLogger::builder()
                .thread(thread)
                .sink(memory.clone())
                .build()
                .unwrap();
            for number in 0..records {
                books.note(Level::Info, info!(logger: &logger, "n {number}"));
            }
            let report = logger.shutdown(Duration::ZERO);
            books.check_report(&logger, &report);
            if report.outcome == ShutdownOutcome::Drained {
                assert_eq!(report.written, records);
            }
            assert_eq!(info!(logger: &logger, "late"), Outcome::Closed);
        }
    }
}

#[test]
fn a_deadline_beyond_all_time_is_a_deadline() {
    let logger = RingLogger::builder().sink(Null).build().unwrap();
    info!(logger: &logger, "text");
    logger.flush(Duration::MAX).unwrap();
    let report = logger.shutdown(Duration::MAX);
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
    assert_eq!(report.written, 1);
}

#[test]
fn the_earlier_of_two_deadlines_counts() {
    let books = Books::new();
    let valve = Valve::shut(Memory::new());
    let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
    books.note(Level::Info, info!(logger: &logger, "text"));
    valve.wait_until_stuck();
    let started = Instant::now();
    let (patient, hasty) = thread::scope(|scope| {
        let patient = scope.spawn(|| logger.shutdown(Duration::from_secs(3600)));
        wait_for("the closing", || {
            books.note(Level::Info, info!(logger: &logger, "text")) == Outcome::Closed
        });
        let hasty = logger.shutdown(SHORT);
        (patient.join().unwrap(), hasty)
    });
    assert!(started.elapsed() < SOON);
    assert_eq!(patient.outcome, ShutdownOutcome::TimedOut);
    assert_eq!(patient, hasty);
    books.check_report(&logger, &hasty);
    valve.open();
}

/// Takes five seconds, as long as a logger that is dropped waits for its sinks.
#[test]
#[cfg_attr(miri, ignore = "takes five seconds")]
fn dropping_a_logger_whose_sink_is_stuck_takes_five_seconds() {
    let valve = Valve::shut(Memory::new());
    let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
    info!(logger: &logger, "text");
    valve.wait_until_stuck();
    let started = Instant::now();
    drop(logger);
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_secs(5), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(5) + SOON, "{elapsed:?}");
    valve.open();
}

#[test]
fn a_sink_may_begin_the_shutdown_of_its_own_logger() {
    for thread in [true, false] {
        let (books, memory) = (Books::new(), Memory::new());
        let own = Arc::new(OnceLock::<Weak<RingLogger>>::new());
        let (answer, answered) = mpsc::channel();
        let (mut inner, logger) = (memory.clone(), own.clone());
        let logger = Arc::new(
            RingLogger::builder()
                .thread(thread)
                .sink(Scripted::new("last word", move |batch| {
                    if let Some(logger) = logger.get().and_then(Weak::upgrade) {
                        let report = logger.shutdown(LONG);
                        let outcome = info!(logger: &*logger, "too late");
                        let _ = answer.send((report, outcome));
                    }
                    inner.write(batch)
                }))
                .build()
                .unwrap(),
        );
        own.set(Arc::downgrade(&logger)).unwrap();
        for number in 0..10 {
            books.note(Level::Info, info!(logger: &*logger, "n {number}"));
        }
        if !thread {
            wait_for("the first record", || logger.poll(usize::MAX) > 0);
        }
        let (report, outcome) = answered.recv_timeout(LONG).unwrap();
        assert_eq!(report.outcome, ShutdownOutcome::TimedOut);
        books.note(Level::Info, outcome);
        let report = logger.shutdown(LONG);
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        // More of them, if the sink was called more than once.
        while let Ok((_, outcome)) = answered.try_recv() {
            books.note(Level::Info, outcome);
        }
        books.check_report(&logger, &report);
        assert_eq!(Log::of(&memory).records().count() as u64, books.accepted());
    }
}

#[test]
fn a_poll_and_a_shutdown_at_once_write_everything_once() {
    for _ in 0..scaled(200) {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .thread(false)
            .sink(memory.clone())
            .build()
            .unwrap();
        for number in 0..500 {
            books.note(Level::Info, info!(logger: &logger, "main {number}"));
        }
        let start = Barrier::new(2);
        let report = thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                while logger.poll(10) > 0 {}
            });
            start.wait();
            logger.shutdown(LONG)
        });
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        books.check_report(&logger, &report);
        assert!(
            Log::of(&memory).numbers()["main"]
                .iter()
                .copied()
                .eq(0..500)
        );
    }
}

#[test]
fn a_report_says_in_one_line_how_it_went() {
    let logger = RingLogger::builder().sink(Null).build().unwrap();
    for number in 0..3 {
        info!(logger: &logger, "n {number}");
    }
    let text = logger.shutdown(LONG).to_string();
    assert!(
        text.starts_with("log closed: 3 written, 0 dropped, 0 rejected in "),
        "{text}"
    );

    let valve = Valve::shut(Memory::new());
    let logger = RingLogger::builder()
        .sink(valve.clone())
        .sink(Scripted::new("failing", |_| {
            Err(io::ErrorKind::Other.into())
        }))
        .build()
        .unwrap();
    info!(logger: &logger, "text");
    valve.wait_until_stuck();
    let text = logger.shutdown(SHORT).to_string();
    for part in [
        "cut off by its deadline",
        "1 abandoned",
        "sink `valve` stuck",
    ] {
        assert!(text.contains(part), "{text}");
    }
    valve.open();
}
