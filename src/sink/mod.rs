//! Where log text goes.
//!
//! A sink is handed batches of whole records as bytes, and knows nothing of rings or records. It
//! runs on the consumer's thread, one call at a time, so it needs no lock of its own.

mod batch;
mod callback;
mod console;
mod destination;
mod fallback;
mod file;
#[cfg(unix)]
mod journald;
mod memory;
mod null;
mod offload;
mod options;
mod rolling;
mod syslog;
mod tee;

use std::io;
use std::time::Duration;

use crate::format::AnyFormat;

pub use batch::{Batch, Entry};
pub(crate) use batch::{Collected, Kept, Mark};
pub use callback::Callback;
pub use console::Console;
pub use destination::Destination;
pub(crate) use destination::Place;
pub use fallback::Fallback;
pub use file::{File, Fsync, OpenError};
#[cfg(unix)]
pub use journald::Journald;
pub use memory::Memory;
pub use null::Null;
pub(crate) use offload::Settings as OffloadSettings;
pub use offload::{Offload, QueueFull};
pub use options::SinkOptions;
pub use rolling::{Compression, Period, Rolling, RollingBuilder};
pub use syslog::{Facility, Syslog};
pub use tee::Tee;

pub use crate::routing::{Routes, Rule};

/// A destination of log text.
///
/// The consumer calls [`write`](Sink::write) like [`io::Write::write`]: a sink may take part of a
/// batch and is then called again with the rest, `Interrupted` is retried at once, and any other
/// error is retried later while the bytes wait in a bounded buffer: `WouldBlock` within milliseconds
/// and without being counted, others at longer and longer intervals. When the buffer is full, the
/// oldest entries are lost for this sink, and its output says so where they are missing. A sink that
/// panics has failed the same way. A failing sink never takes another sink's records with it.
pub trait Sink: Send {
    /// The name by which reports and errors call this sink, such as `file app.log`.
    fn name(&self) -> &str;

    /// Writes a first part of the batch and says how many bytes it was.
    ///
    /// # Errors
    ///
    /// Any error of the destination. Nothing of the batch may have been written then.
    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize>;

    /// Hands everything written so far to the destination for good, as far as the sink can.
    ///
    /// # Errors
    ///
    /// Any error of the destination.
    fn flush(&mut self) -> io::Result<()>;

    /// Whether text written here has colours unless a format says otherwise. False unless a sink says
    /// otherwise, as consoles do.
    fn wants_color(&self) -> bool {
        false
    }

    /// The format of what is written here, unless [`SinkOptions::format`] names another. Text unless
    /// a sink says otherwise.
    fn default_format(&self) -> AnyFormat {
        AnyFormat::default()
    }

    /// Opens the destination anew, if it is something that can be moved away: see
    /// [`RingLogger::reopen`](crate::RingLogger::reopen). Does nothing unless a sink says otherwise.
    ///
    /// # Errors
    ///
    /// Any error of the destination. The sink then goes on with what it had open.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Does what is to be done by the clock: called about once a millisecond, or every five behind an
    /// [`Offload`], between batches and when there are none. Does nothing unless a sink says otherwise.
    ///
    /// # Errors
    ///
    /// What went wrong since the last call, in this one or in a write, and cost no records. It is
    /// counted and told in the log, each time that it is answered.
    fn tick(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Ends: the logger has been shut down, and nothing more will be written. Called once, after a
    /// last [`flush`](Sink::flush), unless the deadline of the shutdown has passed before. Should not
    /// take longer than `time_left`. Does nothing unless a sink says otherwise.
    ///
    /// # Errors
    ///
    /// Any error of the destination. It is counted.
    fn close(&mut self, time_left: Duration) -> io::Result<()> {
        let _ = time_left;
        Ok(())
    }

    /// Where a process that crashes may write a last line, beside what the sink does. Asked after
    /// every other call; the descriptor is not used while one is under way. None unless a sink says
    /// otherwise.
    #[cfg(unix)]
    fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        None
    }

    /// Makes the sink fit for use in a forked child: see
    /// [`RingLogger::restart_in_child`](crate::RingLogger::restart_in_child). Called there before
    /// anything else is. Does what [`reopen`](Sink::reopen) does unless a sink says otherwise.
    ///
    /// A sink that keeps bytes in a buffer forgets them here: they are the parent's, which writes
    /// them itself. One that has a thread starts another: threads are not inherited.
    ///
    /// # Errors
    ///
    /// Any error of the destination. The logger is then not restarted.
    fn restart_in_child(&mut self) -> io::Result<()> {
        self.reopen()
    }
}
