//! Signal handlers that log: real signals, from real timers, into threads that are busy with
//! everything that a handler must not touch.

#![cfg(all(target_os = "linux", not(miri)))]

mod support;

use std::mem::{MaybeUninit, zeroed};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ringlog::sink::Memory;
use ringlog::{Level, Outcome, Overflow, RingLogger, debug, in_handler, info, warn};
use support::allocator::Counting;
use support::{Books, LONG, Log, wait_for};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the handler has run.
static RUNS: AtomicU64 = AtomicU64::new(0);

fn books() -> &'static Books {
    static BOOKS: OnceLock<Books> = OnceLock::new();
    BOOKS.get_or_init(Books::new)
}

fn install(signal: i32, handler: extern "C" fn(i32), flags: i32) {
    // SAFETY: the handler is a function of the right type.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags | libc::SA_RESTART;
        assert_eq!(libc::sigaction(signal, &action, ptr::null_mut()), 0);
    }
}

/// Runs the body in a process of its own, which ends if it hangs.
fn alone(test: &str, body: impl FnOnce()) {
    support::child::alone(test, || {
        // SAFETY: takes no pointer.
        unsafe { libc::alarm(LONG.as_secs() as u32) };
        body();
    });
}

/// Sends the calling thread a signal every so often, as long as it lives.
struct Timer(libc::timer_t);

impl Timer {
    fn start(signal: i32, period: Duration) -> Self {
        // SAFETY: all values are initialised, and the kernel reads and writes one of each.
        unsafe {
            let mut event: libc::sigevent = zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = signal;
            event.sigev_notify_thread_id = libc::syscall(libc::SYS_gettid) as i32;
            let mut timer = MaybeUninit::uninit();
            let created = libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, timer.as_mut_ptr());
            assert_eq!(created, 0);
            let timer = timer.assume_init();
            let period = libc::timespec {
                tv_sec: 0,
                tv_nsec: period.as_nanos() as i64,
            };
            let times = libc::itimerspec {
                it_interval: period,
                it_value: period,
            };
            assert_eq!(libc::timer_settime(timer, 0, &times, ptr::null_mut()), 0);
            Timer(timer)
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: it was created, and is deleted once.
        unsafe { libc::timer_delete(self.0) };
    }
}

/// The handler's number: each run has one of its own.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

extern "C" fn log_in_handler(_: i32) {
    let number = next();
    let outcome = info!(logger: in_handler(), "handler {number}");
    books().note(Level::Info, outcome);
    RUNS.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn log_plainly(_: i32) {
    let number = next();
    books().note(Level::Info, info!("plain {number}"));
    RUNS.fetch_add(1, Ordering::Relaxed);
}

/// More than there is room for, so seldom that what it interrupts comes to something in between.
extern "C" fn flood_plainly(_: i32) {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    if CALLS.fetch_add(1, Ordering::Relaxed) % 64 != 0 {
        return;
    }
    for _ in 0..100 {
        let number = next();
        books().note(Level::Info, info!("plain {number}"));
    }
    RUNS.fetch_add(20, Ordering::Relaxed);
}

fn interruptions() -> u64 {
    if cfg!(debug_assertions) {
        5_000
    } else {
        20_000
    }
}

/// Logs as fast as it can, while a timer interrupts it as often as it can.
fn hammer(handler: extern "C" fn(i32), capacity: usize, overflow: Overflow) {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .lanes(1)
        .lane_capacity(capacity)
        .shared_capacity(capacity)
        .overflow(overflow)
        .sink(memory.clone())
        .install()
        .unwrap();
    logger.warm_up();
    // The plain form has to have run once.
    handler(0);
    install(libc::SIGUSR1, handler, 0);
    let timer = Timer::start(libc::SIGUSR1, Duration::from_micros(20));
    let mut number = 0_u64;
    while RUNS.load(Ordering::Relaxed) < interruptions() {
        books().note(Level::Info, info!("main {number}"));
        number += 1;
        if number % 8 == 0 {
            books().note(Level::Warn, warn!("long {number} {}", "y".repeat(200)));
        }
    }
    drop(timer);
    let report = logger.shutdown(LONG);
    books().check_report(&logger, &report);
    let log = Log::of(&memory);
    assert_eq!(log.records().count() as u64, books().accepted());
    let numbers = log.numbers();
    assert!(numbers["main"].is_sorted_by(|a, b| a < b));
    let name = if numbers.contains_key("handler") {
        "handler"
    } else {
        "plain"
    };
    let mut seen = numbers[name].clone();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), numbers[name].len(), "a record is there twice");
    assert!(seen.len() as u64 * 10 > interruptions(), "{}", seen.len());
    assert_eq!(log.gaps().iter().sum::<u64>(), books().full());
}

