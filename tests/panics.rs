//! What the log says of a panic, and when. There is one hook in a process, so each fact has a process
//! of its own.

#![cfg(not(miri))] // which starts no processes

mod support;

use std::env;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::Memory;
use ringlog::{Level, Outcome, Overflow, RingLogger, context, error, info};
use support::child::{alone, command, is_child};
use support::sinks::{Scripted, Valve};
use support::{Books, LONG, Log, wait_for};

/// More than the 100 ms that a panic waits, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(5);

fn panics(text: impl Into<String>) {
    let text = text.into();
    assert!(catch_unwind(|| panic!("{text}")).is_err());
}

/// Even the hook that was there before the logger's finds it written.
#[test]
fn a_panic_is_written_before_the_hook_that_was_there_is_called() {
    static CALLED: AtomicBool = AtomicBool::new(false);
    alone(
        "a_panic_is_written_before_the_hook_that_was_there_is_called",
        || {
            let memory = Memory::new();
            let read = memory.clone();
            panic::set_hook(Box::new(move |info| {
                assert_eq!(Log::of(&read).panics().len(), 1, "{info}");
                CALLED.store(true, Ordering::Relaxed);
            }));
            let builder = RingLogger::builder().sink(memory.clone());
            let logger = builder.configure().unwrap();
            let books = Books::new();
            books.note(Level::Info, info!("n {}", 0));
            let worker = thread::Builder::new().name("worker 7".into());
            let (line, thread) = (
                line!() + 3,
                worker.spawn(|| {
                    let _request = context!(request = 4711);
                    panic!("no {} at\n all", "luck")
                }),
            );
            thread.unwrap().join().unwrap_err();
            assert!(CALLED.load(Ordering::Relaxed));

            books.note(Level::Error, Outcome::Accepted);
            let report = logger.shutdown(LONG);
            books.check_report(logger, &report);
            let log = Log::of(&memory);
            let [told] = log.panics()[..] else {
                panic!("{log:?}");
            };
            assert_eq!((told.level, &*told.thread), (Level::Error, "worker 7"));
            assert!(
                told.text.starts_with(&format!(
                    "panicked at tests/panics.rs:{line}:21: no luck at\\n all"
                )),
                "{}",
                told.text
            );
            assert!(told.text.ends_with(" request=4711"), "{}", told.text);
        },
    );
}

#[test]
fn the_frames_are_told_if_backtraces_are_wanted() {
    #[inline(never)]
    fn culprit() {
        panics("on purpose");
        // Something to come back to, so that the call leaves a frame.
        std::hint::black_box(&mut 0);
    }
    let test = "the_frames_are_told_if_backtraces_are_wanted";
    if is_child() {
        let memory = Memory::new();
        let logger = RingLogger::builder().sink(memory.clone());
        logger.configure().unwrap();
        culprit();
        return println!("{}", memory.contents());
    }
    for (wanted, told) in [("0", false), ("1", true)] {
        let output = command(test).env("RUST_BACKTRACE", wanted).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        let mut lines = text.lines();
        let line = lines
            .find(|line| line.contains(": on purpose"))
            .expect("a record");
        assert_eq!(line.contains(" backtrace=\""), told, "{line}");
        assert_eq!(
            line.contains("culprit at ./tests/panics.rs"),
            told,
            "{line}"
        );
        assert!(!line.contains("rust_panic_with_hook"), "{line}");
    }
}

/// Each record would be another panic.
#[test]
fn a_sink_that_panics_makes_no_records_of_it() {
    alone("a_sink_that_panics_makes_no_records_of_it", || {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .sink(Scripted::new("clumsy", |_| panic!("on purpose")))
            .sink(memory.clone())
            .configure()
            .unwrap();
        let books = Books::new();
        for number in 0..100 {
            books.note(Level::Info, info!("n {number}"));
            let _ = logger.flush(LONG);
        }
        let report = logger.shutdown(LONG);
        books.check_report(logger, &report);
        assert_eq!(report.failed, 100);
        let log = Log::of(&memory);
        assert!(log.panics().is_empty(), "{log:?}");
        assert!(log.numbers()["n"].iter().copied().eq(0..100));
    });
}

#[test]
fn a_panic_waits_neither_for_a_stuck_sink_nor_for_room() {
    alone(
        "a_panic_waits_neither_for_a_stuck_sink_nor_for_room",
        || {
            let memory = Memory::new();
            let valve = Valve::shut(memory.clone());
            let logger = RingLogger::builder()
                .lanes(1)
                .lane_capacity(16)
                .overflow(Overflow::Block)
                .sink(valve.clone())
                .configure()
                .unwrap();
            let books = Books::new();
            books.note(Level::Info, info!("n {}", 0));
            valve.wait_until_stuck();
            let started = Instant::now();
            let mut panicked = 0;
            while logger.stats().dropped.total() == 0 {
                panics("on purpose");
                panicked += 1;
                assert!(panicked < 100, "there is always room");
            }
            // Each that got in waited for the sink, and the last one, that found no room, for nothing.
            assert!(started.elapsed() >= Duration::from_millis(100) * (panicked - 1));
            assert!(started.elapsed() < Duration::from_millis(100) * panicked + SOON);
            valve.open();
            let report = logger.shutdown(LONG);
            assert_eq!(report.written + 1, 1 + u64::from(panicked));
            assert_eq!(Log::of(&memory).panics().len() as u32, panicked - 1);
        },
    );
}

