//! When `flush` has answered `Ok`, everything that was accepted before the call is in every sink.

mod support;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::{Memory, Null, Sink as _};
use ringlog::{Clock, FlushError, Level, Outcome, Overflow, RingLogger, ShutdownOutcome, info};
use support::sinks::{Scripted, Valve};
use support::{Books, LONG, Log, scaled, wait_for};

const SHORT: Duration = Duration::from_millis(50);

/// Whether a record with this text is in the log. Where several threads log, any may come late.
fn has(log: &str, text: &str) -> bool {
    ["", " late=true"]
        .iter()
        .any(|mark| log.contains(&format!("] {text}{mark}\n")))
}

#[test]
fn what_a_thread_has_logged_is_in_the_sink_after_its_flush() {
    for clock in [Clock::Tsc, Clock::Arrival, Clock::System] {
        for (thread, lanes) in [(true, 1), (true, 0), (false, 1), (false, 0)] {
            let (books, memory) = (Books::new(), Memory::new());
            let logger = RingLogger::builder()
                .lanes(lanes)
                .clock(clock)
                .thread(thread)
                .sink(memory.clone())
                .build()
                .unwrap();
            let mut expected = Vec::new();
            for round in 0..scaled(200) {
                for number in 0..round % 5 {
                    let outcome = info!(logger: &logger, "r {round} {number}");
                    assert_eq!(books.note(Level::Info, outcome), Outcome::Accepted);
                    expected.push(format!("r {round} {number}"));
                }
                logger.flush(LONG).unwrap();
                assert_eq!(Log::of(&memory).texts(), expected, "{clock:?}");
                let stats = books.check(&logger);
                assert_eq!((stats.written, stats.in_ring), (books.accepted(), 0));
            }
        }
    }
}

/// What another thread has logged and told of, too.
#[test]
fn a_flush_covers_every_thread() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .lanes(2)
        .sink(memory.clone())
        .build()
        .unwrap();
    for round in 0..scaled(100) {
        memory.clear();
        thread::scope(|scope| {
            for thread in 0..5 {
                let logger = &logger;
                scope.spawn(move || {
                    assert_eq!(
                        info!(logger: logger, "t{thread} {round}"),
                        Outcome::Accepted
                    );
                });
            }
        });
        logger.flush(LONG).unwrap();
        assert_eq!(Log::of(&memory).numbers().len(), 5);
    }
}

#[test]
fn a_flush_reaches_through_the_sinks_own_buffer() {
    let visible = Memory::new();
    let (mut inner, buffer) = (visible.clone(), Arc::new(Mutex::new(Memory::new())));
    let (on_write, on_flush) = (buffer.clone(), buffer);
    let text = Arc::new(Mutex::new(String::new()));
    let seen = text.clone();
    let logger = RingLogger::builder()
        .sink(
            Scripted::new("buffering", move |batch| {
                on_write.lock().unwrap().write(batch)?;
                inner.flush()?;
                Ok(batch.bytes().len())
            })
            .on_flush(move || {
                *seen.lock().unwrap() = on_flush.lock().unwrap().contents();
                Ok(())
            }),
        )
        .build()
        .unwrap();
    for number in 0..100 {
        assert_eq!(info!(logger: &logger, "n {number}"), Outcome::Accepted);
        logger.flush(LONG).unwrap();
        assert_eq!(
            Log::parse(&text.lock().unwrap()).records().count(),
            number + 1
        );
    }
}

#[test]
fn flushes_of_two_threads_at_once_serve_both() {
    for thread in [true, false] {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .thread(thread)
            .sink(memory.clone())
            .build()
            .unwrap();
        let start = Barrier::new(2);
        thread::scope(|scope| {
            for name in ["a", "b"] {
                let (logger, memory, start) = (&logger, &memory, &start);
                scope.spawn(move || {
                    for number in 0..scaled(800) {
                        start.wait();
                        let outcome = info!(logger: logger, "{name} {number}");
                        assert_eq!(outcome, Outcome::Accepted);
                        logger.flush(LONG).unwrap();
                        let text = format!("{name} {number}");
                        let contents = memory.contents();
                        let tail = contents.len().saturating_sub(2000);
                        assert!(has(&contents[tail..], &text), "{text}");
                    }
                });
            }
        });
        let report = logger.shutdown(LONG);
        assert_eq!(report.written, 2 * scaled(800) as u64);
    }
}

