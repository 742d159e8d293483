//! The exit matrix: each way a process can end, with the logger in each state.
//!
//! Each test is a row of the table "What can be lost, and when". It starts a real child process for
//! each state, ends it, and checks the file, the account, the exit status, and the time.

#![cfg(all(
    feature = "signals",
    feature = "crash",
    target_os = "linux",
    target_arch = "x86_64",
    not(miri)
))]

mod support;

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ringlog::sink::{Batch, File, Sink};
use ringlog::{Builder, Guard, RingLogger, info};
use support::child::is_child;
use support::log::Log;
use support::process::{Ended, Process, case, folder, log_path, ready, sleep_for_good, tally};
use support::wait_for;

/// What the logger is doing when the end comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everything has been written.
    Idle,
    /// Two threads log all the time.
    Busy,
    /// They log more than fits.
    Full,
    /// Records wait for a sink that takes its time.
    Slow,
    /// One of two sinks fails, always: its disk is full.
    Dead,
    /// The sink does not return.
    Stuck,
    /// The consumer thread was killed in a call of its sink.
    Orphaned,
    /// It was killed while it slept.
    Vacant,
    /// It sleeps, and does not get the time to wake.
    Starved,
}

use State::{Busy, Dead, Full, Idle, Orphaned, Slow, Starved, Stuck, Vacant};

const STATES: [State; 9] = [
    Idle, Busy, Full, Slow, Dead, Stuck, Orphaned, Vacant, Starved,
];

impl State {
    fn of_case() -> State {
        let case = case();
        let named = |state: &State| format!("{state:?}") == case;
        STATES.into_iter().find(named).expect("the case is a state")
    }

    /// How long a shutdown may take.
    fn deadline(self) -> Duration {
        match self {
            Stuck | Orphaned => Duration::from_millis(300),
            Starved => Duration::from_secs(2),
            _ => Duration::from_secs(20),
        }
    }

    /// Whether a shutdown can write everything, sooner or later.
    fn is_well(self) -> bool {
        !matches!(self, Stuck | Orphaned)
    }

    /// Whether there is a consumer that does what it should.
    fn has_consumer(self) -> bool {
        self.is_well() && !matches!(self, Vacant | Starved)
    }
}

/// How late a process may be on a machine that has other things to do.
const SLACK: Duration = Duration::from_secs(8);

/// A file whose disk is slow, or a file that never answers.
struct Disk {
    file: fs::File,
    /// The most bytes of one call.
    most: usize,
    pause: Duration,
}

impl Disk {
    fn open(most: usize, pause: Duration) -> Self {
        let file = fs::File::options()
            .create(true)
            .append(true)
            .open(log_path());
        Disk {
            file: file.unwrap(),
            most,
            pause,
        }
    }
}

static STUCK: AtomicBool = AtomicBool::new(false);

