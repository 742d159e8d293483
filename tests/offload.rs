//! A sink on a thread of its own: it delays nobody, loses what its policy says and no more, and
//! every record of it is in the account.

mod support;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::{Batch, File, Memory, Offload, QueueFull};
use ringlog::{
    BuildError, FlushError, Level, Outcome, Overflow, RingLogger, ShutdownOutcome, info, warn,
};
use support::sinks::{Scripted, Valve};
use support::{Books, LONG, Log, scaled, wait_for};

/// What stands in the log of a sink: the number of a record, or how many are missing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Entry {
    Number(u64),
    Missing(u64),
}

use Entry::{Missing, Number};

fn entries(text: &str) -> Vec<Entry> {
    let log = Log::parse(text);
    let entry = |line: &support::log::Line| {
        if line.is_own() {
            let (count, cause) = line.text.split_once(" records are missing here").unwrap();
            assert_ne!(cause, "");
            return Missing(count.parse().unwrap());
        }
        Number(line.text.strip_prefix("n ").unwrap().parse().unwrap())
    };
    log.lines.iter().map(entry).collect()
}

/// Checks that the records and the lines about missing ones make up 0 to `count`, and answers how
/// many are missing.
#[track_caller]
fn check_complete(entries: &[Entry], count: u64) -> u64 {
    let mut next = 0;
    let mut missing = 0;
    for entry in entries {
        match *entry {
            Number(number) => {
                assert_eq!(number, next, "{entries:?}");
                next += 1;
            }
            Missing(more) => {
                assert_ne!(more, 0);
                next += more;
                missing += more;
            }
        }
    }
    assert_eq!(next, count, "{entries:?}");
    missing
}

fn log_numbers(logger: &RingLogger, books: &Books, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let outcome = info!(logger: logger, "n {number}");
        assert_eq!(books.note(Level::Info, outcome), Outcome::Accepted);
    }
}

/// The length of a record with a number of one digit.
fn line_length() -> usize {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .closing_record(false)
        .sink(memory.clone())
        .build()
        .unwrap();
    log_numbers(&logger, &Books::new(), 0..1);
    logger.shutdown(LONG);
    memory.contents().len()
}

#[test]
fn everything_arrives_once_and_in_order() {
    let (apart, here, books) = (Memory::new(), Memory::new(), Books::new());
    let logger = RingLogger::builder()
        .overflow(Overflow::Block)
        .sink(Offload::new(apart.clone()).queue_bytes(1 << 30))
        .sink(here.clone())
        .build()
        .unwrap();
    let count = scaled(40_000) as u64;
    log_numbers(&logger, &books, 0..count);
    let report = logger.shutdown(LONG);
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
    books.check_report(&logger, &report);
    assert_eq!((report.written, report.failed), (count, 0));
    assert_eq!(apart.contents(), here.contents());
    assert_eq!(check_complete(&entries(&apart.contents()), count), 0);
}

#[test]
fn a_sink_that_blocks_for_ever_delays_nobody_and_is_named_at_the_deadline() {
    let (here, books) = (Memory::new(), Books::new());
    let valve = Valve::shut(Memory::new());
    let logger = RingLogger::builder()
        .sink(Offload::new(valve.clone()))
        .sink(here.clone())
        .build()
        .unwrap();
    log_numbers(&logger, &books, 0..1);
    valve.wait_until_stuck();
    // The other sink gets everything while this one is stuck, flush after flush.
    for number in 1..20 {
        log_numbers(&logger, &books, number..number + 1);
        assert_eq!(
            logger.flush(Duration::from_millis(20)),
            Err(FlushError::TimedOut)
        );
        wait_for("the other sink to have it", || {
            entries(&here.contents()).len() as u64 == number + 1
        });
    }
    // Taken by one sink, and not by the other.
    assert_eq!((logger.stats().written, logger.stats().in_ring), (0, 20));
    let deadline = Duration::from_millis(200);
    let started = Instant::now();
    let report = logger.shutdown(deadline);
    let elapsed = started.elapsed();
    assert!(elapsed >= deadline, "{elapsed:?}");
    assert!(elapsed < deadline + Duration::from_secs(5), "{elapsed:?}");
    assert_eq!(report.outcome, ShutdownOutcome::TimedOut);
    assert_eq!(report.stuck_sink.as_deref(), Some("valve"));
    books.check_report(&logger, &report);
    assert_eq!((report.written, report.abandoned.total()), (0, 20));
    valve.open();
}