struct StopAtTheEnd<'a>(&'a AtomicBool);

impl Drop for StopAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_flush_ends_although_others_never_stop_logging() {
    let kinds = [
        (true, Overflow::Drop),
        (true, Overflow::Block),
        (false, Overflow::Drop),
    ];
    for (has_consumer, overflow) in kinds {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .lanes(2)
            .lane_capacity(256)
            .shared_capacity(256)
            .thread(has_consumer)
            .overflow(overflow)
            .sink(Null)
            .sink(memory.clone())
            .build()
            .unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        books.note(Level::Info, info!(logger: &logger, "flood"));
                    }
                });
            }
            // Also if something is found to be wrong.
            let _stop = StopAtTheEnd(&stop);
            let producer = logger.producer();
            for number in 0..20 {
                // May find the ring full: then there is nothing to look for.
                let outcome = info!(logger: &producer, "n {number}");
                books.note(Level::Info, outcome);
                logger.flush(LONG).unwrap();
                let found = has(&memory.contents(), &format!("n {number}"));
                assert_eq!(found, outcome == Outcome::Accepted, "n {number}");
                memory.clear();
            }
        });
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
    }
}

#[test]
fn a_sink_that_fails_is_named_with_its_error_and_gets_everything_later() {
    let failing = Arc::new(AtomicBool::new(true));
    let (memory, other) = (Memory::new(), Memory::new());
    let (mut inner, fails) = (memory.clone(), failing.clone());
    let books = Books::new();
    let logger = RingLogger::builder()
        .sink(other.clone())
        .sink(Scripted::new("flaky", move |batch| {
            if fails.load(Ordering::Relaxed) {
                Err(io::Error::other("the cable is out"))
            } else {
                inner.write(batch)
            }
        }))
        .build()
        .unwrap();
    for number in 0..10 {
        books.note(Level::Info, info!(logger: &logger, "n {number}"));
        let error = logger.flush(LONG).unwrap_err();
        assert_eq!(
            error,
            FlushError::Sink {
                name: "flaky".into(),
                error: "the cable is out".into()
            }
        );
        assert_eq!(error.to_string(), "sink `flaky` failed: the cable is out");
        // The other sink has it all the same.
        assert_eq!(Log::of(&other).records().count(), number + 1);
    }
    let stats = books.check(&logger);
    assert_eq!(
        (stats.written, stats.in_ring, stats.failed_sink),
        (0, 10, 0)
    );
    assert!(stats.sink_errors >= 10);
    failing.store(false, Ordering::Relaxed);
    logger.flush(LONG).unwrap();
    assert_eq!(memory.contents(), other.contents());
    assert_eq!(books.check(&logger).written, 10);
}

#[test]
fn a_sink_whose_flush_fails_or_panics_is_named_too() {
    for panics in [false, true] {
        let failing = Arc::new(AtomicBool::new(true));
        let memory = Memory::new();
        let (mut inner, fails) = (memory.clone(), failing.clone());
        let logger = RingLogger::builder()
            .sink(
                Scripted::new("disk", move |batch| inner.write(batch)).on_flush(move || {
                    let fails = fails.load(Ordering::Relaxed);
                    assert!(!(panics && fails), "on purpose");
                    if fails {
                        Err(io::Error::other("no sync"))
                    } else {
                        Ok(())
                    }
                }),
            )
            .build()
            .unwrap();
        info!(logger: &logger, "n {}", 0);
        for _ in 0..3 {
            let Err(FlushError::Sink { name, .. }) = logger.flush(LONG) else {
                panic!("the flush did not fail");
            };
            assert_eq!(name, "disk");
        }
        info!(logger: &logger, "n {}", 1);
        failing.store(false, Ordering::Relaxed);
        logger.flush(LONG).unwrap();
        assert_eq!(Log::of(&memory).texts(), ["n 0", "n 1"]);
        assert_eq!(logger.shutdown(LONG).written, 2);
    }
}

