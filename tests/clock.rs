//! What time a record shows.

mod support;

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ringlog::sink::Memory;
use ringlog::{Clock, Outcome, RingLogger, Timestamp, info};
use support::{LONG, Log, scaled};

const CLOCKS: [Clock; 3] = [Clock::Tsc, Clock::Arrival, Clock::System];

fn logger(clock: Clock, memory: &Memory) -> RingLogger {
    RingLogger::builder()
        .clock(clock)
        .sink(memory.clone())
        .build()
        .unwrap()
}

fn now() -> u64 {
    Timestamp::now().as_unix_nanos()
}

#[test]
fn every_clock_shows_the_time_of_day() {
    // The counter follows the wall clock; it is not the wall clock.
    const NEAR: u64 = 20_000_000;
    for clock in CLOCKS {
        let memory = Memory::new();
        let logger = logger(clock, &memory);
        let mut ranges = Vec::new();
        for number in 0..20 {
            let before = now();
            info!(logger: &logger, "n {number}");
            let logged = now();
            logger.flush(LONG).unwrap();
            let after = match clock {
                Clock::Arrival => now(),
                _ => logged,
            };
            ranges.push(before - NEAR..=after + NEAR);
        }
        let log = Log::of(&memory);
        for (line, range) in log.lines.iter().zip(ranges) {
            assert!(
                range.contains(&line.time),
                "{clock:?}: {} in {range:?}",
                line.time
            );
        }
    }
}

#[test]
fn the_system_clock_is_shown_to_the_nanosecond() {
    let memory = Memory::new();
    let logger = logger(Clock::System, &memory);
    let mut ranges = Vec::new();
    for number in 0..100 {
        let before = now();
        info!(logger: &logger, "n {number}");
        ranges.push(before..=now());
    }
    logger.shutdown(LONG);
    for (line, range) in Log::of(&memory).lines.iter().zip(ranges) {
        assert!(range.contains(&line.time), "{} in {range:?}", line.time);
    }
}

/// Long enough for the counter to be anchored to the wall clock again, several times.
#[test]
fn the_counter_never_goes_back() {
    let memory = Memory::new();
    let logger = logger(Clock::Tsc, &memory);
    let started = Instant::now();
    let mut number = 0;
    while started.elapsed() < Duration::from_millis(1700) {
        assert_eq!(info!(logger: &logger, "n {number}"), Outcome::Accepted);
        number += 1;
        if number % 10 == 0 {
            logger.flush(LONG).unwrap();
        }
    }
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    assert_eq!(log.numbers()["n"].len(), number);
    assert_eq!(log.late(), 0);
    assert_eq!(logger.stats().late, 0);
    // Nor does it run at another speed than the wall clock.
    let shown = log.lines[number - 1].time - log.lines[0].time;
    let difference = Duration::from_nanos(shown.abs_diff(1_700_000_000));
    assert!(difference < Duration::from_millis(200), "{shown} ns");
}

#[test]
fn arrival_times_are_those_of_the_consumer() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .clock(Clock::Arrival)
        .thread(false)
        .sink(memory.clone())
        .build()
        .unwrap();
    info!(logger: &logger, "n {}", 0);
    thread::sleep(Duration::from_millis(30));
    let found = now();
    assert_eq!(logger.poll(usize::MAX), 1);
    let line = &Log::of(&memory).lines[0];
    assert!(
        line.time + 10_000_000 > found,
        "{} ns too early",
        found - line.time
    );
}

#[test]
fn arrival_times_never_go_back() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .clock(Clock::Arrival)
        .lanes(2)
        .sink(memory.clone())
        .build()
        .unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let logger = &logger;
            scope.spawn(move || {
                for number in 0..scaled(4000) {
                    info!(logger: logger, "t{thread} {number}");
                }
            });
        }
    });
    logger.shutdown(LONG);
    assert_eq!(Log::of(&memory).late(), 0);
    assert_eq!(logger.stats().late, 0);
}

#[test]
fn a_named_time_is_shown_as_it_was_named() {
    for clock in CLOCKS {
        for lanes in [1, 0] {
            let memory = Memory::new();
            let logger = RingLogger::builder()
                .clock(clock)
                .lanes(lanes)
                .sink(memory.clone())
                .build()
                .unwrap();
            let times = [
                0,
                1,
                999_999_999,
                951_782_399_999_999_999,
                951_868_799_000_000_001,
                1_795_415_086_204_916_267,
                4_107_542_400_000_000_000,
                u64::MAX,
            ];
            for time in times {
                let at = Timestamp::from_unix_nanos(time);
                assert_eq!(info!(logger: &logger, at: at, "n {}", 0), Outcome::Accepted);
            }
            logger.shutdown(LONG);
            let log = Log::of(&memory);
            assert!(
                log.lines.iter().map(|line| line.time).eq(times),
                "{clock:?}"
            );
            // They say nothing of when the records came.
            assert_eq!(logger.stats().late, 0);
        }
    }
    let memory = Memory::new();
    let logger = logger(Clock::Tsc, &memory);
    info!(logger: &logger, at: Timestamp::from_unix_nanos(1_795_415_086_204_916_267), "text");
    logger.shutdown(LONG);
    assert!(
        memory
            .contents()
            .starts_with("2026-11-23T06:24:46.204916267Z INFO ")
    );
}

#[test]
fn a_time_before_1970_is_1970() {
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(Timestamp::from(before).as_unix_nanos(), 0);
    let after = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_000_000_007);
    assert_eq!(Timestamp::from(after).as_unix_nanos(), 1_000_000_007);
}
