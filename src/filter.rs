//! Filters: which statements are logged, by their target and level.

use core::convert::Infallible;
use core::fmt;
use core::str::FromStr;
use std::ffi::OsStr;

use crate::level::{Level, LevelFilter};

/// Which statements are logged: a level for each target, in the grammar of `RUST_LOG`.
///
/// A filter is a list of directives with commas between them:
///
/// | directive | what it lets through |
/// |---|---|
/// | `info` | of targets that no other directive is for, everything up to that level |
/// | `engine::risk=trace` | of targets that begin with this text, everything up to that level |
/// | `engine` | of targets that begin with this text, everything |
///
/// Levels are `off`, `error`, `warn`, `info`, `debug` and `trace`, in capitals or not, or `0` to `5`.
/// The longest directive that a target begins with counts, and of two equal ones the later. What no
/// directive is for does not pass; a filter without any directive lets errors pass.
///
/// A target is compared as text, as `RUST_LOG` has it: `net` is also for `network`, and `net::` is
/// not.
///
/// ```
/// use ringlog::{Filter, Level};
///
/// let filter: Filter = "info,engine::risk=trace,net=off".parse()?;
/// assert!(filter.allows("engine::risk::limits", Level::Trace));
/// assert!(filter.allows("engine", Level::Info));
/// assert!(!filter.allows("net::tcp", Level::Error));
///
/// let error = "info,engine=loud".parse::<Filter>().unwrap_err();
/// assert_eq!((error.directive(), error.column()), ("engine=loud", 13));
/// # Ok::<(), ringlog::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Each target once, the longest first.
    directives: Vec<Directive>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Directive {
    /// What targets begin with; empty for all.
    target: String,
    level: LevelFilter,
}

impl Filter {
    /// The most bytes of text that a filter is read from.
    const LONGEST: usize = 1 << 16;

    /// Whether a statement passes. Looks at the directives one by one; a logger asks once per
    /// statement and keeps the answer.
    #[must_use]
    pub fn allows(&self, target: &str, level: Level) -> bool {
        self.level_of(target).allows(level)
    }

    /// The most verbose level that passes for a target.
    #[must_use]
    pub fn level_of(&self, target: &str) -> LevelFilter {
        let mut directives = self.directives.iter();
        let directive = directives.find(|directive| target.starts_with(&directive.target));
        directive.map_or(LevelFilter::Off, |directive| directive.level)
    }

    /// The most verbose level that passes for any target.
    #[must_use]
    pub fn most_verbose(&self) -> LevelFilter {
        let levels = self.directives.iter().map(|directive| directive.level);
        levels.max().unwrap_or(LevelFilter::Off)
    }

    /// Reads what an environment variable holds.
    pub(crate) fn from_os_str(text: &OsStr) -> Result<Self, FilterError> {
        let lossy = text.to_string_lossy();
        match (text.to_str(), lossy.find(char::REPLACEMENT_CHARACTER)) {
            (None, Some(place)) => {
                let what = "the text is not UTF-8".to_owned();
                Err(FilterError::new(&lossy, &lossy, &lossy[place..], what))
            }
            _ => lossy.parse(),
        }
    }

    fn set(&mut self, target: &str, level: LevelFilter) {
        let known = self
            .directives
            .iter_mut()
            .find(|directive| directive.target == target);
        match known {
            Some(directive) => directive.level = level,
            None => self.directives.push(Directive {
                target: target.to_owned(),
                level,
            }),
        }
    }
}

impl From<LevelFilter> for Filter {
    /// The same level for all targets.
    fn from(level: LevelFilter) -> Self {
        Filter {
            directives: vec![Directive {
                target: String::new(),
                level,
            }],
        }
    }
}

impl From<Level> for Filter {
    /// The same level for all targets.
    fn from(level: Level) -> Self {
        LevelFilter::from(level).into()
    }
}

impl TryFrom<&str> for Filter {
    type Error = FilterError;

    fn try_from(text: &str) -> Result<Self, FilterError> {
        text.parse()
    }
}

impl TryFrom<&String> for Filter {
    type Error = FilterError;

    fn try_from(text: &String) -> Result<Self, FilterError> {
        text.parse()
    }
}

impl TryFrom<String> for Filter {
    type Error = FilterError;

