//! Numbers, and what is stored like one.

use std::num::{NonZero, Saturating, Wrapping};

use crate::record::Type;
use crate::record::capture::Plain;
use crate::record::value::{Exact, Put, Record};

macro_rules! record_numbers {
    ($($rust:ty => $name:ident),* $(,)?) => {$(
        impl Record for $rust {
            const TYPE: Type = Type::$name;
            const FIXED: usize = size_of::<$rust>();
            // SAFETY: the bytes of a number are as many as its size.
            const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

            #[inline(always)]
            fn put<P: Put>(&self, to: &mut P, _limit: usize) {
                to.put(self.to_le_bytes());
            }
        }

        impl Plain for $rust {}
    )*};
}

record_numbers! {
    i8 => I8, i16 => I16, i32 => I32, i64 => I64, i128 => I128,
    u8 => U8, u16 => U16, u32 => U32, u64 => U64, u128 => U128,
    f32 => F32, f64 => F64,
}

#[cfg(target_pointer_width = "64")]
record_numbers! { isize => I64, usize => U64 }
#[cfg(target_pointer_width = "32")]
record_numbers! { isize => I32, usize => U32 }

macro_rules! record_as {
    ($([$($generic:tt)*] $rust:ty => $inner:ty, $this:ident $get:expr;)*) => {$(
        impl<$($generic)*> Record for $rust {
            const TYPE: Type = <$inner>::TYPE;
            const FIXED: usize = <$inner>::FIXED;
            const VARIES: bool = <$inner>::VARIES;
            const PREPARED: bool = <$inner>::PREPARED;
            // SAFETY: it is stored as the inner value is.
            const EXACT: Exact<Self> = unsafe { Exact::claim(<$inner>::EXACT.holds()) };

            #[inline(always)]
            fn variable(&self, limit: usize) -> usize {
                let $this = self;
                $get.variable(limit)
            }

            #[inline(always)]
            fn put<P: Put>(&self, to: &mut P, limit: usize) {
                let $this = self;
                $get.put(to, limit);
            }
        }
    )*};
}

macro_rules! record_non_zero {
    ($($inner:ty),*) => {$(
        record_as! { [] NonZero<$inner> => $inner, this this.get(); }
        impl Plain for NonZero<$inner> {}
    )*};
}

record_non_zero!(
    i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize
);

record_as! {
    [T: Record] Wrapping<T> => T, this this.0;
    [T: Record] Saturating<T> => T, this this.0;
}
impl<T: Plain> Plain for Wrapping<T> {}
impl<T: Plain> Plain for Saturating<T> {}

impl Record for bool {
    const TYPE: Type = Type::Bool;
    const FIXED: usize = 1;
    // SAFETY: one byte.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, _limit: usize) {
        to.put([u8::from(*self)]);
    }
}

impl Plain for bool {}

impl Record for char {
    const TYPE: Type = Type::Char;
    const FIXED: usize = 4;
    // SAFETY: four bytes.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, _limit: usize) {
        to.put(u32::from(*self).to_le_bytes());
    }
}

impl Plain for char {}

impl Record for () {
    const TYPE: Type = Type::Unit;
    const FIXED: usize = 0;
    // SAFETY: no bytes.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, _to: &mut P, _limit: usize) {}
}

impl Plain for () {}
