//! The pattern language of the text format: literal text with parts in braces.

use std::fmt;

use super::time::{Form, TimeStyle};
use super::zone::{Zone, ZoneError};
use crate::record::{Align, Count, Spec};

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Literal(String),
    Time(TimeStyle),
    /// A word, and how it stands in its column.
    Word(Word, Spec),
    Message,
    Fields,
}

/// What can stand in a column of some width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Level,
    Target,
    Module,
    /// The file without its directories.
    File,
    /// The file as the compiler names it.
    Path,
    Line,
    /// The file without its directories, and the line.
    Location,
    Thread,
    ThreadId,
    Number,
}

/// All parts that there are, as they are named in a pattern.
const PARTS: &str = "time, level, target, module, file, path, line, location, thread, thread_id, \
                     seq, message, fields";

/// A pattern is not one.
///
/// The text quotes the pattern and says at which column it goes wrong.
///
/// ```
/// use ringlog::format::Text;
///
/// let error = Text::pattern("{time} {levle} {message}").unwrap_err();
/// assert_eq!(error.column(), 9);
/// assert!(error.to_string().starts_with(
///     "pattern `{time} {levle} {message}`, column 9: there is no part `levle`"
/// ));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    pattern: String,
    column: usize,
    fault: String,
}

impl PatternError {
    /// Where the pattern goes wrong, in characters from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pattern `{}`, column {}: {}",
            self.pattern.escape_debug(),
            self.column,
            self.fault
        )
    }
}

impl std::error::Error for PatternError {}

/// What is wrong, and at which byte.
type Fault = (usize, String);

/// Reads a pattern.
pub(super) fn parse(pattern: &str) -> Result<Vec<Item>, PatternError> {
    parse_items(pattern).map_err(|(at, fault)| PatternError {
        pattern: pattern.into(),
        column: pattern[..at].chars().count() + 1,
        fault,
    })
}

fn parse_items(pattern: &str) -> Result<Vec<Item>, Fault> {
    let mut items = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(character) = pattern[at..].chars().next() {
        let rest = &pattern[at..];
        match character {
            '{' if rest.starts_with("{{") => {
                literal.push('{');
                at += 2;
            }
            '}' if rest.starts_with("}}") => {
                literal.push('}');
                at += 2;
            }
            '{' => {
                if !literal.is_empty() {
                    items.push(Item::Literal(std::mem::take(&mut literal)));
                }
                let length = rest
                    .find('}')
                    .ok_or_else(|| (at, "the brace is not closed".to_owned()))?;
                items.push(parse_part(&rest[1..length], at + 1)?);
                at += length + 1;
            }
            '}' => {
                let fault = "a brace that closes nothing; `}}` stands for itself";
                return Err((at, fault.into()));
            }
            _ => {
                literal.push(character);
                at += character.len_utf8();
            }
        }
    }
    if !literal.is_empty() {
        items.push(Item::Literal(literal));
    }
    Ok(items)
}

/// What stands between braces, the first byte of which is at `at`.
fn parse_part(part: &str, at: usize) -> Result<Item, Fault> {
    let (name, options) = match part.split_once(':') {
        Some((name, options)) => (name, Some((options, at + name.len() + 1))),
        None => (part, None),
    };
    let word = |word| {
        let spec = options.map_or(Ok(Spec::DISPLAY), |(text, at)| parse_spec(text, at));
        spec.map(|spec| Item::Word(word, spec))
    };
    let plain = |item| match options {
        None => Ok(item),
        Some((_, at)) => Err((at, format!("`{name}` has no options"))),
    };
    match name {
        "time" => {
            let style = options.map_or(Ok(TimeStyle::DEFAULT), |(text, at)| parse_time(text, at));
            style.map(Item::Time)
        }
        "level" => word(Word::Level),
        "target" => word(Word::Target),
        "module" => word(Word::Module),
        "file" => word(Word::File),
        "path" => word(Word::Path),
        "line" => word(Word::Line),
        "location" => word(Word::Location),
        "thread" => word(Word::Thread),
        "thread_id" => word(Word::ThreadId),
        "seq" => word(Word::Number),
        "message" => plain(Item::Message),
        "fields" => plain(Item::Fields),
        "" => Err((
            at,
            format!("a part has a name: {PARTS}; `{{{{` stands for a brace"),
        )),
        _ => Err((at, format!("there is no part `{name}`; there are {PARTS}"))),
    }
}

/// `[[fill]align][width][.most]`, as in a format string.
fn parse_spec(text: &str, at: usize) -> Result<Spec, Fault> {
    let mut spec = Spec::DISPLAY;
    let mut rest = text;
    let align_of = |character| {
        Some(match character {
            '<' => Align::Left,
            '^' => Align::Center,
            '>' => Align::Right,
            _ => return None,
        })
    };
    let mut characters = text.chars();
    let (first, second) = (characters.next(), characters.next());
    if let (Some(fill), Some(align)) = (first, second.and_then(align_of)) {
        spec.fill = fill;
        spec.align = align;
        rest = &rest[fill.len_utf8() + 1..];
    } else if let Some(align) = first.and_then(align_of) {
        spec.align = align;
        rest = &rest[1..];
    }
    let (width, most) = match rest.split_once('.') {
        Some((width, most)) => (width, Some(most)),
        None => (rest, None),
    };
    let count = |digits: &str| {
        let start = at + (digits.as_ptr() as usize - text.as_ptr() as usize);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .parse()
            .ok()
            .filter(|_| is_number)
            .map(Count::Is)
            .ok_or_else(|| {
                let fault = format!(
                    "`{digits}` is not a number of characters; a column is `[[fill]<^>][width][.most]`"
                );
                (start, fault)
            })
    };
    if !width.is_empty() {
        spec.width = count(width)?;
    }
    if let Some(most) = most {
        spec.precision = count(most)?;
    }
    Ok(spec)
}

