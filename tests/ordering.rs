//! Every record that was accepted is in the log once: in its thread's order, and among threads in
//! the order of time.

mod support;

use std::collections::{BTreeMap, HashSet};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::format::{Json, Logfmt};
use ringlog::sink::{Memory, SinkOptions};
use ringlog::{Clock, Level, Outcome, Overflow, Producer, RingLogger, info, warn};
use support::{Books, LONG, Log, Random, scaled};

#[test]
fn a_thread_finds_its_records_in_the_order_in_which_it_wrote_them() {
    let (books, memory) = (Books::new(), Memory::new());
    let logger = RingLogger::builder().sink(memory.clone()).build().unwrap();
    for number in 0..1000 {
        books.note(Level::Info, info!(logger: &logger, "main {number}"));
    }
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!(report.written, 1000);
    let log = Log::of(&memory);
    assert_eq!(log.numbers()["main"], (0..1000).collect::<Vec<_>>());
    assert_eq!(log.late(), 0);
}

/// A round has room for thousands of records. Were it shared out among all threads that have a lane,
/// the one that logs would get eight of it at a time.
#[test]
fn silent_threads_take_no_share_of_a_round() {
    const LANES: usize = 512;
    const RECORDS: usize = 1000;
    let logger = RingLogger::builder()
        .lanes(LANES)
        .thread(false)
        .sink(Memory::new())
        .build()
        .unwrap();
    let owners: Vec<Producer> = (0..LANES).map(|_| logger.producer()).collect();
    for owner in &owners {
        info!(logger: owner, "here");
    }
    while logger.stats().in_ring > 0 {
        logger.poll(usize::MAX);
    }
    let before = logger.stats().sinks[0].writes;
    for number in 0..RECORDS {
        info!(logger: &owners[LANES / 2], "{number}");
    }
    let mut records = 0;
    while records < RECORDS {
        records += logger.poll(usize::MAX);
    }
    let writes = logger.stats().sinks[0].writes - before;
    assert!(writes <= 10, "{records} records in {writes} batches");
}

/// Lanes of 64 slots, so that each is gone around hundreds of times, and records of one to four
/// slots, so that some go around its end.
#[test]
fn nothing_is_lost_or_doubled_by_many_threads_that_go_around_small_rings() {
    const THREADS: usize = 6;
    let each = scaled(40_000) as u64;
    let (books, memory) = (Books::new(), Memory::new());
    let logger = RingLogger::builder()
        .lanes(3) // the other three threads share a ring
        .lane_capacity(64)
        .shared_capacity(64)
        .overflow(Overflow::Block)
        .sink(memory.clone())
        .build()
        .unwrap();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (books, logger, start) = (&books, &logger, &start);
            scope.spawn(move || {
                let mut random = Random::new(thread as u64);
                let padding = "x".repeat(200);
                start.wait();
                for number in 0..each {
                    let padding = &padding[..random.below(200) as usize];
                    books.note(
                        Level::Info,
                        info!(logger: logger, "t{thread} {number} {padding}"),
                    );
                }
            });
        }
    });
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!(report.written, THREADS as u64 * each);
    let log = Log::of(&memory);
    let numbers = log.numbers();
    assert_eq!(numbers.len(), THREADS);
    for (name, numbers) in numbers {
        assert!(numbers.into_iter().eq(0..each), "{name}");
    }
    assert_eq!(logger.stats().late, log.late());
}

/// The log has the numbers `0..count`, which were logged one after the other, in the order of their
/// times. A clock moves in steps; records of one step, from different rings, may stand in any order.
#[track_caller]
fn assert_is_merged(log: &Log, count: u64) {
    let mut found: Vec<(u64, u64)> = log
        .records()
        .zip(&log.numbers()["all"])
        .map(|(line, &number)| (line.time, number))
        .collect();
    assert!(found.is_sorted_by_key(|&(time, _)| time));
    found.sort_unstable();
    assert!(found.into_iter().map(|(_, number)| number).eq(0..count));
}

