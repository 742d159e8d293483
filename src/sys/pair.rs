//! Two words in one store.
//!
//! A processor keeps the stores that wait for their cache line in a buffer, in order, and stops when
//! it is full. A burst of records whose first line has to come from another core fits in there or
//! does not: two words with one store are half of it.

/// A word on its way through a register that nothing else wants: where floating-point numbers have
/// registers that keep all bits as they are, one of those.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
pub struct Word(Register);

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
type Register = f64;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Register = u64;

impl Word {
    #[inline(always)]
    pub(crate) fn new(bits: u64) -> Self {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        let bits = f64::from_bits(bits);
        Word(bits)
    }

    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        return self.0.to_bits();
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        return self.0;
    }

    /// The same with its bytes in the other order, where the lowest does not come first in memory.
    #[inline(always)]
    pub(crate) fn to_le(self) -> Self {
        if cfg!(target_endian = "little") {
            self
        } else {
            Word::new(self.bits().to_le())
        }
    }
}

/// Writes two words.
#[inline(always)]
pub(crate) fn write(at: &mut [u64; 2], first: Word, second: Word) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the two words are there. Each x86-64 has SSE2.
    unsafe {
        use core::arch::x86_64::{_mm_set_pd, _mm_storeu_pd};
        _mm_storeu_pd(at.as_mut_ptr().cast(), _mm_set_pd(second.0, first.0));
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        *at = [first.bits(), second.bits()];
    }
}

/// Publishes two words with one store: who sees the first sees the second, and all that was written
/// before. Answers false, having done nothing, if the target has no such store.
///
/// # Safety
///
/// `at` is valid for writes of both, and aligned to 16 bytes; others look at the first word only by
/// atomic loads, and at the second after they have seen the first. On x86-64,
/// [`is_indivisible`] holds.
#[inline(always)]
pub(crate) unsafe fn publish(at: *mut u64, first: Word, second: Word) -> bool {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: by contract, one aligned store, which the compiler does not take apart. Stores become
    // visible in order.
    unsafe {
        use core::arch::x86_64::_mm_set_pd;
        core::arch::asm!(
            "movaps xmmword ptr [{at}], {words}",
            at = in(reg) at,
            words = in(xmm_reg) _mm_set_pd(second.0, first.0),
            options(nostack, preserves_flags)
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (at, first, second);
    cfg!(all(target_arch = "x86_64", not(miri)))
}

/// Whether nobody sees one half of what [`publish`] stores, where it does. Intel and AMD promise so
/// for processors that have AVX (Intel SDM, volume 3, 10.1.1; AMD APM, volume 2, 7.3.2).
pub(crate) fn is_indivisible() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx");
    #[cfg(not(target_arch = "x86_64"))]
    true
}

/// The same word, in a register of its own: the compiler will not load it together with its
/// neighbour. A processor that has to put together what it loads from two stores waits until all
/// stores before them are done, those to the ring included.
#[inline(always)]
pub(crate) fn apart(word: u64) -> u64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let mut word = word;
        // SAFETY: there is no instruction.
        unsafe {
            core::arch::asm!("/* {0} */", inout(reg) word, options(pure, nomem, nostack, preserves_flags));
        }
        word
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(16))]
    struct Place([u64; 3]);

    #[test]
    fn both_words_are_written() {
        let word = Word::new;
        let mut place = Place([0; 3]);
        let [_, pair @ ..] = &mut place.0;
        write(pair, word(7), word(u64::MAX));
        assert_eq!(place.0, [0, 7, u64::MAX]);
        // SAFETY: the words are there, and nobody else looks.
        if unsafe { publish(place.0.as_mut_ptr(), word(8), word(9)) } {
            assert_eq!(place.0, [8, 9, u64::MAX]);
        }
        assert_eq!(apart(5), 5);
    }
}