impl Sink for Disk {
    fn name(&self) -> &str {
        "disk"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        if self.pause == Duration::MAX && has(batch, "stuck") {
            STUCK.store(true, Ordering::Release);
        }
        if STUCK.load(Ordering::Acquire) {
            loop {
                thread::park();
            }
        }
        if self.pause < Duration::MAX {
            thread::sleep(self.pause);
        }
        let bytes = &batch.bytes()[..batch.bytes().len().min(self.most)];
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn has(batch: &Batch<'_>, word: &str) -> bool {
    let mut windows = batch.bytes().windows(word.len());
    windows.any(|window| window == word.as_bytes())
}

/// Ends the consumer thread with no chance for it to do anything about it.
struct Killer(fs::File);

impl Sink for Killer {
    fn name(&self) -> &str {
        "killer"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        if has(batch, "killed") {
            // SAFETY: the thread's stack is not used again; that it holds what others would have to
            // be given back is the point.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        }
        self.0.write(batch.bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn builder(state: State) -> Builder {
    let builder = RingLogger::builder()
        .lanes(2)
        .shutdown_deadline(state.deadline())
        .print_report(true);
    let all = usize::MAX;
    match state {
        Idle | Busy | Vacant | Starved => builder.sink(File::append(log_path()).unwrap()),
        Full => builder
            .lane_capacity(64)
            .shared_capacity(64)
            .sink(Disk::open(all, Duration::from_millis(1))),
        Slow => builder.sink(Disk::open(4096, Duration::from_millis(10))),
        Dead => builder
            .sink(File::append("/dev/full").unwrap())
            .sink(File::append(log_path()).unwrap()),
        Stuck => builder.sink(Disk::open(all, Duration::MAX)),
        Orphaned => {
            let file = fs::File::options()
                .create(true)
                .append(true)
                .open(log_path());
            builder.sink(Killer(file.unwrap()))
        }
    }
}

/// Logs one record by the name of this thread and its number.
fn log(name: &str, number: u64) {
    tally().note(|| info!("{name} {number}"));
}

/// Ends the thread that it interrupts in a system call that sleeps, or keeps it there for ever.
extern "C" fn end_sleeper(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands over the registers; before the place to go on at is an instruction of
    // two bytes or more, which is a system call if one was interrupted.
    unsafe {
        let registers = &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let place = registers[libc::REG_RIP as usize] as *const [u8; 2];
        let is_system_call = *place.sub(1) == [0x0f, 0x05];
        if is_system_call && registers[libc::REG_RAX as usize] == -i64::from(libc::EINTR) {
            if State::of_case() == Vacant {
                libc::syscall(libc::SYS_exit, 0);
            }
            STUCK.store(true, Ordering::Release);
            loop {
                libc::pause();
            }
        }
    }
}

/// The number of the consumer thread, if there is one.
fn consumer() -> Option<i32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let mut tasks = tasks.filter_map(|task| Some(task.ok()?.path()));
    let is_consumer = |task: &std::path::PathBuf| {
        fs::read(task.join("comm")).is_ok_and(|name| name == b"ringlog\n")
    };
    let consumer = tasks.find(is_consumer)?;
    consumer.file_name()?.to_str()?.parse().ok()
}

/// Has the consumer thread never wake.
fn end_the_sleeping_consumer() {
    // SAFETY: all zeros are a valid `sigaction`, and the handler is of the type that is asked for.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = end_sleeper as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        // The one signal that the consumer does not block.
        assert_eq!(
            libc::sigaction(libc::SIGPROF, &action, std::ptr::null_mut()),
            0
        );
    }
    wait_for("the end of the consumer", || {
        let Some(consumer) = consumer() else {
            return true;
        };
        if STUCK.load(Ordering::Acquire) {
            return true;
        }
        // SAFETY: takes no pointer.
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), consumer, libc::SIGPROF) };
        false
    });
}

/// Brings the installed logger into the state.
fn enter(state: State) {
    let records = if state == Slow { 2000 } else { 200 };
    for number in 0..records {
        log("main", number);
    }
    let logger = ringlog::logger().expect("it is installed");
    match state {
        Idle => logger.flush(support::LONG).unwrap(),
        Busy | Full => {
            for name in ["one", "two"] {
                thread::spawn(move || {
                    for number in 0.. {
                        log(name, number);
                        if state == Busy && number % 16 == 0 {
                            thread::sleep(Duration::from_millis(1));
                        }
                    }
                });
            }
            wait_for("records of the threads", || tally().accepted() > 1000);
            if state == Full {
                wait_for("a drop", || tally().full() > 100);
            }
        }
        Slow | Dead => {}
        Stuck | Orphaned => {
            logger.flush(support::LONG).unwrap();
            let word = if state == Stuck { "stuck" } else { "killed" };
            log(word, 0);
            wait_for("the end of the consumer", || {
                STUCK.load(Ordering::Acquire) || consumer().is_none()
            });
            for number in 200..300 {
                log("main", number);
            }
        }
        Vacant | Starved => {
            logger.flush(support::LONG).unwrap();
            end_the_sleeping_consumer();
            for number in 200..300 {
                log("main", number);
            }
        }
    }
    // For those ends that promise something of what was accepted before them.
    fs::write(folder().join("mark"), tally().accepted().to_string()).unwrap();
}

/// Installs a logger in the state of the case, and says that it is ready.
fn prepare() {
    let state = State::of_case();
    builder(state).configure().unwrap();
    RingLogger::handle_crashes(state.deadline()).unwrap();
    enter(state);
    ready();
}

/// Runs the row: all states, several at once.
fn for_each_state(
    test: &str,
    end: impl Fn(Process) -> Ended + Sync,
    check: impl Fn(&Outcome) + Sync,
) {
    thread::scope(|scope| {
        for states in STATES.chunks(2) {
            let (end, check) = (&end, &check);
            let run = move || {
                for &state in states {
                    let process = Process::start(test, &format!("{state:?}"));
                    let outcome = Outcome {
                        state,
                        ended: end(process),
                    };
                    check(&outcome);
                }
            };
            thread::Builder::new()
                .name(test.into())
                .spawn_scoped(scope, run)
                .unwrap();
        }
    });
}

/// What became of a child.
struct Outcome {
    state: State,
    ended: Ended,
}

impl Outcome {
    /// What goes into the message when something is not as it should be.
    fn story(&self) -> String {
        let Ended {
            status,
            stdout,
            stderr,
            took,
            ..
        } = &self.ended;
        let tally = self.ended.tally();
        format!(
            "{:?}: {status} after {took:?}: {} accepted, {} full, {} closed, {} unknown\n{stdout}\n{stderr}",
            self.state,
            tally.accepted(),
            tally.full(),
            tally.closed(),
            tally.unknown(),
        )
    }

