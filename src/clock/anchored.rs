//! The counter's ticks as time of day.
//!
//! The mapping is a line in pieces. Each piece starts at an anchor, where counter and wall clock
//! were read together, and starts where the piece before it has got to, so that the line never goes
//! back. For half a second after its anchor a piece runs a little faster or slower than the wall
//! clock, to make up for the difference found at the anchor; then it runs at the wall clock's rate,
//! for as long as no new anchor is set.
//!
//! Stamps may be converted long after they were made, when newer anchors have been set. The last
//! [`HISTORY`] pieces are therefore kept, and a stamp is converted by the piece it falls in, which
//! gives the same time whenever that is done.

use std::thread;
use std::time::{Duration, Instant};

use super::system_nanos;
use crate::sys::tsc;

/// Rates are nanoseconds per tick in fixed point, with so many bits after the point: fine enough
/// for a nanosecond in a day.
const FRACTION_BITS: u32 = 48;

/// The number of anchors that are kept.
const HISTORY: usize = 16;

/// How far anchors are apart, once the rate is known well.
const INTERVAL: Duration = Duration::from_millis(500);

/// The first anchors come at a shorter distance, which then doubles.
const FIRST_INTERVAL: Duration = Duration::from_millis(10);

/// How long the rate is measured for before the first record.
const CALIBRATION: Duration = Duration::from_millis(2);

/// A wall clock that has gone so far ahead is followed at once.
const STEP_AHEAD: u64 = 100_000_000;

/// A wall clock that has fallen so far behind is approached faster.
const FAR_BEHIND: u64 = 1_000_000_000;

/// The most by which a piece is faster or slower than the wall clock, in parts per million.
const SLEW: u64 = 500;

/// The same when the wall clock is far behind.
const FAST_SLEW: u64 = 50_000;

/// The rate of the wall clock against the counter does not change by more than this, in parts per
/// million: the kernel itself steers it by at most 500. More is a clock that was set.
const STEADY: u64 = 1000;

/// Unless something other than the kernel steers it, such as an NTP client that is in a hurry. That
/// stays below this.
const UNSTEADY: u64 = 200_000;

/// A part of the line, from its anchor on.
#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    /// The counter at the anchor.
    tsc: u64,
    /// The time told for it.
    unix: u64,
    /// The time that it was by the wall clock.
    wall: u64,
    /// For so many ticks the rate is `slew_rate`.
    slew_ticks: u64,
    slew_rate: u64,
    /// From then on it is this.
    rate: u64,
}

impl Piece {
    /// The time so many ticks after the anchor.
    #[inline]
    fn after(&self, ticks: u64) -> u64 {
        let at = |ticks: u64, rate: u64| u128::from(ticks) * u128::from(rate);
        let nanos = match ticks.checked_sub(self.slew_ticks) {
            None | Some(0) => at(ticks, self.slew_rate),
            // Rounded once, so that there is no way back where the rates meet.
            Some(beyond) => at(self.slew_ticks, self.slew_rate) + at(beyond, self.rate),
        };
        self.unix.saturating_add(whole(nanos))
    }

    /// The time so many ticks before the anchor.
    fn before(&self, ticks: u64) -> u64 {
        let nanos = u128::from(ticks) * u128::from(self.rate);
        self.unix.saturating_sub(whole(nanos))
    }
}

fn whole(nanos: u128) -> u64 {
    u64::try_from(nanos >> FRACTION_BITS).unwrap_or(u64::MAX)
}

/// Nanoseconds per tick. `None` if that is out of the range of any counter: 10 MHz to 100 GHz.
fn rate_of(nanos: u64, ticks: u64) -> Option<u64> {
    const SLOWEST: u64 = 100 << FRACTION_BITS;
    const FASTEST: u64 = (1 << FRACTION_BITS) / 100;
    let rate = (u128::from(nanos) << FRACTION_BITS).checked_div(u128::from(ticks))?;
    let rate = u64::try_from(rate).ok()?;
    (FASTEST..=SLOWEST).contains(&rate).then_some(rate)
}

