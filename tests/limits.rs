//! Statements that log less often than they are called, and say so.

mod support;

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ringlog::sink::Memory;
use ringlog::{Level, Outcome, Overflow, RingLogger, context, info, rlog, warn};
use support::{LONG, Log, scaled, wait_for};

fn logger(memory: &Memory) -> RingLogger {
    RingLogger::builder()
        .overflow(Overflow::Block)
        .sink(memory.clone())
        .build()
        .unwrap()
}

/// What the records say that were suppressed, in order.
fn told(log: &Log) -> Vec<u64> {
    let told = |text: &str| match text.split_once("suppressed=") {
        Some((_, number)) => number.split(' ').next().unwrap().parse().unwrap(),
        None => 0,
    };
    log.texts().into_iter().map(told).collect()
}

#[test]
fn once_passes_once_whoever_calls() {
    let memory = Memory::new();
    let logger = logger(&memory);
    let log = |number: usize| warn!(logger: &logger, once, "first {}", number / usize::MAX);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..scaled(10_000)).for_each(|number| drop_outcome(log(number))));
        }
    });
    assert_eq!(log(0), Outcome::Filtered);
    assert_eq!(logger.shutdown(LONG).written, 1);
    assert_eq!(Log::of(&memory).texts(), ["first 0"]);
}

fn drop_outcome(_: Outcome) {}

#[test]
fn every_nth_passes_and_says_how_many_did_not() {
    let memory = Memory::new();
    let logger = logger(&memory);
    for number in 0..10 {
        let outcome = info!(logger: &logger, every = 4, number, "call");
        assert_eq!(outcome == Outcome::Accepted, number % 4 == 0);
    }
    logger.shutdown(LONG);
    assert_eq!(
        Log::of(&memory).texts(),
        [
            "call number=0",
            "call number=4 suppressed=3",
            "call number=8 suppressed=3"
        ]
    );
}

#[test]
fn threads_share_the_count_and_nothing_is_lost() {
    const THREADS: u64 = 4;
    let calls = scaled(40_000) as u64;
    let memory = Memory::new();
    let logger = logger(&memory);
    let every = || info!(logger: &logger, every = 1000, "every");
    let sample = || info!(logger: &logger, sample = 0.01, "sample");
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..calls {
                    every();
                    sample();
                }
            });
        }
    });
    // What the last calls left untold.
    while every() != Outcome::Accepted {}
    while sample() != Outcome::Accepted {}
    let report = logger.shutdown(LONG);
    let log = Log::of(&memory);
    assert_eq!(report.written, log.texts().len() as u64);
    let told = told(&log);
    let all = |name: &str| {
        let records = log.texts().into_iter().zip(&told);
        let records = records.filter(|(text, _)| text.starts_with(name));
        records.map(|(_, told)| told + 1).collect::<Vec<_>>()
    };
    let (every, sample) = (all("every"), all("sample"));
    assert_eq!(every.iter().sum::<u64>() % 1000, 1);
    assert_eq!(
        every.iter().sum::<u64>() / 1000,
        THREADS * calls / 1000 + u64::from(THREADS * calls % 1000 != 0)
    );
    let sampled: u64 = sample.iter().sum();
    assert!(
        sampled > THREADS * calls && sampled < THREADS * calls + 5000,
        "{sampled}"
    );
    let expected = sampled / 100;
    let found = sample.len() as u64;
    assert!(
        found > expected / 2 && found < expected * 2,
        "{found} of {sampled}"
    );
}

#[test]
fn a_time_passes_one_record_and_says_how_many_did_not() {
    const PER: Duration = Duration::from_millis(20);
    let memory = Memory::new();
    let logger = logger(&memory);
    let started = Instant::now();
    let (mut passed, mut held_back) = (Vec::new(), 0_u64);
    wait_for("several records", || {
        match warn!(logger: &logger, per = PER, "slow") {
            Outcome::Accepted => passed.push(std::mem::take(&mut held_back)),
            outcome => {
                assert_eq!(outcome, Outcome::Filtered);
                held_back += 1;
            }
        }
        passed.len() == 5
    });
    assert!(started.elapsed() >= PER * 4);
    logger.shutdown(LONG);
    assert_eq!(told(&Log::of(&memory)), passed);
}

#[test]
fn arguments_of_what_is_held_back_are_not_evaluated() {
    let memory = Memory::new();
    let logger = logger(&memory);
    let evaluated = Cell::new(0);
    let count = || {
        evaluated.set(evaluated.get() + 1);
        evaluated.get()
    };
    for _ in 0..7 {
        info!(logger: &logger, every = 3, field = count(), "{}", count());
        rlog!(logger: &logger, Level::Debug, once, "{}", count());
    }
    assert_eq!(evaluated.get(), 6);
    logger.shutdown(LONG);
}

#[test]
fn a_level_that_is_off_does_not_count() {
    let memory = Memory::new();
    let logger = logger(&memory);
    let log = || info!(logger: &logger, once, "once");
    logger.set_level(Level::Warn);
    assert_eq!(log(), Outcome::Filtered);
    logger.set_level(Level::Info);
    assert_eq!(log(), Outcome::Accepted);
    assert_eq!(log(), Outcome::Filtered);
    logger.shutdown(LONG);
}

#[test]
fn what_a_dropped_record_should_have_told_is_told_by_the_next() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .lanes(0)
        .shared_capacity(16)
        .thread(false)
        .sink(memory.clone())
        .build()
        .unwrap();
    let limited = || info!(logger: &logger, every = 10, "limited");
    while info!(logger: &logger, "fill") == Outcome::Accepted {}
    // The first, and twice ten later, find the ring full.
    for call in 0..30 {
        let expected = if call % 10 == 0 {
            Outcome::Full
        } else {
            Outcome::Filtered
        };
        assert_eq!(limited(), expected);
    }
    logger.flush(LONG).unwrap();
    assert_eq!(limited(), Outcome::Accepted);
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    assert_eq!(*log.texts().last().unwrap(), "limited suppressed=27");
}

#[test]
fn a_limit_goes_with_everything_else_that_a_statement_can_have() {
    let memory = Memory::new();
    let logger = logger(&memory);
    let _context = context!(session = 7);
    let now = SystemTime::now();
    for number in 0..4 {
        rlog!(
            target: "t", logger: &logger, Level::Error, at: now, every = 2, number, kind = ?now,
            "formatted {:?} {}", (), String::from("text")
        );
    }
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    assert_eq!(log.lines[0].time, log.lines[1].time);
    let second = log.texts()[1];
    assert!(
        second.starts_with("formatted () text number=2 kind=\"SystemTime"),
        "{second}"
    );
    assert!(second.ends_with(" suppressed=1 session=7"), "{second}");
}

#[test]
fn a_field_may_have_the_name_of_a_limit() {
    let memory = Memory::new();
    let logger = logger(&memory);
    for _ in 0..2 {
        info!(logger: &logger, "once" = 1, "every" = 2, per.second = 3, "fields");
    }
    logger.shutdown(LONG);
    assert_eq!(
        Log::of(&memory).texts(),
        ["fields once=1 every=2 per.second=3"; 2]
    );
}
