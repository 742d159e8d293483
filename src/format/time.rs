//! Nanoseconds since 1970 as `2026-11-23T06:24:46.204916267Z`, or in another style.
//!
//! Consecutive records are close together whenever speed matters: above a million a second, most
//! share their microsecond with the one before. So the text up to the microsecond is kept, and
//! what is left to do for the next record is to look up three digits.

use super::line::Put;
use super::number::{eight_digits, three_digits};
use super::zone::Zone;

const SECOND: u64 = 1_000_000_000;

/// Where the fraction begins in `YYYY-MM-DDTHH:MM:SS.fffffffffZ`.
const FRACTION: usize = 20;

/// All ways in which a format writes times.
#[derive(Debug)]
pub(super) struct Clocks {
    /// In UTC and to the nanosecond.
    pub(super) utc: TimeText,
    styled: Vec<StyledTime>,
}

impl Clocks {
    pub(super) fn new(styles: impl IntoIterator<Item = TimeStyle>) -> Self {
        Clocks {
            utc: TimeText::new(),
            styled: styles.into_iter().map(StyledTime::new).collect(),
        }
    }

    /// Appends the time in the style of this place.
    pub(super) fn put(&mut self, place: usize, out: &mut Vec<u8>, unix_nanos: u64) {
        if let Some(style) = self.styled.get_mut(place) {
            out.bytes(style.text_of(unix_nanos));
        }
    }
}

/// What of a time is written, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeStyle {
    pub(super) form: Form,
    /// How many digits of the second's fraction: 0, 3, 6 or 9.
    pub(super) digits: u8,
    pub(super) zone: Zone,
}

/// What of a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `2026-11-23T06:24:46.204Z`
    Full,
    /// `2026-11-23`
    Date,
    /// `06:24:46.204`
    Clock,
    /// `1795415086.204`
    Unix,
}

impl TimeStyle {
    /// What `TimeText` writes.
    pub(super) const DEFAULT: TimeStyle = TimeStyle {
        form: Form::Full,
        digits: 9,
        zone: Zone::Utc,
    };
}

/// The text of the time that was needed last, in some style.
#[derive(Debug)]
struct StyledTime {
    style: TimeStyle,
    /// The time of which `text` is, to the precision that is written; none before the first.
    unit: Option<u64>,
    text: Vec<u8>,
}

impl StyledTime {
    fn new(style: TimeStyle) -> Self {
        StyledTime {
            style,
            unit: None,
            text: Vec::new(),
        }
    }

    fn text_of(&mut self, unix_nanos: u64) -> &[u8] {
        let unit = unix_nanos / 10_u64.pow(9 - u32::from(self.style.digits));
        if self.unit != Some(unit) {
            self.unit = Some(unit);
            self.write(unix_nanos);
        }
        &self.text
    }

    fn write(&mut self, unix_nanos: u64) {
        let TimeStyle {
            form,
            digits,
            ref zone,
        } = self.style;
        let (second, nanos) = (unix_nanos / SECOND, unix_nanos % SECOND);
        let offset = zone.offset_at(second);
        let local = second as i64 + i64::from(offset);
        let full = text_of_second(local);
        let out = &mut self.text;
        out.clear();
        match form {
            Form::Full => out.bytes(&full[..19]),
            Form::Date => return out.bytes(&full[..10]),
            Form::Clock => out.bytes(&full[11..19]),
            Form::Unix => out.bytes(itoa::Buffer::new().format(second).as_bytes()),
        }
        if digits > 0 {
            let fraction = nanos + SECOND;
            let text = itoa::Buffer::new().format(fraction).to_owned();
            out.bytes(b".");
            out.bytes(&text.as_bytes()[1..=usize::from(digits)]);
        }
        if form == Form::Full {
            match zone {
                Zone::Utc => out.bytes(b"Z"),
                _ => put_offset(out, offset),
            }
        }
    }
}

/// `+02:00`, of seconds east of UTC.
fn put_offset(out: &mut Vec<u8>, offset: i32) {
    out.bytes(if offset < 0 { b"-" } else { b"+" });
    let minutes = offset.unsigned_abs() / 60;
    for (number, separator) in [(minutes / 60, &b":"[..]), (minutes % 60, b"")] {
        out.bytes(&[b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]);
        out.bytes(separator);
    }
}

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
    text_of_second(unix_seconds as i64)
}

/// The same for a second that may lie before 1970.
fn text_of_second(unix_seconds: i64) -> [u8; FRACTION] {
    let (year, month, day) = civil_from_days(unix_seconds.div_euclid(86_400));
    let in_day = unix_seconds.rem_euclid(86_400) as u64;
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
/// "chrono-Compatible Low-Level Date Algorithms", for days of our era.
///
/// Years begin in March there, so that the day that is not always there is the last one.
fn civil_from_days(days: i64) -> (u64, u64, u64) {
    let days = (days + 719_468) as u64; // since 0000-03-01
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
    fn a_style_says_what_is_written() {
        let mut early = StyledTime::new(TimeStyle {
            zone: Zone::Fixed(-60),
            ..TimeStyle::DEFAULT
        });
        assert_eq!(early.text_of(0), b"1969-12-31T23:59:00.000000000-00:01");
        let unix_nanos = 1_795_415_086_204_916_267;
        let fixed = |minutes: i32| Zone::Fixed(minutes * 60);
        for (form, digits, zone, expected) in [
            (Form::Full, 9, Zone::Utc, "2026-11-23T06:24:46.204916267Z"),
            (Form::Full, 3, Zone::Utc, "2026-11-23T06:24:46.204Z"),
            (Form::Full, 0, fixed(120), "2026-11-23T08:24:46+02:00"),
            (
                Form::Full,
                6,
                fixed(-390),
                "2026-11-22T23:54:46.204916-06:30",
            ),
            (Form::Date, 0, fixed(-390), "2026-11-22"),
            (Form::Clock, 3, fixed(330), "11:54:46.204"),
            (Form::Unix, 6, fixed(330), "1795415086.204916"),
            (Form::Unix, 0, Zone::Utc, "1795415086"),
        ] {
            let style = TimeStyle { form, digits, zone };
            let mut time = StyledTime::new(style.clone());
            for _ in 0..2 {
                let text = time.text_of(unix_nanos).to_vec();
                assert_eq!(String::from_utf8(text).unwrap(), expected, "{style:?}");
            }
        }
    }

    #[test]
    fn a_styled_time_is_the_default_one_with_fewer_digits() {
        let mut plain = TimeText::new();
        let mut random = Random::new(3);
        for digits in [0, 3, 6, 9] {
            let mut styled = StyledTime::new(TimeStyle {
                digits,
                ..TimeStyle::DEFAULT
            });
            let mut unix_nanos = 0_u64;
            for _ in 0..cases(20_000) {
                unix_nanos = match random.next() % 4 {
                    0 => random.next(),
                    _ => unix_nanos.wrapping_add(random.next() % 2_000_000),
                };
                let mut expected = text(&mut plain, unix_nanos);
                let kept = if digits == 0 {
                    19
                } else {
                    20 + usize::from(digits)
                };
                expected.truncate(kept);
                expected.push('Z');
                assert_eq!(styled.text_of(unix_nanos), expected.as_bytes());
            }
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
