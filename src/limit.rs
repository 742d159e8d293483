//! Limits on how often a statement logs: `once`, `every`, `per` and `sample`.
//!
//! A statement with a limit has one of these in a static of its own, which all threads share; one
//! without has nothing. Each call of a statement that is enabled either passes or is held back, by
//! one atomic change without a loop that could wait for another thread. What was held back since the
//! last record that passed is counted, exactly, and goes with the next one.
//!
//! Everything is Relaxed: a limit counts calls, and nothing is published by it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Decides about the calls of one statement.
pub trait Limit {
    /// Whether this call passes, and if so how many calls before it were held back.
    fn pass(&self) -> Option<u64>;

    /// Takes back what a record should have told that did not get into the ring.
    fn put_back(&self, suppressed: u64);
}

/// `once`: the first call passes, and no other.
#[derive(Debug)]
pub struct Once {
    done: AtomicBool,
}

impl Once {
    /// Before the first call.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "made in statics only")]
    pub const fn new() -> Self {
        Once {
            done: AtomicBool::new(false),
        }
    }
}

impl Limit for Once {
    #[inline]
    fn pass(&self) -> Option<u64> {
        // The load keeps the line shared between those who come later.
        let done = self.done.load(Ordering::Relaxed) || self.done.swap(true, Ordering::Relaxed);
        (!done).then_some(0)
    }

    fn put_back(&self, _suppressed: u64) {}
}

/// `every = n`: the first call passes, and then each `n`th.
#[derive(Debug)]
pub struct Every {
    /// The calls so far.
    calls: AtomicU64,
    n: u64,
    /// What is to be told beside the calls since the last one that passed.
    owed: AtomicU64,
}

impl Every {
    /// Before the first call.
    #[must_use]
    pub const fn new(n: u64) -> Self {
        assert!(n > 0, "`every` is at least 1");
        Every {
            calls: AtomicU64::new(0),
            n,
            owed: AtomicU64::new(0),
        }
    }
}

impl Limit for Every {
    #[inline]
    fn pass(&self) -> Option<u64> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if call % self.n != 0 {
            return None;
        }
        let since = if call == 0 { 0 } else { self.n - 1 };
        Some(since + self.owed.swap(0, Ordering::Relaxed))
    }

    fn put_back(&self, suppressed: u64) {
        self.owed.fetch_add(suppressed, Ordering::Relaxed);
    }
}

/// `per = duration`: a call passes if none has passed for so long.
#[derive(Debug)]
pub struct Per {
    nanos: u64,
    /// When the next call may pass, in nanoseconds since [`start`].
    next: AtomicU64,
    suppressed: AtomicU64,
}

impl Per {
    /// Before the first call.
    #[must_use]
    pub const fn new(duration: Duration) -> Self {
        let nanos = duration.as_nanos();
        Per {
            nanos: if nanos > u64::MAX as u128 {
                u64::MAX
            } else {
                nanos as u64
            },
            next: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
        }
    }

    fn pass_at(&self, now: u64) -> Option<u64> {
        let next = self.next.load(Ordering::Relaxed);
        let passes = now >= next
            && self
                .next
                .compare_exchange(
                    next,
                    now.saturating_add(self.nanos),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok();
        if passes {
            Some(self.suppressed.swap(0, Ordering::Relaxed))
        } else {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

/// The time from which a monotonic clock is read as a number.
fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

impl Limit for Per {
    #[inline]
    fn pass(&self) -> Option<u64> {
        let elapsed = start().elapsed().as_nanos();
        self.pass_at(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    fn put_back(&self, suppressed: u64) {
        self.suppressed.fetch_add(suppressed, Ordering::Relaxed);
    }
}

/// `sample = p`: each call passes with this probability.
#[derive(Debug)]
pub struct Sample {
    /// A call passes if its number between 0 and 2^32 is below this.
    threshold: u64,
    /// The calls so far, modulo 2^32, in the upper half; those held back since the last that passed
    /// in the lower.
    state: AtomicU64,
}

impl Sample {
    /// Before the first call.
    #[must_use]
    pub const fn new(share: f64) -> Self {
        assert!(
            share >= 0.0 && share <= 1.0,
            "`sample` is a share from 0.0 to 1.0"
        );
        Sample {
            threshold: (share * 4_294_967_296.0) as u64,
            state: AtomicU64::new(0),
        }
    }

    /// A number below 2^32 for each call, without a pattern that a program's own could fit.
    fn number(call: u64) -> u64 {
        // The finalizer of splitmix64.
        let mut mixed = (call + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) >> 32
    }

    const MOST: u64 = u32::MAX as u64;
}

impl Limit for Sample {
    #[inline]
    fn pass(&self) -> Option<u64> {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let (call, suppressed) = (state >> 32, state & Self::MOST);
            let passes = Self::number(call) < self.threshold;
            let suppressed_after = if passes {
                0
            } else {
                (suppressed + 1).min(Self::MOST)
            };
            let after = call.wrapping_add(1) << 32 | suppressed_after;
            match self.state.compare_exchange_weak(
                state,
                after,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return passes.then_some(suppressed),
                Err(other) => state = other,
            }
        }
    }

    fn put_back(&self, suppressed: u64) {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let sum = ((state & Self::MOST) + suppressed).min(Self::MOST);
            let after = state & !Self::MOST | sum;
            match self.state.compare_exchange_weak(
                state,
                after,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(other) => state = other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_passes_one_call_and_tells_those_before() {
        let per = Per::new(Duration::from_nanos(100));
        let passed: Vec<_> = [0, 1, 99, 100, 150, 199, 250, 1000, 1001, 1100]
            .into_iter()
            .map(|now| per.pass_at(now))
            .collect();
        assert_eq!(
            passed,
            [
                Some(0),
                None,
                None,
                Some(2),
                None,
                None,
                Some(2),
                Some(0),
                None,
                Some(1)
            ]
        );
    }

    #[test]
    fn the_longest_time_passes_once_and_none_passes_always() {
        let per = Per::new(Duration::MAX);
        assert_eq!(per.pass_at(5), Some(0));
        assert_eq!(per.pass_at(u64::MAX - 1), None);
        let per = Per::new(Duration::ZERO);
        assert_eq!(per.pass_at(5), Some(0));
        assert_eq!(per.pass_at(5), Some(0));
    }

    #[test]
    fn a_share_passes_about_as_many_calls_and_tells_the_others_exactly() {
        for (share, least, most) in [
            (0.0, 0, 0),
            (0.01, 900, 1100),
            (0.5, 49_000, 51_000),
            (1.0, 100_000, 100_000),
        ] {
            let sample = Sample::new(share);
            let told: Vec<u64> = (0..100_000).filter_map(|_| sample.pass()).collect();
            assert!(
                (least..=most).contains(&told.len()),
                "{share}: {}",
                told.len()
            );
            let rest = sample.state.load(Ordering::Relaxed) & Sample::MOST;
            assert_eq!(told.iter().sum::<u64>() + rest + told.len() as u64, 100_000);
        }
    }

    #[test]
    fn what_is_put_back_is_told_by_the_next() {
        fn check(limit: &impl Limit, next: impl Fn() -> u64) {
            let told = next();
            limit.put_back(told + 5);
            assert!(next() >= told + 5);
        }
        let every = Every::new(3);
        check(&every, || (0..3).find_map(|_| every.pass()).unwrap());
        let sample = Sample::new(0.5);
        check(&sample, || (0..).find_map(|_: u32| sample.pass()).unwrap());
        let per = Per::new(Duration::ZERO);
        check(&per, || per.pass().unwrap());
    }
}