#[test]
fn a_handler_may_log_whatever_it_interrupts() {
    alone("a_handler_may_log_whatever_it_interrupts", || {
        hammer(log_in_handler, 65_536, Overflow::Drop);
    });
}

#[test]
fn a_handler_may_log_when_the_ring_is_full() {
    alone("a_handler_may_log_when_the_ring_is_full", || {
        hammer(log_in_handler, 64, Overflow::Drop);
    });
}

/// Waiting could not end where the consumer waits for what the handler interrupted.
#[test]
fn a_handler_never_waits() {
    alone("a_handler_never_waits", || {
        hammer(log_in_handler, 64, Overflow::Block);
    });
}

#[test]
fn the_plain_form_is_safe_for_statements_and_threads_that_have_logged() {
    let name = "the_plain_form_is_safe_for_statements_and_threads_that_have_logged";
    alone(name, || hammer(log_plainly, 4096, Overflow::Drop));
}

#[test]
fn the_plain_form_is_safe_when_the_ring_is_full() {
    let name = "the_plain_form_is_safe_when_the_ring_is_full";
    alone(name, || hammer(log_plainly, 64, Overflow::Drop));
}

/// It may wait, but not for a write that it has interrupted: then the rest of its records go to the
/// shared ring, and are dropped when that is full.
#[test]
fn the_plain_form_does_not_wait_for_what_it_has_interrupted() {
    let name = "the_plain_form_does_not_wait_for_what_it_has_interrupted";
    alone(name, || hammer(flood_plainly, 64, Overflow::Block));
}

/// Sixty-four statements, each in a function of its own.
macro_rules! statements {
    ($($a:literal)*) => {
        [$(
            || info!(logger: in_handler(), "first {} {} {}", $a, 7_u8, "text")
        ),*]
    };
}

type Statement = fn() -> Outcome;

static STATEMENTS: [Statement; 64] = statements!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
);

static STARTED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn run_a_statement(_: i32) {
    if let Some(statement) = STATEMENTS.get(STARTED.fetch_add(1, Ordering::Relaxed)) {
        books().note(Level::Info, statement());
        RUNS.fetch_add(1, Ordering::Relaxed);
    }
}

/// The thread that is interrupted holds the lock that registers statements, or the allocator's,
/// nearly all the time.
#[test]
fn a_statement_may_run_for_the_first_time_in_a_handler() {
    alone(
        "a_statement_may_run_for_the_first_time_in_a_handler",
        || {
            let memory = Memory::new();
            let logger = RingLogger::builder()
                .sink(memory.clone())
                .install()
                .unwrap();
            books();
            install(libc::SIGUSR1, run_a_statement, 0);
            let timer = Timer::start(libc::SIGUSR1, Duration::from_micros(100));
            let mut held = Vec::new();
            while STARTED.load(Ordering::Relaxed) < STATEMENTS.len() {
                logger.set_level(Level::Info);
                held.push(vec![0_u8; 64]);
                held.truncate(100);
            }
            drop(timer);
            // Now it is like any other.
            assert_eq!(
                books().note(Level::Info, STATEMENTS[0]()),
                Outcome::Accepted
            );
            let report = logger.shutdown(LONG);
            books().check_report(&logger, &report);
            assert_eq!(report.written, 65);
            let log = Log::of(&memory);
            let mut numbers = log.numbers()["first"].clone();
            numbers.sort_unstable();
            assert_eq!(numbers[..2], [0, 0]);
            assert!(numbers[1..].iter().copied().eq(0..64));
            assert!(log.records().all(|line| line.text.ends_with(" 7 text")));
        },
    );
}

