//! The text format: one record, one line, in the order that a pattern says.
//!
//! Nothing that a record carries can add a line or a control character to it; see
//! [`escape`](super::escape).

use super::compile::{Compiler, Escapes};
use super::context::{FieldStyle, Values};
use super::pattern::{self, Item, PatternError, Word};
use super::program::Rare;
use super::quote;
use super::spec::{self, Resolved};
use super::time::TimeStyle;
use crate::level::Level;
use crate::record::Spec;

/// The line of a [`Text::new`].
const DEFAULT: &str = "{time} {level:<5} {target} {location} [{thread}] {message}{fields}";

/// Stands for what is not known, so that every line has the same columns.
const UNKNOWN: &str = "-";

/// Renders records as lines of text.
///
/// ```text
/// 2026-11-23T06:24:46.204916267Z INFO  engine::risk fills.rs:42 [matcher] filled 100 at 7.25 order=7
/// time (UTC)                     level target       location    thread    message            fields
/// ```
///
/// # Patterns
///
/// [`Text::pattern`] takes another line: text, with parts in braces; `{{` and `}}` stand for braces.
///
/// | part | what |
/// |---|---|
/// | `{time}` | `2026-11-23T06:24:46.204916267Z`; with options behind a colon, separated by commas |
/// | `{time:ms}` | with less precision: `s`, `ms`, `us` or `ns` |
/// | `{time:+02:00}` | in another zone: `utc`, an offset, and with feature `time-zones` `local` or a name such as `Europe/Berlin` |
/// | `{time:date}` `{time:clock}` `{time:unix}` | only the date, only the time of day, or seconds since 1970 |
/// | `{level}` | `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE` |
/// | `{target}` | the statement's target |
/// | `{module}` | the module that the statement is in |
/// | `{file}` `{path}` `{line}` | the file without its directories, as the compiler names it, and the line |
/// | `{location}` | `{file}:{line}` |
/// | `{thread}` `{thread_id}` | the thread's name, and the number that the kernel gives it |
/// | `{seq}` | the record's number in this log, from 1 |
/// | `{message}` | the message |
/// | `{fields}` | ` key=value` for each field, with a space before it |
///
/// A word may have a column, as in a format string: `{level:<5}`, `{target:*^20}`, and of at most so
/// many characters with `{target:.20}`. What is not known, such as the line of what the logger says
/// itself, is `-`.
///
/// A value in `{fields}` that is empty or has a space, a quotation mark, an equals sign, or anything
/// that has to be escaped, is a string of JSON.
///
/// ```
/// use ringlog::format::{Color, Text};
/// use ringlog::sink::{Memory, SinkOptions};
/// use ringlog::{RingLogger, warn};
/// use std::time::Duration;
///
/// let memory = Memory::new();
/// let format = Text::pattern("{level:<5}|{message}{fields}")?.color(Color::Always);
/// let logger = RingLogger::builder()
///     .sink_with(memory.clone(), SinkOptions::new().format(format))
///     .build()?;
/// warn!(logger: &logger, lots = 100, "limit reached");
/// logger.flush(Duration::from_secs(1))?;
/// assert_eq!(
///     memory.contents(),
///     "\x1b[33mWARN\x1b[0m |limit reached\x1b[2m lots=\x1b[0m100\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Colours
///
/// Levels have a colour each, and times, locations and the names of fields are dim, if the sink writes
/// to a terminal; see [`Color`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Text {
    items: Vec<Item>,
    color: Color,
    escape: bool,
}

/// Whether text has colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Color {
    /// If the sink wants them ([`Sink::wants_color`](crate::sink::Sink::wants_color)): a console that
    /// is a terminal does, but for what the environment says: with `NO_COLOR` it does not, with
    /// `CLICOLOR_FORCE` it does in any case, and with `CLICOLOR=0` or `TERM=dumb` it does not.
    #[default]
    Auto,
    /// It has.
    Always,
    /// It has not.
    Never,
}

impl Default for Text {
    fn default() -> Self {
        Text::new()
    }
}

const RESET: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";

/// What switches a level's colour on.
fn color_of(level: Level) -> &'static str {
    match level {
        Level::Error => "\x1b[1;31m",
        Level::Warn => "\x1b[33m",
        Level::Info => "\x1b[32m",
        Level::Debug => "\x1b[36m",
        Level::Trace => "\x1b[35m",
    }
}

impl Text {
    /// The default line.
    pub fn new() -> Self {
        Text::pattern(DEFAULT).expect("the default pattern is one")
    }

    /// A line of one's own; see [above](Self#patterns).
    ///
    /// # Errors
    ///
    /// The pattern is not one; the error quotes it and says where.
    pub fn pattern(pattern: &str) -> Result<Self, PatternError> {
        Ok(Text {
            items: pattern::parse(pattern)?,
            color: Color::Auto,
            escape: true,
        })
    }

    /// Whether there are colours; default [`Color::Auto`].
    pub fn color(mut self, color: Color) -> Self {
        self.color = color;
        self
    }

