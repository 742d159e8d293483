//! Formats of the program's own.

use std::any::TypeId;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::compile::Subject;
use super::line::{Output, Put as _};
use super::lines::{Layout, Lines};
use super::program::Occurrence;
use super::record::{Body, Record};
use super::redact::Redaction;
use super::text::Text;
use crate::callsite;
use crate::level::Level;
use crate::record::Context;

/// A format of one's own.
///
/// It runs on the consumer's thread, one call at a time. If it panics, what it has appended is
/// dropped, the record is written as [`Text`] instead, and the panic is counted among the sink's errors.
/// All formats of a type without fields are one format: sinks that have them share the work.
///
/// ```
/// use ringlog::format::{Format, Record};
/// use ringlog::sink::{Memory, SinkOptions};
/// use ringlog::{RingLogger, info};
/// use std::io::Write as _;
/// use std::time::Duration;
///
/// /// `INFO filled 100 lots {px=7.25}`
/// struct Terse;
///
/// impl Format for Terse {
///     fn format(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
///         let _ = write!(out, "{} {} {{", record.level(), record.message());
///         for field in record.fields() {
///             let _ = write!(out, "{}={}", field.name, field.value);
///         }
///         out.extend_from_slice(b"}\n");
///     }
/// }
///
/// let memory = Memory::new();
/// let logger = RingLogger::builder()
///     .sink_with(memory.clone(), SinkOptions::new().format(Terse))
///     .build()?;
/// info!(logger: &logger, px = 7.25, "filled {} lots", 100);
/// logger.flush(Duration::from_secs(1))?;
/// assert_eq!(memory.contents(), "INFO filled 100 lots {px=7.25}\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Format: Send {
    /// Appends a record, and whatever ends it, to `out`, which is empty.
    fn format(&mut self, record: &Record<'_>, out: &mut Vec<u8>);
}

/// A format of the program's own, which several sinks may share.
#[derive(Clone)]
pub(super) struct Own {
    format: Arc<Mutex<dyn Format>>,
    /// The type, if all of that type are the same.
    kind: Option<TypeId>,
}

impl Own {
    pub(super) fn new<F: Format + 'static>(format: F) -> Self {
        Own {
            format: Arc::new(Mutex::new(format)),
            kind: (size_of::<F>() == 0).then(TypeId::of::<F>),
        }
    }

    pub(super) fn is_same(&self, other: &Own) -> bool {
        Arc::ptr_eq(&self.format, &other.format) || (self.kind.is_some() && self.kind == other.kind)
    }
}

/// A format of the program's own, and what it needs of ours.
pub(crate) struct Custom {
    format: Own,
    redaction: Arc<Redaction>,
    messages: RefCell<Messages>,
    /// What the format appends to.
    own: Vec<u8>,
    /// For records that made the format panic.
    fallback: Lines,
    panics: u64,
}

/// What renders messages.
pub(super) struct Messages {
    escaped: Lines,
    raw: Lines,
    /// The message, and what ends it.
    line: Output,
}

impl Messages {
    pub(super) fn put(
        &mut self,
        out: &mut Vec<u8>,
        statement: u32,
        occurrence: &Occurrence<'_>,
        escape: bool,
    ) {
        let lines = if escape {
            &mut self.escaped
        } else {
            &mut self.raw
        };
        self.line.clear();
        lines.record(&mut self.line, statement, occurrence);
        let line = self.line.entries();
        out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
    }
}

impl Custom {
    pub(super) fn new(format: Own, redaction: Arc<Redaction>) -> Self {
        let message = Text::pattern("{message}").expect("a pattern");
        let lines = |text| Lines::new(Layout::Text(text), redaction.clone());
        Custom {
            format,
            messages: RefCell::new(Messages {
                escaped: lines(message.clone()),
                raw: lines(message.escape(false)),
                line: Output::default(),
            }),
            own: Vec::new(),
            fallback: lines(Text::new()),
            panics: 0,
            redaction,
        }
    }

    pub(super) fn record(
        &mut self,
        out: &mut Output,
        statement: u32,
        occurrence: &Occurrence<'_>,
    ) -> Level {
        let Some(known) = callsite::statement(statement) else {
            return self.fallback.record(out, statement, occurrence);
        };
        let subject = Subject::of(known);
        let record = Record {
            level: known.site.metadata().level,
            subject,
            occurrence: *occurrence,
            body: Body::Statement {
                id: statement,
                statement: known,
                messages: &self.messages,
                redaction: &self.redaction,
            },
        };
        let level = record.level;
        if !run(&self.format, &record, &mut self.own, out) {
            self.panics += 1;
            self.fallback.record(out, statement, occurrence);
        }
        level
    }

    pub(super) fn notice(
        &mut self,
        out: &mut Output,
        unix_nanos: u64,
        level: Level,
        thread: &[u8],
        text: &str,
    ) {
        let record = Record {
            level,
            subject: Subject::own(Some(level), super::lines::OWN_TARGET, text),
            occurrence: Occurrence {
                unix_nanos,
                thread,
                thread_is_plain: false,
                thread_id: 0,
                number: 0,
                context: Context::default(),
                payload: &[],
            },
            body: Body::Own(text),
        };
        if !run(&self.format, &record, &mut self.own, out) {
            self.panics += 1;
            self.fallback.notice(out, unix_nanos, level, thread, text);
        }
    }

    pub(super) fn redact(&mut self, redaction: &Arc<Redaction>) {
        self.redaction = redaction.clone();
        let messages = self.messages.get_mut();
        for lines in [&mut messages.escaped, &mut messages.raw, &mut self.fallback] {
            lines.redact(redaction.clone());
        }
    }

    pub(super) fn format(&self) -> Own {
        self.format.clone()
    }

    pub(super) fn panics(&self) -> u64 {
        self.panics
    }
}

/// False if it panicked; nothing is appended then. The format sees no other record's bytes.
fn run(format: &Own, record: &Record<'_>, own: &mut Vec<u8>, out: &mut Output) -> bool {
    own.clear();
    // What a format that panicked is worth, is its own business.
    let mut format = format.format.lock().unwrap_or_else(PoisonError::into_inner);
    let done = catch_unwind(AssertUnwindSafe(|| format.format(record, own))).is_ok();
    if done {
        out.bytes(own);
    }
    done
}