#[test]
fn a_handler_neither_allocates_nor_evaluates_what_is_filtered() {
    let name = "a_handler_neither_allocates_nor_evaluates_what_is_filtered";
    alone(name, || {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .level(Level::Info)
            .sink(memory.clone())
            .build()
            .unwrap();
        assert_eq!(
            info!(logger: in_handler(), "nobody hears"),
            Outcome::Filtered
        );
        let text = "z".repeat(1000);
        thread::scope(|scope| {
            scope.spawn(|| {
                let before = support::allocator::my_allocations();
                let handler = logger.in_handler();
                let outcomes = [
                    info!(logger: handler, "short {}", 1),
                    info!(logger: handler, "long {text}"),
                    info!(logger: handler, "formatted {:?}", Some(Duration::from_millis(3))),
                    debug!(logger: handler, "filtered {}", panic_if_evaluated()),
                    info!(logger: handler, "no arguments"),
                ];
                assert_eq!(support::allocator::my_allocations(), before);
                let accepted = |outcome: &&Outcome| **outcome == Outcome::Accepted;
                assert_eq!(outcomes.iter().filter(accepted).count(), 4);
                assert_eq!(outcomes[3], Outcome::Filtered);
            });
        });
        assert_eq!(logger.shutdown(LONG).written, 4);
        let log = Log::of(&memory);
        let texts = log.texts();
        assert_eq!(texts[0], "short 1");
        assert_eq!(texts[1], format!("long {text}"));
        assert_eq!(texts[2..], ["formatted Some(3ms)", "no arguments"]);
    });
}

fn panic_if_evaluated() -> u32 {
    panic!("it was evaluated")
}

static ON_SMALL_STACK: AtomicBool = AtomicBool::new(false);

extern "C" fn log_on_a_small_stack(_: i32) {
    let number = 1.5_f64;
    let text = "some text of the caller's";
    info!(logger: in_handler(), "first {number} {text} {:?}", (1_u8, 2_u64, 'c'));
    ON_SMALL_STACK.store(true, Ordering::Release);
}

/// The least stack that the C library thinks is enough for a handler, of which the kernel takes up to
/// 3.4 KiB for the registers. Twice that where nothing is optimized.
#[test]
fn a_small_alternate_stack_is_enough_for_a_short_record() {
    alone(
        "a_small_alternate_stack_is_enough_for_a_short_record",
        || {
            const GUARD: usize = 4096;
            let size = libc::SIGSTKSZ * (1 + usize::from(cfg!(debug_assertions)));
            // SAFETY: a mapping of the test's own; its lowest page faults when it is touched.
            unsafe {
                let access = libc::PROT_READ | libc::PROT_WRITE;
                let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                let memory = libc::mmap(ptr::null_mut(), GUARD + size, access, kind, -1, 0);
                assert_ne!(memory, libc::MAP_FAILED);
                assert_eq!(libc::mprotect(memory, GUARD, libc::PROT_NONE), 0);
                let stack = libc::stack_t {
                    ss_sp: memory.byte_add(GUARD),
                    ss_flags: 0,
                    ss_size: size,
                };
                assert_eq!(libc::sigaltstack(&stack, ptr::null_mut()), 0);
            }
            let memory = Memory::new();
            let logger = RingLogger::builder()
                .sink(memory.clone())
                .install()
                .unwrap();
            install(libc::SIGUSR1, log_on_a_small_stack, libc::SA_ONSTACK);
            // SAFETY: takes no pointer.
            unsafe { libc::raise(libc::SIGUSR1) };
            wait_for("the handler", || ON_SMALL_STACK.load(Ordering::Acquire));
            logger.shutdown(LONG);
            let texts = Log::of(&memory);
            assert_eq!(
                texts.texts(),
                ["first 1.5 some text of the caller's (1, 2, 'c')"]
            );
        },
    );
}