    fn try_from(text: String) -> Result<Self, FilterError> {
        text.parse()
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let mut filter = Filter {
            directives: Vec::new(),
        };
        if text.len() > Self::LONGEST {
            let longest = Self::LONGEST;
            let what = format!("the filter is longer than {longest} bytes");
            return Err(FilterError::new(text, "", text, what));
        }
        for directive in text.split(',').map(str::trim) {
            if !directive.is_empty() {
                let (target, level) = parse_directive(text, directive)?;
                filter.set(target, level);
            }
        }
        if filter.directives.is_empty() {
            return Ok(LevelFilter::Error.into());
        }
        filter
            .directives
            .sort_by_key(|directive| std::cmp::Reverse(directive.target.len()));
        Ok(filter)
    }
}

/// A directive, a part of `text`, as a target and a level.
fn parse_directive<'text>(
    text: &'text str,
    directive: &'text str,
) -> Result<(&'text str, LevelFilter), FilterError> {
    let fail = |part: &str, what: String| Err(FilterError::new(text, directive, part, what));
    if let Some(place) = directive.find(['[', '{']) {
        let what = "ringlog has no spans: a directive is `target=level`".to_owned();
        return fail(&directive[place..], what);
    }
    if let Some(place) = directive.find('/') {
        let what = "a filter does not look at messages: a directive is `target=level`".to_owned();
        return fail(&directive[place..], what);
    }
    let Some((target, level)) = directive.split_once('=') else {
        if let Some(level) = parse_level(directive) {
            return Ok(("", level));
        }
        check_target(text, directive, directive)?;
        return Ok((directive, LevelFilter::Trace));
    };
    let (target, level_text) = (target.trim_end(), level.trim_start());
    if target.is_empty() {
        return fail(
            directive,
            "there is no target in front of the `=`".to_owned(),
        );
    }
    check_target(text, directive, target)?;
    match parse_level(level_text) {
        Some(level) => Ok((target, level)),
        None if level_text.is_empty() => {
            fail(level, format!("there is no level behind the `=`; {LEVELS}"))
        }
        None => {
            let what = format!("`{}` is not a level; {LEVELS}", level_text.escape_debug());
            fail(level_text, what)
        }
    }
}

const LEVELS: &str = "the levels are off, error, warn, info, debug and trace";

/// A target is a path of Rust, or what a program has put in its place: any text without the
/// characters that mean something in a filter, and without gaps.
fn check_target(text: &str, directive: &str, target: &str) -> Result<(), FilterError> {
    let wrong = |char: char| char.is_whitespace() || char.is_control() || "\"'`]}".contains(char);
    let Some(place) = target.find(wrong) else {
        return Ok(());
    };
    let part = &target[place..];
    let char = part.chars().next().unwrap_or_default();
    let what = if char.is_whitespace() {
        "there is a gap in the target; directives have commas between them".to_owned()
    } else {
        format!("a target has no `{}` in it", char.escape_debug())
    };
    Err(FilterError::new(text, directive, part, what))
}

fn parse_level(text: &str) -> Option<LevelFilter> {
    let by_number = [
        LevelFilter::Off,
        LevelFilter::Error,
        LevelFilter::Warn,
        LevelFilter::Info,
        LevelFilter::Debug,
        LevelFilter::Trace,
    ];
    match text.as_bytes() {
        [digit @ b'0'..=b'5'] => by_number.get(usize::from(digit - b'0')).copied(),
        _ => text.parse().ok(),
    }
}

impl fmt::Display for Filter {
    /// As text that reads back as the same filter, the shortest targets first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, directive) in self.directives.iter().rev().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            if !directive.target.is_empty() {
                write!(f, "{}=", directive.target)?;
            }
            f.write_str(directive.level.as_str())?;
        }
        Ok(())
    }
}

/// The text is not a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    text: String,
    directive: String,
    column: usize,
    what: String,
}

impl FilterError {
    /// `part` is where it is wrong: a slice of `text`.
    fn new(text: &str, directive: &str, part: &str, what: String) -> Self {
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        FilterError {
            text: text.chars().take(256).collect(),
            directive: directive.to_owned(),
            column: text[..start].chars().count() + 1,
            what,
        }
    }

    /// The directive that is wrong.
    #[must_use]
    pub fn directive(&self) -> &str {
        &self.directive
    }

    /// Where in the text it is wrong: the number of the character, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for FilterError {
    /// In one line; with `{:#}`, the filter and a mark under the place follow on two more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}`, column {}: {}",
            self.directive.escape_debug(),
            self.column,
            self.what
        )?;
        if f.alternate() {
            let shown: String = self
                .text
                .chars()
                .map(|char| if char.is_control() { ' ' } else { char })
                .collect();
            write!(f, "\n    {shown}\n    {:>1$}", '^', self.column)?;
        }
        Ok(())
    }
}