/// The queue has room for ten lines. One is in the sink's hands.
fn slow(policy: QueueFull) -> (Vec<Entry>, ringlog::ShutdownReport) {
    let (apart, here, books) = (Memory::new(), Memory::new(), Books::new());
    let valve = Valve::shut(apart.clone());
    let length = line_length();
    let logger = RingLogger::builder()
        .thread(false)
        .sink(
            Offload::new(valve.clone())
                .queue_bytes((10 * length + length / 2).max(1 << 10))
                .when_full(policy),
        )
        .sink(here.clone())
        .build()
        .unwrap();
    let lines_that_fit = ((10 * length + length / 2).max(1 << 10) / length) as u64;
    let poll = |records: u64| {
        wait_for("all records to be drained", || {
            logger.poll(usize::MAX);
            Log::of(&here).records().count() as u64 == records
        });
    };
    log_numbers(&logger, &books, 0..1);
    poll(1);
    valve.wait_until_stuck();
    // All numbers have two digits, and all lines the same length: one more than that of a line with
    // one digit.
    assert!((length + 1) * lines_that_fit as usize <= (10 * length + length / 2).max(1 << 10));
    log_numbers(&logger, &books, 10..90);
    poll(81);
    let stats = books.check(&logger);
    assert_eq!(stats.failed_sink, 80 - lines_that_fit, "{stats:?}");
    valve.open();
    wait_for("the queue to be written", || logger.flush(LONG).is_ok());
    log_numbers(&logger, &books, 90..91);
    let report = logger.shutdown(LONG);
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
    books.check_report(&logger, &report);
    assert_eq!(report.failed, 80 - lines_that_fit);
    assert_eq!(report.written, 2 + lines_that_fit);
    (entries(&apart.contents()), report)
}

#[test]
fn a_slow_sink_loses_the_newest_if_it_is_told_to_and_says_where() {
    let (entries, report) = slow(QueueFull::DropNewest);
    let kept = 80 - report.failed;
    let mut expected = vec![Number(0)];
    expected.extend((10..10 + kept).map(Number));
    expected.extend([Missing(report.failed), Number(90)]);
    assert_eq!(entries, expected);
}

#[test]
fn a_slow_sink_loses_the_oldest_if_it_is_told_to_and_says_where() {
    let (entries, report) = slow(QueueFull::DropOldest);
    let kept = 80 - report.failed;
    let mut expected = vec![Number(0), Missing(report.failed)];
    expected.extend((90 - kept..91).map(Number));
    assert_eq!(entries, expected);
}

#[test]
fn a_flush_says_that_a_queue_had_been_full() {
    let valve = Valve::shut(Memory::new());
    let logger = RingLogger::builder()
        .thread(false)
        .sink(Offload::new(valve.clone()).queue_bytes(1 << 10))
        .build()
        .unwrap();
    let books = Books::new();
    log_numbers(&logger, &books, 0..1);
    wait_for("the first record to be drained", || logger.poll(1) == 1);
    valve.wait_until_stuck();
    log_numbers(&logger, &books, 1..100);
    wait_for("the records to be drained", || {
        logger.poll(usize::MAX);
        logger.stats().failed_sink > 0
    });
    valve.open();
    let error = logger.flush(LONG).unwrap_err().to_string();
    assert!(error.contains("`valve`"), "{error}");
    assert!(error.contains("found its queue full"), "{error}");
    assert_eq!(logger.flush(LONG), Ok(()));
}