/// Any thread of the process may be the one that is interrupted, but for the consumer.
#[test]
fn the_consumer_runs_no_handler() {
    alone("the_consumer_runs_no_handler", || {
        static ON_CONSUMER: AtomicU64 = AtomicU64::new(0);
        extern "C" fn look(_: i32) {
            let mut name = [0_u8; 16];
            // SAFETY: the kernel writes at most 16 bytes.
            unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
            ON_CONSUMER.fetch_add(u64::from(&name[..7] == b"ringlog"), Ordering::Relaxed);
            RUNS.fetch_add(1, Ordering::Relaxed);
        }
        let logger = RingLogger::builder().sink(Memory::new()).build().unwrap();
        install(libc::SIGALRM, look, 0);
        let period = libc::timeval {
            tv_sec: 0,
            tv_usec: 200,
        };
        let times = libc::itimerval {
            it_interval: period,
            it_value: period,
        };
        // SAFETY: the kernel reads one `itimerval`.
        unsafe { libc::setitimer(libc::ITIMER_REAL, &times, ptr::null_mut()) };
        while RUNS.load(Ordering::Relaxed) < 500 {
            info!(logger: &logger, "text");
            thread::sleep(Duration::from_micros(500));
        }
        assert_eq!(ON_CONSUMER.load(Ordering::Relaxed), 0);
    });
}

/// A signal after each instruction of a statement, by the processor's trap flag; at one of them, the
/// handler logs.
#[cfg(target_arch = "x86_64")]
mod at_each_instruction {
    use std::arch::asm;
    use std::mem::zeroed;
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use ringlog::sink::Memory;
    use ringlog::{Level, Outcome, Overflow, RingLogger, info};

    use super::support::{Books, LONG, Log, wait_for};
    use super::{alone, books, next};

    /// In how many places the handler logs. A debug build has thousands of instructions, most of which
    /// are not the ring's, and a signal takes its time: there, each run tries others.
    const PLACES: u64 = if cfg!(debug_assertions) { 40 } else { 2_000 };

    static STEP: AtomicU64 = AtomicU64::new(0);
    static AT: AtomicU64 = AtomicU64::new(u64::MAX);

    /// What the handler does when it is time.
    static WORK: OnceLock<fn()> = OnceLock::new();

    const TRAP_FLAG: i64 = 0x100;

    extern "C" fn on_step(_: i32, _: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
        if STEP.fetch_add(1, Ordering::Relaxed) == AT.load(Ordering::Relaxed) {
            WORK.get().unwrap()();
            // SAFETY: the kernel made it for this call, and reads it when that returns. No further
            // steps are needed.
            unsafe { (*context).uc_mcontext.gregs[libc::REG_EFL as usize] &= !TRAP_FLAG };
        }
    }

    fn install() {
        // SAFETY: the handler is a function of the type that belongs to the flag.
        unsafe {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = on_step as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            assert_eq!(libc::sigaction(libc::SIGTRAP, &action, ptr::null_mut()), 0);
        }
    }

    /// Runs `body` with the handler's work done after instruction `at`; answers how many there are.
    fn step(at: u64, body: impl FnOnce()) -> u64 {
        AT.store(at, Ordering::Relaxed);
        STEP.store(0, Ordering::Relaxed);
        // SAFETY: sets the trap flag, and clears it again; the handler is there.
        unsafe { asm!("pushfq", "or qword ptr [rsp], {}", "popfq", const TRAP_FLAG) };
        body();
        // SAFETY: as above.
        unsafe { asm!("pushfq", "and qword ptr [rsp], {}", "popfq", const !TRAP_FLAG) };
        STEP.load(Ordering::Relaxed)
    }

    /// Runs `body` once for each of its instructions, or for some of them if there are very many, each
    /// time with the handler's work in another place.
    fn everywhere(work: fn(), mut body: impl FnMut(), mut after: impl FnMut()) {
        WORK.set(work).unwrap();
        install();
        // Both have to have run once.
        work();
        body();
        let steps = step(u64::MAX, &mut body);
        let stride = (steps / PLACES).max(1);
        let first = u64::from(std::process::id()) % stride;
        for at in (first..=steps).step_by(stride as usize) {
            step(at, &mut body);
            after();
        }
    }

    static LOGGERS: OnceLock<[RingLogger; 2]> = OnceLock::new();

