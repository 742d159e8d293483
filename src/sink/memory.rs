//! Sinks that keep text in memory.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Batch, Sink};

/// Keeps text in memory: all of it, for tests, or the latest, for a look back.
///
/// A clone shares the text, so that one can be given to the logger and the other read. Reading copies
/// the text, and holds up the consumer for as long.
///
/// ```
/// use ringlog::sink::Memory;
/// use ringlog::{RingLogger, info};
/// use std::time::Duration;
///
/// let (all, latest) = (Memory::new(), Memory::ring(4096));
/// let logger = RingLogger::builder()
///     .sink(all.clone())
///     .sink(latest.clone())
///     .build()?;
/// for lots in 0..1000 {
///     info!(logger: &logger, "filled {lots} lots");
/// }
/// logger.flush(Duration::from_secs(1))?;
/// assert!(all.contents().ends_with("filled 999 lots\n"));
/// assert!(all.contents().ends_with(&latest.contents()));
/// assert!(latest.contents().len() <= 4096);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Memory {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug)]
struct Kept {
    text: VecDeque<u8>,
    /// The most bytes of it, and how long each entry in it is; `None` if there is no bound.
    ring: Option<(usize, VecDeque<usize>)>,
}

impl Kept {
    fn append(&mut self, batch: &Batch<'_>) {
        let Some((most, lengths)) = &mut self.ring else {
            self.text.extend(batch.bytes());
            return;
        };
        for entry in batch.entries() {
            let length = entry.bytes.len();
            if length > *most {
                continue;
            }
            while self.text.len() + length > *most {
                let oldest = lengths.pop_front().unwrap_or(self.text.len());
                self.text.drain(..oldest);
            }
            self.text.extend(entry.bytes);
            lengths.push_back(length);
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new()
    }
}

impl Memory {
    /// An empty one that keeps everything, and grows without bound.
    #[must_use]
    pub fn new() -> Self {
        Memory::keeping(VecDeque::new(), None)
    }

    /// An empty one that keeps the latest whole entries, of so many bytes together at most. They are
    /// allocated here, if there is as much. An entry that is longer by itself is not kept.
    ///
    /// It loses no records by that: what made room for later ones was written.
    #[must_use]
    pub fn ring(bytes: usize) -> Self {
        let mut text = VecDeque::new();
        // What cannot be had now is asked for when it is needed.
        let _ = text.try_reserve_exact(bytes);
        Memory::keeping(text, Some((bytes, VecDeque::new())))
    }

    fn keeping(text: VecDeque<u8>, ring: Option<(usize, VecDeque<usize>)>) -> Self {
        Memory {
            kept: Arc::new(Mutex::new(Kept { text, ring })),
        }
    }

    /// A reader that panicked has changed nothing.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the text so far. Bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn contents(&self) -> String {
        let bytes: Vec<u8> = {
            let kept = self.kept();
            let (first, second) = kept.text.as_slices();
            [first, second].concat()
        };
        match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }
    }

    /// A copy of the lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.contents().lines().map(str::to_owned).collect()
    }

    /// Forgets the text so far.
    pub fn clear(&self) {
        let mut kept = self.kept();
        kept.text.clear();
        if let Some((_, lengths)) = &mut kept.ring {
            lengths.clear();
        }
    }
}

impl Sink for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        self.kept().append(batch);
        Ok(batch.bytes().len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, Memory, Sink};
    use crate::level::Level;
    use crate::sink::Mark;

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

    #[test]
    fn a_ring_keeps_the_latest_whole_entries() {
        let write = |sink: &mut Memory, entries: &[&str]| {
            let mut end = 0;
            let mark = |entry: &&str| {
                end += entry.len();
                Mark::record(0, Level::Info, end, 0)
            };
            let marks: Vec<Mark> = entries.iter().map(mark).collect();
            let bytes = entries.concat();
            let batch = Batch::marked(bytes.as_bytes(), &marks, 0);
            assert_eq!(sink.write(&batch).unwrap(), bytes.len());
        };
        let mut sink = Memory::ring(10);
        write(&mut sink, &["one\n", "two\n"]);
        assert_eq!(sink.contents(), "one\ntwo\n");
        write(&mut sink, &["of\nlines\n"]);
        assert_eq!(sink.contents(), "of\nlines\n");
        write(
            &mut sink,
            &["x", "two\n", "far too long\n", "y", "10 bytes!\n"],
        );
        assert_eq!(sink.contents(), "10 bytes!\n");
        sink.clear();
        write(&mut sink, &["a\n", "b\n", "c\n", "d\n", "e\n", "f\n"]);
        assert_eq!(sink.lines(), ["b", "c", "d", "e", "f"]);
        let mut endless = Memory::ring(usize::MAX);
        write(&mut endless, &["a\n"]);
        assert_eq!(endless.contents(), "a\n");
        let mut nothing = Memory::ring(0);
        write(&mut nothing, &["a\n"]);
        assert_eq!(nothing.contents(), "");
    }
}