/// Producers that never stop and a sink that is too slow for them: whatever happens, each record is
/// there or is missed.
#[test]
fn under_load_every_record_is_there_or_missed() {
    for policy in [QueueFull::DropNewest, QueueFull::DropOldest] {
        let (apart, here, books) = (Memory::new(), Memory::new(), Books::new());
        let mut sink = apart.clone();
        let slow = Scripted::new("slow", move |batch| {
            thread::sleep(Duration::from_micros(200));
            ringlog::sink::Sink::write(&mut sink, batch)
        });
        let logger = RingLogger::builder()
            .overflow(Overflow::Block)
            .sink(
                Offload::new(slow)
                    .queue_bytes(16 << 10)
                    .batch_bytes(2 << 10)
                    .when_full(policy),
            )
            .sink(here.clone())
            .build()
            .unwrap();
        let count = scaled(100_000) as u64;
        log_numbers(&logger, &books, 0..count);
        let report = logger.shutdown(LONG);
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        books.check_report(&logger, &report);
        let missing = check_complete(&entries(&apart.contents()), count);
        assert!(missing > 0);
        assert_eq!(report.failed, missing, "{policy:?}");
        assert_eq!(check_complete(&entries(&here.contents()), count), 0);
    }
}

#[test]
fn batches_keep_their_bounds() {
    let sizes = Arc::<Mutex<Vec<(usize, usize)>>>::default();
    let seen = sizes.clone();
    let sink = Scripted::new("sizes", move |batch| {
        let entries = batch.entries().count();
        seen.lock().unwrap().push((batch.bytes().len(), entries));
        Ok(batch.bytes().len())
    });
    let logger = RingLogger::builder()
        .thread(false)
        .sink(
            Offload::new(sink)
                .batch_records(7)
                .batch_bytes(4 * line_length())
                .batch_age(LONG),
        )
        .sink(Offload::new(Memory::new()))
        .build()
        .unwrap();
    log_numbers(&logger, &Books::new(), 0..9);
    info!(logger: &logger, "{}", "x".repeat(1000));
    for _ in 0..3 {
        warn!(logger: &logger, "n {}", 1);
    }
    assert_eq!(logger.flush(LONG), Ok(()));
    let sizes = sizes.lock().unwrap().clone();
    let entries: Vec<usize> = sizes.iter().map(|size| size.1).collect();
    assert_eq!(entries, [4, 4, 1, 1, 3], "{sizes:?}");
}

#[test]
fn a_batch_is_written_when_it_has_enough_records_and_not_before() {
    let (memory, books) = (Memory::new(), Books::new());
    let logger = RingLogger::builder()
        .sink(
            Offload::new(memory.clone())
                .batch_records(5)
                .batch_age(Duration::from_secs(3600)),
        )
        .build()
        .unwrap();
    log_numbers(&logger, &books, 0..4);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(memory.contents(), "");
    log_numbers(&logger, &books, 4..5);
    wait_for("a batch of five", || !memory.contents().is_empty());
    assert_eq!(entries(&memory.contents()).len(), 5);
    // A flush does not wait for the age.
    log_numbers(&logger, &books, 5..6);
    assert_eq!(logger.flush(LONG), Ok(()));
    assert_eq!(entries(&memory.contents()).len(), 6);
}

#[test]
fn a_batch_is_written_when_it_is_old_enough() {
    let (memory, books) = (Memory::new(), Books::new());
    let age = Duration::from_millis(60);
    let logger = RingLogger::builder()
        .sink(Offload::new(memory.clone()).batch_age(age))
        .build()
        .unwrap();
    let started = Instant::now();
    log_numbers(&logger, &books, 0..3);
    wait_for("the batch", || !memory.contents().is_empty());
    assert!(started.elapsed() >= age, "{:?}", started.elapsed());
    assert_eq!(entries(&memory.contents()).len(), 3);
}

