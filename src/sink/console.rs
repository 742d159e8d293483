//! Standard output and standard error.

use std::io;

use super::{Batch, Sink};
use crate::sys::console::{self, Stream};

/// Writes to a standard stream of the process, a batch per system call, without the lock and the
/// buffer of [`std::io::stdout`]: what a program prints itself may come out between two batches,
/// never within a line of either that it wrote whole.
///
/// A reader that went away is an error of the sink like any other: Rust programs ignore `SIGPIPE`.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    stream: Stream,
}

impl Console {
    /// Standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Console {
            stream: Stream::Stdout,
        }
    }

    /// Standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Console {
            stream: Stream::Stderr,
        }
    }
}

impl Sink for Console {
    fn name(&self) -> &str {
        match self.stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }

    /// One `write(2)`. Blocks while the reader of a pipe or a terminal does.
    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        console::write(self.stream, batch.bytes())
    }

    /// Does nothing: nothing waits in the process.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
