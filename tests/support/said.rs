//! What a logger should have said.

use std::cell::RefCell;

use ringlog::sink::Memory;
use ringlog::{Overflow, RingLogger};

use super::{LONG, Log};

/// A logger, and the texts that it should log.
pub struct Said {
    pub logger: RingLogger,
    memory: Memory,
    expected: RefCell<Vec<String>>,
}

impl Said {
    pub fn new() -> Self {
        let memory = Memory::new();
        Said {
            logger: RingLogger::builder()
                .overflow(Overflow::Block)
                .sink(memory.clone())
                .build()
                .unwrap(),
            memory,
            expected: RefCell::default(),
        }
    }

    /// The next record's text.
    pub fn expect(&self, text: String) {
        self.expected.borrow_mut().push(text);
    }

    /// The texts that are in the log, those that were expected, and how many records were cut.
    pub fn end(self) -> (Log, Vec<String>, u64) {
        self.logger.shutdown(LONG);
        let cut = self.logger.stats().cut;
        (Log::of(&self.memory), self.expected.into_inner(), cut)
    }

    /// Finds what was expected, and nothing else; answers how many records were cut.
    #[track_caller]
    pub fn check_cut(self) -> u64 {
        let (log, expected, cut) = self.end();
        let texts = log.texts();
        for (found, expected) in texts.iter().zip(&expected) {
            // A line feed is escaped, as in all that a record carries.
            assert_eq!(*found, expected.replace('\n', "\\n"));
        }
        assert_eq!(texts.len(), expected.len());
        assert!(!expected.is_empty());
        cut
    }

    /// The same; none was cut.
    #[track_caller]
    pub fn check(self) {
        assert_eq!(self.check_cut(), 0);
    }
}