impl std::error::Error for FilterError {}

impl From<Infallible> for FilterError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> Filter {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// The most verbose level that passes for the target.
    fn level(filter: &Filter, target: &str) -> LevelFilter {
        let passing = Level::ALL.into_iter().rev();
        let mut passing = passing.filter(|&level| filter.allows(target, level));
        passing.next().map_or(LevelFilter::Off, LevelFilter::from)
    }

    #[test]
    fn the_longest_prefix_wins_whatever_the_order() {
        for text in [
            "info,engine=warn,engine::risk=trace,net=off",
            "net=off,engine::risk=trace,engine=warn,info",
        ] {
            let filter = filter(text);
            for (target, expected) in [
                ("main", LevelFilter::Info),
                ("", LevelFilter::Info),
                ("engin", LevelFilter::Info),
                ("engine", LevelFilter::Warn),
                ("engine::book", LevelFilter::Warn),
                ("engine::risk", LevelFilter::Trace),
                ("engine::risk::limits", LevelFilter::Trace),
                ("engine::risky", LevelFilter::Trace),
                ("net", LevelFilter::Off),
                ("network", LevelFilter::Off),
            ] {
                assert_eq!(level(&filter, target), expected, "{target} with {text}");
            }
        }
    }

    #[test]
    fn what_no_directive_is_for_does_not_pass() {
        assert_eq!(level(&filter("engine=info"), "net"), LevelFilter::Off);
        assert_eq!(level(&filter("net=off"), "engine"), LevelFilter::Off);
    }

    #[test]
    fn directives_are_read_in_all_their_forms() {
        for (text, expected) in [
            ("", "ERROR"),
            (" , ,", "ERROR"),
            ("warn", "WARN"),
            ("WaRn", "WARN"),
            ("4", "DEBUG"),
            ("off", "OFF"),
            ("engine", "engine=TRACE"),
            ("engine=3", "engine=INFO"),
            (" engine = info , net=OFF ", "net=OFF,engine=INFO"),
            ("a=info,a=debug", "a=DEBUG"),
            ("info,debug", "DEBUG"),
            ("größe=info", "größe=INFO"),
            ("a-b.c=info,d::=1", "d::=ERROR,a-b.c=INFO"),
        ] {
            assert_eq!(filter(text).to_string(), expected, "{text}");
            assert_eq!(filter(expected), filter(text));
        }
    }

    #[test]
    fn what_is_wrong_is_quoted_and_pointed_at() {
        for (text, directive, column, what) in [
            (
                "info,engine=loud",
                "engine=loud",
                13,
                "`loud` is not a level",
            ),
            ("engine=", "engine=", 8, "no level"),
            ("größe= loud", "größe= loud", 8, "`loud`"),
            ("a=info, =warn", "=warn", 9, "no target"),
            ("a=b=c", "a=b=c", 3, "`b=c` is not a level"),
            ("engine=9", "engine=9", 8, "`9`"),
            ("info engine=debug", "info engine=debug", 5, "gap"),
            ("info,a[span]=debug", "a[span]=debug", 7, "no spans"),
            ("a[s{x=1,y=2}]=debug", "a[s{x=1", 2, "no spans"),
            ("info/regex", "info/regex", 5, "messages"),
            ("'engine'=info", "'engine'=info", 1, "`\\'`"),
            ("a\u{1b}b=info", "a\u{1b}b=info", 2, "`\\u{1b}`"),
        ] {
            let error = text.parse::<Filter>().unwrap_err();
            assert_eq!((error.directive(), error.column()), (directive, column));
            let message = error.to_string();
            assert!(message.contains(what), "{message}");
            assert!(message.contains(&*directive.escape_debug().to_string()));
            assert!(!message.contains('\u{1b}'));
        }
        let error = "info,größe=loud".parse::<Filter>().unwrap_err();
        let lines = format!("{error:#}");
        assert!(
            lines.ends_with("\n    info,größe=loud\n               ^"),
            "{lines}"
        );
        assert!("x".repeat(100_000).parse::<Filter>().is_err());
    }

    #[test]
    fn the_most_verbose_level_is_that_of_any_target() {
        assert_eq!(filter("warn,a=debug").most_verbose(), LevelFilter::Debug);
        assert_eq!(filter("off").most_verbose(), LevelFilter::Off);
    }
}
