//! A sink that keeps everything in memory.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Batch, Sink};

/// Keeps all text in memory, for tests. It grows without bound.
///
/// A clone shares the text, so that one can be given to the logger and the other read.
///
/// ```
/// use ringlog::sink::Memory;
/// use ringlog::{RingLogger, info};
/// use std::time::Duration;
///
/// let memory = Memory::new();
/// let logger = RingLogger::builder().sink(memory.clone()).build()?;
/// info!(logger: &logger, "filled {} lots", 3);
/// logger.flush(Duration::from_secs(1))?;
/// assert!(memory.contents().ends_with("filled 3 lots\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Memory {
    text: Arc<Mutex<Vec<u8>>>,
}

impl Memory {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Memory::default()
    }

    /// A reader that panicked has changed nothing.
    fn text(&self) -> MutexGuard<'_, Vec<u8>> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the text so far. Bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn contents(&self) -> String {
        String::from_utf8_lossy(&self.text()).into_owned()
    }

    /// A copy of the lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.contents().lines().map(str::to_owned).collect()
    }

    /// Forgets the text so far.
    pub fn clear(&self) {
        self.text().clear();
    }
}

impl Sink for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        self.text().extend_from_slice(batch.bytes());
        Ok(batch.bytes().len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, Memory, Sink};

    #[test]
    fn clones_share_the_text_and_whatever_bytes_there_are_can_be_read() {
        let reader = Memory::new();
        let mut sink = reader.clone();
        assert_eq!(sink.write(&Batch::new(b"one\ntwo\n")).unwrap(), 8);
        assert_eq!(reader.lines(), ["one", "two"]);
        sink.write(&Batch::new(b"\xff\n")).unwrap();
        assert_eq!(reader.contents(), "one\ntwo\n\u{fffd}\n");
        reader.clear();
        assert_eq!(sink.contents(), "");
    }
}
