//! The text format: one record, one line.
//!
//! ```text
//! 2026-11-23T06:24:46.204916267Z INFO  engine::risk fills.rs:42 [matcher] filled 100 at 7.25
//! time (UTC)                     level target       location    thread    message
//! ```
//!
//! Nothing that a record carries can add a line or a control character to it; see
//! [`escape`](super::escape).

use super::escape;
use super::line::{Line, Put as _, STAGE, Stage};
use super::program::{self, Program, Scratch};
use super::time::TimeText;
use super::{Format, Record};
use crate::callsite::{self, Metadata};
use crate::level::Level;

/// Renders records as lines of text.
#[derive(Debug)]
pub(crate) struct TextFormat {
    time: TimeText,
    /// By statement id; `None` where no record of the statement has been seen.
    programs: Vec<Option<Program>>,
    stage: Box<Stage>,
    scratch: Scratch,
}

/// Where a line of the logger's own says it is from.
const OWN_TARGET: &str = "ringlog";

/// Stands for what is not known, so that every line has the same columns.
const UNKNOWN: &str = "-";

impl TextFormat {
    pub(crate) fn new() -> Self {
        TextFormat {
            time: TimeText::new(),
            programs: Vec::new(),
            stage: Box::new([0; STAGE]),
            scratch: Scratch::default(),
        }
    }

    /// Compiles a statement that is seen for the first time; false if there is none with this id.
    #[cold]
    #[inline(never)]
    fn learn(&mut self, id: u32) -> bool {
        let Some(statement) = callsite::statement(id) else {
            return false;
        };
        let metadata = statement.site.metadata();
        let before = before_thread(
            metadata.level.as_str(),
            metadata.target,
            &location(metadata),
        );
        let program = Program::new(&before, b"] ", metadata, &statement.types);
        // Ids count up from 0, so this takes no more than a place for each statement there is.
        let place = id as usize;
        if self.programs.len() <= place {
            self.programs.resize_with(place + 1, || None);
        }
        self.programs[place] = Some(program);
        true
    }

    /// A line that no statement describes.
    #[cold]
    #[inline(never)]
    fn put_own(
        &mut self,
        out: &mut Vec<u8>,
        unix_nanos: u64,
        level: &str,
        target: &str,
        thread: &[u8],
        text: &str,
    ) {
        self.time.put(out, unix_nanos);
        out.bytes(&before_thread(level, target, UNKNOWN));
        escape::put_escaped(out, thread);
        out.bytes(b"] ");
        escape::put_escaped(out, text.as_bytes());
        out.bytes(b"\n");
    }
}

impl Format for TextFormat {
    fn record(&mut self, out: &mut Vec<u8>, record: &Record<'_>) -> Level {
        let Record {
            statement,
            unix_nanos,
            thread,
            context,
            payload,
        } = *record;
        if !matches!(self.programs.get(statement as usize), Some(Some(_))) && !self.learn(statement)
        {
            let text = format!("<record of unknown statement {statement}>");
            self.put_own(out, unix_nanos, UNKNOWN, UNKNOWN, thread, &text);
            return Level::Error;
        }
        let Some(Some(program)) = self.programs.get(statement as usize) else {
            return Level::Error;
        };
        if !program.is_in_order() {
            self.time.put(out, unix_nanos);
            program.run_out_of_order(out, thread, payload, &mut self.scratch);
            program::put_context(out, context, &mut self.scratch);
            out.bytes(b"\n");
            return program.level();
        }
        let mut line = Line::new(out, &mut self.stage);
        self.time.put(&mut line, unix_nanos);
        program.run(&mut line, thread, payload, &mut self.scratch);
        if !context.is_empty() {
            program::put_context(&mut line, context, &mut self.scratch);
        }
        line.put(b"\n", 1);
        line.finish();
        program.level()
    }

    fn notice(
        &mut self,
        out: &mut Vec<u8>,
        unix_nanos: u64,
        level: Level,
        thread: &[u8],
        text: &str,
    ) {
        self.put_own(out, unix_nanos, level.as_str(), OWN_TARGET, thread, text);
    }
}

/// What stands between the time and the thread's name.
fn before_thread(level: &str, target: &str, location: &str) -> Vec<u8> {
    let mut text = Vec::new();
    let raw = format!(" {level:<5} {target} {location} [");
    escape::put_escaped(&mut text, raw.as_bytes());
    text
}

/// The file without its directories, and the line.
fn location(metadata: &Metadata) -> String {
    let file = metadata.file.rsplit(['/', '\\']).next().unwrap_or_default();
    format!("{file}:{}", metadata.line)
}

#[cfg(test)]
mod tests;
