//! What the tests of this module share.

/// A seeded generator (xorshift64*): the same numbers in every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// A number of any magnitude, small ones as often as large ones.
    pub(super) fn any_size(&mut self) -> u64 {
        self.next() >> (self.next() % 64)
    }
}

/// How many of `full` random cases to try: all with optimisation, fewer without.
pub(super) fn cases(full: u64) -> u64 {
    if cfg!(miri) {
        full.min(100)
    } else if cfg!(debug_assertions) {
        full / 10
    } else {
        full
    }
}

/// As [`cases`] for numbers, of which `RINGLOG_NUMBER_CASES` may ask for more: so many where there
/// are 300,000 otherwise.
pub(super) fn number_cases(full: u64) -> u64 {
    match std::env::var("RINGLOG_NUMBER_CASES") {
        Ok(number) => {
            let number: u64 = number
                .parse()
                .expect("RINGLOG_NUMBER_CASES is a number of cases");
            number * full / 300_000
        }
        Err(_) => cases(full),
    }
}
