//! What happens to the log when the process exits without having shut the logger down.

#![cfg(all(unix, not(miri)))] // which starts no processes

mod support;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{self, Output};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::{File, Memory};
use ringlog::{Outcome, Overflow, RingLogger, info};
use support::child;
use support::sinks::{Scripted, Valve};
use support::{LONG, Log, wait_for};

/// Where the child's log goes.
const LOG: &str = "RINGLOG_TEST_LOG";

/// The status that no harness exits with by itself.
const STATUS: i32 = 43;

/// How a child ended, and what it left.
struct End {
    output: Output,
    elapsed: Duration,
    log: String,
}

impl End {
    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    #[track_caller]
    fn assert_status(&self, status: i32) {
        assert_eq!(
            self.output.status.code(),
            Some(status),
            "signal {:?}: {}",
            self.output.status.signal(),
            self.stderr()
        );
    }
}

/// Runs the body in a process of its own, and says how that ended. In that process it does not
/// return before the body has.
fn end_of(test: &str, body: impl FnOnce(File)) -> Option<End> {
    if child::is_child() {
        body(File::append(path()).unwrap());
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("child.log");
    let started = Instant::now();
    let output = child::command(test).env(LOG, &log).output().unwrap();
    Some(End {
        output,
        elapsed: started.elapsed(),
        log: fs::read_to_string(&log).expect("the child opened its log"),
    })
}

fn path() -> PathBuf {
    env::var_os(LOG).map(OsString::into).unwrap()
}

fn log_numbers(count: u64) {
    for number in 0..count {
        assert_eq!(info!("n {number}"), Outcome::Accepted);
    }
}

#[track_caller]
fn assert_numbers(log: &str, count: u64) {
    let log = Log::parse(log);
    assert!(
        log.numbers()["n"].iter().copied().eq(0..count),
        "{:?}",
        log.texts().last()
    );
}

#[test]
fn returning_from_main_writes_what_was_logged() {
    let test = "returning_from_main_writes_what_was_logged";
    let end = end_of(test, |file| {
        RingLogger::builder().sink(file).configure().unwrap();
        log_numbers(3000);
    });
    let Some(end) = end else { return };
    end.assert_status(0);
    assert_numbers(&end.log, 3000);
}

#[test]
fn exit_writes_what_was_logged_and_keeps_its_status() {
    let test = "exit_writes_what_was_logged_and_keeps_its_status";
    let end = end_of(test, |file| {
        RingLogger::builder().sink(file).configure().unwrap();
        log_numbers(3000);
        process::exit(STATUS);
    });
    let Some(end) = end else { return };
    end.assert_status(STATUS);
    assert_numbers(&end.log, 3000);
    assert_eq!(end.stderr(), "");
}

/// There is no consumer to wait for: the thread that exits drains, without its local storage.
#[test]
fn exit_drains_by_itself_where_there_is_no_consumer_thread() {
    let test = "exit_drains_by_itself_where_there_is_no_consumer_thread";
    let end = end_of(test, |file| {
        let logger = RingLogger::builder().thread(false).sink(file);
        logger.configure().unwrap();
        log_numbers(3000);
        process::exit(STATUS);
    });
    let Some(end) = end else { return };
    end.assert_status(STATUS);
    assert_numbers(&end.log, 3000);
}

#[test]
fn exit_on_a_second_thread_while_others_log_loses_nothing_that_was_accepted() {
    let test = "exit_on_a_second_thread_while_others_log_loses_nothing_that_was_accepted";
    let end = end_of(test, |file| {
        RingLogger::builder()
            .lanes(2)
            .overflow(Overflow::Block)
            .sink(file)
            .configure()
            .unwrap();
        thread::scope(|scope| {
            for thread in 0..3 {
                scope.spawn(move || {
                    for number in 0.. {
                        info!("t{thread} {number}");
                    }
                });
            }
            scope.spawn(|| {
                let accepted = || ringlog::logger().unwrap().stats().accepted();
                wait_for("records", || accepted() > 10_000);
                assert_eq!(info!("last {}", 0), Outcome::Accepted);
                process::exit(STATUS);
            });
        });
    });
    let Some(end) = end else { return };
    end.assert_status(STATUS);
    let log = Log::parse(&end.log);
    let numbers = log.numbers();
    assert!(numbers.contains_key("last"), "{:?}", log.texts().last());
    for (name, numbers) in numbers {
        let count = numbers.len() as u64;
        assert!(numbers.into_iter().eq(0..count), "{name}");
    }
}

#[test]
fn exit_inside_a_sink_ends_at_once_and_says_what_is_lost() {
    let test = "exit_inside_a_sink_ends_at_once_and_says_what_is_lost";
    let end = end_of(test, |_| {
        RingLogger::builder()
            .sink(Scripted::new("last straw", |_| process::exit(STATUS)))
            .configure()
            .unwrap();
        info!("n {}", 0);
        thread::sleep(LONG);
    });
    let Some(end) = end else { return };
    end.assert_status(STATUS);
    assert!(end.elapsed < Duration::from_secs(4), "{:?}", end.elapsed);
    assert!(end.stderr().contains("1 abandoned"), "{}", end.stderr());
    assert!(end.stderr().contains("last straw"), "{}", end.stderr());
}

#[test]
fn exit_waits_for_a_stuck_sink_until_the_deadline_and_names_it() {
    let test = "exit_waits_for_a_stuck_sink_until_the_deadline_and_names_it";
    let end = end_of(test, |_| {
        let valve = Valve::shut(Memory::new());
        RingLogger::builder()
            .shutdown_deadline(Duration::from_millis(300))
            .sink(valve.clone())
            .configure()
            .unwrap();
        log_numbers(100);
        valve.wait_until_stuck();
        process::exit(STATUS);
    });
    let Some(end) = end else { return };
    end.assert_status(STATUS);
    assert!(end.elapsed >= Duration::from_millis(300));
    assert!(end.elapsed < Duration::from_secs(4), "{:?}", end.elapsed);
    let text = end.stderr();
    assert!(text.contains("100 abandoned"), "{text}");
    assert!(text.contains("sink `valve` stuck"), "{text}");
}

#[test]
fn exit_after_a_shutdown_has_nothing_left_to_do() {
    let test = "exit_after_a_shutdown_has_nothing_left_to_do";
    let end = end_of(test, |file| {
        let logger = RingLogger::builder().sink(file).configure().unwrap();
        log_numbers(10);
        assert_eq!(logger.shutdown(LONG).written, 10);
        info!("late");
        process::exit(STATUS);
    });
    let Some(end) = end else { return };
    end.assert_status(STATUS);
    assert_numbers(&end.log, 10);
    assert_eq!(end.stderr(), "");
}

#[test]
fn exit_during_a_shutdown_that_waits_ends_with_the_earlier_deadline() {
    let test = "exit_during_a_shutdown_that_waits_ends_with_the_earlier_deadline";
    let end = end_of(test, |_| {
        let valve = Valve::shut(Memory::new());
        let logger = RingLogger::builder()
            .shutdown_deadline(Duration::from_millis(100))
            .sink(valve.clone())
            .configure()
            .unwrap();
        info!("text");
        valve.wait_until_stuck();
        thread::spawn(|| logger.shutdown(Duration::from_secs(3600)));
        wait_for("the closing", || info!("text") == Outcome::Closed);
        process::exit(STATUS);
    });
    let Some(end) = end else { return };
    end.assert_status(STATUS);
    assert!(end.elapsed < Duration::from_secs(4), "{:?}", end.elapsed);
}

#[test]
fn without_the_hook_exit_does_not_wait() {
    let test = "without_the_hook_exit_does_not_wait";
    let end = end_of(test, |file| {
        RingLogger::builder()
            .thread(false)
            .exit_hook(false)
            .sink(file)
            .configure()
            .unwrap();
        info!("nobody writes this");
        process::exit(STATUS);
    });
    let Some(end) = end else { return };
    end.assert_status(STATUS);
    assert_eq!(end.log, "");
}

/// Hooks run in the reverse order of their registration: what comes before the logger's own is
/// still accepted, what comes after it is rejected, and neither is a crash.
#[test]
fn other_hooks_may_log_while_the_process_exits() {
    extern "C" fn before() {
        info!("n {}", 1);
    }
    extern "C" fn after() {
        if info!("too late") == Outcome::Closed {
            eprintln!("rejected");
        }
    }
    let register = |hook: extern "C" fn()| {
        // SAFETY: the hook is a function that takes nothing.
        assert_eq!(unsafe { libc::atexit(hook) }, 0);
    };
    let test = "other_hooks_may_log_while_the_process_exits";
    let end = end_of(test, |file| {
        register(after);
        RingLogger::builder().sink(file).configure().unwrap();
        register(before);
        log_numbers(1);
        process::exit(STATUS);
    });
    let Some(end) = end else { return };
    end.assert_status(STATUS);
    assert_numbers(&end.log, 2);
    assert_eq!(end.stderr(), "rejected\n");
}

/// Its storage is gone before its first record.
#[test]
fn a_thread_that_exits_may_log_for_the_first_time_in_a_hook() {
    extern "C" fn hook() {
        info!("n {}", 0);
        let producer = ringlog::logger().unwrap().producer();
        info!(logger: &producer, "n {}", 1);
    }
    let test = "a_thread_that_exits_may_log_for_the_first_time_in_a_hook";
    let end = end_of(test, |file| {
        RingLogger::builder().sink(file).configure().unwrap();
        // SAFETY: the hook is a function that takes nothing.
        assert_eq!(unsafe { libc::atexit(hook) }, 0);
        thread::spawn(|| process::exit(STATUS)).join().unwrap();
    });
    let Some(end) = end else { return };
    end.assert_status(STATUS);
    assert_numbers(&end.log, 2);
    assert_eq!(end.stderr(), "");
}

/// A thread's storage is destroyed before the hooks run, if it is the thread that exits.
#[test]
fn what_destructors_of_thread_local_storage_log_is_written() {
    struct LastWord;
    impl Drop for LastWord {
        fn drop(&mut self) {
            assert_eq!(info!("n {}", 1), Outcome::Accepted);
        }
    }
    thread_local! {
        static LAST_WORD: LastWord = const { LastWord };
    }
    let test = "what_destructors_of_thread_local_storage_log_is_written";
    let end = end_of(test, |file| {
        RingLogger::builder().sink(file).configure().unwrap();
        LAST_WORD.with(|_| log_numbers(1));
        process::exit(STATUS);
    });
    let Some(end) = end else { return };
    end.assert_status(STATUS);
    assert_numbers(&end.log, 2);
}

#[test]
fn the_report_is_printed_on_request() {
    let test = "the_report_is_printed_on_request";
    let end = end_of(test, |file| {
        let builder = RingLogger::builder().print_report(true).sink(file);
        builder.configure().unwrap();
        log_numbers(7);
        process::exit(STATUS);
    });
    let Some(end) = end else { return };
    end.assert_status(STATUS);
    let text = end.stderr();
    assert!(
        text.starts_with("ringlog: log closed: 7 written, 0 dropped, 0 rejected in "),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
}

/// Nobody reads standard error, and it is full: the report is lost, not the process.
#[test]
fn a_standard_error_that_nobody_reads_does_not_hold_up_the_exit() {
    let test = "a_standard_error_that_nobody_reads_does_not_hold_up_the_exit";
    if child::is_child() {
        RingLogger::builder()
            .print_report(true)
            .sink(Memory::new())
            .configure()
            .unwrap();
        // Fills the pipe to the last byte.
        // SAFETY: the descriptor is this process's own.
        unsafe { libc::fcntl(2, libc::F_SETFL, libc::O_NONBLOCK) };
        while let 1.. = {
            // SAFETY: the pointer and the length are those of a slice.
            unsafe { libc::write(2, [b'x'; 1].as_ptr().cast(), 1) }
        } {}
        // SAFETY: as above.
        unsafe { libc::fcntl(2, libc::F_SETFL, 0) };
        process::exit(STATUS);
    }
    let mut child = child::command(test)
        .stdout(process::Stdio::null())
        .stderr(process::Stdio::piped())
        .spawn()
        .unwrap();
    let (done, is_done) = mpsc::channel();
    let id = child.id() as libc::pid_t;
    let stderr = child.stderr.take();
    thread::spawn(move || done.send(child.wait().unwrap()));
    let status = is_done.recv_timeout(LONG);
    if status.is_err() {
        // SAFETY: signalling a process touches no memory; it is this one's child, and alive.
        unsafe { libc::kill(id, libc::SIGKILL) };
    }
    assert_eq!(status.unwrap().code(), Some(STATUS));
    drop(stderr);
}