#[test]
fn a_flush_that_covers_records_which_a_sink_lost_fails() {
    for thread in [true, false] {
        let armed = Arc::new(AtomicBool::new(false));
        let panics = armed.clone();
        let logger = RingLogger::builder()
            .thread(thread)
            .sink(Scripted::new("hasty", move |batch| {
                assert!(!panics.swap(false, Ordering::Relaxed), "on purpose");
                Ok(batch.bytes().len())
            }))
            .build()
            .unwrap();
        for _ in 0..10 {
            info!(logger: &logger, "taken");
            logger.flush(LONG).unwrap();
            armed.store(true, Ordering::Relaxed);
            info!(logger: &logger, "lost");
            let Err(FlushError::Sink { name, .. }) = logger.flush(LONG) else {
                panic!("the flush did not fail");
            };
            assert_eq!(name, "hasty");
            // What was lost has been told. What comes now is taken.
            info!(logger: &logger, "taken");
            logger.flush(LONG).unwrap();
        }
        assert_eq!(logger.shutdown(LONG).failed, 10);
    }
}

#[test]
fn a_flush_from_inside_a_sink_is_refused() {
    for thread in [true, false] {
        let own = Arc::new(OnceLock::<Weak<RingLogger>>::new());
        let (answer, answered) = mpsc::channel();
        let logger = own.clone();
        let logger = Arc::new(
            RingLogger::builder()
                .thread(thread)
                .sink(Scripted::new("curious", move |batch| {
                    if let Some(logger) = logger.get().and_then(Weak::upgrade) {
                        let _ = answer.send(logger.flush(LONG));
                    }
                    Ok(batch.bytes().len())
                }))
                .build()
                .unwrap(),
        );
        own.set(Arc::downgrade(&logger)).unwrap();
        info!(logger: &*logger, "text");
        logger.flush(LONG).unwrap();
        assert_eq!(answered.recv().unwrap(), Err(FlushError::InsideSink));
        logger.shutdown(LONG);
    }
}

/// From inside the sink of one logger, another may be flushed.
#[test]
fn a_sink_may_flush_another_logger() {
    let memory = Memory::new();
    let inner = RingLogger::builder().sink(memory.clone()).build().unwrap();
    let (answer, answered) = mpsc::channel();
    let outer = RingLogger::builder()
        .sink(Scripted::new("relay", move |batch| {
            let lines = batch.bytes().iter().filter(|&&byte| byte == b'\n').count();
            info!(logger: &inner, "lines {lines}");
            let _ = answer.send(inner.flush(LONG));
            Ok(batch.bytes().len())
        }))
        .build()
        .unwrap();
    info!(logger: &outer, "text");
    outer.flush(LONG).unwrap();
    assert_eq!(answered.recv().unwrap(), Ok(()));
    assert_eq!(Log::of(&memory).texts(), ["lines 1"]);
}

#[test]
fn a_flush_of_a_closed_logger_says_so() {
    for thread in [true, false] {
        let logger = RingLogger::builder()
            .thread(thread)
            .sink(Null)
            .build()
            .unwrap();
        info!(logger: &logger, "text");
        logger.shutdown(LONG);
        assert_eq!(logger.flush(LONG), Err(FlushError::Closed));
    }
    let valve = Valve::shut(Memory::new());
    let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
    info!(logger: &logger, "text");
    valve.wait_until_stuck();
    assert_eq!(logger.shutdown(SHORT).outcome, ShutdownOutcome::TimedOut);
    assert_eq!(logger.flush(LONG), Err(FlushError::Closed));
    valve.open();
}

