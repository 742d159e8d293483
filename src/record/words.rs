//! Values of fixed size as words, which go in registers all the way from a statement to its slot.
//!
//! Such a record is claimed, written and published in one place, the same for all statements, which
//! are left with little more than a call. No value need be in memory on the way.

use super::capture::{Erased, Value, Values};
use super::encode::{FIRST_PAYLOAD, Scratch};
use super::value::Put;
use super::{Type, TypeList};
use crate::sys::pair::{self, Word};

/// As many words as the first slot of a record has room for.
pub(crate) const MOST_WORDS: usize = FIRST_PAYLOAD / size_of::<u64>();

/// The bytes of all values of a statement, in words, the first byte of each lowest.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    words: [u64; MOST_WORDS],
    /// In bytes. May be more than there is room for, and is not relied on.
    length: usize,
}

impl Words {
    /// Whether such values are of fixed size, and there is room for all.
    pub(crate) const fn fit<V: Values>() -> bool {
        V::PREPARED == 0 && V::VARYING == 0 && V::FIXED <= FIRST_PAYLOAD
    }

    /// The values, which [fit](Words::fit). What exceeds the size that they promised is left out.
    #[inline(always)]
    pub(crate) fn of<V: Values>(values: &V) -> Self {
        let mut words = Words {
            words: [0; MOST_WORDS],
            length: 0,
        };
        // SAFETY: none of the values has to be prepared.
        unsafe { values.put(&Scratch::EMPTY, &mut words, usize::MAX) };
        words
    }

    /// Those that came through registers. Of the first `length` bytes, at most [`FIRST_PAYLOAD`].
    pub(crate) fn from_registers(words: [Word; MOST_WORDS], length: usize) -> Self {
        Words {
            words: words.map(Word::bits),
            length: length.min(FIRST_PAYLOAD),
        }
    }

    /// To be put in a register.
    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Word {
        Word::new(self.words[index])
    }

    /// In bytes.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Copies them.
    ///
    /// # Safety
    ///
    /// `to` is valid for writes of [`len`](Words::len) bytes, rounded up to whole words.
    pub(crate) unsafe fn copy_to(&self, to: *mut u8) {
        let count = self.length.div_ceil(size_of::<u64>());
        for (index, word) in self.words.iter().take(count).enumerate() {
            // SAFETY: by contract.
            unsafe { to.cast::<u64>().add(index).write_unaligned(word.to_le()) };
        }
    }

    /// The same as a statement's values, of these types.
    pub(crate) fn erase<'a>(values: &'a mut (Words,), types: &'static TypeList) -> Erased<'a> {
        Erased::new(values).with_types(types)
    }

    /// Appends up to eight bytes, the first one lowest and zeros above the last.
    #[inline(always)]
    fn append(&mut self, bytes: u64, length: usize) {
        let (index, shift) = (
            self.length / size_of::<u64>(),
            8 * (self.length % size_of::<u64>()),
        );
        self.length += length;
        if shift == 0 {
            if let Some(word) = self.words.get_mut(index) {
                *word = bytes;
            }
            return;
        }
        let bytes = pair::apart(bytes);
        if let Some(word) = self.words.get_mut(index) {
            *word |= bytes << shift;
        }
        if shift + 8 * length > 64 {
            if let Some(word) = self.words.get_mut(index + 1) {
                *word = bytes >> (64 - shift);
            }
        }
    }
}

impl Put for Words {
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.put_slice(&bytes);
    }

    #[inline(always)]
    fn put_slice(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(size_of::<u64>()) {
            let mut word = [0; size_of::<u64>()];
            word[..part.len()].copy_from_slice(part);
            self.append(u64::from_le_bytes(word), part.len());
        }
    }

    #[inline(always)]
    fn put_word(&mut self, word: u64, length: usize) {
        self.append(u64::from_le(word), length);
    }

    #[inline(always)]
    fn note_cut(&mut self) {}

    #[inline(always)]
    fn end(&mut self) {}
}

// SAFETY: the bytes are as many as they are said to be.
unsafe impl Value for Words {
    /// That of the first of the values that these are; nobody asks.
    const TYPE: Type = Type::Unit;
    const FIXED: usize = 0;
    const VARIES: bool = true;
    const PREPARED: bool = false;
    const EXACT: bool = true;

    fn prepare(&mut self, _scratch: &mut Scratch, _later: usize) {}

    unsafe fn variable(&self, _scratch: &Scratch, _limit: usize) -> usize {
        self.length
    }

    unsafe fn put<P: Put>(&self, _scratch: &Scratch, to: &mut P, _limit: usize) {
        let mut bytes = [0; FIRST_PAYLOAD];
        for (to, word) in bytes.chunks_exact_mut(size_of::<u64>()).zip(self.words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        to.put_slice(&bytes[..self.length]);
    }
}
