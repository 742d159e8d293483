//! Signals that end the process, or have the log files opened anew.
//!
//! The handler only notes the signal and rings a bell; a thread that waits for the bell does what is
//! to be done. It is not the consumer, which may be stuck in a sink, or dead, or one of several:
//! whatever they do, the process ends in time.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use libc::c_int;

use super::core::Core;
use super::{live, rescue};
use crate::error::SignalError;
use crate::sys;
use crate::sys::signal::{self, Bell, Caught, Disposition};

/// The signals, and their names.
const SIGNALS: [(c_int, &str); 4] = [
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGHUP, "SIGHUP"),
];

/// How long a handler of the program's waits for the consumers, before it is called.
const BEFORE_HANDLERS: Duration = Duration::from_millis(100);

/// How long after its signal the process may live on.
const END: Duration = Duration::from_millis(500);

/// Rung for whatever is below.
static BELL: Bell = Bell::new();

/// The process whose thread waits for the bell; 0 if none does.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// The signal by which the process is to end; 0 if none has come.
static ENDING: AtomicI32 = AtomicI32::new(0);

/// How often log files were to be opened anew.
static REOPEN: AtomicU32 = AtomicU32::new(0);

/// How long the shutdowns may take, in nanoseconds.
static DEADLINE: AtomicU64 = AtomicU64::new(0);

/// See [`RingLogger::handle_signals`](super::RingLogger::handle_signals).
pub(super) fn handle(deadline: Duration) -> Result<(), SignalError> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let nanos = u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX);
    DEADLINE.store(nanos, Ordering::Relaxed);
    start().map_err(SignalError::Thread)?;
    for (signal, name) in SIGNALS {
        if signal::disposition(signal) != Disposition::Ignored {
            let error = |source| SignalError::Refused {
                signal: name,
                source,
            };
            signal::install(signal, handler, false).map_err(error)?;
        }
    }
    Ok(())
}

/// Starts the thread, if the process has none.
fn start() -> std::io::Result<()> {
    let process = signal::process();
    if PROCESS.load(Ordering::Acquire) == process {
        return Ok(());
    }
    BELL.silence();
    ENDING.store(0, Ordering::Relaxed);
    REOPEN.store(0, Ordering::Relaxed);
    // Never waited for.
    drop(sys::thread::spawn(c"ringlog-signals", wait_for_signals)?);
    // Release: pairs with the Acquire in `handler`; the bell can be rung from now on.
    PROCESS.store(process, Ordering::Release);
    Ok(())
}

/// In a forked child that has a logger of its own: handles signals as the parent did.
pub(super) fn restart_in_child() -> std::io::Result<()> {
    if PROCESS.load(Ordering::Acquire) == 0 {
        return Ok(());
    }
    start()
}

fn handler(caught: &Caught) {
    let signal = caught.signal;
    let is_reopening = signal == libc::SIGHUP;
    // The child of a fork has the handler, and nobody who hears the bell.
    let is_heard = PROCESS.load(Ordering::Acquire) == signal::process();
    if is_reopening && is_heard {
        REOPEN.fetch_add(1, Ordering::Release);
        BELL.ring();
    }
    // One that was installed later, and calls this one, is the program's as well.
    if signal::disposition(signal) == Disposition::Handler || !signal::is_in_place(signal) {
        if !is_reopening && is_heard {
            rescue::write_out(BEFORE_HANDLERS);
        }
        // What comes of it is for the program to decide: it may live on, and log.
        caught.chain();
        return;
    }
    if is_reopening && is_heard {
        return;
    }
    let is_first = ENDING.compare_exchange(0, signal, Ordering::AcqRel, Ordering::Relaxed);
    if is_heard && is_first.is_ok() {
        BELL.ring();
    } else {
        signal::restore(signal);
        signal::raise(signal);
    }
}

/// What the thread does, as long as the process lives.
fn wait_for_signals() {
    crate::sys::thread::block_signals();
    let mut reopened = 0;
    loop {
        let signal = ENDING.load(Ordering::Acquire);
        if signal != 0 {
            end_by(signal);
        }
        let reopen = REOPEN.load(Ordering::Acquire);
        if reopen != reopened {
            reopened = reopen;
            for core in loggers() {
                core.reopen();
            }
        }
        BELL.wait();
    }
}

/// The loggers that are alive, kept so.
fn loggers() -> Vec<Arc<Core>> {
    let mut loggers = Vec::new();
    live::for_each(|core| loggers.extend(core.me.upgrade()));
    loggers
}

/// Shuts every logger down, and ends the process by the signal.
fn end_by(signal: c_int) -> ! {
    let deadline = Duration::from_nanos(DEADLINE.load(Ordering::Relaxed));
    let end = Instant::now() + deadline;
    // None waits for another; the last one is this thread's own.
    let mut loggers = loggers();
    let last = loggers.pop();
    let (ending, all_ended) = mpsc::channel::<()>();
    for core in loggers {
        let ending = ending.clone();
        let shutdown = move || {
            core.shutdown(end.saturating_duration_since(Instant::now()));
            drop(ending);
        };
        let _ = sys::thread::spawn(c"ringlog-ending", shutdown);
    }
    drop(ending);
    if let Some(core) = last {
        core.shutdown(deadline);
    }
    // Nothing is sent: it ends when the last sender is gone.
    let _ = all_ended.recv();
    signal::restore(signal);
    signal::unblock(signal);
    signal::raise(signal);
    // The first process of a container is not ended by a signal that it has no handler for.
    sys::thread::nap(END);
    signal::end_process(128 + signal)
}