#[test]
fn a_flush_waits_for_the_queue_and_flushes_the_sink() {
    let (memory, flushed) = (Memory::new(), Arc::new(AtomicBool::new(false)));
    let (mut sink, flushes, seen) = (memory.clone(), flushed.clone(), memory.clone());
    let slow = Scripted::new("slow", move |batch| {
        thread::sleep(Duration::from_millis(20));
        ringlog::sink::Sink::write(&mut sink, batch)
    })
    .on_flush(move || {
        flushes.store(!seen.contents().is_empty(), Ordering::Relaxed);
        Ok(())
    });
    let logger = RingLogger::builder()
        .sink(Offload::new(slow).batch_records(1))
        .build()
        .unwrap();
    log_numbers(&logger, &Books::new(), 0..5);
    assert_eq!(logger.flush(LONG), Ok(()));
    assert_eq!(entries(&memory.contents()).len(), 5);
    assert!(flushed.load(Ordering::Relaxed));
    assert_eq!(logger.stats().written, 5);
}

#[test]
fn flushes_from_many_threads_are_all_served() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .sink(Offload::new(memory.clone()))
        .sink(Offload::new(Memory::new()))
        .build()
        .unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..20 {
                    info!(logger: &logger, "n {number}");
                    assert_eq!(logger.flush(LONG), Ok(()));
                }
            });
        }
    });
    assert_eq!(entries(&memory.contents()).len(), 80);
}

#[test]
fn a_sink_that_panics_loses_what_it_was_given_and_goes_on() {
    let (memory, here, books) = (Memory::new(), Memory::new(), Books::new());
    let (mut sink, armed) = (memory.clone(), Arc::new(AtomicBool::new(false)));
    let panics = armed.clone();
    let sink = Scripted::new("panics", move |batch| {
        assert!(!panics.swap(false, Ordering::Relaxed), "on purpose");
        ringlog::sink::Sink::write(&mut sink, batch)
    });
    let logger = RingLogger::builder()
        .sink(Offload::new(sink))
        .sink(here.clone())
        .build()
        .unwrap();
    log_numbers(&logger, &books, 0..1);
    assert_eq!(logger.flush(LONG), Ok(()));
    armed.store(true, Ordering::Relaxed);
    log_numbers(&logger, &books, 1..2);
    wait_for("the panic", || logger.stats().sink_errors > 0);
    log_numbers(&logger, &books, 2..3);
    wait_for("the sink to recover", || logger.flush(LONG).is_ok());
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!((report.written, report.failed), (2, 1));
    assert_eq!(
        entries(&memory.contents()),
        [Number(0), Missing(1), Number(2)]
    );
    assert_eq!(check_complete(&entries(&here.contents()), 3), 0);
}

#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "miri has no files")]
fn a_full_device_keeps_what_the_queue_holds_and_the_shutdown_counts_it() {
    let books = Books::new();
    let logger = RingLogger::builder()
        .sink(Offload::new(File::append("/dev/full").unwrap()))
        .build()
        .unwrap();
    log_numbers(&logger, &books, 0..100);
    let error = logger.flush(LONG).unwrap_err().to_string();
    assert!(error.contains("`file /dev/full`"), "{error}");
    assert!(error.contains("No space left on device"), "{error}");
    assert_eq!(books.check(&logger).in_ring, 100);
    let report = logger.shutdown(LONG);
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
    books.check_report(&logger, &report);
    assert_eq!((report.written, report.failed), (0, 100));
}

#[test]
fn a_sink_that_recovers_gets_what_waited() {
    let (memory, books, failing) = (Memory::new(), Books::new(), Arc::new(AtomicBool::new(true)));
    let (mut sink, fails) = (memory.clone(), failing.clone());
    let sink = Scripted::new("broken", move |batch| {
        if fails.load(Ordering::Relaxed) {
            return Err(io::Error::other("broken"));
        }
        ringlog::sink::Sink::write(&mut sink, batch)
    });
    let logger = RingLogger::builder()
        .sink(Offload::new(sink).batch_records(3))
        .build()
        .unwrap();
    log_numbers(&logger, &books, 0..50);
    wait_for("failures", || logger.stats().sink_errors > 3);
    failing.store(false, Ordering::Relaxed);
    assert_eq!(logger.flush(LONG), Ok(()));
    assert_eq!(check_complete(&entries(&memory.contents()), 50), 0);
    assert_eq!(books.check(&logger).written, 50);
}

