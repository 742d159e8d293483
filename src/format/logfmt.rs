//! The logfmt format: one record, one line of `key=value` pairs.

use super::compile::Compiler;
use super::context::{FieldStyle, Values};
use super::quote;

/// Renders records as logfmt: `key=value` pairs, separated by spaces.
///
/// ```text
/// ts=2026-11-23T06:24:46.204916267Z level=info target=engine::risk thread=matcher seq=7 msg="filled 100" file=src/fills.rs line=42 px=7.25
/// ```
///
/// The keys are those of [`Json`](super::Json), in the same order, and the record's fields come after
/// them. A value that is empty or has a space, a quotation mark, an equals sign, or anything that
/// has to be escaped, is a string of JSON; all others stand as they are. The message always has its
/// quotes. What a key cannot have becomes `_`. A field whose name is taken gets a number: `msg_2`.
///
/// ```
/// use ringlog::format::Logfmt;
/// use ringlog::sink::{Memory, SinkOptions};
/// use ringlog::{RingLogger, info};
/// use std::time::Duration;
///
/// let memory = Memory::new();
/// let logger = RingLogger::builder()
///     .sink_with(memory.clone(), SinkOptions::new().format(Logfmt::new()))
///     .build()?;
/// info!(logger: &logger, px = 7.25, by = "the desk", "filled {} lots", 100);
/// logger.flush(Duration::from_secs(1))?;
/// assert!(memory.contents().contains(r#" msg="filled 100 lots" "#));
/// assert!(memory.contents().ends_with(" px=7.25 by=\"the desk\"\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Logfmt {
    _private: (),
}

/// The keys that every record has.
const KEYS: [&str; 8] = [
    "ts", "level", "target", "thread", "seq", "msg", "file", "line",
];

impl Logfmt {
    /// The one there is.
    pub fn new() -> Self {
        Logfmt::default()
    }

    pub(super) fn compile(compiler: &mut Compiler<'_>) {
        let subject = compiler.subject;
        let value = |compiler: &mut Compiler<'_>, text: &str| {
            compiler.bytes(|out| quote::put_value(out, text.as_bytes(), false));
        };
        compiler.text("ts=");
        compiler.time();
        compiler.text(" level=");
        let level = subject.level.map_or("-", |level| level.as_str());
        compiler.text(&level.to_ascii_lowercase());
        compiler.text(" target=");
        value(compiler, subject.target);
        compiler.text(" thread=");
        compiler.quoted_thread();
        if compiler.is_record() {
            compiler.text(" seq=");
            compiler.number();
        }
        compiler.text(" msg=\"");
        compiler.message();
        compiler.text("\"");
        if let Some((file, line)) = subject.place {
            compiler.text(" file=");
            value(compiler, file);
            compiler.text(&format!(" line={line}"));
        }
        let style = FieldStyle {
            values: Values::QuotedIfNeeded,
            around_key: (" ", "="),
            taken: Some(&KEYS),
        };
        compiler.fields(style, |compiler, name| {
            compiler.text(" ");
            compiler.bytes(|out| quote::put_key(out, name));
            compiler.text("=");
        });
    }
}
