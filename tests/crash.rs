//! Crashes: real faults in real processes, whose log holds what was logged before, and says why they
//! ended.

#![cfg(all(
    feature = "crash",
    target_os = "linux",
    target_arch = "x86_64",
    not(miri)
))]

mod support;

use std::hint::black_box;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;
use std::{fs, ptr, thread};

use ringlog::sink::{File, Memory};
use ringlog::{RingLogger, error, info};
use support::child::is_child;
use support::log::{Line, Log};
use support::process::{Ended, Process, case, folder, log_path, ready, sleep_for_good, tally};
use support::sinks::{Scripted, Valve};
use support::wait_for;

const PATIENCE: Duration = Duration::from_secs(5);

/// Less than the patience.
const SOON: Duration = Duration::from_secs(4);

fn logger() -> RingLogger {
    let sink = File::append(log_path()).unwrap();
    let logger = RingLogger::builder().sink(sink).build().unwrap();
    RingLogger::handle_crashes(PATIENCE).unwrap();
    logger
}

fn log(logger: &RingLogger, records: u64) {
    for number in 0..records {
        tally().note(|| info!(logger: logger, "main {number}"));
    }
}

/// Runs the body in a thread with a name.
fn on_a_thread_of_its_own(body: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("unlucky".into());
        builder.spawn_scoped(scope, body).unwrap();
    });
}

/// Has the processor raise the signal.
fn fault(signal: &str) {
    // SAFETY: none of it is sound, which is the point: each instruction ends the process.
    unsafe {
        match signal {
            "SIGSEGV" => black_box(0x10 as *mut u64).write_volatile(1),
            "SIGBUS" => {
                // A page of a file behind the file's end.
                let file = fs::File::options()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(folder().join("short"))
                    .unwrap();
                let access = libc::PROT_READ | libc::PROT_WRITE;
                let at = libc::mmap(
                    ptr::null_mut(),
                    4096,
                    access,
                    libc::MAP_SHARED,
                    file.as_raw_fd(),
                    0,
                );
                assert_ne!(at, libc::MAP_FAILED);
                at.cast::<u64>().write_volatile(1);
            }
            "SIGILL" => std::arch::asm!("ud2"),
            "SIGFPE" => std::arch::asm!(
                "div {zero:e}",
                zero = in(reg) 0_u32,
                inout("eax") 1_u32 => _,
                inout("edx") 0_u32 => _,
            ),
            "SIGABRT" => std::process::abort(),
            other => panic!("{other}"),
        }
    }
}

/// The line that says why the process ended, which is the last one of the log, without its line end.
#[track_caller]
fn last_line(ended: &Ended) -> String {
    let text = ended.log_text();
    assert!(text.ends_with('\n'), "{text}");
    let last = text.lines().last().expect("the log is not empty");
    assert!(
        ended.stderr.contains(last),
        "{last:?} is not in {:?}",
        ended.stderr
    );
    last.into()
}

#[test]
fn each_crash_is_told_and_ends_the_process_as_without_the_handler() {
    let name = "each_crash_is_told_and_ends_the_process_as_without_the_handler";
    if is_child() {
        let logger = logger();
        log(&logger, 2000);
        ready();
        let signal = case();
        on_a_thread_of_its_own(|| fault(&signal));
        sleep_for_good();
    }
    for (case, signal, address) in [
        ("SIGSEGV", libc::SIGSEGV, " at address 0x10,"),
        ("SIGBUS", libc::SIGBUS, " at address 0x"),
        ("SIGILL", libc::SIGILL, " at address 0x"),
        ("SIGFPE", libc::SIGFPE, " at address 0x"),
        ("SIGABRT", libc::SIGABRT, " sent by process "),
    ] {
        let process = Process::start(name, case);
        let id = process.id();
        let ended = process.end();
        assert_eq!(ended.signal(), Some(signal), "{}", ended.stderr);
        assert!(ended.took < SOON, "{case}: {:?}", ended.took);
        let last = last_line(&ended);
        let line = Line::parse(&last);
        assert!(line.is_own(), "{line:?}");
        assert_eq!(line.thread, "unlucky");
        let start = format!("crashed: {case} (signal {signal}){address}");
        assert!(line.text.starts_with(&start), "{line:?}");
        if case == "SIGABRT" {
            assert!(line.text.contains(&format!("process {id},")), "{line:?}");
        }
        assert!(ended.log().numbers()["main"].iter().copied().eq(0..2000));
    }
}

#[test]
fn the_core_dump_is_the_one_of_the_crash() {
    let name = "the_core_dump_is_the_one_of_the_crash";
    if is_child() {
        let limit = libc::rlimit {
            rlim_cur: 1 << 20,
            rlim_max: 1 << 20,
        };
        // SAFETY: the kernel reads one `rlimit`.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &limit) };
        let logger = logger();
        std::env::set_current_dir(folder()).unwrap();
        ready();
        if case() == "without" {
            // SAFETY: all zeros are the default action.
            unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
        }
        fault("SIGSEGV");
        drop(logger);
        return;
    }
    // Whether there is a core dump is for the system to say; the handler changes nothing of it.
    let dumped = |case| Process::start(name, case).end().status.core_dumped();
    assert_eq!(dumped("with"), dumped("without"));
}

