//! Nanoseconds since 1970 as `2026-11-23T06:24:46.204916267Z`.
//!
//! Consecutive records are close together whenever speed matters: above a million a second, most
//! share their microsecond with the one before. So the text up to the microsecond is kept, and
//! what is left to do for the next record is to look up three digits.

use super::line::Put;
use super::number::{eight_digits, three_digits};

const SECOND: u64 = 1_000_000_000;

/// Where the fraction begins in `YYYY-MM-DDTHH:MM:SS.fffffffffZ`.
const FRACTION: usize = 20;

/// The text of the microsecond that was needed last.
#[derive(Debug)]
pub(super) struct TimeText {
    /// The first nanosecond of the second that `text` is of.
    second: u64,
    /// The first nanosecond of the microsecond that `text` is of.
    microsecond: u64,
    /// All but the last three digits and the `Z`; what follows them is never used.
    text: [u8; 32],
}

impl TimeText {
    pub(super) fn new() -> Self {
        let mut text = [0; 32];
        text[..26].copy_from_slice(b"1970-01-01T00:00:00.000000");
        TimeText {
            second: 0,
            microsecond: 0,
            text,
        }
    }

    /// Appends the time. All instants of a `u64` have a year of four digits: it ends in 2554.
    #[inline(always)]
    pub(super) fn put(&mut self, line: &mut impl Put, unix_nanos: u64) {
        if unix_nanos.wrapping_sub(self.microsecond) >= 1000 {
            self.advance(unix_nanos);
        }
        line.put(&self.text, 26);
        let nanos = three_digits(unix_nanos.wrapping_sub(self.microsecond));
        line.put(&(nanos | u32::from(b'Z') << 24).to_le_bytes(), 4);
    }

    #[inline(never)]
    fn advance(&mut self, unix_nanos: u64) {
        if unix_nanos.wrapping_sub(self.second) >= SECOND {
            self.second = unix_nanos - unix_nanos % SECOND;
            self.text[..FRACTION].copy_from_slice(&date_and_time(self.second / SECOND));
        }
        let fraction = unix_nanos - self.second;
        self.microsecond = unix_nanos - fraction % 1000;
        // Two digits more than are used.
        let digits = eight_digits((fraction / 1000 * 100) as u32);
        self.text[FRACTION..FRACTION + 8].copy_from_slice(&digits);
    }
}

/// Appends a time that is not a record's. False if it has no year of four digits from 1970 on.
pub(super) fn put_unix_time(out: &mut Vec<u8>, seconds: i64, nanos: u32) -> bool {
    /// The first second of the year 10000.
    const END: u64 = 253_402_300_800;
    let Some(seconds) = u64::try_from(seconds).ok().filter(|&it| it < END) else {
        return false;
    };
    out.bytes(&date_and_time(seconds));
    out.bytes(format!("{nanos:09}Z").as_bytes());
    true
}

/// `YYYY-MM-DDTHH:MM:SS.` of a second since 1970.
pub(crate) fn date_and_time(unix_seconds: u64) -> [u8; FRACTION] {
    let (year, month, day) = civil_from_days(unix_seconds / 86_400);
    let in_day = unix_seconds % 86_400;
    let mut text = *b"YYYY-MM-DDTHH:MM:SS.";
    for (at, number) in [
        (0, year / 100),
        (2, year % 100),
        (5, month),
        (8, day),
        (11, in_day / 3600),
        (14, in_day / 60 % 60),
        (17, in_day % 60),
    ] {
        text[at] = b'0' + (number / 10) as u8;
        text[at + 1] = b'0' + (number % 10) as u8;
    }
    text
}

/// Year, month and day of a day since 1970-01-01: `civil_from_days` of Howard Hinnant's
/// "chrono-Compatible Low-Level Date Algorithms", for days that are not before 1970.
///
/// Years begin in March there, so that the day that is not always there is the last one.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let era = days / 146_097; // of 400 years
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let (month, next_year) = if months_from_march < 10 {
        (months_from_march + 3, 0)
    } else {
        (months_from_march - 9, 1)
    };
    (era * 400 + year_of_era + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::testing::{Random, cases};

    /// By counting years and months.
    fn oracle(unix_nanos: u64) -> String {
        let (mut days, nanos) = (
            unix_nanos / (86_400 * SECOND),
            unix_nanos % (86_400 * SECOND),
        );
        let leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut year = 1970;
        while days >= 365 + u64::from(leap(year)) {
            days -= 365 + u64::from(leap(year));
            year += 1;
        }
        let february = 28 + u64::from(leap(year));
        let mut month = 0;
        let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        while days >= lengths[month] {
            days -= lengths[month];
            month += 1;
        }
        let seconds = nanos / SECOND;
        format!(
            "{year:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z",
            month + 1,
            days + 1,
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            nanos % SECOND
        )
    }

    fn text(time: &mut TimeText, unix_nanos: u64) -> String {
        let mut out = Vec::new();
        time.put(&mut out, unix_nanos);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_instants_are_told_as_the_calendar_has_them() {
        let mut time = TimeText::new();
        for (unix_nanos, expected) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (999, "1970-01-01T00:00:00.000000999Z"),
            (1_795_415_086_204_916_267, "2026-11-23T06:24:46.204916267Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
            (4_107_542_399_999_999_999, "2100-02-28T23:59:59.999999999Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
        ] {
            assert_eq!(text(&mut time, unix_nanos), expected);
            assert_eq!(oracle(unix_nanos), expected);
        }
    }

    #[test]
    fn every_day_until_the_last_is_the_next_day_of_the_calendar() {
        let mut time = TimeText::new();
        let step = if cfg!(miri) { 997 } else { 1 };
        for day in (0..u64::MAX / SECOND / 86_400).step_by(step) {
            let first = day * 86_400 * SECOND;
            assert_eq!(text(&mut time, first), oracle(first));
            let last = first + 86_400 * SECOND - 1;
            assert_eq!(text(&mut time, last), oracle(last));
        }
    }

    #[test]
    fn any_order_of_instants_gives_the_same_text() {
        let mut time = TimeText::new();
        let mut random = Random::new(1);
        let mut unix_nanos = 0_u64;
        for _ in 0..cases(200_000) {
            let bits = random.next();
            // Small steps both ways, larger ones, and jumps to anywhere.
            unix_nanos = match bits % 8 {
                0 => random.next(),
                1 => unix_nanos.wrapping_sub(random.next() % 3000),
                2 => unix_nanos.wrapping_add(random.next() % (2 * SECOND)),
                _ => unix_nanos.wrapping_add(random.next() % 700),
            };
            assert_eq!(text(&mut time, unix_nanos), oracle(unix_nanos));
        }
    }
}