/// One thread with several handles, so that the order of time is known.
#[test]
fn what_waits_in_several_rings_is_merged_by_time() {
    for clock in [Clock::Tsc, Clock::System] {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .lanes(3)
            .thread(false)
            .clock(clock)
            .sink(memory.clone())
            .build()
            .unwrap();
        // The fourth has no lane, and writes to the shared ring.
        let producers: Vec<_> = (0..4).map(|_| logger.producer()).collect();
        let mut random = Random::new(1);
        for number in 0..1000_u64 {
            let producer = &producers[random.below(4) as usize];
            assert_eq!(info!(logger: producer, "all {number}"), Outcome::Accepted);
        }
        logger.flush(LONG).unwrap();
        assert_is_merged(&Log::of(&memory), 1000);
        assert_eq!(logger.stats().late, 0);
    }
}

/// The consumer reads at most a part of each ring at a time.
#[test]
fn what_is_new_in_one_ring_does_not_overtake_a_long_queue_in_another() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .lanes(2)
        .lane_capacity(256)
        .thread(false)
        .sink(memory.clone())
        .build()
        .unwrap();
    let (first, second) = (logger.producer(), logger.producer());
    for number in 0..200 {
        assert_eq!(info!(logger: &first, "all {number}"), Outcome::Accepted);
    }
    assert_eq!(info!(logger: &second, "all {}", 200), Outcome::Accepted);
    logger.flush(LONG).unwrap();
    let log = Log::of(&memory);
    assert_eq!(log.numbers()["all"], (0..=200).collect::<Vec<_>>());
    assert_eq!(logger.stats().late, 0);
}

/// Only one thread at a time logs, and the next one knows that it has.
#[test]
fn what_happened_before_stands_before() {
    const THREADS: usize = 4;
    let turns = scaled(8000);
    for clock in [Clock::Tsc, Clock::System] {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .lanes(3)
            .lane_capacity(16 << 10)
            .clock(clock)
            .sink(memory.clone())
            .build()
            .unwrap();
        let turn = AtomicUsize::new(0);
        thread::scope(|scope| {
            for me in 0..THREADS {
                let (logger, turn) = (&logger, &turn);
                scope.spawn(move || {
                    for number in (me..turns).step_by(THREADS) {
                        while turn.load(Ordering::Acquire) != number {
                            thread::yield_now();
                        }
                        assert_eq!(info!(logger: logger, "all {number}"), Outcome::Accepted);
                        turn.store(number + 1, Ordering::Release);
                    }
                });
            }
        });
        logger.shutdown(LONG);
        assert_is_merged(&Log::of(&memory), turns as u64);
        assert_eq!(logger.stats().late, 0, "{clock:?}");
    }
}

/// A time that the caller names is the caller's business.
#[test]
fn records_of_one_thread_keep_their_order_whatever_times_they_name() {
    let memory = Memory::new();
    let logger = RingLogger::builder().sink(memory.clone()).build().unwrap();
    let mut random = Random::new(5);
    for number in 0..500 {
        let at = ringlog::Timestamp::from_unix_nanos(random.below(1 << 31) << 30);
        info!(logger: &logger, at: at, "main {number}");
        info!(logger: &logger, "now {number}");
    }
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    let numbers: Vec<_> = log.texts().iter().map(|text| (*text).to_owned()).collect();
    let expected: Vec<_> = (0..500)
        .flat_map(|number| [format!("main {number}"), format!("now {number}")])
        .collect();
    assert_eq!(numbers, expected);
    assert_eq!(logger.stats().late, 0);
}

/// Logs a few records while it is formatted, so that the outer record is older than the inner ones
/// before it.
struct Nested<'a>(&'a RingLogger, u64);