#[test]
fn a_flush_keeps_its_deadline_and_the_records_stay() {
    let memory = Memory::new();
    let valve = Valve::shut(memory.clone());
    let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
    info!(logger: &logger, "text");
    valve.wait_until_stuck();
    assert_eq!(logger.flush(SHORT), Err(FlushError::TimedOut));
    assert_eq!(logger.flush(Duration::ZERO), Err(FlushError::TimedOut));
    assert_eq!(memory.contents(), "");
    valve.open();
    logger.flush(LONG).unwrap();
    assert_eq!(Log::of(&memory).texts(), ["text"]);
}

/// There is always more to drain, and the flush is over when what it covers has been.
#[test]
fn a_flush_that_drains_by_itself_does_not_drain_for_ever() {
    let slow = Scripted::new("slow", |batch| {
        thread::sleep(Duration::from_millis(1));
        Ok(batch.bytes().len())
    });
    let books = Books::new();
    let logger = RingLogger::builder()
        .lanes(2)
        .lane_capacity(256)
        .thread(false)
        .sink(slow)
        .build()
        .unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    books.note(Level::Info, info!(logger: &logger, "flood"));
                }
            });
        }
        wait_for("records", || books.accepted() > 100);
        let started = Instant::now();
        let flushed = logger.flush(LONG);
        let took = started.elapsed();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(flushed, Ok(()));
        assert!(took < LONG / 30, "{took:?}");
    });
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
}

#[test]
fn closing_ends_the_waiting_for_a_flush() {
    let valve = Valve::shut(Memory::new());
    let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
    info!(logger: &logger, "text");
    valve.wait_until_stuck();
    thread::scope(|scope| {
        let flush = scope.spawn(|| logger.flush(Duration::MAX));
        assert_eq!(logger.shutdown(SHORT).outcome, ShutdownOutcome::TimedOut);
        assert_eq!(flush.join().unwrap(), Err(FlushError::Closed));
    });
    valve.open();
}

/// Whoever is in the middle of a flush when the logger closes gets an answer.
#[test]
fn flushes_and_a_shutdown_at_once_all_come_to_an_end() {
    for round in 0..scaled(200) {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .thread(round % 2 == 0)
            .sink(memory.clone())
            .build()
            .unwrap();
        let start = Barrier::new(3);
        thread::scope(|scope| {
            for name in ["a", "b"] {
                let (logger, memory, start) = (&logger, &memory, &start);
                scope.spawn(move || {
                    start.wait();
                    for number in 0.. {
                        let outcome = info!(logger: logger, "{name} {number}");
                        match logger.flush(LONG) {
                            Ok(()) => {
                                let found = has(&memory.contents(), &format!("{name} {number}"));
                                assert_eq!(found, outcome == Outcome::Accepted);
                            }
                            Err(FlushError::Closed) => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                });
            }
            start.wait();
            assert_eq!(logger.shutdown(LONG).outcome, ShutdownOutcome::Drained);
        });
    }
}

/// Two threads poll and flush at once; only one of them can drain.
#[test]
fn a_flush_without_a_consumer_thread_waits_for_whoever_drains() {
    let memory = Memory::new();
    let valve = Valve::shut(memory.clone());
    let logger = RingLogger::builder()
        .thread(false)
        .sink(valve.clone())
        .build()
        .unwrap();
    assert_eq!(info!(logger: &logger, "n {}", 0), Outcome::Accepted);
    thread::scope(|scope| {
        scope.spawn(|| {
            wait_for("the record", || logger.poll(1) == 1);
        });
        valve.wait_until_stuck();
        assert_eq!(logger.flush(SHORT), Err(FlushError::TimedOut));
        valve.open();
        logger.flush(LONG).unwrap();
    });
    assert_eq!(Log::of(&memory).texts(), ["n 0"]);
}
