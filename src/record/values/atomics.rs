//! Atomics: the value that they have at the call.

use std::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicPtr, AtomicU8,
    AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};

use crate::record::Type;
use crate::record::value::{Exact, Put, Record};

macro_rules! record_atomics {
    ($($atomic:ty => $inner:ty),* $(,)?) => {$(
        impl Record for $atomic {
            const TYPE: Type = <$inner>::TYPE;
            const FIXED: usize = <$inner>::FIXED;
            // SAFETY: it is stored as the inner value is, and takes no more whatever that is.
            const EXACT: Exact<Self> = unsafe { Exact::claim(!<$inner>::VARIES) };

            #[inline(always)]
            fn put<P: Put>(&self, to: &mut P, limit: usize) {
                // Relaxed, as `Debug` does: the record orders nothing.
                self.load(Ordering::Relaxed).put(to, limit);
            }
        }
    )*};
}

record_atomics! {
    AtomicBool => bool,
    AtomicI8 => i8, AtomicI16 => i16, AtomicI32 => i32, AtomicI64 => i64, AtomicIsize => isize,
    AtomicU8 => u8, AtomicU16 => u16, AtomicU32 => u32, AtomicU64 => u64, AtomicUsize => usize,
}

impl<T> Record for AtomicPtr<T> {
    const TYPE: Type = Type::Pointer;
    const FIXED: usize = size_of::<u64>();
    // SAFETY: it is stored as a pointer is.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, limit: usize) {
        self.load(Ordering::Relaxed).put(to, limit);
    }
}
