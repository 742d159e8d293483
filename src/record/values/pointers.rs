//! Pointers: the address, not what is there.

use crate::record::Type;
use crate::record::value::{Exact, Put, Record};

/// An address in memory.
#[derive(Clone, Copy, Debug)]
pub struct At(pub(in crate::record) u64);

/// What `{:p}` shows the address of.
pub trait Address {
    /// The address.
    fn address(&self) -> u64;
}

macro_rules! addresses {
    ($($pointer:ty),*) => {$(
        impl<T> Address for $pointer {
            #[inline(always)]
            fn address(&self) -> u64 {
                let pointer: *const T = *self;
                pointer.addr() as u64
            }
        }
    )*};
}

addresses!(*const T, *mut T);

impl<T> Address for &T {
    #[inline(always)]
    fn address(&self) -> u64 {
        (&raw const **self).address()
    }
}

impl<T> Address for &mut T {
    #[inline(always)]
    fn address(&self) -> u64 {
        (&raw const **self).address()
    }
}

macro_rules! record_pointers {
    ($($pointer:ty),*) => {$(
        impl<T> Record for $pointer {
            const TYPE: Type = Type::Pointer;
            const FIXED: usize = size_of::<u64>();
            // SAFETY: eight bytes.
            const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

            #[inline(always)]
            fn put<P: Put>(&self, to: &mut P, _limit: usize) {
                to.put(self.address().to_le_bytes());
            }
        }
    )*};
}

record_pointers!(*const T, *mut T);
