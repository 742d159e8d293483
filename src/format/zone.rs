//! Time zones: UTC and fixed offsets always, those with rules and a history by feature `time-zones`.

use std::fmt;

/// Where the clock on the wall hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Coordinated universal time.
    Utc,
    /// So many seconds east of it.
    Fixed(i32),
    /// As the zone's rules say.
    #[cfg(feature = "time-zones")]
    Named(jiff::tz::TimeZone),
}

/// The text names no zone that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ZoneError {
    /// An offset that is not `+hh:mm`, below a day.
    Offset,
    /// The system has no rules for it.
    #[cfg(feature = "time-zones")]
    Unknown,
    /// It takes the feature.
    #[cfg(not(feature = "time-zones"))]
    Feature,
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ZoneError::Offset => "it is not an offset such as `+02:00`",
            #[cfg(feature = "time-zones")]
            ZoneError::Unknown => "the system has no rules for it",
            #[cfg(not(feature = "time-zones"))]
            ZoneError::Feature => "names of zones, and `local`, take the feature `time-zones`",
        })
    }
}

impl Zone {
    /// Reads `utc`, `local`, `+hh:mm`, or a name of the IANA's database.
    pub(crate) fn parse(text: &str) -> Result<Zone, ZoneError> {
        if text.eq_ignore_ascii_case("utc") {
            return Ok(Zone::Utc);
        }
        if text.starts_with(['+', '-']) {
            return parse_offset(text).map(Zone::Fixed).ok_or(ZoneError::Offset);
        }
        Zone::named(text)
    }

    #[cfg(feature = "time-zones")]
    fn named(text: &str) -> Result<Zone, ZoneError> {
        if text == "local" {
            return jiff::tz::TimeZone::try_system()
                .map(Zone::Named)
                .map_err(|_| ZoneError::Unknown);
        }
        jiff::tz::TimeZone::get(text)
            .map(Zone::Named)
            .map_err(|_| ZoneError::Unknown)
    }

    #[cfg(not(feature = "time-zones"))]
    fn named(_text: &str) -> Result<Zone, ZoneError> {
        Err(ZoneError::Feature)
    }

    /// How many seconds it is ahead of UTC at that second since 1970.
    #[cfg_attr(
        not(feature = "time-zones"),
        expect(unused_variables, reason = "only the rules of a zone depend on it")
    )]
    pub(crate) fn offset_at(&self, unix_second: u64) -> i32 {
        match self {
            Zone::Utc => 0,
            Zone::Fixed(offset) => *offset,
            #[cfg(feature = "time-zones")]
            Zone::Named(zone) => i64::try_from(unix_second)
                .ok()
                .and_then(|second| jiff::Timestamp::from_second(second).ok())
                .map_or(0, |instant| zone.to_offset(instant).seconds()),
        }
    }
}

/// `+02:00` as seconds.
fn parse_offset(text: &str) -> Option<i32> {
    let (hours, minutes) = text[1..].split_once(':')?;
    let two_digits = |text: &str, below: i32| -> Option<i32> {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits)?;
        (number < below).then_some(number)
    };
    let seconds = (two_digits(hours, 24)? * 60 + two_digits(minutes, 60)?) * 60;
    Some(if text.starts_with('-') {
        -seconds
    } else {
        seconds
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_hours_and_minutes() {
        for (text, expected) in [
            ("utc", Ok(Zone::Utc)),
            ("UTC", Ok(Zone::Utc)),
            ("+00:00", Ok(Zone::Fixed(0))),
            ("+05:30", Ok(Zone::Fixed(19_800))),
            ("-09:45", Ok(Zone::Fixed(-35_100))),
            ("+23:59", Ok(Zone::Fixed(86_340))),
            ("+24:00", Err(ZoneError::Offset)),
            ("+1:00", Err(ZoneError::Offset)),
            ("+01:60", Err(ZoneError::Offset)),
            ("+0100", Err(ZoneError::Offset)),
            ("+-1:00", Err(ZoneError::Offset)),
            ("+", Err(ZoneError::Offset)),
        ] {
            assert_eq!(Zone::parse(text), expected, "{text}");
        }
    }

    #[cfg(feature = "time-zones")]
    #[test]
    fn a_named_zone_follows_its_rules() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        // 2026-03-29T01:00:00Z, when summer begins there.
        assert_eq!(zone.offset_at(1_774_746_000 - 1), 3600);
        assert_eq!(zone.offset_at(1_774_746_000), 7200);
        assert_eq!(Zone::parse("Europe/Nowhere"), Err(ZoneError::Unknown));
        assert!(Zone::parse("local").is_ok());
    }

    #[cfg(not(feature = "time-zones"))]
    #[test]
    fn a_named_zone_takes_the_feature() {
        assert_eq!(Zone::parse("Europe/Berlin"), Err(ZoneError::Feature));
        assert_eq!(Zone::parse("local"), Err(ZoneError::Feature));
    }
}
