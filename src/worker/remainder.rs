//! What was accepted and has not come to its end: what a deadline cuts off, by level.
//!
//! Such a record is in the ring, or it was offered to the sinks and one of them has not taken it
//! yet. Of the first kind, nobody has to keep an account: the ring can be looked through. Of the
//! second kind there are none while every sink takes what it is offered, and otherwise their
//! statements are kept here, which have the levels.
//!
//! The worker changes this in one step with its counters and with the space that it returns. So
//! whoever holds it may count, also while the worker is stuck in a sink.

use std::collections::VecDeque;
use std::ops::Range;

use super::introduced;
use super::ledger::Ledger;
use crate::callsite;
use crate::level::Level;
use crate::record::{Header, as_bytes, flags};
use crate::ring::Ring;
use crate::ring::slot::Body;
use crate::stats::PerLevel;

/// Records of these levels come first when there is not time for all.
pub(crate) fn is_severe(level: Level) -> bool {
    level <= Level::Warn
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Remainder {
    levels: Levels,
    /// By source: severe records below this ticket were handed on before the others. Empty if none
    /// were.
    ahead: Vec<u64>,
    /// The statements of the records from `first` on that were offered, and were not settled.
    offered: VecDeque<u32>,
    first: u64,
    /// Of those, the ones that a sink has lost.
    lost: Vec<Range<u64>>,
}

/// The statements of the records that were offered since the last account, if a sink may hold some.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    statements: Vec<u32>,
    first: u64,
}

impl Fresh {
    /// These were offered, the first of them being `first`; `all_settled` if no sink holds any.
    pub(crate) fn note(&mut self, statements: &[u32], first: u64, all_settled: bool) {
        if all_settled {
            self.statements.clear();
            return;
        }
        if self.statements.is_empty() {
            self.first = first;
        }
        self.statements.extend_from_slice(statements);
    }
}

impl Remainder {
    /// Of the records offered, those below `settled` are settled.
    pub(crate) fn settle(&mut self, settled: u64, fresh: &mut Fresh, ledger: &Ledger) {
        if self.offered.is_empty() {
            self.first = fresh.first;
        }
        self.offered.extend(fresh.statements.drain(..));
        let done = settled
            .saturating_sub(self.first)
            .min(self.offered.len() as u64);
        self.offered.drain(..done as usize);
        self.first += done;
        self.lost.clear();
        if !self.offered.is_empty() {
            self.lost.extend_from_slice(ledger.ranges());
        }
    }

    /// Severe records of these sources below these tickets were handed on before the others.
    pub(crate) fn went_ahead(&mut self, tickets: impl Iterator<Item = u64>) {
        self.ahead.clear();
        self.ahead.extend(tickets);
    }

    /// The level of a record, and whether it went ahead. `None` for what is no record.
    pub(crate) fn look(
        &mut self,
        source: usize,
        ticket: u64,
        body: &Body,
    ) -> Option<(Level, bool)> {
        let level = self.levels.of(body)?;
        let ahead = self.ahead.get(source).is_some_and(|&end| ticket < end);
        Some((level, ahead && is_severe(level)))
    }

    /// How many there are.
    pub(crate) fn count(&mut self, ring: &Ring) -> PerLevel {
        let mut counts = PerLevel::default();
        ring.for_each_left(|source, ticket, body| {
            if let Some((level, false)) = self.look(source, ticket, body) {
                counts.add(level);
            }
        });
        for (number, &statement) in (self.first..).zip(&self.offered) {
            if !self.lost.iter().any(|range| range.contains(&number)) {
                if let Some(level) = self.levels.of_statement(statement) {
                    counts.add(level);
                }
            }
        }
        counts
    }

    /// How many records of these statements there are, by level.
    pub(crate) fn levels_of(&mut self, statements: &[u32]) -> PerLevel {
        let mut counts = PerLevel::default();
        let levels = statements.iter();
        for level in levels.filter_map(|&statement| self.levels.of_statement(statement)) {
            counts.add(level);
        }
        counts
    }
}

/// The level of every statement, once it was asked for.
#[derive(Debug, Default)]
struct Levels {
    known: Vec<Option<Level>>,
}

impl Levels {
    fn of(&mut self, body: &Body) -> Option<Level> {
        let header = Header::read(body).0;
        if header.flags & flags::GAP != 0 {
            return None;
        }
        let payload = as_bytes(&body[2..]);
        let prefix = match header.flags & flags::THREAD {
            0 => 0,
            _ => size_of::<u64>(),
        };
        self.of_statement(introduced(header.statement, &payload[prefix..]).0)
    }

    fn of_statement(&mut self, statement: u32) -> Option<Level> {
        let id = statement as usize;
        if let Some(Some(level)) = self.known.get(id) {
            return Some(*level);
        }
        let level = callsite::statement(statement)?.site.metadata().level;
        if self.known.len() <= id {
            self.known.resize(id + 1, None);
        }
        self.known[id] = Some(level);
        Some(level)
    }
}
