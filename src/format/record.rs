//! What a format of the program's own is shown of a record.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use super::compile::Subject;
use super::custom::Messages;
use super::escape::{self, Visible};
use super::program::Occurrence;
use super::redact::{MASK, Redaction};
use super::spec::{self, Resolved};
use crate::callsite::Statement;
use crate::level::Level;
use crate::record::{Decoder, Value as Stored};

/// A record, or a line of the logger's own, on its way to a sink.
pub struct Record<'a> {
    pub(super) level: Level,
    pub(super) subject: Subject<'a>,
    pub(super) occurrence: Occurrence<'a>,
    pub(super) body: Body<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    Statement {
        id: u32,
        statement: &'a Statement,
        messages: &'a RefCell<Messages>,
        redaction: &'a Redaction,
    },
    Own(&'a str),
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("unix_nanos", &self.unix_nanos())
            .field("level", &self.level())
            .field("target", &self.target())
            .field("thread", &self.thread())
            .field("message", &format_args!("{}", self.message()))
            .field("fields", &self.fields().collect::<Vec<_>>())
            .finish()
    }
}

impl<'a> Record<'a> {
    /// The record's time: UTC, in nanoseconds since 1970.
    #[must_use]
    pub fn unix_nanos(&self) -> u64 {
        self.occurrence.unix_nanos
    }

    /// The level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// The target: the module path, or what the statement says.
    #[must_use]
    pub fn target(&self) -> &'a str {
        self.subject.target
    }

    /// The module that the statement is in.
    #[must_use]
    pub fn module(&self) -> &'a str {
        self.subject.module
    }

    /// The file and the line of the statement; `None` for a line of the logger's own.
    #[must_use]
    pub fn location(&self) -> Option<(&'a str, u32)> {
        self.subject.place
    }

    /// The name of the thread that logged it, or its number if it has none. What is dangerous in it
    /// is visible.
    #[must_use]
    pub fn thread(&self) -> Cow<'a, str> {
        let mut out = Vec::new();
        escape::put::<Visible>(&mut out, self.occurrence.thread, false);
        Cow::Owned(String::from_utf8_lossy(&out).into_owned())
    }

    /// The number that the kernel gives that thread; 0 if it is not known.
    #[must_use]
    pub fn thread_id(&self) -> u64 {
        self.occurrence.thread_id
    }

    /// The record's number in this log, from 1; `None` for a line of the logger's own.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.is_record().then_some(self.occurrence.number)
    }

    /// Whether it is a record, and not a line of the logger's own.
    #[must_use]
    pub fn is_record(&self) -> bool {
        matches!(self.body, Body::Statement { .. })
    }

    /// The message, with control characters, terminal escapes, newlines, and what reorders text
    /// made visible, so that it is one harmless line.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        Message {
            record: self,
            escape: true,
        }
    }

    /// The message as it was logged, for formats that escape it themselves. Bytes that are not UTF-8
    /// are replaced.
    #[must_use]
    pub fn raw_message(&self) -> Message<'_> {
        Message {
            record: self,
            escape: false,
        }
    }

    /// The fields, in the order of the source, and those of the context behind them. Values are as they were logged: a format escapes them
    /// itself.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let mut fields = Vec::new();
        if let Body::Statement {
            statement,
            redaction,
            ..
        } = self.body
        {
            let mut decoder = Decoder::new(self.occurrence.payload);
            let types = statement.types.iter();
            let values: Vec<_> = types.map_while(|&ty| decoder.next(ty)).collect();
            for field in statement.site.metadata().fields {
                let value = match values.get(usize::from(field.value)) {
                    _ if redaction.masks(field.name) => Value::Text(MASK.into()),
                    Some(&value) => Value::of(value, redaction),
                    None => Value::Null,
                };
                fields.push(Field {
                    name: field.name,
                    value,
                });
            }
            for field in self.occurrence.context.fields() {
                let value = match redaction.masks(field.name) {
                    true => Value::Text(MASK.into()),
                    false => Value::of(field.value, redaction),
                };
                fields.push(Field {
                    name: field.name,
                    value,
                });
            }
        }
        fields.into_iter()
    }
}

/// A record's message, rendered when it is displayed.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    record: &'a Record<'a>,
    escape: bool,
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        match self.record.body {
            Body::Own(text) if self.escape => {
                escape::put::<Visible>(&mut out, text.as_bytes(), false);
            }
            Body::Own(text) => return f.write_str(text),
            Body::Statement { id, messages, .. } => {
                let mut messages = messages.borrow_mut();
                messages.put(&mut out, id, &self.record.occurrence, self.escape);
            }
        }
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Field<'a> {
    /// Its name, as it stands in the source.
    pub name: &'a str,
    /// Its value; `***` if it is masked.
    pub value: Value<'a>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// `()`, and what a damaged record does not hold.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of a signed type.
    Signed(i128),
    /// An integer of an unsigned type.
    Unsigned(u128),
    /// A float.
    Float(f64),
    /// Text, and what was formatted at the call.
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    fn of(stored: Stored<'a>, redaction: &Redaction) -> Self {
        match stored {
            Stored::Unit => Value::Null,
            Stored::Bool(value) => Value::Bool(value),
            Stored::I8(value) => Value::Signed(value.into()),
            Stored::I16(value) => Value::Signed(value.into()),
            Stored::I32(value) => Value::Signed(value.into()),
            Stored::I64(value) => Value::Signed(value.into()),
            Stored::I128(value) => Value::Signed(value),
            Stored::U8(value) => Value::Unsigned(value.into()),
            Stored::U16(value) => Value::Unsigned(value.into()),
            Stored::U32(value) => Value::Unsigned(value.into()),
            Stored::U64(value) => Value::Unsigned(value.into()),
            Stored::U128(value) => Value::Unsigned(value),
            // Not the next `f64`, which has other digits.
            Stored::F32(value) => Value::Float(value.to_string().parse().unwrap_or(f64::NAN)),
            Stored::F64(value) => Value::Float(value),
            other => {
                let (mut text, mut out) = (Vec::new(), Vec::new());
                let spec = Resolved::DISPLAY.redacted(redaction);
                spec::put_value(&mut text, other, &spec);
                escape::put::<escape::Raw>(&mut out, &text, redaction.masks_urls());
                Value::Text(String::from_utf8_lossy(&out).into_owned().into())
            }
        }
    }
}

/// Whether any field of a record is as it is asked for by name and text, masked or not.
pub(crate) fn any_field(
    statement: &Statement,
    occurrence: &Occurrence<'_>,
    is: &mut dyn FnMut(&str, &str) -> bool,
) -> bool {
    let mut out = Vec::new();
    let mut any = |name: &str, value| {
        out.clear();
        spec::put_value(&mut out, value, &Resolved::DISPLAY);
        is(name, &String::from_utf8_lossy(&out))
    };
    let mut decoder = Decoder::new(occurrence.payload);
    let types = statement.types.iter();
    let values: Vec<_> = types.map_while(|&ty| decoder.next(ty)).collect();
    let fields = statement.site.metadata().fields.iter();
    let mut own = fields.filter_map(|field| {
        let value = *values.get(usize::from(field.value))?;
        Some((field.name, value))
    });
    own.any(|(name, value)| any(name, value))
        || occurrence
            .context
            .fields()
            .any(|field| any(field.name, field.value))
}

/// As `{}` shows it.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("()"),
            Value::Bool(value) => value.fmt(f),
            Value::Signed(value) => value.fmt(f),
            Value::Unsigned(value) => value.fmt(f),
            Value::Float(value) => value.fmt(f),
            Value::Text(value) => value.fmt(f),
        }
    }
}
