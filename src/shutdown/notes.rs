//! What a logger says of itself, in the log and where it has none: on standard error.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ShutdownReport;
use crate::sys::console::{self, Stream};

/// See the [module](self). Each thing is said once.
#[derive(Debug)]
pub(crate) struct Notes {
    /// The report is also the log's own last record.
    pub(crate) closing_record: bool,
    /// The report is to be printed in any case.
    print_report: bool,
    printed: AtomicBool,
    /// Why the logger was closed by mistake, if it was: a whole line, so that it can be said where
    /// nothing may be allocated.
    misuse: OnceLock<String>,
    complained: AtomicBool,
}

impl Notes {
    pub(crate) fn new(closing_record: bool, print_report: bool) -> Self {
        Notes {
            closing_record,
            print_report,
            printed: AtomicBool::new(false),
            misuse: OnceLock::new(),
            complained: AtomicBool::new(false),
        }
    }

    /// The logger is about to be closed by a mistake of the program's.
    pub(crate) fn misuse(&self, text: String) {
        let _ = self.misuse.set(line(&text));
    }

    /// What the log should say of the mistake.
    pub(crate) fn to_log(&self) -> Option<&str> {
        let line = self.misuse.get()?;
        Some(line.trim_start_matches(PREFIX).trim_end())
    }

    /// A record was rejected: if that is because of a mistake, says so.
    pub(crate) fn complain(&self) {
        if let Some(line) = self.misuse.get() {
            // Relaxed: nothing is published with it.
            if !self.complained.swap(true, Ordering::Relaxed) {
                say(line);
            }
        }
    }

    /// Prints the report if the builder was told to.
    pub(crate) fn print_on_request(&self, report: &ShutdownReport) {
        if self.print_report {
            self.print(report);
        }
    }

    pub(crate) fn print(&self, report: &ShutdownReport) {
        if !self.printed.swap(true, Ordering::Relaxed) {
            say(&line(&report.to_string()));
        }
    }
}

const PREFIX: &str = "ringlog: ";

fn line(text: &str) -> String {
    format!("{PREFIX}{text}\n")
}

/// A line on standard error, unless that would have to wait for a reader. There is nowhere to say
/// that it failed.
fn say(line: &str) {
    if console::has_room(Stream::Stderr) {
        let _ = console::write(Stream::Stderr, line.as_bytes());
    }
}
