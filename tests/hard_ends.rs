//! Ends at the worst moment, and in the worst way: nothing hangs, and the account is right.

#![cfg(all(unix, not(miri)))] // which starts no processes

mod support;

use std::cell::Cell;
use std::fs;
use std::panic;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::{File, Memory, Offload, Sink as _};
use ringlog::{FlushError, Level, Outcome, RestartError, RingLogger, ShutdownOutcome, info};
use support::child::{alone, is_child};
use support::process::{Process, log_path, ready, tally};
use support::sinks::Scripted;
use support::{Books, LONG, Log, wait_for, within};

/// The status that no harness exits with by itself.
const STATUS: i32 = 43;

fn configure() -> &'static RingLogger {
    let file = File::append(log_path()).unwrap();
    let builder = RingLogger::builder().lanes(4).sink(file);
    builder.configure().unwrap()
}

/// Threads come to their end, and log while they do, when the process does.
#[test]
fn destructors_of_threads_may_log_while_the_process_exits() {
    struct LastWords(Cell<u64>);
    impl Drop for LastWords {
        fn drop(&mut self) {
            for _ in 0..10 {
                let number = self.0.replace(self.0.get() + 1);
                tally().note(|| info!("n {number}"));
            }
        }
    }
    thread_local! {
        static LAST_WORDS: LastWords = const { LastWords(Cell::new(0)) };
    }
    let name = "destructors_of_threads_may_log_while_the_process_exits";
    if is_child() {
        configure();
        tally();
        for _ in 0..4 {
            thread::spawn(|| {
                loop {
                    let short_lived = thread::spawn(|| LAST_WORDS.with(|_| ()));
                    short_lived.join().unwrap();
                }
            });
        }
        wait_for("records", || tally().accepted() > 1000);
        ready();
        process::exit(STATUS);
    }
    for _ in 0..5 {
        let ended = Process::start(name, "").end();
        assert_eq!(ended.status.code(), Some(STATUS), "{}", ended.stderr);
        let (log, tally) = (ended.log(), ended.tally());
        let written = log.records().count() as u64;
        let accepted = tally.accepted()..=tally.accepted() + tally.unknown();
        assert!(accepted.contains(&written), "{written} of {accepted:?}");
        let closing = log.closing.expect("a last line").text;
        assert!(closing.starts_with("log closed: "), "{closing}");
    }
}

#[test]
fn hooks_may_flush_before_and_after_the_loggers_own() {
    extern "C" fn before() {
        tally().note(|| info!("n {}", 1));
        let flushed = ringlog::logger().unwrap().flush(LONG);
        let there = fs::read_to_string(log_path()).unwrap().contains(" n 1\n");
        println!("before: {flushed:?} {there}");
    }
    extern "C" fn after() {
        let logger = ringlog::logger().unwrap();
        assert_eq!(logger.flush(LONG), Err(FlushError::Closed));
        println!("after: {:?}", logger.shutdown(LONG).outcome);
    }
    let name = "hooks_may_flush_before_and_after_the_loggers_own";
    if is_child() {
        let register = |hook: extern "C" fn()| {
            // SAFETY: the hook is a function that takes nothing.
            assert_eq!(unsafe { libc::atexit(hook) }, 0);
        };
        register(after);
        configure();
        register(before);
        tally().note(|| info!("n {}", 0));
        ready();
        process::exit(STATUS);
    }
    let ended = Process::start(name, "").end();
    assert_eq!(ended.status.code(), Some(STATUS), "{}", ended.stderr);
    let said = ["before: Ok(()) true\n", "after: Drained\n"].concat();
    assert!(ended.stdout.contains(&said), "{}", ended.stdout);
    assert!(ended.log().numbers()["n"].iter().copied().eq(0..2));
}

/// Not what a handler should do; but it ends, and what other threads logged is there.
#[test]
fn a_signal_handler_may_call_exit() {
    extern "C" fn handler(_: i32) {
        // SAFETY: the thread sleeps, and holds nothing.
        unsafe { libc::exit(STATUS) };
    }
    let name = "a_signal_handler_may_call_exit";
    if is_child() {
        configure();
        // SAFETY: all zeros are a valid `sigaction`; the handler is of the type that it says.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut());
        }
        let main = thread::current();
        thread::spawn(move || {
            // The signal is for the thread that does not block it: there are two, and this one does.
            // SAFETY: the set is written before it is read.
            unsafe {
                let mut all = std::mem::zeroed();
                libc::sigfillset(&mut all);
                libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
            }
            for number in 0.. {
                tally().note(|| info!("n {number}"));
                if number == 1000 {
                    main.unpark();
                }
            }
        });
        thread::park();
        ready();
        support::process::sleep_for_good();
    }
    let process = Process::start(name, "");
    process.signal(libc::SIGUSR1);
    let ended = process.end();
    assert_eq!(ended.status.code(), Some(STATUS), "{}", ended.stderr);
    let (log, tally) = (ended.log(), ended.tally());
    let written = log.records().count() as u64;
    let accepted = tally.accepted()..=tally.accepted() + tally.unknown();
    assert!(accepted.contains(&written), "{written} of {accepted:?}");
}

