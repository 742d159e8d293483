//! The loggers that are alive, for code that has none in hand: around a fork, when a signal comes.
//!
//! The table can be read anywhere, signal handlers included: no lock, no allocation. A logger that
//! goes away leaves the table first, and then waits until nobody reads it any more.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::core::Core;
use crate::callsite::PLACES;

/// By the logger's place in the call sites' words. Null where there is none.
static LIVE: [AtomicPtr<Core>; PLACES] = [const { AtomicPtr::new(ptr::null_mut()) }; PLACES];

/// How many threads are reading the table.
static READERS: AtomicUsize = AtomicUsize::new(0);

/// Enters a logger that is ready.
pub(super) fn enter(core: &Core) {
    // Release: pairs with the load in `for_each`.
    LIVE[core.place.index()].store(ptr::from_ref(core).cast_mut(), Ordering::Release);
}

/// Takes a logger out of the table, unless it was never entered or a successor has its place, and
/// returns when nobody looks at it any more.
pub(super) fn leave(core: &Core) {
    let mine = ptr::from_ref(core).cast_mut();
    // SeqCst, as in `for_each`: a reader that is not seen below comes later, and finds null.
    let left = LIVE[core.place.index()].compare_exchange(
        mine,
        ptr::null_mut(),
        Ordering::SeqCst,
        Ordering::Relaxed,
    );
    while left.is_ok() && READERS.load(Ordering::SeqCst) > 0 {
        thread::sleep(Duration::from_micros(50));
    }
}

/// Visits every logger that is alive. No logger that is visited goes away meanwhile, so the visit
/// must be short, and must not drop one. Callable anywhere, signal handlers included.
pub(super) fn for_each(mut visit: impl FnMut(&Core)) {
    READERS.fetch_add(1, Ordering::SeqCst);
    for entry in &LIVE {
        // SAFETY: a logger that is in the table is alive, and stays so while `READERS` counts this
        // thread, because `leave` comes before its end.
        if let Some(core) = unsafe { entry.load(Ordering::SeqCst).as_ref() } {
            visit(core);
        }
    }
    READERS.fetch_sub(1, Ordering::SeqCst);
}

/// In the child of a fork: those who were reading are not there.
pub(super) fn forget_readers() {
    READERS.store(0, Ordering::SeqCst);
}
