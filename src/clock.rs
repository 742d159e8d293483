//! Where timestamps come from.
//!
//! A record is stamped with the cheapest thing that can be read, and the consumer turns stamps into
//! time. For the time stamp counter it keeps a [`Timeline`]: a straight line from ticks to
//! nanoseconds since 1970, which is bent towards the wall clock twice a second and never stepped
//! back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sys::tsc;

/// Where a record's timestamp comes from.
///
/// All clocks show nanoseconds of UTC. The costs are those of one machine (AMD EPYC, 2.6 GHz, in a
/// virtual machine), and are to be compared with each other; see `docs/performance.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Clock {
    /// The processor's time stamp counter, anchored to the wall clock: one instruction, about 10
    /// ns. Never goes back. Follows the wall clock by running up to 500 ppm faster or slower; a step
    /// forward of more than a second is followed at once, a step back is only ever approached.
    ///
    /// Where the processor or the kernel does not vouch for the counter, [`Clock::System`] is used
    /// instead, and the logger has a [warning](crate::RingLogger::warnings) that says why.
    #[default]
    Tsc,
    /// The consumer's time when it found the record: costs the producer nothing. Exact to the time
    /// that the consumer may sleep. Records of different threads are in the order in which they were
    /// found.
    Arrival,
    /// The system's wall clock: 20 to 50 ns, on most machines without entering the kernel. Goes back
    /// when the system's clock does.
    System,
}

/// A point in time: nanoseconds since 1970-01-01 00:00 UTC, until the year 2554.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    unix_nanos: u64,
}

impl Timestamp {
    /// The time so many nanoseconds after 1970 began.
    #[must_use]
    pub const fn from_unix_nanos(unix_nanos: u64) -> Self {
        Timestamp { unix_nanos }
    }

    /// Nanoseconds since 1970 began.
    #[must_use]
    pub const fn as_unix_nanos(self) -> u64 {
        self.unix_nanos
    }

    /// The system's time now.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().into()
    }
}

/// Times before 1970 become 1970, those after 2554 the last moment there is.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_nanos(time.unix_nanos)
    }
}

/// The producer's half of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamper {
    clock: Clock,
}

impl Stamper {
    /// A stamp for a record that is submitted now.
    #[inline(always)]
    pub(crate) fn now(self) -> u64 {
        match self.clock {
            Clock::Tsc => tsc::read(),
            Clock::Arrival => 0,
            Clock::System => Timestamp::now().as_unix_nanos(),
        }
    }

    /// Whether stamps mean nothing.
    pub(crate) fn is_arrival(self) -> bool {
        self.clock == Clock::Arrival
    }
}

/// The consumer's half of a clock: stamps to time.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// `None` if the stamps are time already.
    ticks: Option<Ticks>,
}

impl Timeline {
    /// Both halves of a clock. Takes a few milliseconds if the counter has to be calibrated. If the
    /// counter cannot be used, the answer has a sentence that says why.
    pub(crate) fn new(clock: Clock) -> (Timeline, Stamper, Option<String>) {
        let system = Timeline { ticks: None };
        if clock == Clock::System {
            return (system, Stamper { clock }, None);
        }
        match tsc::check() {
            Ok(()) => {
                let ticks = Some(Ticks::calibrate());
                (Timeline { ticks }, Stamper { clock }, None)
            }
            // Arrival times need a clock of the consumer's only, so nothing is lost.
            Err(_) if clock == Clock::Arrival => (system, Stamper { clock }, None),
            Err(reason) => {
                let warning = format!(
                    "the time stamp counter cannot be used, timestamps come from the system clock: \
                     {reason}"
                );
                let clock = Clock::System;
                (system, Stamper { clock }, Some(warning))
            }
        }
    }

    /// Nanoseconds since 1970, now.
    pub(crate) fn now(&self) -> u64 {
        match &self.ticks {
            Some(ticks) => ticks.unix_nanos(tsc::read()),
            None => Timestamp::now().as_unix_nanos(),
        }
    }

    /// The time of a stamp, in nanoseconds since 1970. A later stamp never gets an earlier time, as
    /// long as both are younger than the last bend but one, half a second to a second ago.
    #[inline]
    pub(crate) fn unix_nanos(&self, stamp: u64) -> u64 {
        match &self.ticks {
            Some(ticks) => ticks.unix_nanos(stamp),
            None => stamp,
        }
    }

