//! Signals: handlers that know what was there before them, and calls that a handler may make.
//!
//! Everything here that is not said to be otherwise is async-signal-safe: it takes no lock and
//! allocates nothing.

#![cfg_attr(
    not(all(feature = "signals", feature = "crash")),
    allow(dead_code, reason = "each of the two features uses a part")
)]

use std::cell::UnsafeCell;
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libc::{c_int, c_void, siginfo_t};

/// A signal handler.
pub(crate) type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// Signals are numbered below this.
const SIGNALS: usize = 65;

/// What a signal did before a handler of ours was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    Default,
    Ignored,
    /// A function of the program's, or of a library's.
    Handler,
}

struct Previous {
    known: AtomicBool,
    action: UnsafeCell<MaybeUninit<libc::sigaction>>,
}

// SAFETY: `action` is written by `install`, by one thread at a time, before `known` is set, and
// not changed as long as it is.
unsafe impl Sync for Previous {}

static PREVIOUS: [Previous; SIGNALS] = [const {
    Previous {
        known: AtomicBool::new(false),
        action: UnsafeCell::new(MaybeUninit::uninit()),
    }
}; SIGNALS];

fn previous(signal: c_int) -> Option<libc::sigaction> {
    let previous = PREVIOUS.get(usize::try_from(signal).ok()?)?;
    // Acquire: pairs with the Release in `install`.
    if !previous.known.load(Ordering::Acquire) {
        return None;
    }
    // SAFETY: it is known, so it was written, and is written no more.
    Some(unsafe { (*previous.action.get()).assume_init() })
}

fn disposition_of(action: &libc::sigaction) -> Disposition {
    match action.sa_sigaction {
        libc::SIG_DFL => Disposition::Default,
        libc::SIG_IGN => Disposition::Ignored,
        _ => Disposition::Handler,
    }
}

/// What the signal did before [`install`], or does now if there is nothing of ours.
pub(crate) fn disposition(signal: c_int) -> Disposition {
    match previous(signal) {
        Some(action) => disposition_of(&action),
        None => current(signal).map_or(Disposition::Default, |now| disposition_of(&now)),
    }
}

/// Whether the handler is the one that the kernel calls; if not, somebody has taken its place, and
/// may call it.
pub(crate) fn is_in_place(signal: c_int, handler: Handler) -> bool {
    current(signal).is_ok_and(|now| now.sa_sigaction == handler as *const () as usize)
}

fn current(signal: c_int) -> io::Result<libc::sigaction> {
    // SAFETY: all zeros are a valid `sigaction`, and the kernel writes no more than one.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        match libc::sigaction(signal, ptr::null(), &mut action) {
            0 => Ok(action),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Installs a handler, once per signal: it runs on the thread's alternate stack if there is one,
/// interrupted system calls go on after it unless the handler before it wanted otherwise, and
/// while it runs `others` says whether all other signals wait. To be called by one thread at a
/// time; not from a handler.
///
/// # Errors
///
/// The kernel refuses the signal.
pub(crate) fn install(signal: c_int, handler: Handler, others_wait: bool) -> io::Result<()> {
    let previous = &PREVIOUS[signal as usize];
    if previous.known.load(Ordering::Acquire) {
        return Ok(());
    }
    let before = current(signal)?;
    // SAFETY: nobody reads it before it is known.
    unsafe { (*previous.action.get()).write(before) };
    // Release: pairs with the Acquire in `previous`.
    previous.known.store(true, Ordering::Release);
    let mut flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    if disposition_of(&before) == Disposition::Handler {
        flags &= !libc::SA_RESTART;
        flags |= before.sa_flags & (libc::SA_RESTART | libc::SA_NODEFER);
    }
    // SAFETY: all zeros are a valid `sigaction`; the handler has the type that SA_SIGINFO asks
    // for, and lives as long as the process.
    let result = unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        action.sa_flags = flags;
        action.sa_mask = before.sa_mask;
        if others_wait {
            libc::sigfillset(&mut action.sa_mask);
        }
        libc::sigaction(signal, &action, ptr::null_mut())
    };
    if result == 0 {
        Ok(())
    } else {
        previous.known.store(false, Ordering::Release);
        Err(io::Error::last_os_error())
    }
}

/// Has the signal do again what it did before [`install`].
pub(crate) fn restore(signal: c_int) {
    if let Some(action) = previous(signal) {
        // SAFETY: the action is one that the kernel gave.
        unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
    }
}

