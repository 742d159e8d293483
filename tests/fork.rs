//! Forks: the child neither writes what is its parent's nor waits for what it has not got, and can
//! have a logger of its own.

#![cfg(all(target_os = "linux", not(miri)))]

mod support;

use std::fs;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::{Batch, File, Journald, Offload, Rolling, Sink, Syslog};
use ringlog::{FlushError, Level, Outcome, RestartError, RingLogger, ShutdownOutcome, info, warn};
use support::child::alone;
use support::sinks::{Scripted, Valve};
use support::{Books, LONG, Log, wait_for};

/// Runs the body in a forked child, and answers its exit status. The child ends at once after it,
/// with 0, or with 101 if it panicked; one that hangs ends by itself after `LONG`.
fn fork(body: impl FnOnce()) -> i32 {
    // SAFETY: the child does no more than the body, which is what is tested.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", io::Error::last_os_error());
    if child == 0 {
        // SAFETY: takes no pointer.
        unsafe { libc::alarm(LONG.as_secs() as u32) };
        let body = std::panic::AssertUnwindSafe(body);
        let status = if std::panic::catch_unwind(body).is_ok() {
            0
        } else {
            101
        };
        // SAFETY: ends the process without running what the parent registered.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: the status is written to where it says.
    let ended = unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(ended, child);
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        -libc::WTERMSIG(status)
    }
}

/// Set when this goes, by a panic too: threads that run until then do not run for ever.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asserts that it takes no longer than waiting for nothing does.
#[track_caller]
fn at_once<R>(what: &str, run: impl FnOnce() -> R) -> R {
    let started = Instant::now();
    let result = run();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "{what} took {took:?}");
    result
}

#[test]
fn a_child_is_answered_closed_and_nothing_in_it_waits() {
    alone("a_child_is_answered_closed_and_nothing_in_it_waits", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        for thread in [true, false] {
            let sink = File::truncate(&path).unwrap();
            let logger = RingLogger::builder()
                .thread(thread)
                .sink(sink)
                .build()
                .unwrap();
            let books = Books::new();
            for number in 0..100 {
                books.note(Level::Info, info!(logger: &logger, "parent {number}"));
            }
            let status = fork(|| {
                for _ in 0..3 {
                    assert_eq!(info!(logger: &logger, "child"), Outcome::Closed);
                }
                // A statement and a thread that the logger has not seen.
                thread::scope(|scope| {
                    scope.spawn(|| {
                        assert_eq!(info!(logger: &logger, "other {}", 1), Outcome::Closed);
                    });
                });
                let producer = logger.producer();
                assert!(!producer.has_lane());
                assert_eq!(info!(logger: &producer, "producer"), Outcome::Closed);
                drop(producer);
                at_once("flush", || {
                    assert_eq!(logger.flush(LONG), Err(FlushError::Forked));
                });
                assert_eq!(logger.poll(100), 0);
                logger.set_level(Level::Debug);
                logger.reopen();
                let stats = logger.stats();
                assert_eq!((stats.submitted(), stats.rejected.total()), (5, 5));
                let report = at_once("shutdown", || logger.shutdown(LONG));
                assert_eq!(report.outcome, ShutdownOutcome::Forked);
                assert_eq!(report.rejected.total(), 5);
                assert_eq!((report.written, report.abandoned.total()), (0, 0));
                at_once("drop", || {
                    // SAFETY: the child ends without using the parent's copy again.
                    drop(unsafe { std::ptr::read(&logger) });
                });
            });
            assert_eq!(status, 0);
            // The parent's goes on.
            books.note(Level::Info, info!(logger: &logger, "parent {}", 100));
            let report = logger.shutdown(LONG);
            books.check_report(&logger, &report);
            assert_eq!(report.written, 101);
            let log = Log::parse(&fs::read_to_string(&path).unwrap());
            assert!(log.numbers()["parent"].iter().copied().eq(0..101));
            assert_eq!(log.records().count(), 101);
        }
    });
}

