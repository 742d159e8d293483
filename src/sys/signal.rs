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

/// A signal handler of this crate's. `errno` is afterwards as it was before.
pub(crate) type Handler = fn(&Caught);

/// One as the kernel calls it, if it was installed with `SA_SIGINFO`.
type KernelHandler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

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

/// A handler that was installed, and what the signal did before.
#[derive(Clone, Copy)]
struct Installed {
    handler: Handler,
    before: libc::sigaction,
}

struct Place {
    is_taken: AtomicBool,
    installed: UnsafeCell<MaybeUninit<Installed>>,
}

// SAFETY: `installed` is written by `install`, by one thread at a time, before `is_taken` is set, and
// not changed as long as it is.
unsafe impl Sync for Place {}

/// By the signal's number.
static PLACES: [Place; SIGNALS] = [const {
    Place {
        is_taken: AtomicBool::new(false),
        installed: UnsafeCell::new(MaybeUninit::uninit()),
    }
}; SIGNALS];

fn installed(signal: c_int) -> Option<Installed> {
    let place = PLACES.get(usize::try_from(signal).ok()?)?;
    // Acquire: pairs with the Release in `install`.
    if !place.is_taken.load(Ordering::Acquire) {
        return None;
    }
    // SAFETY: it is taken, so it was written, and is written no more.
    Some(unsafe { (*place.installed.get()).assume_init() })
}

/// What the kernel calls for every signal of which a handler was installed.
extern "C" fn entry(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let _errno = KeepErrno::new();
    if let Some(installed) = installed(signal) {
        (installed.handler)(&Caught {
            signal,
            info,
            context,
        });
    }
}

/// A signal that the calling thread is handling.
#[derive(Debug)]
pub(crate) struct Caught {
    pub(crate) signal: c_int,
    /// What the kernel gave to the handler, or whoever calls it in the kernel's place; valid until
    /// that returns.
    info: *mut siginfo_t,
    context: *mut c_void,
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
    match installed(signal) {
        Some(installed) => disposition_of(&installed.before),
        None => current(signal).map_or(Disposition::Default, |now| disposition_of(&now)),
    }
}

/// Whether the kernel calls the handler that was installed; if not, somebody has taken its place,
/// and may call it.
pub(crate) fn is_in_place(signal: c_int) -> bool {
    current(signal).is_ok_and(|now| now.sa_sigaction == entry as *const () as usize)
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
    let place = &PLACES[signal as usize];
    if place.is_taken.load(Ordering::Acquire) {
        return Ok(());
    }
    let before = current(signal)?;
    // SAFETY: nobody reads it before the place is taken.
    unsafe { (*place.installed.get()).write(Installed { handler, before }) };
    // Release: pairs with the Acquire in `installed`.
    place.is_taken.store(true, Ordering::Release);
    let mut flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    if disposition_of(&before) == Disposition::Handler {
        flags &= !libc::SA_RESTART;
        flags |= before.sa_flags & (libc::SA_RESTART | libc::SA_NODEFER);
    }
    // SAFETY: all zeros are a valid `sigaction`; `entry` has the type that SA_SIGINFO asks for, and
    // lives as long as the process.
    let result = unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = entry as *const () as libc::sighandler_t;
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
        place.is_taken.store(false, Ordering::Release);
        Err(io::Error::last_os_error())
    }
}

/// Has the signal do again what it did before [`install`].
pub(crate) fn restore(signal: c_int) {
    if let Some(installed) = installed(signal) {
        // SAFETY: the action is one that the kernel gave.
        unsafe { libc::sigaction(signal, &installed.before, ptr::null_mut()) };
    }
}

impl Caught {
    /// Calls the handler that was there before [`install`], if there was one, as the kernel would
    /// have.
    pub(crate) fn chain(&self) {
        let Some(Installed { before, .. }) = installed(self.signal) else {
            return;
        };
        if disposition_of(&before) != Disposition::Handler {
            return;
        }
        if before.sa_flags & libc::SA_RESETHAND != 0 {
            // It asked to be called once.
            // SAFETY: all zeros are the default action.
            unsafe { libc::sigaction(self.signal, &zeroed(), ptr::null_mut()) };
        }
        let function = before.sa_sigaction as *const ();
        if before.sa_flags & libc::SA_SIGINFO != 0 {
            // SAFETY: the program installed a function of this type, for this signal.
            let function = unsafe { std::mem::transmute::<*const (), KernelHandler>(function) };
            function(self.signal, self.info, self.context);
        } else {
            // SAFETY: as above.
            let function =
                unsafe { std::mem::transmute::<*const (), extern "C" fn(c_int)>(function) };
            function(self.signal);
        }
    }

    /// What came with the signal, if anything did: a handler that was installed later, and calls
    /// this one without it, leaves it out.
    pub(super) fn info(&self) -> Option<&siginfo_t> {
        // SAFETY: it is null, or valid as long as `self`, which does not outlive the handler.
        unsafe { self.info.as_ref() }
    }

    /// Sends the calling thread the signal once more, with all that came with it. It is delivered
    /// when the handler returns.
    pub(crate) fn send_again(&self) {
        // SAFETY: the kernel reads what it has written, or answers that there is nothing.
        let result = unsafe {
            let (process, thread) = (libc::getpid(), libc::syscall(libc::SYS_gettid));
            let (signal, info) = (self.signal, self.info);
            libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, signal, info)
        };
        if result != 0 {
            raise(self.signal);
        }
    }
}

/// Sends the signal to the calling thread. It is delivered at once, or when it is no longer
/// blocked.
pub(crate) fn raise(signal: c_int) {
    // SAFETY: takes no pointer.
    unsafe { libc::raise(signal) };
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
struct KeepErrno(c_int);

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
