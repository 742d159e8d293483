//! A shutdown ends in time whatever goes on meanwhile, and what there is not time for is chosen and
//! counted.

#![cfg(not(miri))] // for which time is another

mod support;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::{Batch, Memory, Sink};
use ringlog::{
    Level, Outcome, RingLogger, ShutdownOutcome, ShutdownReport, debug, error, info, warn,
};
use support::{Books, Log};

/// How much later than its deadline a shutdown may return, beside one call of a sink.
const TOLERANCE: Duration = Duration::from_millis(10);

/// A sink that takes so long for each record, and at least so long for each call.
struct Slow {
    record: Duration,
    call: Duration,
    memory: Memory,
    /// The longest call, in nanoseconds.
    longest: Arc<AtomicU64>,
}

impl Slow {
    fn new(record: Duration, call: Duration) -> Self {
        Slow {
            record,
            call,
            memory: Memory::new(),
            longest: Arc::default(),
        }
    }
}

impl Sink for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        let started = Instant::now();
        let records = batch.bytes().iter().filter(|byte| **byte == b'\n').count() as u32;
        thread::sleep(self.record.saturating_mul(records).max(self.call));
        let taken = self.memory.write(batch);
        let took = started.elapsed().as_nanos() as u64;
        self.longest.fetch_max(took, Ordering::Relaxed);
        taken
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log(logger: &RingLogger, books: &Books, level: Level, number: u64) -> Outcome {
    let outcome = match level {
        Level::Error => error!(logger: logger, "n {number}"),
        Level::Warn => warn!(logger: logger, "n {number}"),
        Level::Info => info!(logger: logger, "n {number}"),
        _ => debug!(logger: logger, "n {number}"),
    };
    books.note(level, outcome)
}

/// The level of a record: every hundredth is an error or a warning.
fn level_of(number: u64) -> Level {
    match number % 200 {
        99 => Level::Warn,
        199 => Level::Error,
        number if number % 2 == 0 => Level::Info,
        _ => Level::Debug,
    }
}

/// What there is to write, for which the sink takes much longer than there is time.
const RECORDS: u64 = 1800;
const DEADLINE: Duration = Duration::from_millis(400);

/// Fills the ring of a logger whose sink takes much longer than the deadline for all of it, but
/// returns in time: a call that does not is waited for by nobody, and no line comes after it.
fn cut_off(deadline: Duration) -> (Log, ShutdownReport, Books) {
    for _ in 0..50 {
        let end = cut_off_once(deadline);
        if end.1.stuck_sink.is_none() {
            return end;
        }
    }
    panic!("the sink never returns in time");
}

fn cut_off_once(deadline: Duration) -> (Log, ShutdownReport, Books) {
    let slow = Slow::new(Duration::from_micros(400), Duration::ZERO);
    let memory = slow.memory.clone();
    let logger = RingLogger::builder()
        .level(Level::Debug)
        // A quarter of it is given to the sink in one call, which then takes a fifth of a second.
        .lane_capacity(2048)
        .sink(slow)
        .build()
        .unwrap();
    let books = Books::new();
    for number in 0..RECORDS {
        log(&logger, &books, level_of(number), number);
    }
    let report = logger.shutdown(deadline);
    assert_eq!(report.outcome, ShutdownOutcome::TimedOut);
    books.check_report(&logger, &report);
    (Log::of(&memory), report, books)
}

#[test]
fn warnings_and_errors_are_written_first_when_there_is_not_time_for_all() {
    let (log, report, books) = cut_off(DEADLINE);
    for level in [Level::Error, Level::Warn] {
        let written = log.records().filter(|line| line.level == level).count() as u64;
        assert_eq!(books.accepted_at(level), RECORDS / 200);
        assert_eq!(written, RECORDS / 200, "{report:?}");
        assert_eq!(report.abandoned[level], 0, "{report:?}");
    }
    assert!(report.abandoned[Level::Info] > 0, "{report:?}");
}

#[test]
fn what_is_cut_off_is_counted_by_level_and_the_last_line_says_so() {
    let (log, report, books) = cut_off(DEADLINE);
    let written = |level| log.records().filter(|line| line.level == level).count() as u64;
    for level in [Level::Error, Level::Warn, Level::Info, Level::Debug] {
        let all = written(level) + report.abandoned[level];
        assert_eq!(all, books.accepted_at(level), "{level}: {report:?}");
    }
    let last = log.closing.as_ref().expect("a last line");
    assert_eq!(last.level, Level::Warn);
    let text = report.to_string();
    let (text, _) = text.rsplit_once(" in ").unwrap();
    assert_eq!(last.text, text);
    assert!(text.starts_with("log cut off by its deadline: "), "{text}");
    let levels = format!("abandoned ({})", report.abandoned);
    assert!(text.contains(&levels), "{text}");
}

/// How late a shutdown was, while two threads never stop to log.
fn lateness(deadline: Duration, sink: Slow) -> Duration {
    let longest = sink.longest.clone();
    let logger = RingLogger::builder().lanes(2).sink(sink).build().unwrap();
    let books = Books::new();
    let stop = AtomicBool::new(false);
    let (report, late) = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    log(&logger, &books, level_of(number), number);
                    number += 1;
                }
            });
        }
        thread::sleep(Duration::from_millis(20));
        let started = Instant::now();
        let report = logger.shutdown(deadline);
        let late = started.elapsed().saturating_sub(deadline);
        stop.store(true, Ordering::Relaxed);
        (report, late)
    });
    if report.in_flight == 0 {
        books.check_report(&logger, &report);
    }
    // What became of records that were being written then is in the statistics.
    books.check(&logger);
    late.saturating_sub(Duration::from_nanos(longest.load(Ordering::Relaxed)))
}

/// A machine that has other things to do may be late by itself, but not every time.
#[test]
fn a_deadline_is_kept_while_others_log_at_full_speed() {
    for deadline in [0, 1, 20, 200, 1000].map(Duration::from_millis) {
        for (record, call) in [(0, 0), (2000, 0), (100_000, 0), (0, 30_000_000)] {
            let (record, call) = (Duration::from_nanos(record), Duration::from_nanos(call));
            let mut late = Duration::MAX;
            for _ in 0..10 {
                late = late.min(lateness(deadline, Slow::new(record, call)));
                if late <= TOLERANCE {
                    break;
                }
            }
            assert!(
                late <= TOLERANCE,
                "{deadline:?} by {late:?}: {record:?} {call:?}"
            );
        }
    }
}

#[test]
#[cfg(feature = "serde")]
fn a_report_can_be_serialized() {
    let (_, report, _) = cut_off(DEADLINE);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["outcome"], "TimedOut");
    assert_eq!(json["written"], report.written);
    assert_eq!(json["abandoned"]["INFO"], report.abandoned[Level::Info]);
    assert_eq!(json["stuck_sink"].as_str(), report.stuck_sink.as_deref());
}