    fn mark(&self) -> u64 {
        let mark = fs::read_to_string(self.ended.folder().join("mark")).unwrap();
        mark.parse().unwrap()
    }

    /// The file's whole lines. The last may be torn where the process was ended in a write.
    fn whole_lines(&self) -> Log {
        let text = self.ended.log_text();
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        Log::parse(&text[..end])
    }

    /// The records of each thread are there from the first on, and none is there twice; none is
    /// missing in between unless it was dropped. Answers how many there are.
    fn check_records(&self, log: &Log) -> u64 {
        let mut count = 0;
        for (name, numbers) in log.numbers() {
            count += numbers.len() as u64;
            assert!(
                numbers.is_sorted_by(|a, b| a < b),
                "`{name}` is out of order: {}",
                self.story()
            );
            let whole = numbers.iter().copied().eq(0..numbers.len() as u64);
            assert!(
                whole || self.state == Full,
                "records of `{name}` are missing: {}",
                self.story()
            );
        }
        count
    }

    /// The number in front of these words in the report that the child printed; 0 if there is none.
    fn reported(&self, words: &str) -> u64 {
        let report = self.report();
        for part in report.split([':', ';']).flat_map(|part| part.split(", ")) {
            if let Some((number, rest)) = part.trim().split_once(' ') {
                if rest.starts_with(words) {
                    return number.replace(',', "").parse().unwrap();
                }
            }
        }
        0
    }

    fn report(&self) -> String {
        let mut lines = self.ended.stderr.lines();
        let report = lines.find(|line| line.starts_with("ringlog: log "));
        report
            .unwrap_or_else(|| panic!("no report: {}", self.story()))
            .into()
    }

    /// What holds for every end that the logger knows of.
    fn check_orderly_end(&self) {
        self.check_orderly_end_with(0);
    }

    /// The same where the logger has made so many records by itself.
    fn check_orderly_end_with(&self, panics: u64) {
        let tally = self.ended.tally();
        let log = if self.state.is_well() {
            self.ended.log()
        } else {
            self.whole_lines()
        };
        let told = log.panics().len() as u64;
        let written = self.check_records(&log) + told;
        // A thread that was ended between a record and its note has written one more.
        let least = tally.accepted() + panics;
        let accepted = least..=least + tally.unknown();
        if self.state.is_well() {
            assert_eq!(told, panics, "{}", self.story());
        }
        let story = || format!("{written} written: {}", self.story());
        match self.state {
            Idle | Busy | Slow | Vacant | Starved => {
                assert!(accepted.contains(&written), "{}", story());
                assert_eq!(self.reported("written"), written, "{}", story());
                assert_eq!(tally.full(), 0, "{}", story());
            }
            Full => {
                assert!(accepted.contains(&written), "{}", story());
                assert_eq!(self.reported("written"), written, "{}", story());
                let gaps: u64 = log.gaps().iter().sum();
                let full = tally.full()..=tally.full() + tally.unknown();
                assert!(full.contains(&gaps), "{gaps} told of: {}", story());
                assert_eq!(self.reported("dropped"), gaps, "{}", story());
            }
            Dead => {
                // What one sink lost, the other has; the account says that it is not everywhere.
                assert_eq!(written, least, "{}", story());
                assert_eq!(self.reported("lost by a sink"), written, "{}", story());
                assert_eq!(self.reported("written"), 0, "{}", story());
            }
            Stuck | Orphaned => {
                assert_eq!(self.reported("written"), 200, "{}", story());
                assert!(written >= 200, "{}", story());
                let lost = self.reported("abandoned") + self.reported("lost by a sink");
                assert_eq!(200 + lost, least, "{}", story());
            }
        }
        if let Stuck | Orphaned = self.state {
            let name = if self.state == Stuck {
                "disk"
            } else {
                "killer"
            };
            let stuck = format!("sink `{name}` stuck");
            assert!(self.report().contains(&stuck), "{}", story());
        }
        let limit = self.state.deadline().min(Duration::from_secs(1)) + SLACK;
        assert!(self.ended.took < limit, "{}", story());
    }

