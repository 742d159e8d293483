//! Time: what a record is stamped with, and what a stamp means.
//!
//! A clock has two halves. The producer's half, [`Stamper`], is copied to wherever records are made
//! and does as little as it can. The consumer's half, [`Timeline`], turns stamps into nanoseconds
//! since 1970, and is the only one that knows anything about rates and offsets.

mod anchored;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sys::tsc;

use anchored::Anchored;

/// Where the time of a record comes from.
///
/// | clock | resolution | cost per record | agrees with the wall clock |
/// |---|---|---|---|
/// | [`Tsc`](Clock::Tsc) | one tick, less than 1 ns | one `rdtsc`: 8 to 15 ns | within microseconds |
/// | [`Arrival`](Clock::Arrival) | the consumer's round | nothing | within microseconds |
/// | [`System`](Clock::System) | 1 ns | 20 to 50 ns | exactly |
///
/// None allocates, locks or waits. `Tsc` and `Arrival` never enter the kernel at the log statement,
/// and neither does `System` on Linux as long as the kernel reads the time in user space, which it
/// does wherever the time stamp counter is sound.
///
/// Whatever the clock, records of one thread stay in the order in which they were logged. The clock
/// decides the order between threads. A time that the caller names with `at:` is taken as it is.
///
/// ```
/// use ringlog::Clock;
///
/// assert_eq!(Clock::default(), Clock::Tsc);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Clock {
    /// The processor's time stamp counter, read where the record is made.
    ///
    /// The consumer ties the counter to the wall clock when the logger is built and again every
    /// half second. Where the two have come apart it brings them together by running at most
    /// 0.05 % fast or slow, so that time never goes back and intervals stay true to that degree.
    /// Two exceptions:
    ///
    /// * A wall clock that is suddenly more than 0.1 s ahead, because it was set or the machine was
    ///   suspended, is followed at once.
    /// * A wall clock that is suddenly more than 1 s behind is approached at 5 %: after it was set
    ///   back by an hour, timestamps agree with it again after 20 hours.
    ///
    /// Across threads, the order is that of the counter's readings. The processor may take a
    /// reading some nanoseconds early or late in relation to the memory accesses around it, so two
    /// records that close together on different cores may change places.
    ///
    /// If the processor does not promise a constant rate, or the kernel found the counter to be
    /// unreliable, the logger uses [`Clock::System`] and has a
    /// [warning](crate::RingLogger::warnings) that says why. Building a logger takes two
    /// milliseconds longer with this clock, to measure the counter's rate.
    #[default]
    Tsc,
    /// The consumer's time when it takes a batch of records out of the ring. It comes from the time
    /// stamp counter, as with [`Clock::Tsc`], where that is sound, and is the wall clock elsewhere.
    ///
    /// All records of a batch carry the same time, which is later than that of the log statement by
    /// as long as the record waited: microseconds while the consumer is busy, up to a millisecond
    /// after it was idle, more if it falls behind. Across threads, the order is exact to a batch;
    /// within one, records are grouped by thread.
    Arrival,
    /// The operating system's wall clock, read where the record is made.
    ///
    /// When it is set back, so are the timestamps.
    System,
}

/// A point in time, for `at:`: nanoseconds since the beginning of 1970, UTC, until the year 2554.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use ringlog::Timestamp;
///
/// let exchange_time = Timestamp::from_unix_nanos(1_795_415_086_204_916_267);
/// assert_eq!(exchange_time.as_unix_nanos(), 1_795_415_086_204_916_267);
/// assert_eq!(Timestamp::from(UNIX_EPOCH + Duration::from_secs(1)).as_unix_nanos(), 1_000_000_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point so many nanoseconds after the beginning of 1970, leap seconds not counted.
    #[must_use]
    pub const fn from_unix_nanos(nanos: u64) -> Self {
        Timestamp(nanos)
    }

    /// Nanoseconds since the beginning of 1970, leap seconds not counted.
    #[must_use]
    pub const fn as_unix_nanos(self) -> u64 {
        self.0
    }

    /// The operating system's time now. Takes 20 to 50 ns.
    #[must_use]
    pub fn now() -> Self {
        Timestamp(system_nanos())
    }
}

