//! The asymmetric barrier: a fence whose whole cost falls on one side.
//!
//! Two threads that each store to one word and then load the other's word need a full fence in
//! between on both sides, or both may miss the other's store. Where the kernel can run a barrier on
//! all cores that execute this process ([`heavy`]), the side that runs often needs no more than a
//! compiler fence, because the interrupt puts the full fence into its instruction stream at
//! whatever place it has reached. That place is either before its store, and then its load comes
//! after everything the caller of [`heavy`] did before, or after it, and then the store is visible
//! to everything the caller does afterwards.
//!
//! [`register`] says which kind the often-running side needs: a compiler fence if it is true, and
//! `fence(SeqCst)` if it is false.

use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};

static REGISTERED: OnceLock<bool> = OnceLock::new();

/// Whether [`heavy`] reaches all threads of the process, so that their half of the barrier can be a
/// compiler fence. Asks the kernel once; the answer stays for the life of the process.
///
/// The first call enters the kernel and waits some microseconds to some milliseconds for it.
pub(crate) fn register() -> bool {
    *REGISTERED.get_or_init(platform::register)
}

/// The rare side's half of the barrier. Enters the kernel, and waits there until every core that
/// runs a thread of this process has passed a full fence.
pub(crate) fn heavy() {
    // The system call is a full barrier on this side too; the fences say so to the compiler, and
    // are the barrier itself where the other side has one as well.
    fence(Ordering::SeqCst);
    if register() {
        platform::run_everywhere();
        fence(Ordering::SeqCst);
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
mod platform {
    use std::thread;
    use std::time::Duration;

    // From the kernel's <linux/membarrier.h>; libc has no names for them.
    const CMD_QUERY: libc::c_int = 0;
    const CMD_PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const CMD_REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    /// Longer than any store waits in a store buffer by orders of magnitude.
    const STORE_BUFFERS_EMPTY: Duration = Duration::from_millis(1);

    fn membarrier(command: libc::c_int) -> libc::c_long {
        const NO_FLAGS: libc::c_uint = 0;
        const ALL_CORES: libc::c_int = 0;
        // SAFETY: membarrier takes its arguments by value and touches no memory of the process.
        unsafe { libc::syscall(libc::SYS_membarrier, command, NO_FLAGS, ALL_CORES) }
    }

    pub(super) fn register() -> bool {
        let needed = libc::c_long::from(CMD_PRIVATE_EXPEDITED | CMD_REGISTER_PRIVATE_EXPEDITED);
        let offered = membarrier(CMD_QUERY);
        // The trial shows that the command itself is let through, too: a seccomp filter may let
        // one command pass and not another.
        offered >= 0
            && offered & needed == needed
            && membarrier(CMD_REGISTER_PRIVATE_EXPEDITED) == 0
            && membarrier(CMD_PRIVATE_EXPEDITED) == 0
    }

    pub(super) fn run_everywhere() {
        if membarrier(CMD_PRIVATE_EXPEDITED) != 0 {
            wait_for_store_buffers();
        }
    }

    /// The kernel refuses what it did at registration, as it does when a seccomp filter was put up
    /// since. Threads that are not running have passed a fence when they were switched out, and
    /// the stores of those that are running become visible by themselves within nanoseconds.
    #[cold]
    #[inline(never)]
    fn wait_for_store_buffers() {
        thread::sleep(STORE_BUFFERS_EMPTY);
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod platform {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn run_everywhere() {}
}

#[cfg(test)]
mod tests {
    use super::{heavy, register};
    use crossbeam_utils::CachePadded;
    use std::hint;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, compiler_fence, fence};
    use std::thread;

    #[test]
    fn registration_answers_the_same_every_time() {
        let first = register();
        heavy();
        assert_eq!(register(), first);
    }

    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
    fn linux_registers_here() {
        // Every kernel since 4.14 offers it, and continuous integration runs on a later one.
        assert!(register());
    }

    #[test]
    fn of_two_sides_at_least_one_sees_the_other() {
        let rounds = if cfg!(miri) { 20 } else { 20_000 };
        let light = register();
        // Each side's word holds the last round in which it was set. They lie on lines of their
        // own, or else the load would find the line there that the store is waiting for.
        let word = || CachePadded::new(AtomicUsize::new(0));
        let (producer_word, closer_word) = (word(), word());
        let (started, finished) = (word(), word());
        let producer_saw = AtomicBool::new(false);
        let mut missed = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..=rounds {
                    wait_for(&started, round);
                    producer_word.store(round, Ordering::Relaxed);
                    if light {
                        compiler_fence(Ordering::SeqCst);
                    } else {
                        fence(Ordering::SeqCst);
                    }
                    let saw = closer_word.load(Ordering::Relaxed) == round;
                    producer_saw.store(saw, Ordering::Relaxed);
                    finished.store(round, Ordering::Release);
                }
            });
            for round in 1..=rounds {
                started.store(round, Ordering::Release);
                // The other side needs some time to notice: meet it at every point of its way.
                for _ in 0..round % 1024 {
                    compiler_fence(Ordering::SeqCst);
                }
                closer_word.store(round, Ordering::Relaxed);
                heavy();
                let closer_saw = producer_word.load(Ordering::Relaxed) == round;
                wait_for(&finished, round);
                if !closer_saw && !producer_saw.load(Ordering::Relaxed) {
                    missed += 1;
                }
            }
        });
        assert_eq!(
            missed, 0,
            "rounds in which both sides missed the other's store"
        );
    }

    fn wait_for(word: &AtomicUsize, round: usize) {
        let mut spins = 0_u32;
        while word.load(Ordering::Acquire) < round {
            spins += 1;
            if spins % 1024 == 0 {
                thread::yield_now();
            } else {
                hint::spin_loop();
            }
        }
    }
}
