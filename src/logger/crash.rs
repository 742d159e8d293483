//! What is done in a process that crashes.
//!
//! All of it runs in the signal handler, on the thread that crashed: no lock, no allocation, and no
//! more stack than the alternate one has. Then the signal does what it would have done without.

use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use libc::c_int;

use super::{live, rescue};
use crate::error::SignalError;
use crate::format::date_and_time;
use crate::sys::crash::{self, Cause};
use crate::sys::signal::{self, Caught, Disposition};
use crate::sys::thread;

/// The signals, and their names.
const SIGNALS: [(c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
];

/// The thread that crashes; 0 if none does.
static CRASHING: AtomicU64 = AtomicU64::new(0);

/// The process that the handlers were installed for.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// How long the consumers may take, in nanoseconds.
static PATIENCE: AtomicU64 = AtomicU64::new(0);

/// See [`RingLogger::handle_crashes`](super::RingLogger::handle_crashes).
pub(super) fn handle(patience: Duration) -> Result<(), SignalError> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let nanos = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
    PATIENCE.store(nanos, Ordering::Relaxed);
    PROCESS.store(signal::process(), Ordering::Relaxed);
    crash::ensure_alternate_stack().map_err(SignalError::Stack)?;
    for (signal, name) in SIGNALS {
        let error = |source: io::Error| SignalError::Refused {
            signal: name,
            source,
        };
        signal::install(signal, handler, true).map_err(error)?;
    }
    Ok(())
}

/// In a forked child that has a logger of its own.
pub(super) fn restart_in_child() {
    if PROCESS.load(Ordering::Relaxed) != 0 {
        PROCESS.store(signal::process(), Ordering::Relaxed);
    }
}

fn handler(caught: &Caught) {
    let signal = caught.signal;
    let patience = Duration::from_nanos(PATIENCE.load(Ordering::Relaxed));
    let me = thread::id();
    let cause = Cause::of(caught);
    match CRASHING.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            // In the child of a fork, the loggers are the parent's.
            if PROCESS.load(Ordering::Relaxed) == signal::process() {
                rescue::write_out(patience);
            }
            write_last_line(signal, &cause, me);
        }
        // What the handler before this one does about the crash may end in another signal.
        Err(crashing) if crashing == me => {}
        // The thread that was first ends the process.
        Err(_) => signal::sleep(patience * 2 + Duration::from_secs(1)),
    }
    if !cause.comes_again() && signal::disposition(signal) == Disposition::Handler {
        // It is for that handler to say whether this is the end.
        CRASHING.store(0, Ordering::Release);
        caught.chain();
        return;
    }
    signal::restore(signal);
    if !cause.comes_again() {
        caught.send_again();
    }
    // Otherwise the instruction runs again, and crashes again.
}

/// Writes the line to standard error and wherever a logger writes to a descriptor.
#[inline(never)]
fn write_last_line(signal: c_int, cause: &Cause, thread: u64) {
    let mut line = Line::new();
    line.compose(signal, cause, thread);
    let text = line.as_bytes();
    crash::write(libc::STDERR_FILENO, text);
    let mut written = [libc::STDERR_FILENO; MOST_DESCRIPTORS];
    let mut count = 1;
    live::for_each(|core| {
        if core.is_forked() {
            return;
        }
        for descriptor in &core.common.descriptors {
            let descriptor = descriptor.load(Ordering::Acquire);
            // Several sinks may write to one.
            if descriptor < 0 || written[..count].contains(&descriptor) {
                continue;
            }
            crash::write(descriptor, text);
            if count < MOST_DESCRIPTORS {
                written[count] = descriptor;
                count += 1;
            }
        }
    });
}

/// How many descriptors are told apart.
const MOST_DESCRIPTORS: usize = 32;

/// A line that is put together without any help.
struct Line {
    bytes: [u8; 224],
    length: usize,
}

impl Line {
    fn new() -> Self {
        Line {
            bytes: [0; 224],
            length: 0,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// What does not fit is left out.
    fn put(&mut self, text: &[u8]) {
        for &byte in text {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = byte;
                self.length += 1;
            }
        }
    }

    /// At least so many digits.
    fn number(&mut self, mut number: u64, base: u64, least: usize) {
        let mut digits = [b'0'; 20];
        let mut first = digits.len();
        while number > 0 || digits.len() - first < least {
            first -= 1;
            digits[first] = b"0123456789abcdef"[(number % base) as usize];
            number /= base;
        }
        self.put(&digits[first..]);
    }

    /// As the text format writes it: time, level, target, no location, thread, message.
    fn compose(&mut self, signal: c_int, cause: &Cause, thread: u64) {
        let now = signal::unix_nanos();
        self.put(&date_and_time(now / 1_000_000_000));
        self.number(now % 1_000_000_000, 10, 9);
        self.put(b"Z ERROR ringlog - [");
        for byte in crash::thread_name() {
            match byte {
                0 => break,
                b' '..=b'~' => self.put(&[byte]),
                _ => self.put(b"?"),
            }
        }
        self.put(b"] crashed: ");
        let name = SIGNALS.iter().find(|known| known.0 == signal);
        self.put(name.map_or(b"signal", |known| known.1.as_bytes()));
        self.put(b" (signal ");
        self.number(signal as u64, 10, 1);
        self.put(b")");
        match *cause {
            Cause::Fault { address } => {
                self.put(b" at address 0x");
                self.number(address, 16, 1);
            }
            Cause::Sent { process } => {
                self.put(b" sent by process ");
                self.number(process, 10, 1);
            }
        }
        self.put(b", thread ");
        self.number(thread, 10, 1);
        self.put(b"\n");
    }
}