impl From<SystemTime> for Timestamp {
    /// A time before 1970 or after 2554 becomes the nearest that can be told.
    fn from(time: SystemTime) -> Self {
        Timestamp(unix_nanos(time))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_nanos(time.0)
    }
}

fn unix_nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

pub(crate) fn system_nanos() -> u64 {
    unix_nanos(SystemTime::now())
}

/// The producer's half of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamper(Source);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Tsc,
    Arrival,
    System,
}

impl Stamper {
    /// A stamp for a record made now: ticks of the counter, nanoseconds since 1970, or 0 if the
    /// consumer is to date it. Callable anywhere, signal handlers included.
    #[inline(always)]
    pub(crate) fn now(self) -> u64 {
        match self.0 {
            Source::Tsc => tsc::read(),
            Source::Arrival => 0,
            Source::System => system_nanos(),
        }
    }

    /// As [`now`](Self::now), if that takes no more than an instruction.
    #[inline(always)]
    pub(crate) fn now_at_once(self) -> Option<u64> {
        match self.0 {
            Source::Tsc => Some(tsc::read()),
            Source::Arrival => Some(0),
            Source::System => None,
        }
    }

    /// Whether stamps say nothing and the consumer dates the records.
    #[inline(always)]
    pub(crate) fn is_arrival(self) -> bool {
        self.0 == Source::Arrival
    }
}

/// The consumer's half of a clock.
#[derive(Debug)]
pub(crate) struct Timeline(Scale);

/// How old stamps are, for whoever has no timeline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ages {
    stamper: Stamper,
    /// The nanoseconds that [`Ages::STAMPS`] are.
    nanos: u64,
}

impl Ages {
    const STAMPS: u64 = 1 << 30;

    /// Of the stamps that this one makes.
    pub(crate) fn new(stamper: Stamper, timeline: &Timeline) -> Self {
        let nanos = timeline.span(Self::STAMPS).as_nanos() as u64;
        Ages { stamper, nanos }
    }

    /// How many nanoseconds ago a stamp was made; `None` if stamps do not say.
    pub(crate) fn of(&self, stamp: u64) -> Option<u64> {
        if self.stamper.is_arrival() {
            return None;
        }
        let stamps = self.stamper.now().saturating_sub(stamp);
        let nanos = u128::from(stamps) * u128::from(self.nanos) / u128::from(Self::STAMPS);
        u64::try_from(nanos).ok()
    }
}

#[derive(Debug)]
enum Scale {
    /// Stamps are ticks of the counter.
    Tsc(Box<Anchored>),
    /// Stamps are nanoseconds since 1970 already, if they say anything.
    Wall,
}

impl Timeline {
    /// Starts a clock. If it is not the one that was asked for, a warning says why.
    ///
    /// For a clock that uses the counter this sleeps for two milliseconds to measure its rate.
    pub(crate) fn new(clock: Clock) -> (Timeline, Stamper, Option<String>) {
        let wanted = match clock {
            Clock::Tsc => Source::Tsc,
            Clock::Arrival => Source::Arrival,
            Clock::System => return (Timeline(Scale::Wall), Stamper(Source::System), None),
        };
        match tsc::check().and_then(|()| Anchored::start()) {
            Ok(anchored) => {
                let timeline = Timeline(Scale::Tsc(Box::new(anchored)));
                (timeline, Stamper(wanted), None)
            }
            // Only the consumer needs a clock then, and any will do.
            Err(_) if wanted == Source::Arrival => (Timeline(Scale::Wall), Stamper(wanted), None),
            Err(reason) => {
                let warning = format!(
                    "the time stamp counter cannot be used, timestamps come from the system \
                     clock: {reason}"
                );
                let timeline = Timeline(Scale::Wall);
                (timeline, Stamper(Source::System), Some(warning))
            }
        }
    }

    /// Nanoseconds since 1970 now, on the scale of [`unix_nanos`](Timeline::unix_nanos).
    pub(crate) fn now(&self) -> u64 {
        match &self.0 {
            Scale::Tsc(anchored) => anchored.unix_nanos(tsc::read()),
            Scale::Wall => system_nanos(),
        }
    }