/// At its end a logger has time, and takes it: nothing is lost for lack of room.
#[test]
fn a_shutdown_waits_for_room_in_the_queue() {
    let (memory, books) = (Memory::new(), Books::new());
    let mut sink = memory.clone();
    let slow = Scripted::new("slow", move |batch: &Batch<'_>| {
        thread::sleep(Duration::from_micros(100));
        ringlog::sink::Sink::write(&mut sink, batch)
    });
    let logger = RingLogger::builder()
        .thread(false)
        .sink(Offload::new(slow).queue_bytes(4 << 10).batch_bytes(1 << 10))
        .build()
        .unwrap();
    log_numbers(&logger, &books, 0..1000);
    let report = logger.shutdown(LONG);
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
    books.check_report(&logger, &report);
    // One round of the consumer is longer than the queue.
    assert_eq!(check_complete(&entries(&memory.contents()), 1000), 0);
}

#[test]
fn the_sink_is_closed_when_the_shutdown_returns() {
    struct Closes(Memory, Arc<AtomicBool>);
    impl ringlog::sink::Sink for Closes {
        fn name(&self) -> &str {
            "closes"
        }
        fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
            self.0.write(batch)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Drop for Closes {
        fn drop(&mut self) {
            self.1.store(true, Ordering::Relaxed);
        }
    }
    let (memory, closed) = (Memory::new(), Arc::new(AtomicBool::new(false)));
    let logger = RingLogger::builder()
        .sink(Offload::new(Closes(memory.clone(), closed.clone())))
        .build()
        .unwrap();
    log_numbers(&logger, &Books::new(), 0..10);
    assert_eq!(logger.shutdown(LONG).outcome, ShutdownOutcome::Drained);
    assert!(closed.load(Ordering::Relaxed));
    assert_eq!(entries(&memory.contents()).len(), 10);
}

#[test]
fn a_sink_that_asks_for_a_flush_from_its_own_thread_is_told_that_it_cannot() {
    let (logger, answer) = (
        Arc::<Mutex<Option<Arc<RingLogger>>>>::default(),
        Arc::<Mutex<Option<FlushError>>>::default(),
    );
    let (its_logger, its_answer) = (logger.clone(), answer.clone());
    let sink = Scripted::new("asks", move |batch| {
        if let Some(logger) = its_logger.lock().unwrap().take() {
            *its_answer.lock().unwrap() = logger.flush(LONG).err();
        }
        Ok(batch.bytes().len())
    });
    let built = RingLogger::builder().sink(Offload::new(sink)).build();
    let built = Arc::new(built.unwrap());
    *logger.lock().unwrap() = Some(built.clone());
    log_numbers(&built, &Books::new(), 0..1);
    wait_for("the answer", || answer.lock().unwrap().is_some());
    assert_eq!(*answer.lock().unwrap(), Some(FlushError::InsideSink));
}

/// Each waits in its write until all are in theirs.
#[test]
fn sinks_on_threads_of_their_own_come_to_their_end_at_the_same_time() {
    let all = Arc::new(Barrier::new(8));
    let mut builder = RingLogger::builder();
    for _ in 0..8 {
        let all = all.clone();
        builder = builder.sink(Offload::new(Scripted::new("waits", move |batch| {
            all.wait();
            Ok(batch.bytes().len())
        })));
    }
    let logger = builder.build().unwrap();
    log_numbers(&logger, &Books::new(), 0..1);
    let report = logger.shutdown(LONG);
    assert_eq!(report.outcome, ShutdownOutcome::Drained, "{report:?}");
}

#[test]
fn a_queue_out_of_range_is_refused() {
    for bytes in [0, 1023, (1 << 30) + 1] {
        let sink = Offload::new(Memory::new()).queue_bytes(bytes);
        let error = RingLogger::builder().sink(sink).build().unwrap_err();
        assert!(
            matches!(error, BuildError::Capacity { setting: "queue_bytes", given, .. } if given == bytes),
            "{error}"
        );
    }
}
