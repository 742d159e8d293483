//! Signals that end the process, or have its log files opened anew: real ones, sent to real
//! processes.

#![cfg(all(feature = "signals", target_os = "linux", not(miri)))]

mod support;

use std::fs;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;
use std::{io, ptr};

use ringlog::sink::{File, Memory};
use ringlog::{Outcome, RingLogger, info};
use support::child::{DONE, is_child};
use support::process::{Process, case, folder, log_path, ready, sleep_for_good, tally};
use support::sinks::{Scripted, Valve};
use support::{LONG, Log, wait_for};

/// Far more than acting on a signal takes, and far less than the deadlines.
const SOON: Duration = Duration::from_secs(8);

fn logger() -> RingLogger {
    let sink = File::append(log_path()).unwrap();
    let logger = RingLogger::builder().sink(sink).build().unwrap();
    RingLogger::handle_signals(LONG).unwrap();
    logger
}

/// Logs so many records, named after their number.
fn log(logger: &RingLogger, records: u64) {
    for number in 0..records {
        tally().note(|| info!(logger: logger, "main {number}"));
    }
}

fn send(process: i32, signal: i32) {
    // SAFETY: takes no pointer.
    let result = unsafe { libc::kill(process, signal) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

fn install(signal: i32, handler: usize, flags: i32) {
    // SAFETY: the handler is a function of the type that the flags ask for, or a constant.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(signal, &action, ptr::null_mut()), 0);
    }
}

#[test]
fn the_process_ends_by_the_signal_and_everything_is_written() {
    let name = "the_process_ends_by_the_signal_and_everything_is_written";
    if is_child() {
        let thread = case() == "poll";
        // Dropped only with the process.
        let logger = if thread {
            let sink = File::append(log_path()).unwrap();
            let builder = RingLogger::builder().thread(false).sink(sink);
            let logger = builder.build().unwrap();
            RingLogger::handle_signals(LONG).unwrap();
            logger
        } else {
            logger()
        };
        log(&logger, 2000);
        ready();
        sleep_for_good();
    }
    for (case, signal) in [
        ("term", libc::SIGTERM),
        ("int", libc::SIGINT),
        ("quit", libc::SIGQUIT),
        ("poll", libc::SIGTERM),
    ] {
        let process = Process::start(name, case);
        process.signal(signal);
        let ended = process.end();
        assert_eq!(ended.signal(), Some(signal), "{}", ended.stderr);
        assert!(ended.took < SOON, "{case}: {:?}", ended.took);
        assert!(ended.log().numbers()["main"].iter().copied().eq(0..2000));
    }
}

#[test]
fn every_logger_that_is_alive_is_shut_down() {
    let name = "every_logger_that_is_alive_is_shut_down";
    if is_child() {
        let _logger = logger();
        let other = folder().join("other.log");
        let _other = RingLogger::builder()
            .thread(false)
            .sink(File::append(other).unwrap())
            .build()
            .unwrap();
        // One that is stuck does not take the others' time.
        let stuck = Valve::shut(Memory::new());
        let _stuck = RingLogger::builder().sink(stuck.clone()).build().unwrap();
        info!(logger: &_stuck, "stuck");
        stuck.wait_until_stuck();
        RingLogger::handle_signals(Duration::from_millis(300)).unwrap();
        log(&_logger, 100);
        log(&_other, 100);
        ready();
        sleep_for_good();
    }
    let process = Process::start(name, "");
    process.signal(libc::SIGTERM);
    let ended = process.end();
    assert_eq!(ended.signal(), Some(libc::SIGTERM), "{}", ended.stderr);
    assert!(ended.took >= Duration::from_millis(300));
    assert_eq!(ended.log().records().count(), 100);
    let other = fs::read_to_string(ended.folder().join("other.log")).unwrap();
    assert_eq!(Log::parse(&other).records().count(), 100);
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let name = "a_second_signal_ends_the_process_at_once";
    if is_child() {
        let valve = Valve::shut(Memory::new());
        let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
        RingLogger::handle_signals(LONG).unwrap();
        info!(logger: &logger, "stuck");
        valve.wait_until_stuck();
        ready();
        while info!(logger: &logger, "until the first signal") != Outcome::Closed {}
        println!("the first signal has come");
        sleep_for_good();
    }
    let mut process = Process::start(name, "");
    process.signal(libc::SIGTERM);
    process.wait_for_line("the first signal has come");
    assert!(process.runs());
    process.signal(libc::SIGINT);
    let ended = process.end();
    assert_eq!(ended.signal(), Some(libc::SIGINT), "{}", ended.stderr);
    assert!(ended.took < SOON, "{:?}", ended.took);
}

#[test]
fn a_hangup_has_the_files_opened_anew() {
    let name = "a_hangup_has_the_files_opened_anew";
    if is_child() {
        let logger = logger();
        log(&logger, 100);
        logger.flush(LONG).unwrap();
        ready();
        let moved = folder().join("app.log.1");
        wait_for("the new file", || moved.exists() && log_path().exists());
        for number in 100..200 {
            tally().note(|| info!(logger: &logger, "main {number}"));
        }
        assert_eq!(logger.shutdown(LONG).written, 200);
        println!("{DONE}");
        return;
    }
    let process = Process::start(name, "");
    let (path, moved) = (
        process.folder().join("app.log"),
        process.folder().join("app.log.1"),
    );
    fs::rename(&path, &moved).unwrap();
    process.signal(libc::SIGHUP);
    let ended = process.end();
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(ended.stdout.contains(DONE));
    assert!(ended.log().numbers()["main"].iter().copied().eq(100..200));
    let before = Log::parse(&fs::read_to_string(moved).unwrap());
    assert!(before.numbers()["main"].iter().copied().eq(0..100));
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let name = "an_ignored_signal_stays_ignored";
    if is_child() {
        // As `nohup` leaves it.
        install(libc::SIGHUP, libc::SIG_IGN, 0);
        install(libc::SIGINT, libc::SIG_IGN, 0);
        let logger = logger();
        let moved = folder().join("moved");
        log(&logger, 100);
        logger.flush(LONG).unwrap();
        fs::rename(log_path(), moved).unwrap();
        let me = std::process::id() as i32;
        send(me, libc::SIGHUP);
        send(me, libc::SIGINT);
        assert_eq!(info!(logger: &logger, "main {}", 100), Outcome::Accepted);
        ready();
        sleep_for_good();
    }
    let process = Process::start(name, "");
    process.signal(libc::SIGTERM);
    let ended = process.end();
    assert_eq!(ended.signal(), Some(libc::SIGTERM), "{}", ended.stderr);
}

static CALLS: AtomicU64 = AtomicU64::new(0);
static SENDER: AtomicI32 = AtomicI32::new(0);
/// How many bytes the log had when the handler was called.
static LENGTH: AtomicU64 = AtomicU64::new(0);
static FILE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn own_handler(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel's; `fstat` writes one `stat`.
    unsafe {
        SENDER.store((*info).si_pid(), Ordering::Relaxed);
        let mut found: libc::stat = std::mem::zeroed();
        libc::fstat(FILE.load(Ordering::Relaxed), &mut found);
        LENGTH.store(found.st_size as u64, Ordering::Relaxed);
    }
    CALLS.fetch_add(1, Ordering::Release);
}

extern "C" fn plain_handler(_: i32) {
    CALLS.fetch_add(1, Ordering::Release);
}

#[test]
fn the_programs_own_handlers_are_called_when_the_records_are_written() {
    let name = "the_programs_own_handlers_are_called_when_the_records_are_written";
    if is_child() {
        let own = own_handler as *const () as usize;
        install(libc::SIGTERM, own, libc::SA_SIGINFO);
        let plain = plain_handler as *const () as usize;
        install(libc::SIGHUP, plain, 0);
        install(libc::SIGINT, plain, libc::SA_RESETHAND);
        let logger = logger();
        let file = fs::File::open(log_path()).unwrap();
        FILE.store(std::os::fd::AsRawFd::as_raw_fd(&file), Ordering::Relaxed);
        for round in 1..=3 {
            log(&logger, 1000);
            // SAFETY: takes nothing.
            let me = unsafe { libc::getpid() };
            send(me, libc::SIGTERM);
            wait_for("the handler", || CALLS.load(Ordering::Acquire) == round);
            assert_eq!(SENDER.load(Ordering::Relaxed), me);
            let length = LENGTH.load(Ordering::Relaxed) as usize;
            let text = fs::read_to_string(log_path()).unwrap();
            assert_eq!(
                Log::parse(&text[..length]).records().count() as u64,
                1000 * round
            );
            // The logger goes on, since the program does.
            assert_eq!(logger.flush(LONG), Ok(()));
        }
        send(std::process::id() as i32, libc::SIGHUP);
        wait_for("the handler", || CALLS.load(Ordering::Acquire) == 4);
        // The first call is the only one that it asked for.
        send(std::process::id() as i32, libc::SIGINT);
        wait_for("the handler", || CALLS.load(Ordering::Acquire) == 5);
        info!(logger: &logger, "last");
        assert_eq!(logger.shutdown(LONG).written, 3001);
        ready();
        sleep_for_good();
    }
    let process = Process::start(name, "");
    process.signal(libc::SIGINT);
    let ended = process.end();
    assert_eq!(ended.signal(), Some(libc::SIGINT), "{}", ended.stderr);
}

/// The runtime's handler calls the logger's, which must not end the process: that is for the program
/// to do, when it has done its work.
#[test]
fn a_handler_that_is_installed_later_and_calls_the_loggers_decides_when_the_process_ends() {
    let name =
        "a_handler_that_is_installed_later_and_calls_the_loggers_decides_when_the_process_ends";
    if is_child() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let work = async {
            let kind = tokio::signal::unix::SignalKind::terminate();
            let mut signals = tokio::signal::unix::signal(kind).unwrap();
            for number in 0..2000 {
                tally().note(|| info!("main {number}"));
            }
            ready();
            signals.recv().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            for number in 2000..3000 {
                tally().note(|| info!("main {number}"));
            }
            let logger = ringlog::logger().unwrap();
            assert_eq!(logger.shutdown_async(LONG).await.written, 3000);
        };
        let file = File::append(log_path()).unwrap();
        RingLogger::builder().sink(file).configure().unwrap();
        runtime.enable_all().build().unwrap().block_on(work);
        std::process::exit(5);
    }
    let process = Process::start(name, "");
    process.signal(libc::SIGTERM);
    let ended = process.end();
    assert_eq!(ended.status.code(), Some(5), "{}", ended.stderr);
    let log = ended.log();
    assert!(log.numbers()["main"].iter().copied().eq(0..3000));
}