/// One of them ends the process, and which one is not known; neither waits for the other for ever.
#[test]
fn two_threads_may_exit_at_once() {
    let name = "two_threads_may_exit_at_once";
    if is_child() {
        configure();
        for number in 0..1000 {
            tally().note(|| info!("n {number}"));
        }
        ready();
        let both = Arc::new(Barrier::new(2));
        let other = both.clone();
        thread::spawn(move || {
            other.wait();
            process::exit(STATUS)
        });
        both.wait();
        process::exit(STATUS);
    }
    for _ in 0..10 {
        let ended = Process::start(name, "").end();
        assert_eq!(ended.status.code(), Some(STATUS), "{}", ended.stderr);
        assert!(ended.log().numbers()["n"].iter().copied().eq(0..1000));
    }
}

#[test]
fn a_panic_hook_that_exits_finds_the_panic_written() {
    let name = "a_panic_hook_that_exits_finds_the_panic_written";
    if is_child() {
        panic::set_hook(Box::new(|_| process::exit(STATUS)));
        configure();
        info!("n {}", 0);
        ready();
        panic!("on purpose");
    }
    let ended = Process::start(name, "").end();
    assert_eq!(ended.status.code(), Some(STATUS), "{}", ended.stderr);
    let log = ended.log();
    assert_eq!(log.texts(), ["n 0"]);
    assert!(log.panics()[0].text.ends_with(": on purpose"));
    assert!(log.closing.is_some());
}

/// The sink's thread is as little able to wait for itself as the consumer is.
#[test]
fn a_sink_on_a_thread_of_its_own_may_shut_its_logger_down() {
    let own = Arc::new(OnceLock::<Weak<RingLogger>>::new());
    let (inner, answered) = (own.clone(), Arc::new(AtomicBool::new(false)));
    let (memory, told) = (Memory::new(), answered.clone());
    let mut copy = memory.clone();
    let sink = Scripted::new("last word", move |batch| {
        if let Some(logger) = inner.get().and_then(Weak::upgrade) {
            let report = logger.shutdown(LONG);
            assert_eq!(report.outcome, ShutdownOutcome::TimedOut);
            told.store(true, Ordering::Release);
        }
        copy.write(batch)
    });
    let builder = RingLogger::builder().sink(Offload::new(sink));
    let logger = Arc::new(builder.build().unwrap());
    own.set(Arc::downgrade(&logger)).unwrap();
    let books = Books::new();
    for number in 0..100 {
        books.note(Level::Info, info!(logger: &*logger, "n {number}"));
    }
    wait_for("the answer", || answered.load(Ordering::Acquire));
    let report = logger.shutdown(LONG);
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
    books.check_report(&logger, &report);
    assert_eq!(Log::of(&memory).records().count() as u64, books.accepted());
}

/// Each waits for the other, and no longer than its deadline.
#[test]
fn two_loggers_whose_sinks_shut_each_other_down_both_end() {
    type Other = Arc<OnceLock<Weak<RingLogger>>>;
    let logger_that_ends = |other: &Other| {
        let other = other.clone();
        let sink = Scripted::new("ends the other", move |batch| {
            if let Some(other) = other.get().and_then(Weak::upgrade) {
                other.shutdown(Duration::from_millis(100));
            }
            Ok(batch.bytes().len())
        });
        Arc::new(RingLogger::builder().sink(sink).build().unwrap())
    };
    let (first, second) = (Other::default(), Other::default());
    let loggers = [logger_that_ends(&second), logger_that_ends(&first)];
    first.set(Arc::downgrade(&loggers[0])).unwrap();
    second.set(Arc::downgrade(&loggers[1])).unwrap();
    within(LONG, "both ends", move || {
        for logger in &loggers {
            info!(logger: &**logger, "n {}", 0);
        }
        for logger in &loggers {
            logger.shutdown(LONG);
            assert_eq!(info!(logger: &**logger, "n {}", 1), Outcome::Closed);
        }
    });
}

#[test]
fn a_sink_that_panics_in_every_call_of_a_shutdown_ends_it_all_the_same() {
    let closing = Arc::new(AtomicBool::new(false));
    let (write, flush) = (closing.clone(), closing.clone());
    let memory = Memory::new();
    let panics = |when: &AtomicBool| assert!(!when.load(Ordering::Acquire), "on purpose");
    let sink = Scripted::new("clumsy", move |batch| {
        panics(&write);
        Ok(batch.bytes().len())
    });
    let sink = sink.on_flush(move || {
        panics(&flush);
        Ok(())
    });
    let builder = RingLogger::builder().sink(sink).sink(memory.clone());
    let logger = builder.build().unwrap();
    let books = Books::new();
    for number in 0..1000 {
        books.note(Level::Info, info!(logger: &logger, "n {number}"));
    }
    closing.store(true, Ordering::Release);
    let report = logger.shutdown(LONG);
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
    assert!(report.sink_errors > 0);
    books.check_report(&logger, &report);
    assert!(Log::of(&memory).numbers()["n"].iter().copied().eq(0..1000));
}