#[test]
fn a_child_that_is_restarted_has_a_logger_of_its_own() {
    alone("a_child_that_is_restarted_has_a_logger_of_its_own", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        for thread in [true, false] {
            let sink = File::truncate(&path).unwrap();
            let logger = RingLogger::builder()
                .lanes(2)
                .thread(thread)
                .sink(sink)
                .build()
                .unwrap();
            let books = Books::new();
            let before = logger.producer();
            for number in 0..100 {
                books.note(Level::Info, info!(logger: &logger, "parent {number}"));
            }
            assert!(matches!(
                logger.restart_in_child(),
                Err(RestartError::NotForked)
            ));
            let status = fork(|| {
                assert_eq!(info!(logger: &logger, "early"), Outcome::Closed);
                logger.restart_in_child().unwrap();
                assert!(matches!(
                    logger.restart_in_child(),
                    Err(RestartError::NotForked)
                ));
                assert_eq!(info!(logger: &before, "before"), Outcome::Closed);
                let books = Books::new();
                for number in 0..1000 {
                    books.note(Level::Info, info!(logger: &logger, "child {number}"));
                }
                thread::scope(|scope| {
                    scope.spawn(|| {
                        for number in 1000..2000 {
                            books.note(Level::Info, info!(logger: &logger, "child {number}"));
                        }
                    });
                });
                // The one that came before the restart.
                books.note(Level::Info, Outcome::Closed);
                logger.flush(LONG).unwrap();
                // A grandchild.
                let status = fork(|| {
                    assert_eq!(info!(logger: &logger, "closed"), Outcome::Closed);
                    logger.restart_in_child().unwrap();
                    info!(logger: &logger, "grandchild {}", 0);
                    assert_eq!(logger.shutdown(LONG).written, 1);
                });
                assert_eq!(status, 0);
                let report = logger.shutdown(LONG);
                assert_eq!(report.outcome, ShutdownOutcome::Drained);
                books.check_report(&logger, &report);
                assert_eq!(report.written, 2000);
            });
            assert_eq!(status, 0);
            let report = logger.shutdown(LONG);
            books.check_report(&logger, &report);
            let log = Log::parse(&fs::read_to_string(&path).unwrap());
            let numbers = log.numbers();
            assert!(numbers["parent"].iter().copied().eq(0..100));
            assert!(numbers["child"].iter().copied().eq(0..2000));
            assert_eq!(numbers["grandchild"], [0]);
            assert_eq!(log.records().count(), 2101);
        }
    });
}

#[test]
fn the_installed_logger_is_restarted_like_any_other() {
    alone("the_installed_logger_is_restarted_like_any_other", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let sink = File::append(&path).unwrap();
        let logger = RingLogger::builder().sink(sink).install().unwrap();
        info!("parent {}", 0);
        let status = fork(|| {
            assert_eq!(info!("closed"), Outcome::Closed);
            logger.restart_in_child().unwrap();
            assert_eq!(info!("child {}", 0), Outcome::Accepted);
            assert_eq!(logger.shutdown(LONG).written, 1);
        });
        assert_eq!(status, 0);
        info!("parent {}", 1);
        assert_eq!(logger.shutdown(LONG).written, 2);
        let log = Log::parse(&fs::read_to_string(&path).unwrap());
        assert_eq!(log.numbers()["parent"], [0, 1]);
        assert_eq!(log.numbers()["child"], [0]);
    });
}

