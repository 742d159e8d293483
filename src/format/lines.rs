//! Records as lines, by way of compiled statements.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::compile::{Compiler, Escapes, Subject, compile};
use super::escape::{Escaping, Quoted, Raw, Visible};
use super::json::Json;
use super::line::{Output, Put as _};
use super::logfmt::Logfmt;
use super::program::{Occurrence, Program, Scratch};
use super::redact::Redaction;
use super::text::Text;
use super::time::Clocks;
use crate::callsite;
use crate::level::Level;
use crate::record::Context;

/// What the lines look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Text(Text),
    Json(Json),
    Logfmt(Logfmt),
}

impl Layout {
    fn escapes(&self) -> Escapes {
        match self {
            Layout::Text(text) => text.escapes(),
            Layout::Json(_) | Layout::Logfmt(_) => Escapes::Quoted,
        }
    }

    fn compile(&self, compiler: &mut Compiler<'_>) {
        match self {
            Layout::Text(text) => text.compile(compiler),
            Layout::Json(_) => Json::compile(compiler),
            Layout::Logfmt(_) => Logfmt::compile(compiler),
        }
    }
}

/// Renders records as lines of one layout.
#[derive(Debug)]
pub(crate) struct Lines {
    layout: Layout,
    escapes: Escapes,
    redaction: Arc<Redaction>,
    clocks: Clocks,
    /// By statement id; `None` where no record of the statement has been seen.
    programs: Vec<Option<Program>>,
    scratch: Scratch,
}

/// Where a line of the logger's own says it is from.
pub(super) const OWN_TARGET: &str = "ringlog";

/// Stands for what is not known.
const UNKNOWN: &str = "-";

/// Stands in a line where a record does not hold what its statement stores.
const INCOMPLETE: &str = "<incomplete record>";

impl Lines {
    pub(super) fn new(layout: Layout, redaction: Arc<Redaction>) -> Self {
        let styles = match &layout {
            Layout::Text(text) => text.time_styles(),
            Layout::Json(_) | Layout::Logfmt(_) => Vec::new(),
        };
        let mut scratch = Scratch::default();
        scratch.urls = redaction.masks_urls();
        Lines {
            escapes: layout.escapes(),
            layout,
            redaction,
            clocks: Clocks::new(styles),
            programs: Vec::new(),
            scratch,
        }
    }

    /// Appends a record and a line feed, and answers the record's level.
    #[inline(always)]
    pub(crate) fn record(
        &mut self,
        out: &mut Output,
        statement: u32,
        occurrence: &Occurrence<'_>,
    ) -> Level {
        match self.escapes {
            Escapes::Visible => self.record_escaped::<Visible>(out, statement, occurrence),
            Escapes::Quoted => self.record_escaped::<Quoted>(out, statement, occurrence),
            Escapes::Raw => self.record_escaped::<Raw>(out, statement, occurrence),
        }
    }

    fn record_escaped<E: Escaping>(
        &mut self,
        out: &mut Output,
        statement: u32,
        occurrence: &Occurrence<'_>,
    ) -> Level {
        let Some(Some(program)) = self.programs.get(statement as usize) else {
            return self.first_record::<E>(out, statement, occurrence);
        };
        let (clocks, scratch) = (&mut self.clocks, &mut self.scratch);
        let start = out.len();
        let complete = if program.is_in_order() {
            let mut line = out.begin_line();
            let complete = program.run::<E>(&mut line, occurrence, clocks, scratch);
            line.put(b"\n", usize::from(complete));
            let length = line.length();
            out.end_line(length);
            complete
        } else {
            let run = || program.run_out_of_order::<E>(out, occurrence, clocks, scratch);
            // As in `Program::next_rare`.
            let complete = catch_unwind(AssertUnwindSafe(run)).unwrap_or(false);
            out.put(b"\n", usize::from(complete));
            complete
        };
        let level = program.level();
        if !complete {
            self.put_incomplete(out, start, statement, occurrence);
        }
        level
    }

    /// As [`record`](Self::record), of a statement that is seen for the first time.
    #[cold]
    #[inline(never)]
    fn first_record<E: Escaping>(
        &mut self,
        out: &mut Output,
        statement: u32,
        occurrence: &Occurrence<'_>,
    ) -> Level {
        if self.learn(statement) {
            return self.record_escaped::<E>(out, statement, occurrence);
        }
        let text = format!("<record of unknown statement {statement}>");
        self.put(out, Subject::own(None, UNKNOWN, &text), occurrence);
        Level::Error
    }

    /// A line that no statement describes: one of the logger's own.
    pub(crate) fn notice(
        &mut self,
        out: &mut Output,
        unix_nanos: u64,
        level: Level,
        thread: &[u8],
        text: &str,
    ) {
        let occurrence = Occurrence {
            unix_nanos,
            thread,
            thread_is_plain: false,
            thread_id: 0,
            number: 0,
            context: Context::default(),
            payload: &[],
        };
        self.put(
            out,
            Subject::own(Some(level), OWN_TARGET, text),
            &occurrence,
        );
    }

    /// Another one of the same layout.
    pub(super) fn another(&self) -> Lines {
        Lines::new(self.layout.clone(), self.redaction.clone())
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Masks other values from now on.
    pub(crate) fn redact(&mut self, redaction: Arc<Redaction>) {
        self.scratch.urls = redaction.masks_urls();
        self.redaction = redaction;
        self.programs.clear();
    }

    /// Compiles a statement; false if there is none with this id.
    fn learn(&mut self, id: u32) -> bool {
        let Some(statement) = callsite::statement(id) else {
            return false;
        };
        let program = self.compile(Subject::of(statement));
        // Ids count up from 0, so this takes no more than a place for each statement there is.
        let place = id as usize;
        if self.programs.len() <= place {
            self.programs.resize_with(place + 1, || None);
        }
        self.programs[place] = Some(program);
        true
    }

    fn compile(&self, subject: Subject<'_>) -> Program {
        compile(subject, &self.redaction, self.escapes, |compiler| {
            self.layout.compile(compiler);
        })
    }

    /// Replaces what there is of a line by one that says that the record is damaged. In text, what
    /// there is stays.
    #[cold]
    #[inline(never)]
    fn put_incomplete(
        &mut self,
        out: &mut Output,
        start: usize,
        statement: u32,
        occurrence: &Occurrence<'_>,
    ) {
        if let Layout::Text(_) = self.layout {
            out.bytes(INCOMPLETE.as_bytes());
            return out.bytes(b"\n");
        }
        out.truncate(start);
        if let Some(statement) = callsite::statement(statement) {
            let subject = Subject::of(statement).saying(INCOMPLETE);
            self.put(out, subject, occurrence);
        }
    }

    /// A line that is compiled for this once.
    #[cold]
    #[inline(never)]
    fn put(&mut self, out: &mut Output, subject: Subject<'_>, occurrence: &Occurrence<'_>) {
        let program = self.compile(subject);
        let (clocks, scratch) = (&mut self.clocks, &mut self.scratch);
        match self.escapes {
            Escapes::Visible => {
                program.run_out_of_order::<Visible>(out, occurrence, clocks, scratch)
            }
            Escapes::Quoted => program.run_out_of_order::<Quoted>(out, occurrence, clocks, scratch),
            Escapes::Raw => program.run_out_of_order::<Raw>(out, occurrence, clocks, scratch),
        };
        out.bytes(b"\n");
    }
}

#[cfg(test)]
mod tests;
