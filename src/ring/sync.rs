//! The atomics that the ring is built from: those of the standard library, or loom's when the ring
//! is model-checked. Nothing else in `ring` knows which.
//!
//! The two barriers are the two halves of one asymmetric fence. A store before [`light_barrier`]
//! and a load after it, against a store before [`heavy_barrier`] and a load after that one: at
//! least one of the two loads sees the other side's store. The light half is free where the kernel
//! provides the heavy one.

#[cfg(not(ringlog_loom))]
mod imp {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
    use std::sync::atomic::{compiler_fence, fence};
    pub(crate) use std::sync::{Arc, Mutex, MutexGuard};

    /// [`std::cell::UnsafeCell`] with the interface of loom's, which sees each access begin and
    /// end.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        #[inline(always)]
        pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
            read(self.0.get())
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
            write(self.0.get())
        }
    }

    /// Whether producers must fence because the kernel has no membarrier for us.
    pub(crate) fn producers_must_fence() -> bool {
        !crate::sys::membarrier::register()
    }

    #[inline(always)]
    pub(crate) fn light_barrier(must_fence: bool) {
        if must_fence {
            fence(Ordering::SeqCst);
        } else {
            compiler_fence(Ordering::SeqCst);
        }
    }

    pub(crate) fn heavy_barrier() {
        crate::sys::membarrier::heavy();
    }

    /// Adds to a counter that only the calling thread writes and the signal handlers that interrupt
    /// it; each of those comes before it or after it. Release.
    #[inline(always)]
    pub(crate) fn add_uninterrupted(counter: &AtomicU64, amount: u64) {
        crate::sys::uninterrupted::add(counter, amount);
    }

    /// Whether [`publish_pair`] may be used.
    pub(crate) fn pairs_are_published_whole() -> bool {
        crate::sys::pair::is_indivisible()
    }

    /// Stores two words at once, the first with Release, so that who sees it sees the second. False
    /// if there is no such store.
    ///
    /// # Safety
    ///
    /// See [`publish`](crate::sys::pair::publish).
    #[inline(always)]
    pub(crate) unsafe fn publish_pair(at: *mut u64, first: u64, second: u64) -> bool {
        use crate::sys::pair::{Word, publish};
        // SAFETY: by contract.
        unsafe { publish(at, Word::new(first), Word::new(second)) }
    }

    #[inline(always)]
    pub(crate) fn prefetch_for_read<T>(target: *const T) {
        crate::sys::prefetch::for_read(target.cast());
    }

    #[inline(always)]
    pub(crate) fn prefetch_for_write<const OFFSET: usize>(address: *const u8) {
        crate::sys::prefetch::for_write::<OFFSET>(address);
    }
}

#[cfg(ringlog_loom)]
mod imp {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};

    pub(crate) fn producers_must_fence() -> bool {
        true
    }

    pub(crate) fn light_barrier(_must_fence: bool) {
        fence(Ordering::SeqCst);
    }

    pub(crate) fn heavy_barrier() {
        fence(Ordering::SeqCst);
    }

    pub(crate) fn prefetch_for_read<T>(_target: *const T) {}

    pub(crate) fn add_uninterrupted(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Release);
    }

    pub(crate) unsafe fn publish_pair(_at: *mut u64, _first: u64, _second: u64) -> bool {
        false
    }

    pub(crate) fn prefetch_for_write<const OFFSET: usize>(_address: *const u8) {}
}

pub(crate) use imp::*;