/// Threads that log, register statements and flush all the while, and a hundred forks in between.
#[test]
fn a_child_of_a_busy_process_never_hangs() {
    alone("a_child_of_a_busy_process_never_hangs", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let sink = File::truncate(&path).unwrap();
        let logger = RingLogger::builder().lanes(2).sink(sink).build().unwrap();
        let (books, stop) = (Books::new(), AtomicBool::new(false));
        let number = AtomicU64::new(0);
        let children = 60;
        thread::scope(|scope| {
            let _stop = Stop(&stop);
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let number = number.fetch_add(1, Ordering::Relaxed);
                        books.note(Level::Warn, warn!(logger: &logger, "busy {number}"));
                        if number % 64 == 0 {
                            thread::yield_now();
                        }
                    }
                });
            }
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _ = logger.flush(Duration::from_millis(100));
                }
            });
            scope.spawn(|| {
                // Takes the lock of the statements, and takes and leaves lanes.
                while !stop.load(Ordering::Relaxed) {
                    logger.set_level(Level::Info);
                    thread::scope(|scope| {
                        scope.spawn(|| logger.warm_up());
                    });
                }
            });
            for child in 0..children {
                let status = fork(|| {
                    assert_eq!(info!(logger: &logger, "closed {child}"), Outcome::Closed);
                    assert_eq!(logger.flush(LONG), Err(FlushError::Forked));
                    logger.set_level(Level::Info);
                    if child % 2 == 0 {
                        match logger.restart_in_child() {
                            Ok(()) => {}
                            // The consumer did not get a core for so long.
                            Err(RestartError::SinkBusy) => return,
                            Err(other) => panic!("{other}"),
                        }
                        info!(logger: &logger, "child {child}");
                        assert_eq!(logger.stats().rejected.total(), 1);
                    }
                    let report = at_once("shutdown", || logger.shutdown(LONG));
                    assert_eq!(report.written, u64::from(child % 2 == 0), "{report:?}");
                });
                assert_eq!(status, 0, "child {child}");
            }
        });
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        let log = Log::parse(&fs::read_to_string(&path).unwrap());
        let numbers = log.numbers();
        assert_eq!(numbers["busy"].len() as u64, report.written);
        // How many get a sink depends on how busy the machine is.
        assert!(!numbers["child"].is_empty());
        assert_eq!(
            log.records().count(),
            numbers["busy"].len() + numbers["child"].len()
        );
    });
}

#[test]
fn a_sink_that_is_stuck_delays_a_fork_a_little_and_cannot_be_restarted() {
    alone(
        "a_sink_that_is_stuck_delays_a_fork_a_little_and_cannot_be_restarted",
        || {
            let memory = ringlog::sink::Memory::new();
            let valve = Valve::shut(memory.clone());
            let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
            info!(logger: &logger, "stuck");
            valve.wait_until_stuck();
            let started = Instant::now();
            let status = fork(|| {
                assert!(matches!(
                    logger.restart_in_child(),
                    Err(RestartError::SinkBusy)
                ));
                assert_eq!(info!(logger: &logger, "text"), Outcome::Closed);
                at_once("shutdown", || logger.shutdown(LONG));
            });
            assert_eq!(status, 0);
            assert!(started.elapsed() < Duration::from_secs(5));
            valve.open();
            assert_eq!(logger.shutdown(LONG).written, 1);
        },
    );
}

#[test]
fn a_sink_on_a_thread_of_its_own_gets_another_thread() {
    alone("a_sink_on_a_thread_of_its_own_gets_another_thread", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let sink = Offload::new(File::truncate(&path).unwrap());
        let logger = RingLogger::builder().sink(sink).build().unwrap();
        let books = Books::new();
        for number in 0..20 {
            for record in 0..100 {
                let number = number * 100 + record;
                books.note(Level::Info, info!(logger: &logger, "parent {number}"));
            }
            let status = fork(|| {
                logger.restart_in_child().unwrap();
                info!(logger: &logger, "child {number}");
                assert_eq!(logger.shutdown(LONG).written, 1);
            });
            assert_eq!(status, 0);
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        let log = Log::parse(&fs::read_to_string(&path).unwrap());
        let numbers = log.numbers();
        assert!(numbers["parent"].iter().copied().eq(0..2000));
        assert!(numbers["child"].iter().copied().eq(0..20));
    });
}

/// What it writes goes nowhere; in a child it says no as often as it is told to.
struct Unwilling {
    refusals: u32,
    lines: std::sync::Arc<Mutex<usize>>,
}