/// Words separated by commas: a form, a precision, a zone.
fn parse_time(text: &str, at: usize) -> Result<TimeStyle, Fault> {
    let (mut form, mut digits, mut zone) = (None, None, None);
    let mut start = at;
    for word in text.split(',') {
        let (name, start_of_name) = (word.trim(), start + word.len() - word.trim_start().len());
        start += word.len() + 1;
        let twice = |what: &str| {
            Err((
                start_of_name,
                format!("`{name}` is a second {what} for one time"),
            ))
        };
        let known_form = match name {
            "date" => Some(Form::Date),
            "clock" => Some(Form::Clock),
            "unix" => Some(Form::Unix),
            _ => None,
        };
        let known_digits = match name {
            "s" => Some(0),
            "ms" => Some(3),
            "us" => Some(6),
            "ns" => Some(9),
            _ => None,
        };
        if known_form.is_some() {
            if form.is_some() {
                return twice("form");
            }
            form = known_form;
        } else if known_digits.is_some() {
            if digits.is_some() {
                return twice("precision");
            }
            digits = known_digits;
        } else {
            let parsed =
                Zone::parse(name).map_err(|error| (start_of_name, no_zone(name, error)))?;
            if zone.replace(parsed).is_some() {
                return twice("zone");
            }
        }
    }
    let form = form.unwrap_or(Form::Full);
    Ok(TimeStyle {
        form,
        digits: match form {
            Form::Date => 0,
            _ => digits.unwrap_or(9),
        },
        zone: zone.unwrap_or(Zone::Utc),
    })
}

fn no_zone(name: &str, error: ZoneError) -> String {
    let options = "a time has a form (date, clock, unix), a precision (s, ms, us, ns), and a zone \
                   (utc, local, +hh:mm, Area/City)";
    match error {
        ZoneError::Offset => format!("`{name}` is not an offset such as `+02:00`"),
        #[cfg(feature = "time-zones")]
        ZoneError::Unknown => format!("there is no form, precision or zone `{name}`; {options}"),
        #[cfg(not(feature = "time-zones"))]
        ZoneError::Feature => format!(
            "there is no form or precision `{name}`, and a zone takes the feature `time-zones` of \
             this crate; {options}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_text_with_parts_in_braces() {
        let word = |word| Item::Word(word, Spec::DISPLAY);
        let literal = |text: &str| Item::Literal(text.into());
        assert_eq!(
            parse("{{{level}}} {file}:{line}é{message}{fields}}}").unwrap(),
            [
                literal("{"),
                word(Word::Level),
                literal("} "),
                word(Word::File),
                literal(":"),
                word(Word::Line),
                literal("é"),
                Item::Message,
                Item::Fields,
                literal("}"),
            ]
        );
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn a_column_is_specified_as_in_a_format_string() {
        let spec = |fill, align, width, precision| Spec {
            fill,
            align,
            width,
            precision,
            ..Spec::DISPLAY
        };
        use Count::{Is, Unset};
        for (text, expected) in [
            ("", Spec::DISPLAY),
            ("5", spec(' ', Align::Unset, Is(5), Unset)),
            ("<5", spec(' ', Align::Left, Is(5), Unset)),
            ("*^20", spec('*', Align::Center, Is(20), Unset)),
            ("é>7.3", spec('é', Align::Right, Is(7), Is(3))),
            (".10", spec(' ', Align::Unset, Unset, Is(10))),
            (">>4", spec('>', Align::Right, Is(4), Unset)),
        ] {
            assert_eq!(parse_spec(text, 0), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_time_has_a_form_a_precision_and_a_zone() {
        for (text, form, digits, zone) in [
            ("ms", Form::Full, 3, Zone::Utc),
            ("s", Form::Full, 0, Zone::Utc),
            ("clock,us", Form::Clock, 6, Zone::Utc),
            ("date", Form::Date, 0, Zone::Utc),
            ("unix", Form::Unix, 9, Zone::Utc),
            ("+02:00, ms", Form::Full, 3, Zone::Fixed(7200)),
            ("clock,s,-00:30", Form::Clock, 0, Zone::Fixed(-1800)),
        ] {
            let expected = TimeStyle { form, digits, zone };
            assert_eq!(parse_time(text, 0), Ok(expected), "{text}");
        }
        assert_eq!(parse("{time}").unwrap(), [Item::Time(TimeStyle::DEFAULT)]);
    }

    #[test]
    fn a_fault_is_told_with_its_column() {
        for (pattern, column, fault) in [
            (
                "{time} {levle}",
                9,
                "there is no part `levle`; there are time, level,",
            ),
            ("é{}", 3, "a part has a name"),
            ("é {level", 3, "the brace is not closed"),
            ("a } b", 3, "a brace that closes nothing"),
            ("{level:x}", 8, "`x` is not a number of characters"),
            ("{level:<5x}", 9, "`5x` is not a number of characters"),
            ("{level:5.}", 10, "`` is not a number of characters"),
            ("{level:99999}", 8, "`99999` is not a number of characters"),
            ("{message:5}", 10, "`message` has no options"),
            ("{time:ms,us}", 10, "`us` is a second precision"),
            ("{time:date, clock}", 13, "`clock` is a second form"),
            ("{time:utc,+01:00}", 11, "`+01:00` is a second zone"),
            ("{time:+25:00}", 7, "`+25:00` is not an offset"),
            ("{time:millis}", 7, "there is no form"),
        ] {
            let error = parse(pattern).unwrap_err();
            assert_eq!(error.column(), column, "{error}");
            let expected = format!("pattern `{pattern}`, column {column}: {fault}");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }
}
