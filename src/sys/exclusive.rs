//! A value that one thread at a time has, and that nobody waits for.
//!
//! It differs from a mutex in what happens around a fork. The child has a copy of the value, and
//! none of the threads that may have been at work on it: a mutex that one of them held stays locked
//! for ever. Here nobody takes the value while a [fork](super::fork) is under way, the fork waits a
//! while for whoever has it, and the child may [take it over](Exclusive::take_over) if it was whole
//! in the moment of the fork.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::fork;

/// See the [module](self).
pub(crate) struct Exclusive<T> {
    /// Somebody has the value, or is about to see that a fork forbids it.
    taken: AtomicBool,
    /// Set while nobody is at work on the value until the fork under way is over: to the number of
    /// this [generation](fork::generation) plus one, else 0. Written by the thread that forks; what
    /// the child finds here was true when it came to be.
    at_rest: AtomicU64,
    /// The generation that it was made in.
    generation: u64,
    value: UnsafeCell<T>,
}

// SAFETY: `taken` hands the value from thread to thread, one at a time.
unsafe impl<T: Send> Sync for Exclusive<T> {}

impl<T> Exclusive<T> {
    pub(crate) fn new(value: T) -> Self {
        Exclusive {
            taken: AtomicBool::new(false),
            at_rest: AtomicU64::new(0),
            generation: fork::generation(),
            value: UnsafeCell::new(value),
        }
    }

    /// The value, unless somebody has it, a fork is under way, or this process is a child that has
    /// inherited it. A thread that panicked while it had the value left it to others.
    pub(crate) fn try_take(&self) -> Option<Taken<'_, T>> {
        if fork::generation() != self.generation {
            return None;
        }
        // SeqCst, here and in `is_under_way`: either this thread sees the fork, or the one that
        // forks sees in `is_taken`, after it announced the fork, that the value is taken.
        if self.taken.swap(true, Ordering::SeqCst) {
            return None;
        }
        let taken = Taken {
            exclusive: self,
            _value: PhantomData,
        };
        // Dropping `taken` gives it back untouched.
        (!fork::is_under_way()).then_some(taken)
    }

    /// Whether somebody has the value, at the moment.
    pub(crate) fn is_taken(&self) -> bool {
        self.taken.load(Ordering::SeqCst)
    }

    /// For the thread that forks, after the fork was announced: waits until nobody has the value,
    /// as long as `patience` says, and notes for the child whether that came about.
    pub(crate) fn rest(&self, mut patience: impl FnMut() -> bool) {
        let at_rest = loop {
            if !self.is_taken() {
                break fork::generation() + 1;
            }
            if !patience() {
                break 0;
            }
        };
        self.at_rest.store(at_rest, Ordering::Relaxed);
    }

    /// For a forked child: lets `take` have the value, if nobody was at work on it in the moment of
    /// the fork and nobody has it now. What is answered with an error may be tried again.
    pub(crate) fn take_over<R, E>(
        &self,
        take: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Option<Result<R, E>> {
        // Relaxed: written before the fork, or by another thread that was too slow for this one.
        let at_rest = self.at_rest.swap(0, Ordering::Relaxed);
        if at_rest == 0 || at_rest > fork::generation() {
            return None;
        }
        // SAFETY: this is a later generation than the one in which nobody was at work on it, so the
        // threads that could have been do not exist here; those of this process do not get it from
        // `try_take`, and only one of them is here at a time, since `at_rest` is 0 meanwhile.
        let result = take(unsafe { &mut *self.value.get() });
        if result.is_err() {
            self.at_rest.store(at_rest, Ordering::Relaxed);
        }
        Some(result)
    }
}

impl<T> fmt::Debug for Exclusive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exclusive")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

/// The value, until this is dropped.
pub(crate) struct Taken<'a, T> {
    exclusive: &'a Exclusive<T>,
    /// Shared between threads only where the value may be.
    _value: PhantomData<&'a mut T>,
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `taken` was set by the one who made this, and is cleared when it is dropped.
        unsafe { &*self.exclusive.value.get() }
    }
}

impl<T> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.exclusive.value.get() }
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        // Pairs with the exchange in `try_take`.
        self.exclusive.taken.store(false, Ordering::SeqCst);
    }
}