/// The handlers are inherited; the thread that acts on signals is not.
#[test]
fn a_forked_child_ends_by_its_signal_and_its_parent_does_not() {
    let name = "a_forked_child_ends_by_its_signal_and_its_parent_does_not";
    if is_child() {
        let logger = logger();
        log(&logger, 100);
        let restarts = case() == "restarted";
        let mut pipe = [0; 2];
        // SAFETY: two descriptors are written to the array.
        assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
        // SAFETY: the child does what is below.
        let child = unsafe { libc::fork() };
        if child == 0 {
            if restarts {
                logger.restart_in_child().unwrap();
                for number in 0..1000 {
                    info!(logger: &logger, "child {number}");
                }
            }
            // SAFETY: one byte of a live array.
            unsafe { libc::write(pipe[1], b"x".as_ptr().cast(), 1) };
            sleep_for_good();
        }
        let (mut byte, mut status) = (0_u8, 0);
        // SAFETY: one byte is written to the variable.
        let read = unsafe { libc::read(pipe[0], ptr::from_mut(&mut byte).cast(), 1) };
        assert_eq!(read, 1);
        send(child, libc::SIGTERM);
        // SAFETY: the status is written to the variable.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFSIGNALED(status), "{status}");
        assert_eq!(libc::WTERMSIG(status), libc::SIGTERM);
        // The parent has heard nothing of it.
        assert_eq!(info!(logger: &logger, "main {}", 100), Outcome::Accepted);
        ready();
        sleep_for_good();
    }
    for case in ["restarted", "closed"] {
        let process = Process::start(name, case);
        process.signal(libc::SIGTERM);
        let ended = process.end();
        assert_eq!(ended.signal(), Some(libc::SIGTERM), "{}", ended.stderr);
        let log = ended.log();
        assert!(log.numbers()["main"].iter().copied().eq(0..101));
        let children = log.numbers().get("child").map_or(0, Vec::len);
        assert_eq!(children, if case == "restarted" { 1000 } else { 0 });
    }
}

#[test]
fn the_installed_logger_handles_signals_unless_told_otherwise() {
    let name = "the_installed_logger_handles_signals_unless_told_otherwise";
    if is_child() {
        let slow = Scripted::new("slow", |batch| {
            std::thread::sleep(Duration::from_millis(50));
            Ok(batch.bytes().len())
        });
        RingLogger::builder()
            .signals(case() == "handled")
            .sink(slow)
            .sink(File::append(log_path()).unwrap())
            .configure()
            .unwrap();
        for number in 0..2000 {
            tally().note(|| info!("main {number}"));
        }
        send(std::process::id() as i32, libc::SIGTERM);
        ready();
        sleep_for_good();
    }
    // The one that is not told otherwise may die before it says that it is ready: it is asked last.
    let process = Process::start_unready(name, "handled");
    let ended = process.end();
    assert_eq!(ended.signal(), Some(libc::SIGTERM), "{}", ended.stderr);
    assert_eq!(
        ended.log().records().count() as u64,
        ended.tally().accepted()
    );
    let ended = Process::start_unready(name, "plain").end();
    assert_eq!(ended.signal(), Some(libc::SIGTERM));
    assert!((ended.log_text().lines().count() as u64) < ended.tally().accepted());
}
