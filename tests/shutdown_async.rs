//! A shutdown that tasks wait for: on any runtime, on two at once, on none.

#![cfg(not(miri))] // which knows no runtime

mod support;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use ringlog::sink::Memory;
use ringlog::{Level, Outcome, RingLogger, ShutdownFuture, ShutdownOutcome, ShutdownReport, info};
use support::sinks::{Scripted, Valve};
use support::{Books, LONG, Log, wait_for, within};

/// The deadline of those tests in which it passes.
const SHORT: Duration = Duration::from_millis(200);

/// More than anything but waiting for the wrong event takes.
const SOON: Duration = Duration::from_secs(10);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// All the runtime that there needs to be.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Notes that it was woken.
#[derive(Default)]
struct Flag(AtomicUsize);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll(future: &mut ShutdownFuture, flag: &Arc<Flag>) -> Poll<ShutdownReport> {
    let waker = Waker::from(flag.clone());
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

fn on_tokio<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    with_two_threads(runtime).block_on(future)
}

fn with_two_threads(mut builder: tokio::runtime::Builder) -> tokio::runtime::Runtime {
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// One thread does everything.
fn on_tokio_here<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future)
}

#[test]
fn everything_is_written_on_whatever_runtime() {
    type Run = fn(ShutdownFuture) -> ShutdownReport;
    let runs: [Run; 4] = [block_on, on_tokio, on_tokio_here, |future| {
        smol::block_on(future)
    }];
    for run in runs {
        for thread in [true, false] {
            let (books, memory) = (Books::new(), Memory::new());
            let logger = RingLogger::builder().thread(thread).sink(memory.clone());
            let logger = logger.build().unwrap();
            for number in 0..3000 {
                books.note(Level::Info, info!(logger: &logger, "main {number}"));
            }
            let report = run(logger.shutdown_async(LONG));
            assert_eq!(report.outcome, ShutdownOutcome::Drained);
            books.note(Level::Info, info!(logger: &logger, "late"));
            assert_eq!(books.closed(), 1);
            books.check_report(&logger, &report);
            assert_eq!(logger.shutdown(LONG), report);
            let log = Log::of(&memory);
            assert!(log.numbers()["main"].iter().copied().eq(0..3000));
        }
    }
}

#[test]
fn the_thread_of_the_task_is_not_blocked() {
    let valve = Valve::shut(Memory::new());
    let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
    info!(logger: &logger, "text");
    valve.wait_until_stuck();
    let ticks = on_tokio_here(async {
        let mut ticks = 0;
        let tick = async {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                ticks += 1;
                if ticks == 20 {
                    // Only another task of the same thread lets the shutdown go on.
                    valve.open();
                }
            }
        };
        let report = tokio::select! {
            report = logger.shutdown_async(LONG) => report,
            () = tick => unreachable!(),
        };
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        ticks
    });
    assert!(ticks >= 20);
}

#[test]
fn the_deadline_counts_from_the_first_poll_and_a_stuck_sink_is_named() {
    let valve = Valve::shut(Memory::new());
    let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
    let books = Books::new();
    books.note(Level::Info, info!(logger: &logger, "text"));
    valve.wait_until_stuck();
    let future = logger.shutdown_async(SHORT);
    // Nothing has begun.
    thread::sleep(SHORT);
    books.note(Level::Info, info!(logger: &logger, "text"));
    assert_eq!(books.accepted(), 2);
    let started = Instant::now();
    let report = on_tokio(future);
    assert!(started.elapsed() >= SHORT);
    assert!(started.elapsed() < SOON);
    assert_eq!(report.outcome, ShutdownOutcome::TimedOut);
    assert_eq!(report.stuck_sink.as_deref(), Some("valve"));
    books.check_report(&logger, &report);
    valve.open();
}