    /// What holds for every crash that is handled: what was accepted before it is there, unless the
    /// consumer cannot.
    fn check_crash(&self) {
        let text = self.ended.log_text();
        let name = "crashed:";
        assert!(self.ended.stderr.contains(name), "{}", self.story());
        // The line of the crash may come in the middle of what the consumer goes on to write.
        let without: String = text
            .split_inclusive('\n')
            .filter(|line| !line.contains(name))
            .collect();
        let end = without.rfind('\n').map_or(0, |end| end + 1);
        let written = self.check_records(&Log::parse(&without[..end]));
        if self.state.has_consumer() {
            assert!(
                written >= self.mark(),
                "{written} of {}: {}",
                self.mark(),
                self.story()
            );
        } else {
            assert!(written >= 200, "{written}: {}", self.story());
        }
        assert!(self.ended.took < SLACK, "{}", self.story());
    }

    /// What holds whatever happens: what is in the file is whole and in order; only what was still
    /// in the ring is missing.
    fn check_sudden_end(&self) {
        let written = self.check_records(&self.whole_lines());
        let tally = self.ended.tally();
        assert!(
            written <= tally.accepted() + tally.unknown(),
            "{}",
            self.story()
        );
        if matches!(self.state, Idle | Stuck | Orphaned | Vacant | Starved) {
            // What had been flushed.
            assert!(written >= 200, "{}", self.story());
        }
        assert!(self.ended.took < SLACK, "{}", self.story());
    }

    fn check_code(&self, code: i32) {
        assert_eq!(self.ended.status.code(), Some(code), "{}", self.story());
    }

