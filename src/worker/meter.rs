//! What is counted of one sink, and how long its calls take.
//!
//! Written by the thread that calls the sink, read by anybody. The times are kept as in an HDR
//! histogram: in buckets that are an eighth as wide as the times in them are long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::stats::{Latency, SinkStats};

/// Buckets for each doubling.
const STEPS: u64 = 8;

/// Buckets up to `u64::MAX` nanoseconds.
const BUCKETS: usize = bucket_of(u64::MAX) + 1;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) name: String,
    pub(crate) bytes: Counter,
    pub(crate) writes: Counter,
    pub(crate) errors: Counter,
    pub(crate) lost: Counter,
    /// Bytes that wait because the sink fails, and in the queue to its thread.
    pub(crate) waiting: Counter,
    pub(crate) queued: Counter,
    longest: Counter,
    buckets: Box<[Counter]>,
}

/// A number with one writer.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, amount: u64) {
        self.set(self.get() + amount);
    }
}

impl Meter {
    pub(crate) fn new(name: &str) -> Self {
        Meter {
            name: name.to_owned(),
            bytes: Counter::default(),
            writes: Counter::default(),
            errors: Counter::default(),
            lost: Counter::default(),
            waiting: Counter::default(),
            queued: Counter::default(),
            longest: Counter::default(),
            buckets: (0..BUCKETS).map(|_| Counter::default()).collect(),
        }
    }

    /// A call that wrote took so long.
    pub(crate) fn note_write(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.writes.add(1);
        self.longest.set(self.longest.get().max(nanos));
        self.buckets[bucket_of(nanos)].add(1);
    }

    pub(crate) fn stats(&self) -> SinkStats {
        SinkStats {
            name: self.name.clone(),
            bytes: self.bytes.get(),
            writes: self.writes.get(),
            errors: self.errors.get(),
            lost: self.lost.get(),
            waiting: self.waiting.get() + self.queued.get(),
            latency: self.latency(),
        }
    }

    fn latency(&self) -> Latency {
        let counts: Vec<u64> = self.buckets.iter().map(Counter::get).collect();
        let longest = self.longest.get();
        let total: u64 = counts.iter().sum();
        // The upper end of the bucket that the call of this rank is in.
        let at = |rank: u64| {
            let mut seen = 0;
            let bucket = counts.iter().position(|&count| {
                seen += count;
                seen >= rank
            });
            Duration::from_nanos(bucket.map_or(longest, end_of).min(longest))
        };
        let share = |part: u64| at((total * part).div_ceil(1000).max(1));
        if total == 0 {
            return Latency::default();
        }
        Latency {
            p50: share(500),
            p99: share(990),
            p999: share(999),
            max: Duration::from_nanos(longest),
        }
    }
}

/// The bucket of a time.
const fn bucket_of(nanos: u64) -> usize {
    if nanos < STEPS {
        return nanos as usize;
    }
    let doublings = (nanos / STEPS).ilog2() as u64;
    let step = (nanos >> doublings) - STEPS;
    (STEPS * (doublings + 1) + step) as usize
}

/// The longest time of a bucket.
fn end_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let (doublings, step) = (bucket / STEPS - 1, bucket % STEPS);
    // One more than fits would be the start of the next bucket.
    ((STEPS + step) << doublings) + ((1 << doublings) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_the_bucket_that_ends_at_or_after_it_and_not_far_after() {
        let mut times: Vec<u64> = (0..2000).collect();
        for shift in 0..64 {
            times.extend([(1_u64 << shift) - 1, 1 << shift, (1 << shift) | 1]);
        }
        times.push(u64::MAX);
        for time in times {
            let bucket = bucket_of(time);
            assert!(bucket < BUCKETS);
            let end = end_of(bucket);
            assert_eq!(bucket_of(end), bucket);
            assert!(end >= time && end - time <= time / STEPS, "{time} {end}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_times_noted() {
        let meter = Meter::new("x");
        assert_eq!(meter.latency(), Latency::default());
        for micros in 1..=1000 {
            meter.note_write(Duration::from_micros(micros));
        }
        let latency = meter.latency();
        let near = |found: Duration, expected: u64| {
            let micros = found.as_micros() as u64;
            (expected..=expected + expected / 8).contains(&micros)
        };
        assert!(near(latency.p50, 500), "{latency:?}");
        assert!(near(latency.p99, 990), "{latency:?}");
        assert!(near(latency.p999, 999), "{latency:?}");
        assert_eq!(latency.max, Duration::from_millis(1));
    }
}
