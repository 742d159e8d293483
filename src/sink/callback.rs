//! A function of the program's own.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Batch, Entry, Sink};

/// Calls a function with each entry: a record as its format has it, its level, and its time.
///
/// The function runs on the consumer's thread, one call at a time, and holds up the log for as long as
/// it takes; behind an [`Offload`](super::Offload) it does not. An entry is given to it once. If it
/// panics, that is counted and told in the log, and the next entry comes. What can fail, or wants to be
/// flushed and closed, is better a [`Sink`] of its own.
///
/// ```
/// use ringlog::format::Text;
/// use ringlog::sink::{Callback, SinkOptions};
/// use ringlog::{Level, RingLogger, error, info};
/// use std::sync::mpsc::channel;
/// use std::time::Duration;
///
/// let (send, receive) = channel();
/// let alarm = Callback::new(move |entry| {
///     if entry.level == Level::Error {
///         let _ = send.send(String::from_utf8_lossy(entry.bytes).into_owned());
///     }
/// });
/// let logger = RingLogger::builder()
///     .sink_with(alarm, SinkOptions::new().format(Text::pattern("{message}")?))
///     .build()?;
/// info!(logger: &logger, "filled {} lots", 3);
/// error!(logger: &logger, "limit of {} reached", "ESZ6");
/// logger.flush(Duration::from_secs(1))?;
/// assert_eq!(receive.try_recv()?, "limit of ESZ6 reached\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Callback {
    call: Box<dyn FnMut(&Entry<'_>) + Send>,
    panicked: bool,
}

impl Callback {
    /// The function; it need not be [`Sync`].
    #[must_use]
    pub fn new(call: impl FnMut(&Entry<'_>) + Send + 'static) -> Self {
        Callback {
            call: Box::new(call),
            panicked: false,
        }
    }
}

impl Sink for Callback {
    fn name(&self) -> &str {
        "callback"
    }

    /// One call for each entry.
    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        for entry in batch.entries() {
            let call = AssertUnwindSafe(|| (self.call)(&entry));
            self.panicked |= catch_unwind(call).is_err();
        }
        Ok(batch.bytes().len())
    }

    /// Does nothing: nothing waits in the process.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Tells of a panic.
    fn tick(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.panicked) {
            return Err(io::Error::other("it panicked"));
        }
        Ok(())
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}