    /// Whether control characters, terminal escapes, newlines, and what reorders text are made
    /// visible, and the values of fields quoted; default true. Without, whoever can have something
    /// logged can forge lines.
    pub fn escape(mut self, escape: bool) -> Self {
        self.escape = escape;
        self
    }

    /// Decides whether there are colours where that depends on the sink.
    pub(super) fn resolve_color(&mut self, wants_color: bool) {
        if self.color == Color::Auto {
            self.color = if wants_color {
                Color::Always
            } else {
                Color::Never
            };
        }
    }

    pub(super) fn escapes(&self) -> Escapes {
        if self.escape {
            Escapes::Visible
        } else {
            Escapes::Raw
        }
    }

    /// The styles of its times that are not the default one, in order.
    pub(super) fn time_styles(&self) -> Vec<TimeStyle> {
        let style = |item: &Item| match item {
            Item::Time(style) if *style != TimeStyle::DEFAULT => Some(style.clone()),
            _ => None,
        };
        self.items.iter().filter_map(style).collect()
    }

    pub(super) fn compile(&self, compiler: &mut Compiler<'_>) {
        let mut styled_times = 0;
        for item in &self.items {
            match item {
                Item::Literal(text) => compiler.text(text),
                Item::Time(style) => self.in_color(compiler, DIM, |compiler| {
                    if *style == TimeStyle::DEFAULT {
                        compiler.time();
                    } else {
                        compiler.push_rare(Rare::Time(styled_times));
                        styled_times += 1;
                    }
                }),
                Item::Word(word, spec) => self.word(compiler, *word, *spec),
                Item::Message => compiler.message(),
                Item::Fields => self.fields(compiler),
            }
        }
    }

    fn word(&self, compiler: &mut Compiler<'_>, word: Word, spec: Spec) {
        let subject = compiler.subject;
        let column = Resolved::new(spec, |_| None).unwrap_or(Resolved::DISPLAY);
        let base_name = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or("").to_owned();
        let (text, color) = match word {
            Word::Level => {
                let color = subject.level.map_or("", color_of);
                return self.level(compiler, color, &column);
            }
            Word::Target => (Some(subject.target.to_owned()), ""),
            Word::Module => (Some(subject.module.to_owned()), ""),
            Word::File => (subject.place.map(|(path, _)| base_name(path)), DIM),
            Word::Path => (subject.place.map(|(path, _)| path.to_owned()), DIM),
            Word::Line => (subject.place.map(|(_, line)| line.to_string()), DIM),
            Word::Location => {
                let location = |(path, line)| format!("{}:{line}", base_name(path));
                (subject.place.map(location), DIM)
            }
            Word::Thread if column == Resolved::DISPLAY => return compiler.thread(),
            Word::Thread => return compiler.push_rare(Rare::Thread(column)),
            Word::ThreadId => return compiler.push_rare(Rare::ThreadId(column)),
            Word::Number if !compiler.is_record() => (None, ""),
            Word::Number if column == Resolved::DISPLAY => return compiler.number(),
            Word::Number => return compiler.push_rare(Rare::Number(column)),
        };
        let text = in_column(text.as_deref().unwrap_or(UNKNOWN), &column);
        self.in_color(compiler, color, |compiler| compiler.escaped(&text));
    }

    /// Only the word has the colour, not the column.
    fn level(&self, compiler: &mut Compiler<'_>, color: &str, column: &Resolved) {
        let level = compiler.subject.level.map_or(UNKNOWN, Level::as_str);
        let text = in_column(level, column);
        match text.split_once(level) {
            Some((before, after)) if !color.is_empty() => {
                compiler.escaped(before);
                self.in_color(compiler, color, |compiler| compiler.text(level));
                compiler.escaped(after);
            }
            // Cut short by its column.
            _ => self.in_color(compiler, color, |compiler| compiler.escaped(&text)),
        }
    }

    fn fields(&self, compiler: &mut Compiler<'_>) {
        let style = FieldStyle {
            values: if self.escape {
                Values::QuotedIfNeeded
            } else {
                Values::Plain
            },
            around_key: if self.color == Color::Always {
                ("\x1b[2m ", "=\x1b[0m")
            } else {
                (" ", "=")
            },
            taken: None,
        };
        compiler.fields(style, |compiler, name| {
            let (before, behind) = style.around_key;
            let has_space = compiler.ends_with_space();
            compiler.text(if has_space { before.trim_end() } else { before });
            compiler.bytes(|out| quote::put_key(out, name));
            compiler.text(behind);
        });
    }

    fn in_color(
        &self,
        compiler: &mut Compiler<'_>,
        color: &str,
        put: impl FnOnce(&mut Compiler<'_>),
    ) {
        let color = if self.color == Color::Always {
            color
        } else {
            ""
        };
        compiler.text(color);
        put(compiler);
        if !color.is_empty() {
            compiler.text(RESET);
        }
    }
}

fn in_column(text: &str, column: &Resolved) -> String {
    let mut out = Vec::new();
    spec::put_str(&mut out, text.as_bytes(), column);
    String::from_utf8_lossy(&out).into_owned()
}