impl std::fmt::Display for Nested<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for number in 0..self.1 {
            info!(logger: self.0, "all {number}");
        }
        write!(f, "{}", self.1)
    }
}

#[test]
fn a_record_that_comes_too_late_for_its_place_says_so_in_every_format_and_is_counted() {
    let (text, json, logfmt) = (Memory::new(), Memory::new(), Memory::new());
    let logger = RingLogger::builder()
        .sink(text.clone())
        .sink_with(json.clone(), SinkOptions::new().format(Json::new()))
        .sink_with(logfmt.clone(), SinkOptions::new().format(Logfmt::new()))
        .build()
        .unwrap();
    let late = true;
    info!(logger: &logger, late, "all {}", Nested(&logger, 2));
    info!(logger: &logger, "all {}", 3);
    logger.flush(LONG).unwrap();
    assert_eq!(logger.stats().late, 1);
    let log = Log::of(&text);
    assert_eq!(log.late(), 1);
    assert_eq!(log.texts(), ["all 0", "all 1", "all 2 late=true", "all 3"]);
    // The logger's own mark is the last field, whatever the record's fields are called.
    let marks = |memory: &Memory, mark: &str| -> Vec<bool> {
        let lines = memory.lines();
        lines.iter().map(|line| line.ends_with(mark)).collect()
    };
    let expected = [false, false, true, false];
    assert_eq!(marks(&json, ",\"late\":true,\"late_2\":true}"), expected);
    assert_eq!(marks(&logfmt, " late=true late_2=true"), expected);
}

/// However few records the consumer takes at a time.
#[test]
fn a_record_that_is_older_than_those_before_it_holds_up_nothing() {
    for before in 0..12 {
        for lanes in [1, 0] {
            let memory = Memory::new();
            let logger = RingLogger::builder()
                .lanes(lanes)
                .lane_capacity(16)
                .shared_capacity(16)
                .thread(false)
                .sink(memory.clone())
                .build()
                .unwrap();
            info!(logger: &logger, "all {}", Nested(&logger, before));
            logger.flush(Duration::from_secs(5)).unwrap();
            let log = Log::of(&memory);
            assert!(log.numbers()["all"].iter().copied().eq(0..=before));
            assert_eq!(log.late(), logger.stats().late);
        }
    }
}

/// Takes its time, so that its record comes late if others log meanwhile.
struct Slow;

impl std::fmt::Display for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        thread::yield_now();
        f.write_str("slow")
    }
}

/// What a thread logged.
struct Told {
    name: String,
    /// The numbers that were accepted, in order.
    accepted: Vec<u64>,
    /// Of those, the ones whose statements took so little time that nothing can have held them up.
    prompt: HashSet<u64>,
}

impl Told {
    /// Logs records of any size, from the thread of this number.
    fn by(thread: u64, logger: &RingLogger, books: &Books, count: u64, seed: u64) -> Told {
        const PROMPT: Duration = Duration::from_nanos(500);
        let mut random = Random::new(seed << 8 | thread);
        let padding = "x".repeat(200);
        let mut told = Told {
            name: format!("t{thread}"),
            accepted: Vec::new(),
            prompt: HashSet::new(),
        };
        for number in 0..count {
            let padding = &padding[..random.below(200) as usize];
            let dice = random.below(32);
            let started = Instant::now();
            let (level, outcome) = match dice {
                0 => (
                    Level::Info,
                    info!(logger: logger, "t{thread} {number} {Slow}"),
                ),
                1 => (Level::Warn, warn!(logger: logger, "t{thread} {number}")),
                2..8 => (
                    Level::Info,
                    info!(logger: logger, "t{thread} {number} {padding}"),
                ),
                _ => (Level::Info, info!(logger: logger, "t{thread} {number}")),
            };
            let took = started.elapsed();
            if books.note(level, outcome) == Outcome::Accepted {
                told.accepted.push(number);
                if took < PROMPT {
                    told.prompt.insert(number);
                }
            }
        }
        told
    }
}