/// Runs the body in a forked child, which exits with its answer; answers the status.
fn fork(body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child runs the body and ends without what the parent's harness would do.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let status = panic::catch_unwind(panic::AssertUnwindSafe(body)).unwrap_or(1);
        // SAFETY: runs nothing of the process's own.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: the status is written to the variable.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    libc::WEXITSTATUS(status)
}

#[test]
fn a_child_is_restarted_once_and_its_own_child_again() {
    alone("a_child_is_restarted_once_and_its_own_child_again", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let file = File::append(&path).unwrap();
        let logger = RingLogger::builder().sink(file).build().unwrap();
        info!(logger: &logger, "parent {}", 0);
        let status = fork(|| {
            logger.restart_in_child().unwrap();
            let again = logger.restart_in_child();
            assert!(matches!(again, Err(RestartError::NotForked)), "{again:?}");
            info!(logger: &logger, "child {}", 0);
            let status = fork(|| {
                assert_eq!(info!(logger: &logger, "nobody"), Outcome::Closed);
                logger.restart_in_child().unwrap();
                info!(logger: &logger, "grandchild {}", 0);
                assert_eq!(logger.shutdown(LONG).written, 1);
                STATUS
            });
            info!(logger: &logger, "child {}", 1);
            assert_eq!(logger.shutdown(LONG).written, 2);
            status
        });
        assert_eq!(status, STATUS);
        assert_eq!(logger.shutdown(LONG).written, 1);
        let text = fs::read_to_string(&path).unwrap();
        let closing = |line: &&str| !line.contains(" ringlog - [");
        let kept: String = text
            .lines()
            .filter(closing)
            .flat_map(|line| [line, "\n"])
            .collect();
        let log = Log::parse(&kept);
        let counts = ["parent", "child", "grandchild"].map(|name| log.numbers()[name].len());
        assert_eq!(counts, [1, 2, 1]);
    });
}

/// What a process has of something, in `/proc/self`.
#[cfg(target_os = "linux")]
fn count(what: &str) -> usize {
    fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

/// The memory that the process has, in pages.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_thousand_loggers_leave_nothing_behind() {
    alone("a_thousand_loggers_leave_nothing_behind", || {
        let folder = tempfile::tempdir().unwrap();
        let one = |number: u64| {
            let logger = RingLogger::builder()
                .lanes(2)
                .lane_capacity(64)
                .shared_capacity(64)
                .sink(File::append(folder.path().join("app.log")).unwrap())
                .sink(Offload::new(Memory::new()))
                .build()
                .unwrap();
            thread::scope(|scope| {
                scope.spawn(|| info!(logger: &logger, "n {number}"));
            });
            info!(logger: &logger, "n {number}");
            if number % 3 == 0 {
                return drop(logger);
            }
            let report = logger.shutdown(LONG);
            assert_eq!(report.written, 2);
        };
        let rounds = support::scaled(1000) as u64 * 4;
        for number in 0..100 {
            one(number);
        }
        let before = (count("fd"), resident());
        wait_for("the ends of the threads", || count("task") <= 2);
        for number in 0..rounds {
            one(number);
        }
        assert_eq!(count("fd"), before.0);
        wait_for("the ends of the threads", || count("task") <= 2);
        let grown = resident().saturating_sub(before.1);
        // A page for each of them would be more.
        assert!(grown < 500, "{grown} pages more");
    });
}

/// The program's own threads go on while the hook waits for its sink.
#[test]
fn a_thread_that_never_stops_logging_does_not_hold_up_the_exit() {
    static STARTED: AtomicI32 = AtomicI32::new(0);
    let name = "a_thread_that_never_stops_logging_does_not_hold_up_the_exit";
    if is_child() {
        RingLogger::builder()
            .lanes(1)
            .overflow(ringlog::Overflow::Block)
            .sink(File::append(log_path()).unwrap())
            .configure()
            .unwrap();
        tally();
        for _ in 0..3 {
            thread::spawn(|| {
                STARTED.fetch_add(1, Ordering::Relaxed);
                loop {
                    static NUMBER: AtomicU64 = AtomicU64::new(0);
                    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                    tally().note(|| info!("n {number}"));
                }
            });
        }
        wait_for("the threads", || STARTED.load(Ordering::Relaxed) == 3);
        wait_for("records", || tally().accepted() > 10_000);
        ready();
        process::exit(STATUS);
    }
    let started = Instant::now();
    let ended = Process::start(name, "").end();
    assert_eq!(ended.status.code(), Some(STATUS), "{}", ended.stderr);
    assert!(
        ended.took < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    let (log, tally) = (ended.log(), ended.tally());
    let written = log.records().count() as u64;
    let accepted = tally.accepted()..=tally.accepted() + tally.unknown();
    assert!(accepted.contains(&written), "{written} of {accepted:?}");
}