impl Sink for Unwilling {
    fn name(&self) -> &str {
        "unwilling"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        *self.lines.lock().unwrap() += batch.bytes().iter().filter(|&&b| b == b'\n').count();
        Ok(batch.bytes().len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn restart_in_child(&mut self) -> io::Result<()> {
        if self.refusals == 0 {
            return Ok(());
        }
        self.refusals -= 1;
        Err(io::Error::other("not now"))
    }
}

#[test]
fn a_sink_that_refuses_is_named_and_asked_again() {
    alone("a_sink_that_refuses_is_named_and_asked_again", || {
        let lines = std::sync::Arc::default();
        let sink = Unwilling {
            refusals: 1,
            lines: std::sync::Arc::clone(&lines),
        };
        let logger = RingLogger::builder().sink(sink).build().unwrap();
        let status = fork(|| {
            let error = logger.restart_in_child().unwrap_err();
            assert_eq!(
                error.to_string(),
                "sink `unwilling` cannot be used in the child: not now"
            );
            assert_eq!(info!(logger: &logger, "text"), Outcome::Closed);
            logger.restart_in_child().unwrap();
            info!(logger: &logger, "text");
            assert_eq!(logger.shutdown(LONG).written, 1);
            // The record, and the closing one.
            assert_eq!(*lines.lock().unwrap(), 2);
        });
        assert_eq!(status, 0);
    });
}

/// The child of a fork in a sink is in the middle of a round of its parent's consumer.
#[test]
fn a_sink_may_fork() {
    alone("a_sink_may_fork", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let mut forked = false;
        let child = std::sync::Arc::new(AtomicU64::new(0));
        let noted = child.clone();
        let forking = Scripted::new("forking", move |batch| {
            if !forked {
                forked = true;
                // SAFETY: the child goes on with what the sink's caller does.
                let child = unsafe { libc::fork() };
                if child > 0 {
                    noted.store(child as u64, Ordering::Release);
                }
            }
            Ok(batch.bytes().len())
        });
        let sink = File::append(&path).unwrap();
        let logger = RingLogger::builder()
            .sink(forking)
            .sink(sink)
            .build()
            .unwrap();
        info!(logger: &logger, "text {}", 0);
        wait_for("the fork", || child.load(Ordering::Acquire) > 0);
        let mut status = 0;
        // SAFETY: the status is written to where it says.
        let ended = unsafe { libc::waitpid(child.load(Ordering::Acquire) as i32, &mut status, 0) };
        assert_eq!(ended as u64, child.load(Ordering::Acquire));
        assert!(libc::WIFEXITED(status), "{status}");
        logger.flush(LONG).unwrap();
        let log = Log::parse(&fs::read_to_string(&path).unwrap());
        assert_eq!(log.texts(), ["text 0"]);
    });
}

/// The program that is started lists what it was given.
#[test]
fn exec_inherits_no_descriptor_of_the_logger() {
    alone("exec_inherits_no_descriptor_of_the_logger", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let list = || {
            let output = std::process::Command::new("/bin/ls")
                .args(["-l", "/proc/self/fd"])
                .stdin(std::process::Stdio::null())
                .output()
                .unwrap();
            assert!(output.status.success());
            let text = String::from_utf8(output.stdout).unwrap();
            // The last column; pipes have other numbers each time.
            let names = text.lines().filter_map(|line| line.rsplit(' ').next());
            names
                .map(|name| name.split([':', '/']).next().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        };
        let socket = folder.path().join("journal");
        let _journal = UnixDatagram::bind(&socket).unwrap();
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let before = list();
        let logger = RingLogger::builder()
            .sink(File::append(&path).unwrap())
            .sink(File::truncate(folder.path().join("other.log")).unwrap())
            .sink(
                Rolling::builder(folder.path().join("rolling.log"))
                    .size(100)
                    .open()
                    .unwrap(),
            )
            .sink(Syslog::udp(server.local_addr().unwrap()).unwrap())
            .sink(Syslog::tcp(listener.local_addr().unwrap()).unwrap())
            .sink(Journald::at(&socket).unwrap())
            .build()
            .unwrap();
        for number in 0..10 {
            info!(logger: &logger, "n {number}");
        }
        logger.flush(LONG).unwrap();
        assert_eq!(list(), before);
        logger.reopen();
        logger.flush(LONG).unwrap();
        assert_eq!(list(), before);
    });
}
