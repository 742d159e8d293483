//! What a sink gets, and in what form.

use crate::format::AnyFormat;
use crate::level::LevelFilter;
use crate::routing::Rule;

/// How a sink is attached to a logger: its name, its format, its level, its filter.
///
/// ```
/// use ringlog::format::{Json, Text};
/// use ringlog::sink::{Console, Memory, Rule, SinkOptions};
/// use ringlog::{Level, RingLogger};
///
/// let logger = RingLogger::builder()
///     .sink_with(
///         Console::stderr(),
///         SinkOptions::new()
///             .format(Text::pattern("{time:clock,ms} {level:<5} {message}{fields}")?)
///             .level(Level::Warn),
///     )
///     .sink_with(
///         Memory::new(),
///         SinkOptions::new()
///             .name("audit")
///             .format(Json::new())
///             .filter(Rule::target("bank").or(Rule::has_field("account"))),
///     )
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct SinkOptions {
    pub(crate) name: Option<String>,
    pub(crate) format: Option<AnyFormat>,
    pub(crate) level: LevelFilter,
    pub(crate) filter: Option<Rule>,
}

impl Default for SinkOptions {
    fn default() -> Self {
        SinkOptions::new()
    }
}

impl SinkOptions {
    /// Every record that the logger lets through, in the form that the sink likes best: text, unless
    /// it says otherwise.
    pub fn new() -> Self {
        SinkOptions {
            name: None,
            format: None,
            level: LevelFilter::Trace,
            filter: None,
        }
    }

    /// The name by which [`Routes`](super::Routes), reports and errors call the sink; default: the
    /// sink's own.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How records look: a [`Text`](crate::format::Text), a [`Json`](crate::format::Json), a
    /// [`Logfmt`](crate::format::Logfmt), or any [`Format`](crate::format::Format) of one's own.
    pub fn format(mut self, format: impl Into<AnyFormat>) -> Self {
        self.format = Some(format.into());
        self
    }

    /// The most verbose level that goes to this sink; default: all. What the logger's own level keeps
    /// out, no sink gets.
    pub fn level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.level = level.into();
        self
    }

    /// Only records for which the rule holds go to this sink; default: all. A record that a sink does
    /// not want counts as written there.
    ///
    /// What the logger says itself, such as that records were dropped, goes to every sink whose level
    /// lets warnings through.
    pub fn filter(mut self, rule: Rule) -> Self {
        self.filter = Some(rule);
        self
    }

    /// The same for another sink.
    pub(crate) fn share(&self) -> SinkOptions {
        SinkOptions {
            name: self.name.clone(),
            format: self.format.as_ref().map(AnyFormat::share),
            level: self.level,
            filter: self.filter.clone(),
        }
    }
}