    fn logger(index: usize) -> &'static RingLogger {
        &LOGGERS.get().unwrap()[index]
    }

    fn start(overflow: Overflow) -> [Memory; 2] {
        let memories = [Memory::new(), Memory::new()];
        let loggers = memories.each_ref().map(|memory| {
            RingLogger::builder()
                .lanes(1)
                .lane_capacity(64)
                .shared_capacity(64)
                .overflow(overflow)
                .sink(memory.clone())
                .build()
                .unwrap()
        });
        assert!(LOGGERS.set(loggers).is_ok());
        memories
    }

    fn log_short() {
        let outcome = info!(logger: logger(0), "plain {}", next());
        books().note(Level::Info, outcome);
    }

    /// Of several slots.
    fn log_long() {
        let outcome = info!(logger: logger(0), "plain {} {}", next(), "y".repeat(100));
        books().note(Level::Info, outcome);
    }

    fn flood() {
        for _ in 0..60 {
            log_short();
            log_long();
        }
    }

    fn no_record_is_lost(work: fn(), overflow: Overflow, body: fn(u64) -> Outcome) {
        let [memory, _] = start(overflow);
        let mut number = 0;
        everywhere(
            work,
            || {
                books().note(Level::Info, body(number));
                number += 1;
            },
            || logger(0).flush(Duration::from_secs(5)).unwrap(),
        );
        let report = logger(0).shutdown(LONG);
        books().check_report(logger(0), &report);
        let log = Log::of(&memory);
        assert_eq!(log.records().count() as u64, books().accepted());
        let numbers = log.numbers();
        assert!(numbers["main"].is_sorted_by(|a, b| a < b));
        let mut plain = numbers["plain"].clone();
        plain.sort_unstable();
        assert!(plain.is_sorted_by(|a, b| a < b), "a record is there twice");
        assert_eq!(log.gaps().iter().sum::<u64>(), books().full());
    }

    fn short(number: u64) -> Outcome {
        info!(logger: logger(0), "main {number}")
    }

    fn text(number: u64) -> Outcome {
        info!(logger: logger(0), "main {number} {}", "short")
    }

    fn long(number: u64) -> Outcome {
        const TEXT: &str = "a text that does not fit in one slot, nor in the one behind it, but in the \
                            third, if there is room for so many";
        info!(logger: logger(0), "main {number} {}", TEXT)
    }

    macro_rules! cases {
        ($($name:ident: $work:expr, $overflow:expr, $body:expr;)*) => {$(
            #[test]
            fn $name() {
                let name = concat!("at_each_instruction::", stringify!($name));
                alone(name, || no_record_is_lost($work, $overflow, $body));
            }
        )*};
    }

    cases! {
        a_short_record_may_interrupt_a_short_one: log_short, Overflow::Drop, short;
        a_short_record_may_interrupt_a_text: log_short, Overflow::Drop, text;
        a_short_record_may_interrupt_a_long_one: log_short, Overflow::Block, long;
        a_long_record_may_interrupt_a_short_one: log_long, Overflow::Block, short;
        more_than_there_is_room_for_may_interrupt_a_short_record: flood, Overflow::Block, short;
        more_than_there_is_room_for_may_interrupt_a_long_record: flood, Overflow::Block, long;
        drops_may_interrupt_a_short_record: flood, Overflow::Drop, short;
        drops_may_interrupt_a_text: flood, Overflow::Drop, text;
    }

    #[test]
    fn the_records_of_two_loggers_are_not_mixed_up() {
        fn to_the_second() {
            let second = Books::new();
            second.note(Level::Info, info!(logger: logger(1), "second {}", next()));
        }
        let name = "at_each_instruction::the_records_of_two_loggers_are_not_mixed_up";
        alone(name, || {
            let memories = start(Overflow::Block);
            let mut written = [0_u64; 2];
            everywhere(
                to_the_second,
                || {
                    for (index, written) in written.iter_mut().enumerate() {
                        let outcome = if index == 0 {
                            info!(logger: logger(0), "first {written}")
                        } else {
                            info!(logger: logger(1), "own {written}")
                        };
                        assert_eq!(outcome, Outcome::Accepted);
                        *written += 1;
                    }
                },
                || {
                    for (index, memory) in memories.iter().enumerate() {
                        logger(index).flush(LONG).unwrap();
                        for line in memory.contents().lines() {
                            assert_eq!(line.contains("] first "), index == 0, "{line}");
                        }
                    }
                },
            );
            wait_for("all of the first", || {
                memories[0].contents().lines().count() as u64 == written[0]
            });
        });
    }
}