    fn check_signal(&self, signal: i32) {
        assert_eq!(self.ended.signal(), Some(signal), "{}", self.story());
    }
}

// Orderly ends.

#[test]
fn main_returns() {
    if is_child() {
        // The test program's `main` does, after this.
        return prepare();
    }
    for_each_state("main_returns", Process::end, |outcome| {
        outcome.check_code(0);
        outcome.check_orderly_end();
    });
}

#[test]
fn shutdown_is_called() {
    if is_child() {
        prepare();
        let deadline = State::of_case().deadline();
        ringlog::logger().unwrap().shutdown(deadline);
        // Not even the hook at the end of the process is needed.
        // SAFETY: runs nothing of the process's own.
        unsafe { libc::_exit(0) };
    }
    for_each_state("shutdown_is_called", Process::end, |outcome| {
        outcome.check_code(0);
        outcome.check_orderly_end();
    });
}

#[test]
fn the_guard_is_dropped() {
    if is_child() {
        let state = State::of_case();
        let guard: Guard = builder(state).install().unwrap();
        enter(state);
        ready();
        drop(guard);
        // Not even the hook at the end of the process is needed.
        // SAFETY: runs nothing of the process's own.
        unsafe { libc::_exit(0) };
    }
    for_each_state("the_guard_is_dropped", Process::end, |outcome| {
        outcome.check_code(0);
        outcome.check_orderly_end();
    });
}

#[test]
fn exit_is_called() {
    if is_child() {
        prepare();
        std::process::exit(3);
    }
    for_each_state("exit_is_called", Process::end, |outcome| {
        outcome.check_code(3);
        outcome.check_orderly_end();
    });
}

#[test]
fn exit_is_called_by_another_thread() {
    if is_child() {
        prepare();
        thread::spawn(|| std::process::exit(4));
        sleep_for_good();
    }
    for_each_state(
        "exit_is_called_by_another_thread",
        Process::end,
        |outcome| {
            outcome.check_code(4);
            outcome.check_orderly_end();
        },
    );
}

#[test]
fn main_panics() {
    if is_child() {
        prepare();
        panic!("on purpose");
    }
    for_each_state("main_panics", Process::end, |outcome| {
        // What the test program's `main` exits with, as any other would.
        outcome.check_code(101);
        assert!(outcome.ended.stderr.contains("on purpose"));
        outcome.check_orderly_end_with(1);
    });
}

fn signalled(test: &str, signal: i32) {
    if is_child() {
        prepare();
        sleep_for_good();
    }
    let end = |process: Process| {
        process.signal(signal);
        process.end()
    };
    for_each_state(test, end, |outcome| {
        outcome.check_signal(signal);
        outcome.check_orderly_end();
    });
}

#[test]
fn sigterm_comes() {
    signalled("sigterm_comes", libc::SIGTERM);
}

#[test]
fn sigint_comes() {
    signalled("sigint_comes", libc::SIGINT);
}

#[test]
fn sigquit_comes() {
    signalled("sigquit_comes", libc::SIGQUIT);
}

/// The parent's logger is as if nothing had happened; the child's is closed.
#[test]
fn a_child_is_forked_and_ends_first() {
    if is_child() {
        prepare();
        // SAFETY: the child does what is below.
        let child = unsafe { libc::fork() };
        if child == 0 {
            info!("not in the log");
            // Runs the hooks at the end of the process, which concern the parent's logger only.
            std::process::exit(0);
        }
        let mut status = 0;
        // SAFETY: the status is written to the variable.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0);
        std::process::exit(5);
    }
    for_each_state(
        "a_child_is_forked_and_ends_first",
        Process::end,
        |outcome| {
            outcome.check_code(5);
            outcome.check_orderly_end();
        },
    );
}

// Crashes.

#[test]
fn a_fault_ends_the_process() {
    if is_child() {
        prepare();
        // SAFETY: it is not: that is the point.
        unsafe { std::hint::black_box(0x10 as *mut u64).write_volatile(1) };
        return;
    }
    for_each_state("a_fault_ends_the_process", Process::end, |outcome| {
        outcome.check_signal(libc::SIGSEGV);
        outcome.check_crash();
    });
}

#[test]
fn abort_is_called() {
    if is_child() {
        prepare();
        std::process::abort();
    }
    for_each_state("abort_is_called", Process::end, |outcome| {
        outcome.check_signal(libc::SIGABRT);
        outcome.check_crash();
    });
}

#[test]
fn a_panic_aborts() {
    if is_child() {
        extern "C" fn cannot_unwind() {
            panic!("on purpose");
        }
        prepare();
        cannot_unwind();
    }
    for_each_state("a_panic_aborts", Process::end, |outcome| {
        outcome.check_signal(libc::SIGABRT);
        assert!(outcome.ended.stderr.contains("on purpose"));
        let told = outcome.ended.log_text().contains(": on purpose");
        assert!(told || !outcome.state.has_consumer(), "{}", outcome.story());
        outcome.check_crash();
    });
}

// Ends that nobody in the process is asked about.

#[test]
fn sigkill_comes() {
    if is_child() {
        prepare();
        sleep_for_good();
    }
    let end = |process: Process| {
        process.signal(libc::SIGKILL);
        process.end()
    };
    for_each_state("sigkill_comes", end, |outcome| {
        outcome.check_signal(libc::SIGKILL);
        outcome.check_sudden_end();
    });
}

#[test]
fn abort_is_called_and_crashes_are_not_handled() {
    if is_child() {
        let state = State::of_case();
        builder(state).crash_handler(false).configure().unwrap();
        enter(state);
        ready();
        std::process::abort();
    }
    let test = "abort_is_called_and_crashes_are_not_handled";
    for_each_state(test, Process::end, |outcome| {
        outcome.check_signal(libc::SIGABRT);
        assert!(!outcome.ended.stderr.contains("crashed:"));
        outcome.check_sudden_end();
    });
}

#[test]
fn the_process_exits_without_its_hooks() {
    if is_child() {
        prepare();
        // SAFETY: runs nothing of the process's own.
        unsafe { libc::_exit(6) };
    }
    for_each_state(
        "the_process_exits_without_its_hooks",
        Process::end,
        |outcome| {
            outcome.check_code(6);
            outcome.check_sudden_end();
        },
    );
}

#[test]
fn another_program_takes_its_place() {
    if is_child() {
        prepare();
        let error = std::process::Command::new("/bin/sh")
            .args(["-c", "exit 7"])
            .exec();
        panic!("{error}");
    }
    for_each_state("another_program_takes_its_place", Process::end, |outcome| {
        outcome.check_code(7);
        outcome.check_sudden_end();
    });
}