    /// Bends the line towards the wall clock, if it is time to. Costs one reading of the counter
    /// otherwise.
    pub(crate) fn maintain(&mut self) {
        if let Some(ticks) = &mut self.ticks {
            if tsc::read().wrapping_sub(ticks.line.start) >= ticks.period {
                ticks.bend(Sample::take());
            }
        }
    }
}

/// The counter and the wall clock at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    ticks: u64,
    nanos: u64,
}

impl Sample {
    /// The best of a few: the one with the least time between two readings of the counter around
    /// the one of the wall clock.
    fn take() -> Self {
        let mut best: Option<(u64, Sample)> = None;
        for _ in 0..8 {
            let before = tsc::read();
            let nanos = Timestamp::now().as_unix_nanos();
            let width = tsc::read().saturating_sub(before);
            if best.is_none_or(|(narrowest, _)| width < narrowest) {
                let ticks = before + width / 2;
                best = Some((width, Sample { ticks, nanos }));
            }
        }
        best.map_or(Sample { ticks: 0, nanos: 0 }, |(_, sample)| sample)
    }
}

/// The counter's line. See the [module](self).
#[derive(Debug)]
struct Ticks {
    line: Line,
    /// The line before the last bend, for stamps from before it.
    before: Line,
    /// The sample from which the rate is measured.
    base: Sample,
    /// Nanoseconds per tick, in units of 2^-[`FRACTION`], as measured.
    rate: u64,
    /// Ticks between two bends.
    period: u64,
}

/// `nanos` at `start`, and `slope` nanoseconds for each tick after it, in units of 2^-[`FRACTION`].
#[derive(Clone, Copy, Debug)]
struct Line {
    start: u64,
    nanos: u64,
    slope: u64,
}

/// The bits behind the point of a slope: 2^-40 ns a tick is a microsecond in eight years.
const FRACTION: u32 = 40;

/// How long a first measurement of the rate takes.
const CALIBRATION: Duration = Duration::from_millis(4);

/// How often the line is bent.
const PERIOD: Duration = Duration::from_millis(500);

/// How much faster or slower than the wall clock the line may run to meet it: 500 ppm, in parts per
/// billion.
const MOST_PPB: i64 = 500_000;

/// A step of the wall clock that is followed at once, if it is forward.
const STEP: i64 = 1_000_000_000;

/// A difference that no drift explains within a period: somebody set the wall clock, so the rate
/// is measured anew from here.
const SET: i64 = 1_000_000;

impl Line {
    #[inline]
    fn at(&self, ticks: u64) -> u64 {
        let ticks = i128::from(ticks.wrapping_sub(self.start) as i64);
        let nanos = (ticks * i128::from(self.slope)) >> FRACTION;
        self.nanos.saturating_add_signed(nanos as i64)
    }
}

impl Ticks {
    fn calibrate() -> Self {
        let first = Sample::take();
        while Timestamp::now().as_unix_nanos().saturating_sub(first.nanos)
            < CALIBRATION.as_nanos() as u64
        {
            std::hint::spin_loop();
        }
        let last = Sample::take();
        // A clock that was set back in between gives no rate; one nanosecond a tick is bent right
        // soon.
        let rate = rate_between(first, last).unwrap_or(1 << FRACTION);
        Ticks::new(last, first, rate)
    }

    fn new(start: Sample, base: Sample, rate: u64) -> Self {
        let line = Line {
            start: start.ticks,
            nanos: start.nanos,
            slope: rate,
        };
        Ticks {
            line,
            before: line,
            base,
            rate,
            period: period_of(rate),
        }
    }

    #[inline]
    fn unix_nanos(&self, stamp: u64) -> u64 {
        if stamp >= self.line.start {
            self.line.at(stamp)
        } else {
            self.before.at(stamp)
        }
    }

    /// Begins a new line, where the old one is, that meets the wall clock a period later.
    fn bend(&mut self, sample: Sample) {
        let here = self.line.at(sample.ticks);
        let error = sample.nanos.wrapping_sub(here) as i64;
        if error.abs() > SET {
            self.base = sample;
        } else if let Some(rate) = rate_between(self.base, sample) {
            self.rate = rate;
            self.period = period_of(rate);
        }
        let (nanos, error) = if error > STEP {
            (sample.nanos, 0)
        } else {
            (here, error)
        };
        let ppb = error.saturating_mul(1_000_000_000) / PERIOD.as_nanos() as i64;
        let correction =
            i128::from(self.rate) * i128::from(ppb.clamp(-MOST_PPB, MOST_PPB)) / 1_000_000_000;
        self.before = self.line;
        self.line = Line {
            start: sample.ticks,
            nanos,
            slope: self.rate.saturating_add_signed(correction as i64),
        };
    }
}

