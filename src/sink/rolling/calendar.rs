//! When a log begins a new file by the clock on some wall.

use std::time::Duration;

/// How often a log begins a new file, by the clock of its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Period {
    /// With each minute.
    Minute,
    /// With each hour.
    Hour,
    /// At midnight.
    Day,
    /// Whenever so much time has passed since midnight: every six hours, for instance, at 0, 6, 12
    /// and 18. Whole seconds, from one to a day.
    Every(Duration),
}

const DAY: u64 = 86_400;

impl Period {
    /// In seconds; `None` if it is out of range.
    pub(super) fn seconds(self) -> Option<u64> {
        let seconds = match self {
            Period::Minute => 60,
            Period::Hour => 3600,
            Period::Day => DAY,
            Period::Every(time) if time.subsec_nanos() == 0 => time.as_secs(),
            Period::Every(_) => return None,
        };
        (1..=DAY).contains(&seconds).then_some(seconds)
    }
}

/// The first second after `now` that belongs to a later period, all in seconds since 1970.
/// `offset` says how far the zone is ahead of UTC then.
///
/// A clock that is set back at the end of summer does not begin a period again: a file of such an
/// hour has two hours.
pub(super) fn next_period(now: u64, seconds: u64, offset: impl Fn(u64) -> i32) -> u64 {
    let place = |at: u64| {
        let local = at.saturating_add_signed(offset(at).into());
        (local / DAY, local % DAY / seconds)
    };
    let here = place(now);
    let local = now.saturating_add_signed(offset(now).into());
    let next_local = (local / DAY * DAY + (here.1 + 1) * seconds).min((local / DAY + 1) * DAY);
    let plain = now + (next_local - local);
    if offset(plain) == offset(now) {
        return plain;
    }
    // The zone's clock is set in between: the place is searched where it passes this one.
    let (mut before, mut after) = (now, plain + 2 * DAY);
    while before + 1 < after {
        let middle = before + (after - before) / 2;
        if place(middle) > here {
            after = middle;
        } else {
            before = middle;
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_at_midnight_and_are_whole_in_a_day() {
        let utc = |_| 0;
        let midnight = 20_000 * DAY;
        for seconds in [1, 60, 3600, 7 * 3600, DAY] {
            let mut starts = vec![midnight];
            while starts[starts.len() - 1] < midnight + DAY {
                let last = starts[starts.len() - 1];
                let next = next_period(last, seconds, utc);
                // From anywhere in the period it is the same.
                assert_eq!(next_period((last + next) / 2, seconds, utc), next);
                assert_eq!(next_period(next - 1, seconds, utc), next);
                starts.push(next);
            }
            assert_eq!(starts[starts.len() - 1], midnight + DAY);
            assert_eq!(starts.len() as u64, DAY.div_ceil(seconds) + 1);
        }
    }

    #[test]
    fn midnight_is_where_the_zone_has_it() {
        let midnight = 20_000 * DAY;
        assert_eq!(next_period(midnight, DAY, |_| 3600), midnight + 23 * 3600);
        assert_eq!(next_period(midnight, DAY, |_| -3600), midnight + 3600);
    }

    #[test]
    #[cfg(feature = "time-zones")]
    fn a_day_of_a_zone_with_summers_has_23_to_25_hours() {
        let zone = crate::format::Zone::parse("Europe/Berlin").unwrap();
        let next = |at| next_period(at, DAY, |at| zone.offset_at(at));
        // From 2026-03-28T23:00Z, midnight there, over the day on which summer begins.
        let day = 1_774_738_800;
        assert_eq!(next(day), day + 23 * 3600);
        assert_eq!(next(day + 23 * 3600), day + 47 * 3600);
        // From 2026-10-24T22:00Z, over the day on which it ends.
        let day = 1_792_879_200;
        assert_eq!(next(day), day + 25 * 3600);
    }

    /// Clocks that are set at some moment, by all sorts of steps, also at and around midnight.
    #[test]
    fn a_clock_that_is_set_begins_each_period_once() {
        let day = 20_000 * DAY;
        for set_at in [day, day + 60, day + 2 * 3600, day + DAY - 60, day + 5000] {
            for step in [3600, -3600, 1800, -1800, 7200] {
                let offset = |at: u64| if at < set_at { 7200 } else { 7200 + step };
                for seconds in [900, 3600, 6 * 3600, DAY] {
                    let place = |at: u64| {
                        let local = at.saturating_add_signed(offset(at).into());
                        (local / DAY, local % DAY / seconds)
                    };
                    let mut at = day - DAY;
                    while at < day + 2 * DAY {
                        let next = next_period(at, seconds, offset);
                        // Second by second.
                        let expected = (at + 1..).find(|&later| place(later) > place(at));
                        assert_eq!(Some(next), expected, "{set_at} {step} {seconds} {at}");
                        at = next;
                    }
                }
            }
        }
    }
}
