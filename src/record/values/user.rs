//! This crate's own types.

use crate::fixed::Fixed;
use crate::record::Type;
use crate::record::capture::Plain;
use crate::record::value::{Exact, Put, Record};
use crate::symbol::Symbol;

impl Record for Fixed {
    const TYPE: Type = Type::Fixed;
    const FIXED: usize = 9;
    // SAFETY: eight bytes and one.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, _limit: usize) {
        to.put(self.mantissa.to_le_bytes());
        to.put(self.exponent.to_le_bytes());
    }
}

impl Plain for Fixed {}

impl Record for Symbol {
    const TYPE: Type = Type::Symbol;
    const FIXED: usize = Symbol::MOST;
    // SAFETY: sixteen bytes.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, _limit: usize) {
        to.put(*self.padded());
    }
}

impl Plain for Symbol {}