/// Between two records of each thread, the log tells of as many drops as there are numbers missing.
/// Only where no thread uses the shared ring, whose gaps say nothing of whose they are.
#[track_caller]
fn assert_gaps_are_in_place(log: &Log) {
    let mut threads = BTreeMap::<&str, (u64, u64)>::new();
    for line in &log.lines {
        let (next, untold) = threads.entry(&line.thread).or_default();
        if let Some(gap) = line.gap() {
            *untold += gap.iter().sum::<u64>();
        } else if !line.is_own() {
            let number: u64 = line.text.split(' ').nth(1).unwrap().parse().unwrap();
            assert_eq!(number - *next, *untold, "before {line:?}");
            (*next, *untold) = (number + 1, 0);
        }
    }
}

/// Threads that come and go, more or fewer than there are lanes, records of any size, rings that
/// overflow or are waited for, and statements that are held up.
#[test]
fn whatever_threads_do_each_accepted_record_is_there_once_and_in_order() {
    let (mut prompt, mut late, mut dropped) = (0, 0, 0);
    for seed in 0..scaled(80) as u64 {
        let mut random = Random::new(seed);
        let (threads, generations) = (2 + random.below(7), 1 + random.below(3));
        let lanes = random.below(threads + 3);
        let waits = random.below(2) == 0;
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .lanes(lanes as usize)
            .lane_capacity(16 << random.below(5))
            .shared_capacity(16 << random.below(5))
            .clock(match random.below(4) {
                0 => Clock::System,
                _ => Clock::Tsc,
            })
            .overflow(if waits {
                Overflow::Block
            } else {
                Overflow::Drop
            })
            .sink(memory.clone())
            .build()
            .unwrap();
        let mut told = Vec::new();
        for generation in 0..generations {
            let start = Barrier::new(threads as usize);
            thread::scope(|scope| {
                let spawn = |thread: u64| {
                    let (logger, books, start) = (&logger, &books, &start);
                    let thread = generation * threads + thread;
                    let named = thread::Builder::new().name(format!("t{thread}"));
                    let tell = move || {
                        start.wait();
                        Told::by(thread, logger, books, 400, seed)
                    };
                    named.spawn_scoped(scope, tell).unwrap()
                };
                let running: Vec<_> = (0..threads).map(spawn).collect();
                told.extend(running.into_iter().map(|thread| thread.join().unwrap()));
            });
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        let log = Log::of(&memory);
        let numbers = log.numbers();
        for told in &told {
            let found = numbers.get(&*told.name).map_or(&[][..], Vec::as_slice);
            assert_eq!(found, told.accepted, "seed {seed}, {}", told.name);
        }
        // Sorted by time but for those, and only those, that say that they are late.
        assert_eq!(log.late(), logger.stats().late, "seed {seed}");
        late += log.late();
        // In the shared ring, the order is that of the claims, which may not be that of the stamps.
        let all_have_lanes = generations == 1 && threads <= lanes;
        for line in log.records().filter(|line| line.is_late && all_have_lanes) {
            let told = told.iter().find(|told| told.name == line.thread).unwrap();
            let number = line.text.split(' ').nth(1).unwrap().parse().unwrap();
            assert!(!told.prompt.contains(&number), "seed {seed}: {line:?}");
        }
        for level in Level::ALL {
            assert_eq!(log.gaps()[level.index()], books.full_at(level));
        }
        dropped += books.full();
        if all_have_lanes {
            prompt += told.iter().map(|told| told.prompt.len()).sum::<usize>();
            assert_gaps_are_in_place(&log);
        }
    }
    println!("{prompt} prompt, {late} late, {dropped} dropped");
    // Without optimization, few calls are prompt.
    let some_were_prompt = prompt > 0 || cfg!(debug_assertions);
    assert!(cfg!(miri) || (late > 0 && dropped > 0 && some_were_prompt));
}
