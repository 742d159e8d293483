//! How records look.
//!
//! Each sink has a format ([`SinkOptions::format`](crate::sink::SinkOptions::format)): lines of
//! [`Text`] in the order of a pattern, [`Json`], [`Logfmt`], or one of the program's own, which is
//! anything that has the one method of [`Format`]. Sinks with equal formats share the work: a record
//! is rendered once for all of them.
//!
//! [`Redaction`] says which values are masked, in any format.
//!
//! Rendering never fails and never panics, whatever the bytes of a record are: what they do not
//! hold is marked as missing in the line.

mod compile;
mod composite;
mod context;
mod custom;
mod escape;
mod float;
pub(crate) mod glob;
mod json;
mod line;
mod lines;
mod logfmt;
mod number;
mod pattern;
mod program;
mod quote;
mod record;
mod redact;
mod spec;
#[cfg(test)]
mod testing;
mod text;
mod time;
mod typed;
mod zone;

pub use custom::Format;
pub use json::Json;
pub use logfmt::Logfmt;
pub use pattern::PatternError;
pub use record::{Field, Message, Record, Value};
pub use redact::Redaction;
pub use text::{Color, Text};

#[cfg(feature = "config")]
pub(crate) use escape::visible;
pub(crate) use line::Output;
pub(crate) use lines::Lines;
pub(crate) use program::Occurrence;
pub(crate) use record::any_field;
pub(crate) use time::date_and_time;
pub(crate) use zone::Zone;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::level::Level;
use custom::{Custom, Own};
use escape::{Escaping as _, Quoted};
use lines::Layout;

/// Any of the formats that there are, and any [`Format`] of the program's own. Made by `into`.
pub struct AnyFormat {
    kind: Kind,
}

enum Kind {
    Lines(Layout),
    Custom(Own),
}

impl fmt::Debug for AnyFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Lines(layout) => layout.fmt(f),
            Kind::Custom(_) => f.write_str("Custom"),
        }
    }
}

impl Default for AnyFormat {
    /// [`Text`]
    fn default() -> Self {
        Text::new().into()
    }
}

impl From<Text> for AnyFormat {
    fn from(text: Text) -> Self {
        AnyFormat {
            kind: Kind::Lines(Layout::Text(text)),
        }
    }
}

impl From<Json> for AnyFormat {
    fn from(json: Json) -> Self {
        AnyFormat {
            kind: Kind::Lines(Layout::Json(json)),
        }
    }
}

impl From<Logfmt> for AnyFormat {
    fn from(logfmt: Logfmt) -> Self {
        AnyFormat {
            kind: Kind::Lines(Layout::Logfmt(logfmt)),
        }
    }
}

impl<F: Format + 'static> From<F> for AnyFormat {
    fn from(format: F) -> Self {
        AnyFormat {
            kind: Kind::Custom(Own::new(format)),
        }
    }
}

impl AnyFormat {
    /// Decides whether there are colours where that depends on the sink.
    pub(crate) fn resolve_color(&mut self, wants_color: bool) {
        if let Kind::Lines(Layout::Text(text)) = &mut self.kind {
            text.resolve_color(wants_color);
        }
    }

    /// The same format, for another sink.
    pub(crate) fn share(&self) -> AnyFormat {
        let kind = match &self.kind {
            Kind::Lines(layout) => Kind::Lines(layout.clone()),
            Kind::Custom(own) => Kind::Custom(own.clone()),
        };
        AnyFormat { kind }
    }

    /// Whether records look the same in both. Formats of the program's own are the same only if they
    /// are one, or have nothing to differ in.
    pub(crate) fn is_same(&self, other: &AnyFormat) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Lines(one), Kind::Lines(other)) => one == other,
            (Kind::Custom(one), Kind::Custom(other)) => one.is_same(other),
            _ => false,
        }
    }

    pub(crate) fn into_formatter(self, redaction: Arc<Redaction>) -> Formatter {
        match self.kind {
            Kind::Lines(layout) => Formatter::Lines(Box::new(Lines::new(layout, redaction))),
            Kind::Custom(own) => Formatter::Custom(Shared::new(Custom::new(own, redaction))),
        }
    }
}

/// Turns records into bytes, each a whole entry of the log by itself.
#[allow(
    clippy::large_enum_variant,
    reason = "there are a few of them, and every record goes through one"
)]
pub(crate) enum Formatter {
    Lines(Box<Lines>),
    /// A sink on a thread of its own shares it, for what is to be said there.
    Custom(Shared),
}

/// A format of the program's own that several threads may use, one at a time.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Custom>>);

impl Shared {
    fn new(custom: Custom) -> Self {
        Shared(Arc::new(Mutex::new(custom)))
    }

    /// Nothing panics under the lock: what the format throws is caught.
    fn lock(&self) -> MutexGuard<'_, Custom> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Formatter {
    /// Another one that makes the same entries, for another thread.
    pub(crate) fn another(&self) -> Formatter {
        match self {
            Formatter::Lines(lines) => Formatter::Lines(Box::new(lines.another())),
            Formatter::Custom(custom) => Formatter::Custom(custom.clone()),
        }
    }

    /// Appends a record to `out`, and answers its level.
    #[inline(always)]
    pub(crate) fn record(
        &mut self,
        out: &mut Output,
        statement: u32,
        occurrence: &Occurrence<'_>,
    ) -> Level {
        match self {
            Formatter::Lines(lines) => lines.record(out, statement, occurrence),
            Formatter::Custom(custom) => custom.lock().record(out, statement, occurrence),
        }
    }

    /// Appends an entry of the logger's own, such as that records were dropped here.
    pub(crate) fn notice(
        &mut self,
        out: &mut Output,
        unix_nanos: u64,
        level: Level,
        thread: &[u8],
        text: &str,
    ) {
        match self {
            Formatter::Lines(lines) => lines.notice(out, unix_nanos, level, thread, text),
            Formatter::Custom(custom) => custom.lock().notice(out, unix_nanos, level, thread, text),
        }
    }

    /// The format that this was made of.
    pub(crate) fn format(&self) -> AnyFormat {
        let kind = match self {
            Formatter::Lines(lines) => Kind::Lines(lines.layout().clone()),
            Formatter::Custom(custom) => Kind::Custom(custom.lock().format()),
        };
        AnyFormat { kind }
    }

    /// Masks other values from now on.
    pub(crate) fn redact(&mut self, redaction: &Arc<Redaction>) {
        match self {
            Formatter::Lines(lines) => lines.redact(redaction.clone()),
            Formatter::Custom(custom) => custom.lock().redact(redaction),
        }
    }

    /// How often a format of the program's own has panicked.
    pub(crate) fn panics(&self) -> u64 {
        match self {
            Formatter::Lines(_) => 0,
            Formatter::Custom(custom) => custom.lock().panics(),
        }
    }
}

/// Whether the text can stand in any format as it is, as far as can be told quickly.
pub(crate) fn is_plain(text: &[u8]) -> bool {
    Quoted::is_plain(text)
}

/// Appends a value as a specification says that names no other values.
#[cfg(feature = "serde")]
pub(crate) fn put_value(
    out: &mut Vec<u8>,
    value: crate::record::Value<'_>,
    spec: crate::record::Spec,
) {
    if let Some(spec) = spec::Resolved::new(spec, |_| None) {
        spec::put_value(out, value, &spec);
    }
}
