//! The identity of a thread, and which signals it gets.

use std::borrow::Cow;
use std::ffi::CStr;
use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A number that no other live thread of the process has; never 0. On Linux it is the kernel's id,
/// which `top -H`, `perf` and `/proc` show as well.
///
/// Needs no thread-local storage that could be gone. On Linux it enters the kernel: keep the answer.
pub(crate) fn id() -> u64 {
    platform::id()
}

/// Whether the process has a thread with this number; `None` where the kernel does not say.
pub(crate) fn is_alive(id: u64) -> Option<bool> {
    platform::is_alive(id)
}

/// Keeps signals from being delivered to the calling thread, other than those that an instruction of
/// its own causes and the one that profilers use. Threads that it starts inherit that.
///
/// A write beyond the limit on the size of files is then an error, and not the end of the process.
/// Does nothing but on Linux.
pub(crate) fn block_signals() {
    platform::block_signals();
}

#[cfg(all(target_os = "linux", not(miri)))]
mod platform {
    use std::io;

    pub(super) fn block_signals() {
        const LET_THROUGH: [libc::c_int; 8] = [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGILL,
            libc::SIGFPE,
            libc::SIGABRT,
            libc::SIGTRAP,
            libc::SIGSYS,
            libc::SIGPROF,
        ];
        // SAFETY: all zeros are a valid set, `sigfillset` writes one, and the kernel reads one.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut set);
            for signal in LET_THROUGH {
                libc::sigdelset(&mut set, signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        }
    }

    pub(super) fn id() -> u64 {
        // By number, since the C library has had a function for it only since glibc 2.30.
        // SAFETY: gettid takes nothing and touches no memory.
        let id = unsafe { libc::syscall(libc::SYS_gettid) };
        u64::try_from(id).unwrap_or_else(|_| refused())
    }

    pub(super) fn is_alive(id: u64) -> Option<bool> {
        let id = libc::pid_t::try_from(id).ok()?;
        // SAFETY: takes no pointer; signal 0 is none.
        let result = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), id, 0) };
        if result == 0 {
            return Some(true);
        }
        let is_gone = io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
        is_gone.then_some(false)
    }

    /// A seccomp filter refuses the call: then the C library's handle, an address, serves.
    #[cold]
    #[inline(never)]
    fn refused() -> u64 {
        // SAFETY: pthread_self takes nothing and cannot fail.
        unsafe { libc::pthread_self() as u64 }
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod platform {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicU64, Ordering};

    static NEXT: AtomicU64 = AtomicU64::new(1);

    pub(super) fn block_signals() {}

    pub(super) fn is_alive(_: u64) -> Option<bool> {
        None
    }

    thread_local! {
        // Without a destructor, so that it lives as long as its thread. 0: none given yet.
        static ID: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn id() -> u64 {
        ID.with(|id| {
            if id.get() == 0 {
                // Relaxed: the numbers only need to differ.
                id.set(NEXT.fetch_add(1, Ordering::Relaxed));
            }
            id.get()
        })
    }
}

/// Starts a thread. In a forked child nobody can wait for its end, and there is no handle.
///
/// There the library's own threads may never come to run: each takes a lock as it starts, which is
/// held for ever if another thread of the parent was starting at the moment of the fork.
///
/// # Errors
///
/// The kernel refuses another thread.
pub(crate) fn spawn(
    name: impl Into<Cow<'static, CStr>>,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<Option<JoinHandle<()>>> {
    let name = name.into();
    #[cfg(all(unix, not(miri)))]
    if super::fork::is_child() {
        return foreign::spawn(name, Box::new(body)).map(|()| None);
    }
    let name = name.to_string_lossy().into_owned();
    thread::Builder::new().name(name).spawn(body).map(Some)
}

/// Threads that the standard library knows nothing of.
#[cfg(all(unix, not(miri)))]
mod foreign {
    use std::borrow::Cow;
    use std::ffi::{CStr, c_void};
    use std::io;
    use std::mem::{MaybeUninit, zeroed};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::ptr;

    type Body = Box<dyn FnOnce() + Send>;

    struct Start {
        name: Cow<'static, CStr>,
        body: Body,
    }

    pub(super) fn spawn(name: Cow<'static, CStr>, body: Body) -> io::Result<()> {
        let start = Box::into_raw(Box::new(Start { name, body }));
        // SAFETY: the attributes are initialized, used and destroyed here; `start` is the new
        // thread's alone, or this one's again if there is none.
        unsafe {
            let mut attributes: libc::pthread_attr_t = zeroed();
            let mut result = libc::pthread_attr_init(&mut attributes);
            if result == 0 {
                let mut thread = MaybeUninit::uninit();
                libc::pthread_attr_setdetachstate(&mut attributes, libc::PTHREAD_CREATE_DETACHED);
                result = libc::pthread_create(thread.as_mut_ptr(), &attributes, run, start.cast());
                libc::pthread_attr_destroy(&mut attributes);
            }
            if result != 0 {
                drop(Box::from_raw(start));
                return Err(io::Error::from_raw_os_error(result));
            }
        }
        Ok(())
    }

    extern "C" fn run(start: *mut c_void) -> *mut c_void {
        // SAFETY: it came from `Box::into_raw` in `spawn`, and is nobody else's.
        let Start { name, body } = *unsafe { Box::from_raw(start.cast::<Start>()) };
        #[cfg(target_os = "linux")]
        // SAFETY: the name ends with a zero.
        unsafe {
            libc::prctl(libc::PR_SET_NAME, name.as_ptr());
        }
        #[cfg(not(target_os = "linux"))]
        let _ = name;
        // The hook has reported a panic; it must not go on into the C library.
        let _ = catch_unwind(AssertUnwindSafe(body));
        ptr::null_mut()
    }
}

/// Sleeps for so long, or less: a signal that is handled meanwhile ends it. The library's own sleep
/// goes on for the rest, and never ends where signals come faster than that.
pub(crate) fn nap(longest: Duration) {
    #[cfg(all(unix, not(miri)))]
    {
        let time = libc::timespec {
            tv_sec: libc::time_t::try_from(longest.as_secs()).unwrap_or(libc::time_t::MAX),
            // Less than 10^9, which fits whatever the type is.
            tv_nsec: longest.subsec_nanos() as _,
        };
        // SAFETY: the time lives through the call, and what is left of it is not asked for.
        unsafe { libc::nanosleep(&time, std::ptr::null_mut()) };
    }
    #[cfg(not(all(unix, not(miri))))]
    thread::sleep(longest);
}

#[cfg(test)]
mod tests {
    use super::id;
    use std::thread;

    #[test]
    fn a_thread_keeps_its_id_and_shares_it_with_no_other() {
        let mine = id();
        assert_ne!(mine, 0);
        assert_eq!(id(), mine);
        let (first, second) = thread::scope(|scope| {
            let other = scope.spawn(|| (id(), id()));
            other.join().unwrap()
        });
        assert_eq!(first, second);
        assert_ne!(first, mine);
    }

    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn a_thread_is_alive_until_it_has_ended() {
        assert_eq!(super::is_alive(id()), Some(true));
        let other = thread::spawn(id).join().unwrap();
        // The kernel may take a moment after the join.
        while super::is_alive(other) != Some(false) {
            thread::yield_now();
        }
    }

    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn the_kernel_knows_a_thread_by_its_id() {
        assert!(std::path::Path::new(&format!("/proc/self/task/{}", id())).exists());
    }
}