/// Calls the handler that was there before [`install`], if there was one, as the kernel would
/// have.
pub(crate) fn chain(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(action) = previous(signal) else {
        return;
    };
    if disposition_of(&action) != Disposition::Handler {
        return;
    }
    if action.sa_flags & libc::SA_RESETHAND != 0 {
        // It asked to be called once.
        // SAFETY: all zeros are the default action.
        unsafe { libc::sigaction(signal, &zeroed(), ptr::null_mut()) };
    }
    let function = action.sa_sigaction as *const ();
    if action.sa_flags & libc::SA_SIGINFO != 0 {
        // SAFETY: the program installed a function of this type, for this signal.
        let function = unsafe { std::mem::transmute::<*const (), Handler>(function) };
        function(signal, info, context);
    } else {
        // SAFETY: as above.
        let function = unsafe { std::mem::transmute::<*const (), extern "C" fn(c_int)>(function) };
        function(signal);
    }
}

/// Sends the signal to the calling thread. It is delivered at once, or when it is no longer
/// blocked.
pub(crate) fn raise(signal: c_int) {
    // SAFETY: takes no pointer.
    unsafe { libc::raise(signal) };
}

/// Sends the calling thread the signal that it is handling once more, with all that came with
/// it. It is delivered when the handler returns.
///
/// # Safety
///
/// `info` is the one that the handler was given.
pub(crate) unsafe fn raise_again(signal: c_int, info: *mut siginfo_t) {
    // SAFETY: the kernel reads what it has written, by contract.
    let result = unsafe {
        let (process, thread) = (libc::getpid(), libc::syscall(libc::SYS_gettid));
        libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, signal, info)
    };
    if result != 0 {
        raise(signal);
    }
}

/// Lets the signal be delivered to the calling thread.
pub(crate) fn unblock(signal: c_int) {
    // SAFETY: the set is initialised by `sigemptyset`, and the kernel reads it only.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, ptr::null_mut());
    }
}

/// The process's number, asked of the kernel.
pub(crate) fn process() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::getpid() }
}

/// Ends the process at once, with this status, whatever it was doing.
pub(crate) fn end_process(status: i32) -> ! {
    // SAFETY: runs nothing of the process's own.
    unsafe { libc::_exit(status) }
}

/// Sleeps, or a little less if a signal comes.
pub(crate) fn sleep(duration: Duration) {
    let time = libc::timespec {
        tv_sec: duration.as_secs() as libc::time_t,
        tv_nsec: duration.subsec_nanos().into(),
    };
    // SAFETY: the kernel reads one `timespec`, and writes nothing.
    unsafe { libc::nanosleep(&time, ptr::null_mut()) };
}

/// Time that does not go back, in nanoseconds.
pub(crate) fn steady_nanos() -> u64 {
    nanos(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds since 1970.
pub(crate) fn unix_nanos() -> u64 {
    nanos(libc::CLOCK_REALTIME)
}

fn nanos(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes one `timespec`.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Keeps `errno` as the code that was interrupted left it.
pub(crate) struct KeepErrno(c_int);

impl KeepErrno {
    pub(crate) fn new() -> Self {
        // SAFETY: the C library's pointer to the thread's own `errno`.
        KeepErrno(unsafe { *libc::__errno_location() })
    }
}

impl Drop for KeepErrno {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = self.0 };
    }
}

/// Something that a handler rings, and that a thread waits for. What rings while nobody waits is
/// not lost.
pub(crate) struct Bell(UnsafeCell<libc::sem_t>);

// SAFETY: a semaphore is made for use by several threads.
unsafe impl Sync for Bell {}

impl Bell {
    /// To be [silenced](Self::silence) before its first use.
    pub(crate) const fn new() -> Self {
        // SAFETY: a semaphore is plain memory.
        Bell(UnsafeCell::new(unsafe { zeroed() }))
    }

    /// Forgets what has rung. Nobody rings or waits meanwhile. Not for handlers.
    pub(crate) fn silence(&self) {
        const ONE_PROCESS: c_int = 0;
        // SAFETY: nobody uses it, by contract; the memory is a semaphore's.
        unsafe { libc::sem_init(self.0.get(), ONE_PROCESS, 0) };
    }

    pub(crate) fn ring(&self) {
        // SAFETY: the semaphore lives as long as `self`.
        unsafe { libc::sem_post(self.0.get()) };
    }

    /// Waits for the next ring. Not for handlers.
    pub(crate) fn wait(&self) {
        // A wait that a signal ended is as good as a ring: the caller looks anyway.
        // SAFETY: as above.
        unsafe { libc::sem_wait(self.0.get()) };
    }
}