    /// A stamp of the clock's [`Stamper`] as nanoseconds since 1970. A later stamp never gives an
    /// earlier time, even if [`maintain`](Timeline::maintain) was called in between, as long as
    /// the later of the two is not from before the last 16 re-anchorings (8 seconds).
    #[inline]
    pub(crate) fn unix_nanos(&self, stamp: u64) -> u64 {
        match &self.0 {
            Scale::Tsc(anchored) => anchored.unix_nanos(stamp),
            Scale::Wall => stamp,
        }
    }

    /// The time from a stamp to one that is so much greater, both of them recent.
    pub(crate) fn span(&self, stamps: u64) -> Duration {
        Duration::from_nanos(match &self.0 {
            Scale::Tsc(anchored) => {
                let now = tsc::read();
                let then = anchored.unix_nanos(now.saturating_sub(stamps));
                anchored.unix_nanos(now).saturating_sub(then)
            }
            Scale::Wall => stamps,
        })
    }

    /// Keeps the timeline close to the wall clock. To be called often: nearly every time it only
    /// reads the counter, and every half second it takes about a microsecond. A timeline that is
    /// not maintained goes on at the rate it last had.
    #[inline]
    pub(crate) fn maintain(&mut self) {
        if let Scale::Tsc(anchored) = &mut self.0 {
            anchored.maintain();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Stamper, Timeline, Timestamp, system_nanos};
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    fn start(clock: Clock) -> (Timeline, Stamper) {
        let (timeline, stamper, warning) = Timeline::new(clock);
        let sound = clock != Clock::Tsc || crate::sys::tsc::check().is_ok();
        assert_eq!(warning.is_none(), sound, "{warning:?}");
        (timeline, stamper)
    }

    #[test]
    fn a_counter_that_is_not_trusted_is_replaced_with_a_warning() {
        let (_, stamper, warning) = Timeline::new(Clock::Tsc);
        match crate::sys::tsc::check() {
            Ok(()) => assert_eq!((stamper, warning), (Stamper(super::Source::Tsc), None)),
            Err(reason) => {
                assert_eq!(stamper, Stamper(super::Source::System));
                assert!(warning.unwrap().ends_with(&reason));
            }
        }
    }

    #[test]
    fn every_clock_tells_the_time_of_day() {
        for clock in [Clock::Tsc, Clock::Arrival, Clock::System] {
            let (mut timeline, stamper) = start(clock);
            let mut worst = 0;
            for _ in 0..20 {
                timeline.maintain();
                // The least of some tries, because the thread may be interrupted in between.
                let error = (0..10).map(|_| {
                    let before = system_nanos();
                    let now = if stamper.is_arrival() {
                        timeline.now()
                    } else {
                        timeline.unix_nanos(stamper.now())
                    };
                    let after = system_nanos();
                    before.saturating_sub(now).max(now.saturating_sub(after))
                });
                worst = worst.max(error.min().unwrap());
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(worst < 200_000, "{clock:?} is {worst} ns off");
        }
    }

    #[test]
    fn now_and_stamps_are_on_one_scale() {
        for clock in [Clock::Tsc, Clock::System] {
            let (mut timeline, stamper) = start(clock);
            for _ in 0..1000 {
                let before = timeline.now();
                let stamped = timeline.unix_nanos(stamper.now());
                let after = timeline.now();
                assert!(before <= stamped && stamped <= after);
                timeline.maintain();
            }
        }
    }

    #[test]
    fn arrival_leaves_the_time_to_the_consumer() {
        let (_, stamper) = start(Clock::Arrival);
        assert!(stamper.is_arrival());
        assert_eq!(stamper.now(), 0);
        assert!(!start(Clock::System).1.is_arrival());
    }

    #[test]
    fn times_outside_the_range_become_the_nearest_inside() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        let after = UNIX_EPOCH + Duration::from_secs(600 * 366 * 86_400);
        assert_eq!(Timestamp::from(before), Timestamp::from_unix_nanos(0));
        assert_eq!(Timestamp::from(after), Timestamp::from_unix_nanos(u64::MAX));
    }

    #[test]
    fn a_timestamp_survives_the_way_to_system_time_and_back() {
        let now = Timestamp::now();
        assert_eq!(Timestamp::from(SystemTime::from(now)), now);
        assert!(Timestamp::from(SystemTime::now()) >= now);
    }
}
