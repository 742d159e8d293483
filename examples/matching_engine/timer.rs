//! How long single calls take.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Collects how long calls took, in ticks of the fastest clock there is: the time stamp counter on
/// x86-64, [`Instant`] elsewhere.
///
/// What is recorded includes the two reads of that clock; [`Timer::overhead`] says how much that is.
#[derive(Debug)]
pub struct Timer {
    ticks: Histogram<u64>,
    started: Instant,
    started_ticks: u64,
}

/// The start of a call.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

impl Timer {
    /// A timer that has recorded nothing.
    pub fn new() -> Self {
        Timer {
            ticks: Histogram::new_with_bounds(1, 1 << 40, 3)
                .expect("the bounds and the digits are within what a histogram takes"),
            started: Instant::now(),
            started_ticks: ticks(),
        }
    }

    /// Before the call.
    #[inline(always)]
    pub fn mark(&self) -> Mark {
        Mark(ticks())
    }

    /// After the call.
    #[inline(always)]
    pub fn record(&mut self, mark: Mark) {
        let end = ticks();
        self.ticks.saturating_record(end.saturating_sub(mark.0));
    }

    /// How many calls were recorded.
    pub fn calls(&self) -> u64 {
        self.ticks.len()
    }

    /// What is recorded of a call that does nothing: the median of many, in nanoseconds.
    pub fn overhead(&self) -> f64 {
        let mut empty = Timer::new();
        for _ in 0..10_000 {
            let mark = empty.mark();
            empty.record(mark);
        }
        empty.ticks.value_at_quantile(0.5) as f64 * self.nanoseconds_per_tick()
    }

    /// The time that this share of the calls did not exceed, in nanoseconds.
    pub fn quantile(&self, quantile: f64) -> f64 {
        self.ticks.value_at_quantile(quantile) as f64 * self.nanoseconds_per_tick()
    }

    /// How long a tick is, taken from the time since the timer was made, of which there must be
    /// enough for the two clocks' granularity not to matter.
    fn nanoseconds_per_tick(&self) -> f64 {
        while self.started.elapsed() < Duration::from_millis(10) {
            std::hint::spin_loop();
        }
        let nanoseconds = self.started.elapsed().as_nanos() as f64;
        nanoseconds / (ticks() - self.started_ticks) as f64
    }
}

/// The fence keeps the processor from reading the counter before the work in front of it is done, or
/// after the work behind it has begun.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn ticks() -> u64 {
    use core::arch::x86_64::{_mm_lfence, _rdtsc};
    // SAFETY: every x86-64 processor has both instructions; they touch no memory.
    unsafe {
        _mm_lfence();
        let ticks = _rdtsc();
        _mm_lfence();
        ticks
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn ticks() -> u64 {
    use std::sync::LazyLock;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_as_long_as_the_clock_says() {
        let mut timer = Timer::new();
        let start = Instant::now();
        let mark = timer.mark();
        std::thread::sleep(Duration::from_millis(30));
        timer.record(mark);
        let took = start.elapsed().as_nanos() as f64;
        assert_eq!(timer.calls(), 1);
        let told = timer.quantile(1.0);
        assert!(told > 29e6 && told < 1.1 * took, "{told} of {took}");
    }
}
