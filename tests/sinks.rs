//! Sinks that fail, panic, dawdle or take a little at a time: each gets what it can take, in order
//! and once, the others get everything, and the account is exact.

mod support;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::{Batch, Callback, File, Memory, Sink};
use ringlog::{
    Builder, FlushError, Level, Outcome, Overflow, RingLogger, ShutdownOutcome, ShutdownReport,
    info,
};
use support::log::Line;
use support::sinks::Scripted;
use support::{Books, LONG, Log, Random, scaled, wait_for};

/// What a bad sink has taken, and a good sink beside it.
struct Pair {
    logger: RingLogger,
    taken: Arc<Mutex<Vec<u8>>>,
    good: Memory,
    books: Books,
}

impl Pair {
    /// The behaviour appends what it takes to the vector.
    fn new(
        builder: Builder,
        mut behave: impl FnMut(&mut Vec<u8>, &Batch<'_>) -> io::Result<usize> + Send + 'static,
    ) -> Self {
        let taken = Arc::<Mutex<Vec<u8>>>::default();
        let (good, memory) = (Memory::new(), taken.clone());
        let bad = Scripted::new("bad", move |batch| {
            // A behaviour that panics leaves the vector as whole as it was.
            let mut taken = memory
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            behave(&mut taken, batch)
        });
        // On both sides of the bad one.
        let logger = builder.sink(bad).sink(good.clone()).build().unwrap();
        Pair {
            logger,
            taken,
            good,
            books: Books::new(),
        }
    }

    fn log(&self, number: u64) {
        let outcome = info!(logger: &self.logger, "n {number}");
        assert_eq!(self.books.note(Level::Info, outcome), Outcome::Accepted);
    }

    fn taken(&self) -> String {
        let taken = self
            .taken
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        String::from_utf8(taken.clone()).unwrap()
    }

    /// Drains, whatever the sinks say to it. All that was logged is in one batch.
    fn drain(&self) {
        // The latest microseconds are left for the next round.
        thread::sleep(Duration::from_millis(1));
        wait_for("the good sink to have everything", || {
            self.logger.poll(usize::MAX);
            Log::of(&self.good).records().count() as u64 == self.books.accepted()
        });
    }

    fn flush_at_last(&self) {
        wait_for("the sink to recover", || self.logger.flush(LONG).is_ok());
    }

    /// Shuts down, and checks that the good sink has everything and the accounts agree.
    fn finish(&self) -> ShutdownReport {
        let report = self.logger.shutdown(LONG);
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        self.books.check_report(&self.logger, &report);
        let log = Log::of(&self.good);
        assert_eq!(log.records().count() as u64, self.books.accepted());
        assert!(
            log.numbers()["n"]
                .iter()
                .copied()
                .eq(0..self.books.accepted())
        );
        report
    }
}

/// No consumer thread: every flush is one batch.
fn stepwise() -> Builder {
    RingLogger::builder().thread(false)
}

fn take_all(taken: &mut Vec<u8>, batch: &Batch<'_>) -> io::Result<usize> {
    taken.extend_from_slice(batch.bytes());
    Ok(batch.bytes().len())
}

fn broken() -> io::Error {
    io::Error::other("broken")
}

/// What stands in the log of a sink that lost records: their number, or a line.
#[derive(Debug, PartialEq)]
enum Entry {
    Number(u64),
    Missing(u64),
}

fn entries(text: &str) -> Vec<Entry> {
    let entry = |line: &str| {
        let line = Line::parse(line);
        if line.is_own() {
            let (count, _) = line.text.split_once(" records are missing here").unwrap();
            return Entry::Missing(count.parse().unwrap());
        }
        Entry::Number(line.text.strip_prefix("n ").unwrap().parse().unwrap())
    };
    let lines = text.lines().filter(|line| !Line::parse(line).is_closing());
    lines.map(entry).collect()
}

#[test]
fn a_sink_that_panics_once_misses_what_it_was_given_and_says_so() {
    let armed = Arc::new(AtomicBool::new(false));
    let panics = armed.clone();
    let pair = Pair::new(stepwise(), move |taken, batch| {
        assert!(!panics.swap(false, Ordering::Relaxed), "on purpose");
        take_all(taken, batch)
    });
    pair.log(0);
    pair.flush_at_last();
    armed.store(true, Ordering::Relaxed);
    pair.log(1);
    pair.log(2);
    pair.drain();
    pair.flush_at_last();
    pair.log(3);
    let report = pair.finish();
    assert_eq!((report.written, report.failed), (2, 2));
    use Entry::{Missing, Number};
    assert_eq!(entries(&pair.taken()), [Number(0), Missing(2), Number(3)]);
}

/// Also when the next records come before the sink is tried again.
#[test]
fn what_a_sink_lost_is_told_where_it_is_missing() {
    for _ in 0..20 {
        let armed = Arc::new(AtomicBool::new(false));
        let panics = armed.clone();
        let pair = Pair::new(stepwise(), move |taken, batch| {
            assert!(!panics.swap(false, Ordering::Relaxed), "on purpose");
            take_all(taken, batch)
        });
        pair.log(0);
        pair.flush_at_last();
        armed.store(true, Ordering::Relaxed);
        pair.log(1);
        pair.drain();
        pair.log(2);
        pair.drain();
        pair.flush_at_last();
        pair.log(3);
        assert_eq!(pair.finish().failed, 1);
        use Entry::{Missing, Number};
        assert_eq!(
            entries(&pair.taken()),
            [Number(0), Missing(1), Number(2), Number(3)]
        );
    }
}

#[test]
fn a_sink_that_always_panics_costs_the_others_nothing() {
    let pair = Pair::new(RingLogger::builder(), |_, _| panic!("on purpose"));
    for number in 0..200 {
        pair.log(number);
        if number % 50 == 0 {
            pair.drain();
        }
    }
    let report = pair.finish();
    assert_eq!((report.written, report.failed), (0, 200));
    assert!(report.sink_errors > 0);
}

/// Nobody knows how much of a batch a sink took before it panicked. What it gets afterwards begins
/// on a line of its own.
#[test]
fn a_sink_that_panics_within_a_line_gets_the_next_one_whole() {
    let calls = Arc::new(AtomicU64::new(0));
    let call = calls.clone();
    let pair = Pair::new(stepwise(), move |taken, batch| {
        match call.fetch_add(1, Ordering::Relaxed) {
            0 => support::sinks::take_part(taken, batch, 40),
            1 => panic!("on purpose"),
            _ => take_all(taken, batch),
        }
    });
    pair.log(0);
    pair.drain();
    pair.flush_at_last();
    pair.log(1);
    let report = pair.finish();
    assert_eq!((report.written, report.failed), (1, 1));
    let taken = pair.taken();
    let (torn, rest) = taken.split_once('\n').unwrap();
    assert_eq!(torn.len(), 40, "{taken}");
    assert_eq!(entries(rest), [Entry::Missing(1), Entry::Number(1)]);
}

#[test]
fn a_sink_that_takes_little_at_a_time_gets_the_line_about_its_losses_whole() {
    let armed = Arc::new(AtomicBool::new(true));
    let panics = armed.clone();
    let mut calls = 0;
    let pair = Pair::new(stepwise(), move |taken, batch| {
        assert!(!panics.swap(false, Ordering::Relaxed), "on purpose");
        calls += 1;
        if calls % 3 == 0 {
            return Err(ErrorKind::Interrupted.into());
        }
        support::sinks::take_part(taken, batch, 7)
    });
    pair.log(0);
    pair.drain();
    pair.flush_at_last();
    pair.log(1);
    assert_eq!(pair.finish().failed, 1);
    assert_eq!(
        entries(&pair.taken()),
        [Entry::Missing(1), Entry::Number(1)]
    );
}

#[test]
fn a_sink_that_fails_for_a_while_gets_everything_once_and_in_order() {
    for failures in [1, 2, 5] {
        let mut left = failures;
        let pair = Pair::new(RingLogger::builder(), move |taken, batch| {
            if left > 0 {
                left -= 1;
                return Err(broken());
            }
            take_all(taken, batch)
        });
        for number in 0..1000 {
            pair.log(number);
        }
        pair.flush_at_last();
        pair.log(1000);
        let report = pair.finish();
        assert_eq!((report.written, report.failed), (1001, 0));
        assert_eq!(report.sink_errors, failures);
        assert_eq!(pair.taken(), pair.good.contents());
    }
}

#[test]
fn a_sink_that_recovers_in_the_last_moment_gets_everything() {
    let mut left = 3;
    let pair = Pair::new(RingLogger::builder(), move |taken, batch| {
        if left > 0 {
            left -= 1;
            return Err(broken());
        }
        take_all(taken, batch)
    });
    for number in 0..10 {
        pair.log(number);
    }
    let report = pair.finish();
    assert_eq!((report.written, report.failed), (10, 0));
    assert_eq!(pair.taken(), pair.good.contents());
}

#[test]
fn a_sink_that_always_fails_loses_its_copies_and_no_one_elses() {
    let pair = Pair::new(RingLogger::builder(), |_, _| Err(broken()));
    for number in 0..1000 {
        pair.log(number);
    }
    let started = Instant::now();
    let report = pair.finish();
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    assert_eq!((report.written, report.failed), (0, 1000));
    assert!(report.sink_errors > 1);
    assert_eq!(pair.taken(), "");
}

/// Logs until a good deal more text was made than waits for a failing sink. Answers how many records
/// it was.
fn overfill(pair: &Pair, first: u64) -> u64 {
    let mut number = first;
    let enough = pair.logger.stats().bytes + (3 << 20);
    while pair.logger.stats().bytes < enough {
        for _ in 0..500 {
            pair.log(number);
            number += 1;
        }
        while pair.logger.poll(usize::MAX) > 0 {}
    }
    number - first
}

/// What waits for a failing sink is bounded. The oldest of it is lost, counted, and its place marked.
#[test]
fn a_sink_that_fails_for_too_long_gets_the_latest() {
    let failing = Arc::new(AtomicBool::new(false));
    let fails = failing.clone();
    let pair = Pair::new(stepwise(), move |taken, batch| {
        if fails.load(Ordering::Relaxed) {
            return Err(broken());
        }
        take_all(taken, batch)
    });
    pair.log(0);
    pair.flush_at_last();
    let mut next = 1;
    let mut lost = 0;
    let mut before = vec![Entry::Number(0)];
    for _ in 0..2 {
        failing.store(true, Ordering::Relaxed);
        next += overfill(&pair, next);
        failing.store(false, Ordering::Relaxed);
        pair.flush_at_last();
        let after = entries(&pair.taken());
        // One line tells of them all, and nothing is missing after it.
        let rest = after.strip_prefix(&*before).unwrap();
        let Entry::Missing(count) = rest[0] else {
            panic!("{:?}", &rest[..2]);
        };
        let first = before.len() as u64 + lost - u64::from(lost > 0) + count;
        assert!(
            rest[1..]
                .iter()
                .eq(&(first..next).map(Entry::Number).collect::<Vec<_>>())
        );
        let kept = pair.taken().len() - before.len();
        assert!(kept > (1 << 20) - 1000, "{kept}");
        lost += count;
        before = after;
    }
    pair.log(next);
    assert_eq!(pair.finish().failed, lost);
}

/// The rest of a line that a sink took part of is no place to save.
#[test]
fn a_line_that_was_begun_is_ended_before_it_is_told_what_is_missing() {
    let state = Arc::new(AtomicU64::new(0));
    let now = state.clone();
    let pair = Pair::new(stepwise(), move |taken, batch| {
        match now.fetch_max(1, Ordering::Relaxed) {
            // Takes part of the first line, then nothing.
            0 => support::sinks::take_part(taken, batch, 40),
            1 => Err(broken()),
            // Then part of what is offered first, then nothing again.
            2 => {
                now.store(1, Ordering::Relaxed);
                support::sinks::take_part(taken, batch, 5)
            }
            _ => take_all(taken, batch),
        }
    });
    let mut next = overfill(&pair, 0);
    for _ in 0..6 {
        // Within the first line, then within the one that tells of losses, then within the next.
        state.store(2, Ordering::Relaxed);
        assert!(pair.logger.flush(LONG).is_err());
        next += overfill(&pair, next);
    }
    state.store(3, Ordering::Relaxed);
    pair.flush_at_last();
    let report = pair.finish();
    let (mut expected, mut lost) = (0, 0);
    for entry in entries(&pair.taken()) {
        match entry {
            Entry::Number(number) => {
                assert_eq!(number, expected);
                expected += 1;
            }
            Entry::Missing(count) => {
                lost += count;
                expected += count;
            }
        }
    }
    assert_eq!(expected, next);
    assert_eq!(report.failed, lost);
    assert_eq!(report.written, next - lost);
}

/// A pipe that is full is no failure, and a flush waits until it is empty.
#[test]
fn a_sink_that_cannot_take_more_at_the_moment_has_not_failed() {
    for thread in [true, false] {
        let full = Arc::new(AtomicBool::new(true));
        let is_full = full.clone();
        let pair = Pair::new(RingLogger::builder().thread(thread), move |taken, batch| {
            if is_full.load(Ordering::Relaxed) {
                return Err(ErrorKind::WouldBlock.into());
            }
            support::sinks::take_part(taken, batch, 1000)
        });
        for number in 0..100 {
            pair.log(number);
        }
        let flush = pair.logger.flush(Duration::from_millis(50));
        assert_eq!(flush, Err(FlushError::TimedOut));
        thread::scope(|scope| {
            let flush = scope.spawn(|| pair.logger.flush(LONG));
            full.store(false, Ordering::Relaxed);
            assert_eq!(flush.join().unwrap(), Ok(()));
            assert_eq!(pair.taken(), pair.good.contents());
        });
        // Until the deadline of a shutdown, too.
        full.store(true, Ordering::Relaxed);
        pair.log(100);
        thread::scope(|scope| {
            let finish = scope.spawn(|| pair.finish());
            thread::sleep(Duration::from_millis(600));
            full.store(false, Ordering::Relaxed);
            let report = finish.join().unwrap();
            assert_eq!((report.failed, report.sink_errors), (0, 0));
        });
        assert_eq!(pair.taken(), pair.good.contents());
    }
}

#[test]
fn a_sink_that_takes_a_few_bytes_at_a_time_gets_everything() {
    for most in [1, 7, 100] {
        let mut calls = 0;
        let pair = Pair::new(RingLogger::builder(), move |taken, batch| {
            calls += 1;
            if calls % 5 == 0 {
                return Err(ErrorKind::Interrupted.into());
            }
            support::sinks::take_part(taken, batch, most)
        });
        for number in 0..200 {
            pair.log(number);
        }
        let report = pair.finish();
        assert_eq!(
            (report.written, report.failed, report.sink_errors),
            (200, 0, 0)
        );
        assert_eq!(pair.taken(), pair.good.contents());
    }
}

#[test]
fn a_sink_of_changing_moods_gets_everything_once_and_in_order() {
    for seed in 0..scaled(80) as u64 {
        let mut random = Random::new(seed);
        let pair = Pair::new(RingLogger::builder(), move |taken, batch| {
            match random.below(20) {
                0 => Err(ErrorKind::Interrupted.into()),
                1 => Err(broken()),
                2 => Ok(0),
                3 => Err(ErrorKind::WouldBlock.into()),
                4 => take_all(taken, batch),
                _ => support::sinks::take_part(taken, batch, random.below(2000) as usize + 1),
            }
        });
        for number in 0..1000 {
            pair.log(number);
        }
        pair.flush_at_last();
        let report = pair.finish();
        assert_eq!((report.written, report.failed), (1000, 0));
        assert_eq!(pair.taken(), pair.good.contents(), "seed {seed}");
    }
}

#[test]
fn a_sink_that_claims_to_have_taken_more_than_it_was_given_is_not_believed() {
    let pair = Pair::new(RingLogger::builder(), |taken, batch| {
        take_all(taken, batch).map(|length| length + 1000)
    });
    for number in 0..100 {
        pair.log(number);
    }
    assert_eq!(pair.finish().written, 100);
    assert_eq!(pair.taken(), pair.good.contents());
}

#[test]
fn a_slow_sink_slows_a_blocking_producer_and_loses_nothing() {
    let small = RingLogger::builder()
        .lanes(1)
        .lane_capacity(64)
        .overflow(Overflow::Block);
    let pair = Pair::new(small, |taken, batch| {
        thread::sleep(Duration::from_millis(1));
        take_all(taken, batch)
    });
    for number in 0..1000 {
        pair.log(number);
    }
    assert_eq!(pair.finish().written, 1000);
    assert_eq!(pair.taken(), pair.good.contents());
}

#[test]
fn a_record_that_two_sinks_lost_is_lost_once() {
    let books = Books::new();
    let logger = RingLogger::builder()
        .sink(Scripted::new("one", |_| Err(broken())))
        .sink(Scripted::new("two", |_| panic!("on purpose")))
        .build()
        .unwrap();
    for number in 0..100 {
        books.note(Level::Info, info!(logger: &logger, "n {number}"));
    }
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!((report.written, report.failed), (0, 100));
}

#[test]
fn a_logger_without_sinks_writes_to_nobody_and_counts() {
    let books = Books::new();
    let logger = RingLogger::builder().build().unwrap();
    for number in 0..100 {
        books.note(Level::Info, info!(logger: &logger, "n {number}"));
    }
    logger.flush(LONG).unwrap();
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!(report.written, 100);
}

/// In memory where there is such a place, otherwise wherever temporary files go.
fn folder() -> tempfile::TempDir {
    let shared_memory = std::path::Path::new("/dev/shm");
    if shared_memory.is_dir() {
        tempfile::tempdir_in(shared_memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

#[test]
#[cfg_attr(miri, ignore = "miri has no files")]
fn a_file_is_continued_or_begun_anew() {
    let folder = folder();
    let path = folder.path().join("app.log");
    let run = |file: File, numbers: std::ops::Range<u64>| {
        let books = Books::new();
        let logger = RingLogger::builder().sink(file).build().unwrap();
        assert!(format!("{logger:?}").contains("app.log"), "{logger:?}");
        for number in numbers {
            books.note(Level::Info, info!(logger: &logger, "n {number}"));
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(report.written, books.accepted());
        fs::read_to_string(&path).unwrap()
    };
    let numbers = |text: &str| Log::parse(text).numbers()["n"].clone();
    let first = run(File::append(&path).unwrap(), 0..100);
    assert_eq!(numbers(&first), (0..100).collect::<Vec<_>>());
    let second = run(File::append(&path).unwrap(), 100..150);
    assert_eq!(numbers(&second), (0..150).collect::<Vec<_>>());
    assert!(second.starts_with(&first));
    let third = run(File::truncate(&path).unwrap(), 7..9);
    assert_eq!(numbers(&third), [7, 8]);
}

#[test]
#[cfg_attr(miri, ignore = "miri has no files")]
fn two_loggers_may_append_to_one_file() {
    let folder = folder();
    let path = folder.path().join("both.log");
    let logger = || {
        RingLogger::builder()
            .overflow(Overflow::Block)
            .sink(File::append(&path).unwrap())
            .build()
            .unwrap()
    };
    let each = scaled(4000) as u64;
    thread::scope(|scope| {
        for name in ["a", "b"] {
            let logger = logger();
            scope.spawn(move || {
                for number in 0..each {
                    info!(logger: &logger, "{name} {number}");
                }
                assert_eq!(logger.shutdown(LONG).written, each);
            });
        }
    });
    let log = Log::parse(&fs::read_to_string(&path).unwrap());
    for (name, numbers) in log.numbers() {
        assert!(numbers.into_iter().eq(0..each), "{name}");
    }
}

#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "miri has no files")]
fn a_full_disk_costs_the_other_sinks_nothing() {
    let (books, memory) = (Books::new(), Memory::new());
    let logger = RingLogger::builder()
        .sink(File::append("/dev/full").unwrap())
        .sink(memory.clone())
        .build()
        .unwrap();
    for number in 0..100 {
        books.note(Level::Info, info!(logger: &logger, "n {number}"));
    }
    let error = logger.flush(LONG).unwrap_err().to_string();
    assert!(error.contains("`file /dev/full`"), "{error}");
    assert!(error.contains("No space left on device"), "{error}");
    let report = logger.shutdown(LONG);
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
    books.check_report(&logger, &report);
    assert_eq!((report.written, report.failed), (0, 100));
    assert_eq!(Log::of(&memory).records().count(), 100);
}

#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "miri has no pipes")]
fn a_pipe_whose_reader_is_gone_is_a_failing_sink() {
    use std::io::Read as _;
    use std::os::unix::ffi::OsStrExt as _;

    let folder = folder();
    let path = folder.path().join("pipe");
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the name is a string of C that lives through the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    // Opening one end waits for the other.
    let (mut reader, file) = thread::scope(|scope| {
        let reader = scope.spawn(|| fs::File::open(&path).unwrap());
        let file = File::append(&path).unwrap();
        (reader.join().unwrap(), file)
    });
    let (books, memory) = (Books::new(), Memory::new());
    let logger = RingLogger::builder()
        .sink(file)
        .sink(memory.clone())
        .build()
        .unwrap();
    books.note(Level::Info, info!(logger: &logger, "n {}", 0));
    logger.flush(LONG).unwrap();
    let mut text = [0; 1000];
    let length = reader.read(&mut text).unwrap();
    assert_eq!(
        std::str::from_utf8(&text[..length]).unwrap(),
        memory.contents()
    );
    drop(reader);
    for number in 1..100 {
        books.note(Level::Info, info!(logger: &logger, "n {number}"));
    }
    let error = logger.flush(LONG).unwrap_err().to_string();
    assert!(error.contains("Broken pipe"), "{error}");
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!((report.written, report.failed), (1, 99));
    assert_eq!(Log::of(&memory).records().count(), 100);
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_that_names_it() {
    let path = "/no/such/folder/app.log";
    for error in [
        File::append(path).unwrap_err(),
        File::truncate(path).unwrap_err(),
    ] {
        assert_eq!(error.path(), std::path::Path::new(path));
        assert!(error.to_string().contains(path), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[test]
#[cfg_attr(miri, ignore = "miri starts no processes")]
fn the_standard_streams_get_whole_lines() {
    use ringlog::sink::Console;

    let name = "the_standard_streams_get_whole_lines";
    let output = support::child::alone(name, || {
        let logger = RingLogger::builder()
            .sink(Console::stdout())
            .sink(Console::stderr())
            .build()
            .unwrap();
        for number in 0..1000 {
            info!(logger: &logger, "n {number}");
        }
        assert_eq!(logger.shutdown(LONG).written, 1000);
    });
    let Some(output) = output else {
        return;
    };
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        Log::parse(&stderr).numbers()["n"]
            .iter()
            .copied()
            .eq(0..1000)
    );
    // The test harness writes to standard output, too.
    let stdout = String::from_utf8(output.stdout).unwrap();
    let start = stdout.find(&stderr[..30]).expect("the first line");
    assert_eq!(&stdout[start..start + stderr.len()], stderr);
}

#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "miri starts no processes")]
fn a_standard_stream_that_nobody_reads_is_a_failing_sink() {
    use ringlog::sink::Console;
    use std::process::Stdio;

    let name = "a_standard_stream_that_nobody_reads_is_a_failing_sink";
    if support::child::is_child() {
        // Until the parent has let go of the other end.
        let stdin = io::stdin().lines().count();
        assert_eq!(stdin, 0);
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .sink(Console::stderr())
            .sink(memory.clone())
            .build()
            .unwrap();
        for number in 0..100 {
            books.note(Level::Info, info!(logger: &logger, "n {number}"));
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!((report.written, report.failed), (0, 100));
        assert_eq!(Log::of(&memory).records().count(), 100);
        println!("{}", support::child::DONE);
        return;
    }
    let mut child = support::child::command(name)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains(support::child::DONE), "{stdout}");
}

/// Another sink of the same logger, of the same kind or not, is another sink.
#[test]
fn every_sink_gets_every_record() {
    let memories: Vec<Memory> = (0..10).map(|_| Memory::new()).collect();
    let logger = memories
        .iter()
        .fold(RingLogger::builder(), |builder, memory| {
            builder.sink(memory.clone())
        })
        .build()
        .unwrap();
    for number in 0..100 {
        info!(logger: &logger, "n {number}");
    }
    assert_eq!(logger.shutdown(LONG).written, 100);
    let text = memories[0].contents();
    assert_eq!(Log::parse(&text).records().count(), 100);
    assert!(memories.iter().all(|memory| memory.contents() == text));
    assert_eq!(logger.stats().bytes, text.len() as u64);
}

/// A sink is used by one thread at a time, and need not be shareable.
#[test]
fn a_sink_needs_no_lock() {
    struct NotSync {
        lines: std::cell::Cell<u64>,
        total: Arc<AtomicU64>,
    }
    impl Sink for NotSync {
        fn name(&self) -> &str {
            "not sync"
        }
        fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
            let lines = batch.bytes().iter().filter(|&&byte| byte == b'\n').count();
            self.lines.set(self.lines.get() + lines as u64);
            Ok(batch.bytes().len())
        }
        fn flush(&mut self) -> io::Result<()> {
            self.total.store(self.lines.get(), Ordering::Relaxed);
            Ok(())
        }
    }

    let total = Arc::new(AtomicU64::new(0));
    let logger = RingLogger::builder()
        .closing_record(false)
        .sink(NotSync {
            lines: std::cell::Cell::new(0),
            total: total.clone(),
        })
        .build()
        .unwrap();
    for number in 0..500 {
        info!(logger: &logger, "n {number}");
    }
    logger.shutdown(LONG);
    assert_eq!(total.load(Ordering::Relaxed), 500);
}

#[test]
fn a_callback_gets_each_entry_once_whatever_it_does() {
    let (memory, calls) = (Memory::new(), Arc::new(Mutex::new(Vec::new())));
    let logger = RingLogger::builder()
        .closing_record(false)
        .sink(memory.clone())
        .sink(Callback::new({
            let calls = calls.clone();
            move |entry| {
                let text = String::from_utf8(entry.bytes.to_vec()).unwrap();
                calls.lock().unwrap().push((entry.level, text.clone()));
                assert!(!text.ends_with("n 3\n"), "on purpose");
            }
        }))
        .build()
        .unwrap();
    for number in 0..10 {
        info!(logger: &logger, "n {number}");
    }
    wait_for("the panic to be told", || {
        Log::of(&memory).lines.iter().any(Line::is_own)
    });
    let report = logger.shutdown(LONG);
    assert_eq!(
        (report.written, report.failed, report.sink_errors),
        (10, 0, 1)
    );
    let calls = std::mem::take(&mut *calls.lock().unwrap());
    let own = calls.iter().filter(|(level, _)| *level == Level::Warn);
    assert_eq!(own.count(), 1);
    let texts: String = calls.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, memory.contents());
}

/// All files of Rust below a folder, as one text.
fn code_below(folder: &Path) -> String {
    let mut code = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code += &code_below(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code += &fs::read_to_string(path).unwrap();
        }
    }
    code
}

#[test]
#[cfg_attr(miri, ignore = "miri has no files")]
fn the_page_of_the_sinks_names_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/sinks.md")).unwrap();
    let mut count = 0;
    for quoted in page.split('`').skip(1).step_by(2) {
        let Some((file, name)) = quoted.split_once("::") else {
            continue;
        };
        let code = match file {
            "sink" => code_below(&root.join("src/sink")),
            _ => match fs::read_to_string(root.join(format!("tests/{file}.rs"))) {
                Ok(code) => code,
                Err(_) => continue,
            },
        };
        let Some(name) = name.split("::").last().filter(|name| name.contains('_')) else {
            continue;
        };
        assert!(code.contains(&format!("fn {name}(")), "{quoted}");
        count += 1;
    }
    assert!(count > 60, "{count}");
}