#[test]
fn a_panic_of_a_value_that_is_being_formatted_is_told_and_its_record_is_not_there() {
    struct Explosive;
    impl fmt::Display for Explosive {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("on purpose")
        }
    }
    let test = "a_panic_of_a_value_that_is_being_formatted_is_told_and_its_record_is_not_there";
    alone(test, || {
        let memory = Memory::new();
        let logger = RingLogger::builder().sink(memory.clone());
        let logger = logger.configure().unwrap();
        assert!(catch_unwind(|| error!("n {Explosive}", Explosive = Explosive)).is_err());
        assert_eq!(info!("n {}", 1), Outcome::Accepted);
        assert_eq!(logger.shutdown(LONG).written, 2);
        let log = Log::of(&memory);
        assert_eq!(log.panics().len(), 1);
        assert_eq!(log.texts(), ["n 1"]);
    });
}

#[test]
fn panics_of_many_threads_at_once_are_all_told() {
    alone("panics_of_many_threads_at_once_are_all_told", || {
        const THREADS: usize = 8;
        const PANICS: usize = 50;
        panic::set_hook(Box::new(|_| ()));
        let memory = Memory::new();
        let logger = RingLogger::builder().lanes(3).sink(memory.clone());
        let logger = logger.configure().unwrap();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    for number in 0..PANICS {
                        panics(format!("{thread} {number}"));
                    }
                });
            }
        });
        assert_eq!(logger.shutdown(LONG).written as usize, THREADS * PANICS);
        let log = Log::of(&memory);
        let mut told: Vec<_> = log.panics().iter().map(|line| &*line.text).collect();
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), THREADS * PANICS);
    });
}

#[test]
fn a_panic_after_the_shutdown_is_rejected_like_any_record() {
    alone(
        "a_panic_after_the_shutdown_is_rejected_like_any_record",
        || {
            let logger = RingLogger::builder().sink(Memory::new());
            let logger = logger.configure().unwrap();
            logger.shutdown(LONG);
            panics("on purpose");
            let rejected = logger.stats().rejected;
            assert_eq!((rejected.total(), rejected[Level::Error]), (1, 1));
        },
    );
}

#[test]
fn a_program_may_do_without_the_hook() {
    alone("a_program_may_do_without_the_hook", || {
        let memory = Memory::new();
        let builder = RingLogger::builder().panic_hook(false);
        let logger = builder.sink(memory.clone()).configure().unwrap();
        panics("on purpose");
        assert_eq!(logger.shutdown(LONG).written, 0);
        assert!(Log::of(&memory).panics().is_empty());
    });
}

/// A hook cannot be set by a thread that panics.
#[test]
fn a_logger_may_be_installed_while_a_thread_panics() {
    struct Late(Memory);
    impl Drop for Late {
        fn drop(&mut self) {
            let builder = RingLogger::builder().sink(self.0.clone());
            builder.configure().unwrap();
            info!("n {}", 0);
        }
    }
    alone("a_logger_may_be_installed_while_a_thread_panics", || {
        let memory = Memory::new();
        let late = AssertUnwindSafe(Late(memory.clone()));
        let caught = catch_unwind(move || {
            let _late = late;
            panic!("on purpose");
        });
        caught.unwrap_err();
        ringlog::logger().unwrap().shutdown(LONG);
        assert_eq!(Log::of(&memory).texts(), ["n 0"]);
    });
}

/// The consumer is told of the panic by nobody but the ring: with no thread of its own, the thread
/// that panics writes it.
#[test]
fn a_panic_is_written_without_a_consumer_thread() {
    alone("a_panic_is_written_without_a_consumer_thread", || {
        let memory = Memory::new();
        let builder = RingLogger::builder().thread(false).sink(memory.clone());
        builder.configure().unwrap();
        panics("on purpose");
        assert_eq!(Log::of(&memory).panics().len(), 1);
    });
}

/// One sink fails while the panic is written; the other has it.
#[test]
fn a_panic_is_written_wherever_it_can_be() {
    alone("a_panic_is_written_wherever_it_can_be", || {
        let memory = Memory::new();
        let full = |_: &ringlog::sink::Batch<'_>| Err(io::ErrorKind::StorageFull.into());
        RingLogger::builder()
            .sink(Scripted::new("full", full))
            .sink(memory.clone())
            .configure()
            .unwrap();
        panics("on purpose");
        wait_for("the record", || Log::of(&memory).panics().len() == 1);
    });
}

/// There is no unwinding, and no hook at the end of the process: what there is must be written
/// before.
#[test]
fn what_a_program_has_logged_is_there_when_its_panics_abort() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    let output = Command::new(build_program())
        .arg(&log)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    assert!(!output.status.success());
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&output.status),
        Some(6),
        "SIGABRT"
    );
    assert!(output.stdout.is_empty(), "it has unwound");
    assert!(String::from_utf8_lossy(&output.stderr).contains("on purpose"));
    let log = Log::parse(&std::fs::read_to_string(&log).unwrap());
    assert!(log.numbers()["n"].iter().copied().eq(0..1000));
    let panics = log.panics();
    assert_eq!(panics.len(), 1);
    assert!(panics[0].text.ends_with(": on purpose"));
}

fn build_program() -> std::path::PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panic_abort");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/panic_abort/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet", "--manifest-path", manifest])
        .arg("--target-dir")
        .arg(&target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let name = format!("panic_abort{}", env::consts::EXE_SUFFIX);
    target.join("debug").join(name)
}
