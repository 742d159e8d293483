//! Records that are written only if something bad happens.
//!
//! Of the levels that a program keeps for such a case, the last records stay here as they came from
//! the ring, unformatted. A record that calls for them is written after them; if none does, the
//! oldest make room for newer ones, and nobody ever formats them.
//!
//! All memory is taken when the logger is built.

use std::collections::VecDeque;

use super::threads::ThreadName;
use crate::callsite::{self, Wish};
use crate::level::Level;
use crate::record::{Header, MAX_PAYLOAD};

/// The bytes that there are for each record. Longer ones take the room of others.
const BYTES_EACH: usize = 128;

/// See the [module](self).
pub(super) struct Backtrace {
    /// The logger's place in each call site.
    place: usize,
    /// Records at least as severe call for what is kept.
    on: Level,
    most: usize,
    kept: VecDeque<Kept>,
    /// Their payloads, one behind the other.
    payloads: VecDeque<u8>,
    /// By statement id; `None` where the filters were not asked.
    fates: Vec<Option<Fate>>,
    /// The filters that `fates` come from.
    filters: u64,
    /// The payload of the record that is being written.
    scratch: Vec<u8>,
}

/// What becomes of the records of a statement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    /// They are written.
    Written,
    /// They are written, and before them what is kept.
    Calls,
    /// They are kept.
    Kept,
}

/// A record that is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) time: u64,
    pub(super) header: Header,
    pub(super) thread: ThreadName,
    length: usize,
}

impl Backtrace {
    /// Room for so many records, of a logger in this place.
    pub(super) fn new(place: usize, most: usize, on: Level) -> Self {
        let bytes = (most * BYTES_EACH).max(MAX_PAYLOAD);
        Backtrace {
            place,
            on,
            most,
            kept: VecDeque::with_capacity(most),
            payloads: VecDeque::with_capacity(bytes),
            fates: Vec::new(),
            filters: 0,
            scratch: Vec::with_capacity(MAX_PAYLOAD),
        }
    }

    /// Asks the filters again if they have changed.
    pub(super) fn look_at_filters(&mut self) {
        let filters = callsite::filters_changed();
        if filters != self.filters {
            self.filters = filters;
            self.fates.clear();
        }
    }

    /// What becomes of a record of this statement.
    #[inline]
    pub(super) fn fate(&mut self, statement: u32) -> Fate {
        match self.fates.get(statement as usize) {
            Some(Some(fate)) => *fate,
            _ => self.learn(statement),
        }
    }

    #[cold]
    #[inline(never)]
    fn learn(&mut self, id: u32) -> Fate {
        let Some(statement) = callsite::statement(id) else {
            return Fate::Written;
        };
        let metadata = statement.site.metadata();
        let fate = match callsite::wish(self.place, metadata) {
            Wish::Kept => Fate::Kept,
            // What no filter wants any more was wanted when it was logged.
            Wish::Written | Wish::Nothing if metadata.level <= self.on => Fate::Calls,
            Wish::Written | Wish::Nothing => Fate::Written,
        };
        let place = id as usize;
        if self.fates.len() <= place {
            self.fates.resize(place + 1, None);
        }
        self.fates[place] = Some(fate);
        fate
    }

    /// Keeps a record, and answers how many it had to let go of.
    pub(super) fn keep(
        &mut self,
        time: u64,
        header: Header,
        thread: ThreadName,
        payload: &[u8],
    ) -> u64 {
        let mut gone = 0;
        let room = self.payloads.capacity();
        while self.kept.len() >= self.most || self.payloads.len() + payload.len() > room {
            let Some(oldest) = self.kept.pop_front() else {
                // It fits nowhere, which no record does.
                return gone + 1;
            };
            self.payloads.drain(..oldest.length);
            gone += 1;
        }
        self.payloads.extend(payload);
        self.kept.push_back(Kept {
            time,
            header,
            thread,
            length: payload.len(),
        });
        gone
    }

    /// The oldest record that is kept, with its payload, which is kept no longer.
    pub(super) fn take(&mut self) -> Option<(Kept, &[u8])> {
        let kept = self.kept.pop_front()?;
        self.scratch.clear();
        self.scratch.extend(self.payloads.drain(..kept.length));
        Some((kept, &self.scratch))
    }

    /// Lets go of all, and answers how many it was.
    pub(super) fn clear(&mut self) -> u64 {
        let gone = self.kept.len() as u64;
        self.kept.clear();
        self.payloads.clear();
        gone
    }
}