#[test]
#[allow(unconditional_recursion)]
fn the_overflow_of_a_stack_is_told_by_both() {
    let name = "the_overflow_of_a_stack_is_told_by_both";
    if is_child() {
        fn deeper(depth: u64) -> u64 {
            black_box([depth; 64])[0] + deeper(black_box(depth + 1))
        }
        let logger = logger();
        log(&logger, 100);
        ready();
        on_a_thread_of_its_own(|| {
            black_box(deeper(0));
        });
        sleep_for_good();
    }
    let ended = Process::start(name, "").end();
    // The standard library ends it so.
    assert_eq!(ended.signal(), Some(libc::SIGABRT), "{}", ended.stderr);
    let overflow = "has overflowed its stack";
    assert!(ended.stderr.contains(overflow), "{}", ended.stderr);
    let last = last_line(&ended);
    assert!(last.contains("[unlucky] crashed: SIGSEGV"), "{last}");
    assert_eq!(ended.log().records().count(), 100);
}

#[test]
fn a_crash_that_another_process_sends_names_it() {
    let name = "a_crash_that_another_process_sends_names_it";
    if is_child() {
        let logger = logger();
        log(&logger, 100);
        ready();
        sleep_for_good();
    }
    let process = Process::start(name, "");
    // The standard library's own handler takes the first one for a fault that will come again, with
    // or without the logger.
    process.signal(libc::SIGSEGV);
    wait_for("the line", || {
        let text = fs::read_to_string(process.folder().join("app.log")).unwrap();
        text.contains("crashed:")
    });
    process.signal(libc::SIGSEGV);
    let ended = process.end();
    assert_eq!(ended.signal(), Some(libc::SIGSEGV), "{}", ended.stderr);
    let sender = format!(
        "SIGSEGV (signal 11) sent by process {},",
        std::process::id()
    );
    assert!(last_line(&ended).contains(&sender), "{}", ended.stderr);
    assert_eq!(ended.log().records().count(), 100);
}

/// Handlers that are installed later may call those before them by the signal's number alone.
#[test]
fn a_handler_that_passes_on_nothing_but_the_signal_does_not_crash_the_crash() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static BEFORE: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn later(signal: libc::c_int) {
        type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
        // SAFETY: it is the handler that was there before, which is of this type.
        let before =
            unsafe { std::mem::transmute::<usize, Handler>(BEFORE.load(Ordering::Relaxed)) };
        before(signal, ptr::null_mut(), ptr::null_mut());
    }
    let name = "a_handler_that_passes_on_nothing_but_the_signal_does_not_crash_the_crash";
    if is_child() {
        let logger = logger();
        log(&logger, 100);
        // SAFETY: all zeros are a valid action, and the function is a handler.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = later as *const () as usize;
            assert_eq!(libc::sigaction(libc::SIGABRT, &action, &mut before), 0);
            BEFORE.store(before.sa_sigaction, Ordering::Relaxed);
        }
        ready();
        std::process::abort();
    }
    let ended = Process::start(name, "").end();
    assert_eq!(ended.signal(), Some(libc::SIGABRT), "{}", ended.stderr);
    let last = last_line(&ended);
    assert!(last.contains("crashed: SIGABRT (signal 6)"), "{last}");
    assert_eq!(ended.log().records().count(), 100);
}

#[test]
fn a_consumer_that_crashes_does_not_wait_for_itself() {
    let name = "a_consumer_that_crashes_does_not_wait_for_itself";
    if is_child() {
        let crashing = Scripted::new("crashing", |_| {
            fault("SIGSEGV");
            Ok(0)
        });
        let sink = File::append(log_path()).unwrap();
        let logger = RingLogger::builder()
            .sink(sink)
            .sink(crashing)
            .build()
            .unwrap();
        RingLogger::handle_crashes(PATIENCE).unwrap();
        ready();
        info!(logger: &logger, "main {}", 0);
        sleep_for_good();
    }
    let ended = Process::start(name, "").end();
    assert_eq!(ended.signal(), Some(libc::SIGSEGV), "{}", ended.stderr);
    assert!(ended.took < SOON, "{:?}", ended.took);
    assert!(last_line(&ended).contains("[ringlog] crashed: SIGSEGV"));
    // The sink before it had been called.
    assert_eq!(ended.log().numbers()["main"], [0]);
}