#[test]
fn two_runtimes_and_a_thread_at_once_get_the_same_report() {
    for _ in 0..support::scaled(40) {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder().sink(memory.clone()).build().unwrap();
        for number in 0..500 {
            books.note(Level::Info, info!(logger: &logger, "main {number}"));
        }
        let reports = thread::scope(|scope| {
            let threads = [
                scope.spawn(|| on_tokio(logger.shutdown_async(LONG))),
                scope.spawn(|| on_tokio_here(logger.shutdown_async(LONG))),
                scope.spawn(|| smol::block_on(logger.shutdown_async(LONG))),
                scope.spawn(|| logger.shutdown(LONG)),
            ];
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(reports.iter().all(|report| report == &reports[0]));
        assert_eq!(reports[0].outcome, ShutdownOutcome::Drained);
        books.check_report(&logger, &reports[0]);
        assert_eq!(Log::of(&memory).records().count(), 500);
    }
}

/// As from any task, whether or not the logger's owner is still there.
#[test]
fn it_can_be_spawned_and_outlives_the_owner_of_the_logger() {
    let memory = Memory::new();
    let logger = RingLogger::builder().sink(memory.clone()).build().unwrap();
    let runtime = with_two_threads(tokio::runtime::Builder::new_multi_thread());
    let waiting = runtime.spawn(logger.shutdown_async(LONG));
    info!(logger: &logger, "text");
    drop(logger);
    let report = runtime.block_on(waiting).unwrap();
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
}

#[test]
fn it_works_after_the_runtime_is_gone() {
    let (books, memory) = (Books::new(), Memory::new());
    let logger = RingLogger::builder().sink(memory.clone()).build().unwrap();
    let runtime = with_two_threads(tokio::runtime::Builder::new_multi_thread());
    let entered = runtime.enter();
    let future = logger.shutdown_async(LONG);
    drop(entered);
    drop(runtime);
    books.note(Level::Info, info!(logger: &logger, "main {}", 0));
    let report = block_on(future);
    books.check_report(&logger, &report);
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
}

/// The task is dropped in the middle: who comes later gets the report.
#[test]
fn it_goes_on_when_its_runtime_goes_away() {
    let memory = Memory::new();
    let valve = Valve::shut(memory.clone());
    let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
    let books = Books::new();
    books.note(Level::Info, info!(logger: &logger, "main {}", 0));
    valve.wait_until_stuck();
    let runtime = with_two_threads(tokio::runtime::Builder::new_multi_thread());
    let waiting = runtime.spawn(logger.shutdown_async(LONG));
    wait_for("the closing", || {
        books.note(Level::Info, info!(logger: &logger, "main {}", 0)) == Outcome::Closed
    });
    runtime.shutdown_background();
    drop(waiting);
    valve.open();
    let report = within(LONG, "the shutdown", move || {
        let report = block_on(logger.shutdown_async(LONG));
        books.check_report(&logger, &report);
        report
    });
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
    assert_eq!(Log::of(&memory).records().count() as u64, report.written);
}

#[test]
fn the_task_that_polled_last_is_woken_and_the_report_stays() {
    let valve = Valve::shut(Memory::new());
    let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
    info!(logger: &logger, "text");
    valve.wait_until_stuck();
    let (first, second) = (Arc::new(Flag::default()), Arc::new(Flag::default()));
    let mut future = logger.shutdown_async(LONG);
    assert!(poll(&mut future, &first).is_pending());
    assert!(poll(&mut future, &second).is_pending());
    assert_eq!(info!(logger: &logger, "text"), Outcome::Closed);
    valve.open();
    wait_for("the wake", || second.0.load(Ordering::Relaxed) == 1);
    assert_eq!(first.0.load(Ordering::Relaxed), 0);
    let Poll::Ready(report) = poll(&mut future, &first) else {
        panic!("it was woken and is not ready");
    };
    assert_eq!(report.written, 1);
    assert_eq!(poll(&mut future, &first), Poll::Ready(report));
}

/// It would wait for itself.
#[test]
fn a_sink_that_waits_for_it_gets_an_answer_at_once() {
    let logger = Arc::new(OnceLock::<Weak<RingLogger>>::new());
    let answered = Arc::new(AtomicBool::new(false));
    let (own, told) = (logger.clone(), answered.clone());
    let built = RingLogger::builder()
        .sink(Scripted::new("async", move |batch| {
            if let Some(logger) = own.get().and_then(Weak::upgrade) {
                let report = block_on(logger.shutdown_async(LONG));
                assert_eq!(report.outcome, ShutdownOutcome::TimedOut);
                told.store(true, Ordering::Relaxed);
            }
            Ok(batch.bytes().len())
        }))
        .build();
    let built = Arc::new(built.unwrap());
    logger.set(Arc::downgrade(&built)).unwrap();
    info!(logger: &*built, "text");
    wait_for("the answer", || answered.load(Ordering::Relaxed));
    let report = built.shutdown(LONG);
    assert_eq!(
        (report.outcome, report.written),
        (ShutdownOutcome::Drained, 1)
    );
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn it_blocks_where_the_kernel_refuses_a_thread() {
    within(LONG, "the shutdown", || {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder().sink(memory.clone()).build().unwrap();
        books.note(Level::Info, info!(logger: &logger, "main {}", 0));
        // Concerns this thread only.
        support::seccomp::fail(libc::SYS_clone3, libc::EAGAIN);
        let mut future = logger.shutdown_async(LONG);
        let Poll::Ready(report) = poll(&mut future, &Arc::default()) else {
            panic!("there is a thread");
        };
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        books.check_report(&logger, &report);
    });
}

/// Neither a future of the parent's that was polled there nor a new one waits for a thread that is
/// not there.
#[test]
#[cfg(unix)]
fn it_answers_at_once_in_a_forked_child() {
    let test = "it_answers_at_once_in_a_forked_child";
    support::child::alone(test, || {
        let valve = Valve::shut(Memory::new());
        let logger = RingLogger::builder().sink(valve.clone()).build().unwrap();
        info!(logger: &logger, "text");
        valve.wait_until_stuck();
        let mut polled = logger.shutdown_async(LONG);
        assert!(poll(&mut polled, &Arc::default()).is_pending());
        // SAFETY: the child does what is below, and no more.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let new = block_on(logger.shutdown_async(LONG)).outcome;
            let both = (new, block_on(polled).outcome);
            let as_it_should_be = both == (ShutdownOutcome::Forked, ShutdownOutcome::Forked);
            // SAFETY: runs nothing of the process's own.
            unsafe { libc::_exit(if as_it_should_be { 7 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: the status is written to the variable.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(libc::WEXITSTATUS(status), 7);
        valve.open();
        assert_eq!(block_on(polled).outcome, ShutdownOutcome::Drained);
    });
}
