//! Time in ticks of the time stamp counter; elsewhere than on x86-64, in nanoseconds of
//! [`Instant`].
//!
//! A stretch of code is measured from [`start`] to [`stop`]:
//!
//! * `start` is `lfence; rdtsc; lfence`: the counter is read when all instructions before it are
//!   done, and none after it has begun.
//! * `stop` is `rdtscp; lfence`: the counter is read when all instructions before it are done, and
//!   none after it has begun.
//!
//! "Done" means retired. A store that has retired may still be on its way from the store buffer to
//! the cache, so that way is measured only as far as the stretch itself had to wait for it. That is
//! what the thread that logs feels; it is why the cost of a burst grows with the time that a cache
//! line takes between the two cores.
//!
//! An empty stretch takes [`Scale::empty`] ticks, which [`Scale::ticks`] takes off.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::spread;

/// Reads the counter at the start of a stretch.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn start() -> u64 {
    use core::arch::x86_64::{_mm_lfence, _rdtsc};
    // SAFETY: every x86-64 processor has these instructions; they touch no memory.
    unsafe {
        _mm_lfence();
        let ticks = _rdtsc();
        _mm_lfence();
        ticks
    }
}

/// Reads the counter at the end of a stretch.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn stop() -> u64 {
    use core::arch::x86_64::{__rdtscp, _mm_lfence};
    let mut processor = 0;
    // SAFETY: `processor` is valid for the write, and every x86-64 processor that this crate meets
    // has `rdtscp` (it came with the invariant counter, without which ticks mean nothing).
    unsafe {
        let ticks = __rdtscp(&raw mut processor);
        _mm_lfence();
        ticks
    }
}

/// Reads the counter as a program would that only wants the time: without any fence.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn read() -> u64 {
    // SAFETY: every x86-64 processor has the instruction; it touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
mod fallback {
    use std::sync::LazyLock;
    use std::time::Instant;

    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

    #[inline(always)]
    pub fn read() -> u64 {
        EPOCH.elapsed().as_nanos() as u64
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub use fallback::{read, read as start, read as stop};

/// What ticks mean, measured on the core on which it was made.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    nanoseconds_per_tick: f64,
    empty: u64,
    step: u64,
}

impl Scale {
    /// Compares the counter with [`Instant`] for a tenth of a second, and measures empty stretches.
    pub fn measure() -> Self {
        let (begin, first) = (Instant::now(), read());
        while begin.elapsed() < Duration::from_millis(100) {
            std::hint::spin_loop();
        }
        let (elapsed, last) = (begin.elapsed(), read());
        let mut empty: Vec<u64> = (0..10_001)
            .map(|_| {
                let start = start();
                stop() - start
            })
            .collect();
        empty.sort_unstable();
        Scale {
            nanoseconds_per_tick: elapsed.as_nanos() as f64 / (last - first) as f64,
            empty: empty[empty.len() / 2],
            step: empty.iter().copied().fold(0, greatest_common_divisor),
        }
    }

    /// The ticks between `start` and `stop`, less those that an empty stretch takes.
    #[inline(always)]
    pub fn ticks(&self, start: u64, stop: u64) -> u64 {
        stop.saturating_sub(start).saturating_sub(self.empty)
    }

    /// Ticks as nanoseconds.
    pub fn nanoseconds(&self, ticks: f64) -> f64 {
        ticks * self.nanoseconds_per_tick
    }

    /// What is taken off every stretch, in nanoseconds: the median of 10,001 empty ones.
    pub fn empty(&self) -> f64 {
        self.nanoseconds(self.empty as f64)
    }

    /// The step in which the counter moves, in nanoseconds; on some processors it counts a slower
    /// clock, multiplied. No figure of a single stretch is finer than this.
    pub fn step(&self) -> f64 {
        self.nanoseconds(self.step as f64)
    }

    /// What one bare `rdtsc` costs, in nanoseconds, when many follow each other: the median of 101
    /// runs of 1,000.
    pub fn bare_read(&self) -> f64 {
        const READS: usize = 1000;
        let runs = (0..101).map(|_| {
            let start = start();
            for _ in 0..READS {
                black_box(read());
            }
            self.nanoseconds(self.ticks(start, stop()) as f64) / READS as f64
        });
        let [_, median, _] = spread(&runs.collect::<Vec<f64>>());
        median
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
