//! The JSON format: one record, one object, one line.

use super::compile::Compiler;
use super::context::{FieldStyle, Values};
use super::typed;

/// Renders records as JSON, one object a line.
///
/// ```text
/// {"ts":"2026-11-23T06:24:46.204916267Z","level":"INFO","target":"engine::risk","thread":"matcher","seq":7,"msg":"filled 100","file":"src/fills.rs","line":42,"px":7.25}
/// ```
///
/// The keys come in this order: `ts` (UTC, RFC 3339), `level`, `target`, `thread`, `seq` (the record's
/// number in this log, from 1), `msg`, `file` and `line`, and then the record's fields. A line of the
/// logger's own, such as that records were dropped, has no `seq`, `file` and `line`.
///
/// Fields keep their types: integers, floats and booleans are such; strings, and what was formatted
/// at the call, are strings. Lists, sets and tuples are arrays, maps and structs are objects, an
/// `Option` is its value or `null`, and a `Duration` is a number of seconds. `NaN`, the infinities,
/// and integers beyond ±(2^63 - 1), for which many readers have no number, are strings. A field
/// whose name is taken, by one of the keys above or by a field before it, gets a number: `msg_2`.
///
/// All text is escaped as JSON asks, and beyond that whatever could drive a terminal or reorder
/// text; so a reader gets back what was logged. Bytes that are not UTF-8 become U+FFFD.
///
/// ```
/// use ringlog::format::Json;
/// use ringlog::sink::{Memory, SinkOptions};
/// use ringlog::{RingLogger, info};
/// use std::time::Duration;
///
/// let memory = Memory::new();
/// let logger = RingLogger::builder()
///     .sink_with(memory.clone(), SinkOptions::new().format(Json::new()))
///     .build()?;
/// info!(logger: &logger, px = 7.25, "filled {} lots", 100);
/// logger.flush(Duration::from_secs(1))?;
/// let line: serde_json::Value = serde_json::from_str(&memory.contents())?;
/// assert_eq!((&line["msg"], &line["px"]), (&"filled 100 lots".into(), &7.25.into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Json {
    _private: (),
}

/// The keys that every record has.
const KEYS: [&str; 8] = [
    "ts", "level", "target", "thread", "seq", "msg", "file", "line",
];

impl Json {
    /// The one there is.
    pub fn new() -> Self {
        Json::default()
    }

    pub(super) fn compile(compiler: &mut Compiler<'_>) {
        let subject = compiler.subject;
        compiler.text(r#"{"ts":""#);
        compiler.time();
        compiler.text(r#"","level":""#);
        compiler.text(subject.level.map_or("-", |level| level.as_str()));
        compiler.text(r#"","target":""#);
        compiler.escaped(subject.target);
        compiler.text(r#"","thread":""#);
        compiler.thread();
        if compiler.is_record() {
            compiler.text(r#"","seq":"#);
            compiler.number();
            compiler.text(r#","msg":""#);
        } else {
            compiler.text(r#"","msg":""#);
        }
        compiler.message();
        compiler.text("\"");
        if let Some((file, line)) = subject.place {
            compiler.text(r#","file":""#);
            compiler.escaped(file);
            compiler.text(&format!(r#"","line":{line}"#));
        }
        let style = FieldStyle {
            values: Values::Typed,
            around_key: (",", ":"),
            taken: Some(&KEYS),
        };
        compiler.fields(style, |compiler, name| {
            compiler.text(",");
            compiler.bytes(|out| typed::put_string(out, name.as_bytes(), false));
            compiler.text(":");
        });
        compiler.text("}");
    }
}