fn ticks_in(duration: Duration, rate: u64) -> u64 {
    let ticks = (duration.as_nanos() << FRACTION_BITS) / u128::from(rate);
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

fn parts_per_million(of: u64, parts: u64) -> u64 {
    u64::try_from(u128::from(of) * u128::from(parts) / 1_000_000).unwrap_or(u64::MAX)
}

/// A reading of another clock together with the counter: the one of eight tries in which the two
/// were closest together, so that an interruption does not count.
fn read_together<T>(clock: impl Fn() -> T) -> (u64, T) {
    let attempt = || {
        let before = tsc::read();
        let reading = clock();
        let between = tsc::read().saturating_sub(before);
        (between, before + between / 2, reading)
    };
    let mut best = attempt();
    for _ in 1..8 {
        let next = attempt();
        if next.0 < best.0 {
            best = next;
        }
    }
    (best.1, best.2)
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Anchored {
    /// The pieces, the newest first. Those from `len` on are not yet, or no longer, in use.
    pieces: [Piece; HISTORY],
    len: usize,
    /// So many of the newest anchors lie within a time in which the wall clock was not set; at
    /// least one. The rate is measured from the first of them.
    steady: usize,
    /// The time to the next anchor.
    interval: Duration,
    /// The same in ticks.
    interval_ticks: u64,
}

impl Anchored {
    /// Measures the counter's rate and sets the first anchor.
    ///
    /// # Errors
    ///
    /// A clause that says what is wrong with the counter.
    pub(super) fn start() -> Result<Self, String> {
        // Against the monotonic clock, which runs at the wall clock's rate and is never set.
        let (first_tsc, first) = read_together(Instant::now);
        thread::sleep(CALIBRATION);
        let (last_tsc, last) = read_together(Instant::now);
        let ticks = last_tsc.saturating_sub(first_tsc);
        let nanos = last.duration_since(first).as_nanos();
        let rate = u64::try_from(nanos)
            .ok()
            .and_then(|nanos| rate_of(nanos, ticks))
            .ok_or_else(|| format!("it counted {ticks} ticks in {nanos} ns"))?;
        let (tsc, wall) = read_together(system_nanos);
        Ok(Self::anchored_at(tsc, wall, rate))
    }

    fn anchored_at(tsc: u64, wall: u64, rate: u64) -> Self {
        let mut pieces = [Piece::default(); HISTORY];
        pieces[0] = Piece {
            tsc,
            unix: wall,
            wall,
            slew_ticks: 0,
            slew_rate: rate,
            rate,
        };
        Anchored {
            pieces,
            len: 1,
            steady: 1,
            interval: FIRST_INTERVAL,
            interval_ticks: ticks_in(FIRST_INTERVAL, rate),
        }
    }

    /// See [`Timeline::unix_nanos`](super::Timeline::unix_nanos).
    #[inline]
    pub(super) fn unix_nanos(&self, stamp: u64) -> u64 {
        let newest = &self.pieces[0];
        match stamp.checked_sub(newest.tsc) {
            Some(ticks) => newest.after(ticks),
            None => self.earlier(stamp),
        }
    }

    /// A stamp from before the newest anchor.
    #[cold]
    #[inline(never)]
    fn earlier(&self, stamp: u64) -> u64 {
        let known = &self.pieces[..self.len];
        for piece in known {
            if let Some(ticks) = stamp.checked_sub(piece.tsc) {
                return piece.after(ticks);
            }
        }
        let oldest = &self.pieces[self.len - 1];
        oldest.before(oldest.tsc - stamp)
    }

    /// See [`Timeline::maintain`](super::Timeline::maintain).
    #[inline]
    pub(super) fn maintain(&mut self) {
        let since = tsc::read().wrapping_sub(self.pieces[0].tsc);
        // The counter of another core may be a few ticks behind the anchor. If it is far behind,
        // it started anew.
        if since >= self.interval_ticks && since < self.interval_ticks.wrapping_neg() {
            self.anchor_now();
        }
    }

    #[cold]
    #[inline(never)]
    fn anchor_now(&mut self) {
        let (tsc, wall) = read_together(system_nanos);
        self.anchor(tsc, wall);
        self.interval = (self.interval * 2).min(INTERVAL);
        self.interval_ticks = ticks_in(self.interval, self.pieces[0].rate);
    }

    /// Sets an anchor: it was `wall` by the wall clock when the counter was at `tsc`.
    fn anchor(&mut self, tsc: u64, wall: u64) {
        let newest = self.pieces[0];
        let Some(elapsed) = tsc.checked_sub(newest.tsc) else {
            // The counter started anew, as it does on some machines that were suspended. Stamps
            // from before mean nothing now; the time told so far is the least for those to come.
            *self = Self::anchored_at(tsc, wall.max(newest.unix), newest.rate);
            return;
        };
        if elapsed == 0 {
            return;
        }
        let rate = self.measure_rate(tsc, wall, elapsed);

        let told = newest.after(elapsed);
        let ahead = wall.saturating_sub(told);
        let unix = if ahead > STEP_AHEAD { wall } else { told };
        let slew_ticks = ticks_in(INTERVAL, rate);
        let piece = Piece {
            tsc,
            unix,
            wall,
            slew_ticks,
            slew_rate: slewed(rate, unix, wall, slew_ticks),
            rate,
        };
        self.pieces.copy_within(..HISTORY - 1, 1);
        self.pieces[0] = piece;
        self.len = (self.len + 1).min(HISTORY);
        self.steady = (self.steady + 1).min(HISTORY);
    }

    /// The rate of the wall clock against the counter, from as far back as it was not set.
    fn measure_rate(&mut self, tsc: u64, wall: u64, elapsed: u64) -> u64 {
        let newest = &self.pieces[0];
        let passed = wall.saturating_sub(newest.wall);
        let expected = whole(u128::from(elapsed) * u128::from(newest.rate));
        let off = passed.abs_diff(expected);
        // Off twice in a row is not a clock that was set, but one that runs at another rate.
        let was_set_before = self.steady == 1 && self.len > 1;
        let tolerance = if was_set_before { UNSTEADY } else { STEADY };
        if off > parts_per_million(expected, tolerance) {
            // Does not count the newest anchor, which is on the other side of the step.
            self.steady = 0;
            return newest.rate;
        }
        let first = &self.pieces[self.steady - 1];
        rate_of(wall.saturating_sub(first.wall), tsc - first.tsc).unwrap_or(newest.rate)
    }
}

/// The rate that brings `unix` to where the wall clock will be after `ticks`, or as near as the
/// limits allow.
fn slewed(rate: u64, unix: u64, wall: u64, ticks: u64) -> u64 {
    let behind = unix.saturating_sub(wall);
    let limit = parts_per_million(rate, if behind > FAR_BEHIND { FAST_SLEW } else { SLEW });
    let per_tick = |nanos: u64| {
        let exact = (u128::from(nanos) << FRACTION_BITS) / u128::from(ticks.max(1));
        u64::try_from(exact).unwrap_or(u64::MAX).min(limit)
    };
    if behind > 0 {
        rate - per_tick(behind)
    } else {
        rate + per_tick(wall.saturating_sub(unix))
    }
}

#[cfg(test)]
mod tests {
    use super::{Anchored, FRACTION_BITS, HISTORY, INTERVAL, rate_of, ticks_in};
    use proptest::prelude::*;
    use std::time::Duration;

    const SECOND: u64 = 1_000_000_000;

    /// A counter of 2.6 GHz and a wall clock, to be moved by hand.
    struct Machine {
        line: Anchored,
        tsc: u64,
        wall: u64,
    }

    impl Machine {
        fn new() -> Self {
            let (tsc, wall) = (7_000_000_000_000, 1_795_415_086 * SECOND);
            let rate = rate_of(5 * SECOND, 13 * SECOND).unwrap();
            Machine {
                line: Anchored::anchored_at(tsc, wall, rate),
                tsc,
                wall,
            }
        }

        /// Lets time pass, with a wall clock that runs fast by so many parts per million.
        fn run(&mut self, time: Duration, ppm: i64) {
            let nanos = u64::try_from(time.as_nanos()).unwrap();
            self.tsc += nanos / 5 * 13;
            let gained = i64::try_from(nanos).unwrap() / 1_000_000 * ppm;
            self.wall = self.wall.checked_add_signed(gained).unwrap() + nanos;
        }

        fn anchor(&mut self) {
            self.line.anchor(self.tsc, self.wall);
        }

        /// Sets the wall clock, and then an anchor.
        fn set_wall(&mut self, by: i64) {
            self.wall = self.wall.checked_add_signed(by).unwrap();
            self.run(Duration::from_millis(1), 0);
            self.anchor();
        }

        /// Runs and sets anchors, each at the usual distance.
        fn run_with_anchors(&mut self, anchors: usize, ppm: i64) {
            for _ in 0..anchors {
                self.run(INTERVAL, ppm);
                self.anchor();
            }
        }

        fn told(&self) -> u64 {
            self.line.unix_nanos(self.tsc)
        }

        /// How far the time told is ahead of the wall clock, in nanoseconds.
        fn error(&self) -> i64 {
            i64::try_from(i128::from(self.told()) - i128::from(self.wall)).unwrap()
        }
    }

    #[test]
    fn rates_outside_of_any_counters_range_are_refused() {
        assert_eq!(rate_of(1000, 1000), Some(1 << FRACTION_BITS));
        assert_eq!(rate_of(1000, 0), None);
        assert_eq!(rate_of(0, 1000), None);
        assert_eq!(rate_of(1000, 9), None);
        assert_eq!(rate_of(u64::MAX, 1), None);
        assert_eq!(ticks_in(INTERVAL, 2 << FRACTION_BITS), SECOND / 4);
    }

    #[test]
    fn a_rate_that_was_measured_badly_is_corrected() {
        let mut machine = Machine::new();
        machine.run(INTERVAL, 90);
        assert!(machine.error().abs().abs_diff(45_000) <= 2);
        machine.anchor();
        for _ in 0..20 {
            machine.run_with_anchors(1, 90);
            assert!(machine.error().abs() <= 2, "{} ns off", machine.error());
        }
    }

    #[test]
    fn without_anchors_the_line_keeps_the_wall_clocks_rate() {
        let mut machine = Machine::new();
        machine.run_with_anchors(20, 40);
        // A difference to be made up must not go on being made up.
        machine.set_wall(20_000);
        machine.run(Duration::from_secs(3600), 40);
        assert!(machine.error().abs() < 10, "{} ns off", machine.error());
    }

    #[test]
    fn a_small_difference_is_made_up_at_the_slew_rate() {
        for (difference, ahead) in [(50_000_000, -50_000_000), (-50_000_000, 50_000_000)] {
            let mut machine = Machine::new();
            machine.run_with_anchors(10, 0);
            machine.set_wall(difference);
            assert!(machine.error().abs_diff(ahead) <= 2);
            machine.run_with_anchors(1, 0);
            // 500 ppm of half a second.
            let made_up = (machine.error() - ahead).abs();
            assert!(made_up.abs_diff(250_000) <= 2, "{made_up} ns");
            machine.run_with_anchors(200, 0);
            assert!(machine.error().abs() <= 2, "{} ns off", machine.error());
        }
    }

    #[test]
    fn a_wall_clock_that_jumps_ahead_is_followed_at_once() {
        let mut machine = Machine::new();
        machine.run_with_anchors(10, 0);
        machine.run(INTERVAL, 0);
        let (stamp, time) = (machine.tsc, machine.told());
        machine.set_wall(3_600_000_000_000);
        assert_eq!(machine.error(), 0);
        // What was stamped before the jump keeps its time.
        assert_eq!(machine.line.unix_nanos(stamp), time);
        machine.run_with_anchors(10, 0);
        assert!(machine.error().abs() <= 2, "{} ns off", machine.error());
    }

    #[test]
    fn a_wall_clock_that_falls_far_behind_is_approached_at_five_percent() {
        let mut machine = Machine::new();
        machine.run_with_anchors(10, 0);
        machine.set_wall(-600_000_000_000);
        let before = machine.told();
        machine.run_with_anchors(1, 0);
        assert!((machine.told() - before).abs_diff(475_000_000) <= 2);
        // Ten minutes at 5 % are 12,000 s, and then a second at 500 ppm is 2,000 s.
        machine.run_with_anchors(2 * 14_010, 0);
        assert!(machine.error().abs() <= 2, "{} ns off", machine.error());
    }

    #[test]
    fn a_wall_clock_that_is_steered_hard_is_followed() {
        for ppm in [80_000, -80_000, 2000, -2000] {
            let mut machine = Machine::new();
            machine.run_with_anchors(10, 0);
            machine.run_with_anchors(2, ppm);
            let lost = machine.error();
            machine.run_with_anchors(1, ppm);
            assert!(machine.error().abs() <= lost.abs(), "at {ppm} ppm");
            machine.run_with_anchors(1000, ppm);
            assert!(machine.error().abs() <= 10, "{} ns off", machine.error());
        }
    }

    #[test]
    fn a_counter_that_starts_anew_does_not_turn_time_back() {
        let mut machine = Machine::new();
        machine.run_with_anchors(10, 0);
        let last = machine.told();
        machine.tsc = 1000;
        machine.wall -= 5 * SECOND;
        machine.anchor();
        assert_eq!(machine.told(), last);
        machine.run_with_anchors(1, 0);
        assert!(machine.told() > last);
    }

    #[test]
    fn stamps_from_before_all_history_are_told_by_the_oldest_rate() {
        let mut machine = Machine::new();
        let start = (machine.tsc, machine.wall);
        machine.run_with_anchors(3 * HISTORY, 0);
        assert!(machine.line.unix_nanos(start.0).abs_diff(start.1) <= 1);
        assert!(machine.line.unix_nanos(0) < start.1);
        machine.wall = 5;
        machine.tsc = 1000;
        machine.line = Anchored::anchored_at(machine.tsc, 5, rate_of(1, 1).unwrap());
        assert_eq!(machine.line.unix_nanos(0), 0);
    }

    /// What happens to the wall clock between two anchors.
    fn steps() -> impl Strategy<Value = i64> {
        prop_oneof![
            4 => Just(0_i64),
            4 => -1000..1000_i64,
            2 => -50_000_000..50_000_000_i64,
            2 => -3_000_000_000..3_000_000_000_i64,
            1 => -86_400_000_000_000..86_400_000_000_000_i64,
        ]
    }

    /// Time between two anchors, in milliseconds.
    fn pauses() -> impl Strategy<Value = u64> {
        prop_oneof![4 => 490..510_u64, 1 => 1..100_u64, 1 => 1000..10_000_000_u64]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]

        /// Whenever a stamp is converted, the answers belong to one and the same rising line.
        #[test]
        fn later_stamps_never_give_earlier_times(
            course in prop::collection::vec(
                (pauses(), -600..600_i64, steps(), prop::collection::vec(0.0..1.0_f64, 1..6)),
                1..3 * HISTORY,
            ),
        ) {
            let mut machine = Machine::new();
            let mut starts = vec![machine.tsc];
            let mut told = vec![(machine.tsc, machine.told())];
            for (pause, ppm, step, shares) in course {
                machine.run(Duration::from_millis(pause), ppm);
                let oldest = starts[starts.len().saturating_sub(HISTORY)];
                for share in shares {
                    // Of the new stretch, and of all that is still remembered.
                    for from in [*starts.last().unwrap(), oldest] {
                        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss,
                            clippy::cast_precision_loss, reason = "any place between the two will do")]
                        let into = ((machine.tsc - from) as f64 * share) as u64;
                        told.push((from + into, machine.line.unix_nanos(from + into)));
                    }
                }
                told.push((machine.tsc, machine.told()));
                machine.wall = machine.wall.saturating_add_signed(step);
                machine.tsc += 1;
                machine.anchor();
                starts.push(machine.tsc);
                told.push((machine.tsc, machine.told()));
            }
            told.sort_unstable();
            for pair in told.windows(2) {
                prop_assert!(pair[0].1 <= pair[1].1, "{:?} before {:?}", pair[0], pair[1]);
            }
        }

        /// Nor is there any reading of either clock that the arithmetic cannot take.
        #[test]
        fn no_reading_is_too_strange(
            readings in prop::collection::vec((any::<u64>(), any::<u64>()), 1..40),
            stamps in prop::collection::vec(any::<u64>(), 2..10),
        ) {
            let mut line = Machine::new().line;
            for (tsc, wall) in readings {
                line.anchor(tsc, wall);
                let mut told: Vec<_> =
                    stamps.iter().map(|&stamp| (stamp, line.unix_nanos(stamp))).collect();
                told.sort_unstable();
                prop_assert!(told.is_sorted_by_key(|told| told.1), "{told:?}");
            }
        }
    }
}
