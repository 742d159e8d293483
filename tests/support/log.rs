//! The log, read back. A line that does not look like one ends the test.

use ringlog::Level;
use ringlog::sink::Memory;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Nanoseconds since 1970.
    pub time: u64,
    pub level: Level,
    pub target: String,
    /// File and line.
    pub location: String,
    pub thread: String,
    /// Without the mark of a late record.
    pub text: String,
    /// Whether it says that it came too late for its place.
    pub is_late: bool,
}

impl Line {
    #[track_caller]
    pub fn parse(line: &str) -> Line {
        Line::try_parse(line).unwrap_or_else(|| panic!("not a line of the log: {line:?}"))
    }

    fn try_parse(line: &str) -> Option<Line> {
        let (time, rest) = line.split_at_checked(30)?;
        let (level, rest) = rest.strip_prefix(' ')?.split_at_checked(5)?;
        let (target, rest) = rest.strip_prefix(' ')?.split_once(' ')?;
        let (location, rest) = rest.split_once(" [")?;
        let (thread, text) = rest.split_once("] ")?;
        let level = level.trim_end();
        let unmarked = text.strip_suffix(" late=true");
        Some(Line {
            time: nanos(time)?,
            // `from_str` would take lower case as well.
            level: Level::ALL
                .into_iter()
                .find(|known| known.as_str() == level)?,
            target: target.into(),
            location: location.into(),
            thread: thread.into(),
            text: unmarked.unwrap_or(text).into(),
            is_late: unmarked.is_some(),
        })
    }

    /// Whether the logger wrote it itself.
    pub fn is_own(&self) -> bool {
        self.target == "ringlog" && self.location == "-"
    }

    /// Whether it tells of a panic.
    pub fn is_panic(&self) -> bool {
        self.target == "panic"
    }

    /// Whether it is the line with which the logger closes its log.
    pub fn is_closing(&self) -> bool {
        self.is_own() && self.text.starts_with("log ")
    }

    /// The dropped records that the line tells of, by level, if it is such a line.
    #[track_caller]
    pub fn gap(&self) -> Option<[u64; Level::COUNT]> {
        if !self.is_own() {
            return None;
        }
        let (total, rest) = self.text.split_once(" records dropped here: ")?;
        let mut counts = [0; Level::COUNT];
        assert_ne!(total, "0", "a gap of nothing: {self:?}");
        for part in rest.split(", ") {
            if !part.starts_with(|first: char| first.is_ascii_digit()) {
                // How long it lasted, and whose records they were.
                break;
            }
            let (count, level) = part.split_once(' ').expect("a number and a level");
            let level: Level = level.parse().expect("a level");
            counts[level.index()] += count.parse::<u64>().expect("a number");
        }
        assert_eq!(total.parse(), Ok(counts.iter().sum::<u64>()), "{self:?}");
        Some(counts)
    }
}

/// All lines of a log.
#[derive(Clone, Debug)]
pub struct Log {
    /// All but the last one, if that is the one with which the logger closes it.
    pub lines: Vec<Line>,
    pub closing: Option<Line>,
}

impl Log {
    #[track_caller]
    pub fn parse(text: &str) -> Log {
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "the last line is torn"
        );
        let all: Vec<&str> = text.lines().collect();
        let parse = |(place, line): (usize, &&str)| {
            Line::try_parse(line).unwrap_or_else(|| {
                let around = &all[place.saturating_sub(2)..all.len().min(place + 3)];
                panic!("not a line of the log: {line:?}, in {around:#?}")
            })
        };
        let mut lines: Vec<_> = all.iter().enumerate().map(parse).collect();
        let is_closed = lines.last().is_some_and(Line::is_closing);
        let closing = if is_closed { lines.pop() } else { None };
        Log { lines, closing }
    }

    #[track_caller]
    pub fn of(memory: &Memory) -> Log {
        Log::parse(&memory.contents())
    }

    /// The lines that the test's own statements made.
    pub fn records(&self) -> impl Iterator<Item = &Line> {
        let made = |line: &&Line| !line.is_own() && !line.is_panic();
        self.lines.iter().filter(made)
    }

    /// The lines that tell of panics.
    pub fn panics(&self) -> Vec<&Line> {
        self.lines.iter().filter(|line| line.is_panic()).collect()
    }

    pub fn texts(&self) -> Vec<&str> {
        self.records().map(|line| &*line.text).collect()
    }

    /// The dropped records that the log tells of, by level.
    pub fn gaps(&self) -> [u64; Level::COUNT] {
        let mut sum = [0; Level::COUNT];
        for gap in self.lines.iter().filter_map(Line::gap) {
            for (sum, count) in sum.iter_mut().zip(gap) {
                *sum += count;
            }
        }
        sum
    }

    /// How many records have an earlier time than one before them. Only those say so.
    #[track_caller]
    pub fn late(&self) -> u64 {
        let mut latest = 0;
        let mut late = 0;
        for line in self.records() {
            let is_late = line.time < latest;
            assert_eq!(line.is_late, is_late, "{line:?}");
            late += u64::from(is_late);
            latest = latest.max(line.time);
        }
        late
    }

    /// The records whose text is `NAME NUMBER ...`, the numbers of each name in the order in which
    /// they stand in the log.
    #[track_caller]
    pub fn numbers(&self) -> std::collections::BTreeMap<&str, Vec<u64>> {
        let mut numbers = std::collections::BTreeMap::<_, Vec<u64>>::new();
        for line in self.records() {
            let mut words = line.text.split(' ');
            let (Some(name), Some(number)) = (words.next(), words.next()) else {
                panic!("not a name and a number: {line:?}");
            };
            let number = number.parse().expect("a number");
            numbers.entry(name).or_default().push(number);
        }
        numbers
    }
}

/// `2026-11-23T06:24:46.204916267Z` as nanoseconds since 1970.
fn nanos(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    for (place, mark) in [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'.'),
    ] {
        if *bytes.get(place)? != mark {
            return None;
        }
    }
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|digit| digit.is_ascii_digit())
            .then_some(())?;
        digits.parse::<u64>().ok()
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = 28 + u64::from(leap(year));
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = (1970..year)
        .map(|year| 365 + u64::from(leap(year)))
        .sum::<u64>()
        + months
            .iter()
            .take(usize::try_from(month.checked_sub(1)?).ok()?)
            .sum::<u64>()
        + day.checked_sub(1)?;
    let seconds = days * 86_400 + number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    if bytes.len() != 30 || bytes[29] != b'Z' {
        return None;
    }
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(number(20, 29)?)
}