/// The measured rate; `None` if the wall clock did not go forward.
fn rate_between(first: Sample, last: Sample) -> Option<u64> {
    let nanos = u128::from(last.nanos.checked_sub(first.nanos)?);
    let ticks = u128::from(last.ticks.checked_sub(first.ticks)?);
    let rate = (nanos << FRACTION).checked_div(ticks)?;
    u64::try_from(rate).ok().filter(|&rate| rate > 0)
}

fn period_of(rate: u64) -> u64 {
    u64::try_from((PERIOD.as_nanos() << FRACTION) / u128::from(rate)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tick of 0.4 ns.
    const RATE: u64 = (4 << FRACTION) / 10;

    fn random(seed: &mut u64) -> u64 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *seed >> 20
    }

    #[test]
    fn time_never_goes_back_however_the_wall_clock_is_set() {
        let mut seed = 3;
        for _ in 0..200 {
            let mut wall = 1_700_000_000_000_000_000_u64;
            let mut now = 1 << 40;
            let start = Sample {
                ticks: now,
                nanos: wall,
            };
            let mut ticks = Ticks::new(start, start, RATE);
            let mut latest = 0;
            for _ in 0..50 {
                for _ in 0..20 {
                    let step = random(&mut seed) % ticks.period / 10;
                    now += step;
                    wall += step * 4 / 10;
                    let time = ticks.unix_nanos(now);
                    assert!(time >= latest);
                    latest = time;
                }
                match random(&mut seed) % 5 {
                    0 => wall += random(&mut seed) % 10_000_000_000,
                    1 => wall -= random(&mut seed) % 10_000_000_000,
                    _ => wall += random(&mut seed) % 100_000,
                }
                ticks.bend(Sample {
                    ticks: now,
                    nanos: wall,
                });
                // A stamp from before the bend that is read after it keeps its place.
                assert!(ticks.unix_nanos(now - 1000) <= ticks.unix_nanos(now - 1));
                assert!(ticks.unix_nanos(now - 1) <= ticks.unix_nanos(now));
                assert!(ticks.unix_nanos(now) >= latest);
            }
        }
    }

    #[test]
    fn a_wrong_rate_is_found_and_the_wall_clock_met() {
        let start = Sample {
            ticks: 0,
            nanos: 1_000_000_000_000,
        };
        let mut ticks = Ticks::new(start, start, RATE + RATE / 10_000);
        let mut error = 0;
        for period in 1..=10_u64 {
            let now = period * 1_250_000_000;
            let nanos = start.nanos + period * 500_000_000;
            error = ticks.unix_nanos(now).abs_diff(nanos);
            ticks.bend(Sample { ticks: now, nanos });
        }
        assert!(error < 10, "{error} ns");
    }

    #[test]
    fn a_step_forward_is_followed_at_once() {
        let start = Sample {
            ticks: 0,
            nanos: 1_000_000_000_000,
        };
        let mut ticks = Ticks::new(start, start, RATE);
        let (now, nanos) = (1_250_000_000, start.nanos + 3_600_000_000_000);
        ticks.bend(Sample { ticks: now, nanos });
        assert_eq!(ticks.unix_nanos(now), nanos);
    }

    #[test]
    #[cfg_attr(miri, ignore = "there is no counter")]
    fn the_counter_shows_the_wall_clock() {
        let (mut timeline, stamper, warning) = Timeline::new(Clock::Tsc);
        assert_eq!(warning.is_some(), stamper.clock == Clock::System);
        // The best of many, since the machine may take the thread away between two readings.
        let error = (0..1000)
            .map(|_| {
                timeline.maintain();
                let shown = timeline.unix_nanos(stamper.now());
                shown.abs_diff(Timestamp::now().as_unix_nanos())
            })
            .min();
        assert!(error < Some(20_000), "{error:?} ns");
    }

    #[test]
    fn times_outside_the_range_become_the_nearest_inside() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        let after = UNIX_EPOCH + Duration::from_secs(600 * 366 * 86_400);
        assert_eq!(Timestamp::from(before).as_unix_nanos(), 0);
        assert_eq!(Timestamp::from(after).as_unix_nanos(), u64::MAX);
        let now = Timestamp::now();
        assert_eq!(Timestamp::from(SystemTime::from(now)), now);
    }
}