#[test]
fn a_consumer_that_is_stuck_is_waited_for_no_longer_than_told() {
    let name = "a_consumer_that_is_stuck_is_waited_for_no_longer_than_told";
    if is_child() {
        let valve = Valve::shut(Memory::new());
        let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
        RingLogger::handle_crashes(Duration::from_millis(200)).unwrap();
        info!(logger: &logger, "stuck");
        valve.wait_until_stuck();
        ready();
        fault("SIGSEGV");
        return;
    }
    let ended = Process::start(name, "").end();
    assert_eq!(ended.signal(), Some(libc::SIGSEGV), "{}", ended.stderr);
    assert!(ended.took >= Duration::from_millis(200), "{:?}", ended.took);
    assert!(ended.took < SOON, "{:?}", ended.took);
    assert!(
        ended.stderr.contains("crashed: SIGSEGV"),
        "{}",
        ended.stderr
    );
}

#[test]
fn several_threads_that_crash_at_once_are_one_crash() {
    let name = "several_threads_that_crash_at_once_are_one_crash";
    if is_child() {
        let logger = logger();
        log(&logger, 1000);
        ready();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| fault("SIGSEGV"));
            }
        });
        return;
    }
    let ended = Process::start(name, "").end();
    assert_eq!(ended.signal(), Some(libc::SIGSEGV), "{}", ended.stderr);
    assert!(ended.took < SOON, "{:?}", ended.took);
    assert_eq!(ended.log().records().count(), 1000);
    assert_eq!(ended.log_text().matches("crashed:").count(), 1);
}

#[test]
fn other_threads_may_be_logging_when_one_crashes() {
    let name = "other_threads_may_be_logging_when_one_crashes";
    if is_child() {
        let sink = File::append(log_path()).unwrap();
        let logger: &'static RingLogger =
            Box::leak(Box::new(RingLogger::builder().sink(sink).build().unwrap()));
        RingLogger::handle_crashes(PATIENCE).unwrap();
        for busy in 0..2 {
            thread::spawn(move || {
                for number in 0_u64.. {
                    match busy {
                        0 => tally().note(|| info!(logger: logger, "one {number}")),
                        _ => tally().note(|| info!(logger: logger, "two {number}")),
                    };
                    if number % 32 == 0 {
                        thread::sleep(Duration::from_micros(50));
                    }
                }
            });
        }
        wait_for("some records", || tally().accepted() > 1000);
        // The line that explains it comes right before.
        fs::write(folder().join("before"), tally().accepted().to_string()).unwrap();
        error!(logger: logger, "last {}", 0);
        ready();
        fault("SIGSEGV");
        return;
    }
    let ended = Process::start(name, "").end();
    assert_eq!(ended.signal(), Some(libc::SIGSEGV), "{}", ended.stderr);
    let before: usize = fs::read_to_string(ended.folder().join("before"))
        .unwrap()
        .parse()
        .unwrap();
    let text = ended.log_text();
    // The thread that crashed writes its line while the consumer goes on: the file gets either
    // whole, and the process may end in the middle of a last write of the consumer's.
    let whole = &text[..=text.rfind('\n').unwrap()];
    let log = Log::parse(whole);
    let numbers = log.numbers();
    assert_eq!(numbers["last"], [0]);
    let (one, two) = (&numbers["one"], &numbers["two"]);
    assert!(one.iter().copied().eq(0..one.len() as u64));
    assert!(two.iter().copied().eq(0..two.len() as u64));
    assert!(one.len() + two.len() >= before);
}

#[test]
fn a_reader_that_does_not_read_does_not_keep_the_process_alive() {
    let name = "a_reader_that_does_not_read_does_not_keep_the_process_alive";
    if is_child() {
        let mut pipe = [0; 2];
        // SAFETY: two descriptors are written to the array; both stay open.
        unsafe {
            assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
            libc::fcntl(pipe[1], libc::F_SETFL, libc::O_NONBLOCK);
            let full = [b'x'; 4096];
            while libc::write(pipe[1], full.as_ptr().cast(), full.len()) > 0 {}
            libc::fcntl(pipe[1], libc::F_SETFL, 0);
        }
        let logger = logger();
        log(&logger, 10);
        ready();
        // SAFETY: standard error is the full pipe from now on.
        unsafe { libc::dup2(pipe[1], libc::STDERR_FILENO) };
        fault("SIGSEGV");
        return;
    }
    let ended = Process::start(name, "").end();
    assert_eq!(ended.signal(), Some(libc::SIGSEGV));
    assert!(ended.took < SOON, "{:?}", ended.took);
    assert!(ended.log_text().contains("crashed: SIGSEGV"));
}

#[test]
fn a_forked_child_that_crashes_writes_nothing_to_its_parents_log() {
    let name = "a_forked_child_that_crashes_writes_nothing_to_its_parents_log";
    if is_child() {
        let logger = logger();
        log(&logger, 100);
        // SAFETY: the child does what is below.
        let child = unsafe { libc::fork() };
        if child == 0 {
            fault("SIGSEGV");
        }
        let mut status = 0;
        // SAFETY: the status is written to the variable.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(libc::WTERMSIG(status), libc::SIGSEGV);
        assert_eq!(logger.shutdown(PATIENCE).written, 100);
        ready();
        return;
    }
    let ended = Process::start(name, "").end();
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(ended.log().lines.len(), 100);
    assert!(ended.stderr.contains("crashed: SIGSEGV"));
}
