//! How the worker ends: everything that was accepted is written, or the deadline cuts it off.
//!
//! Records come in the order of time while all of them can be written before the deadline, as far
//! as the pace of the rounds before tells. When they cannot, warnings and errors of all that is left
//! come first, then the rest, as far as the time goes. Either way each record is read once, and what
//! is left at the end is counted by level where it is: in the ring, or with a sink that has not taken
//! it.
//!
//! A part of the time is kept for the log's last line, which says how it went.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::branch::Branch;
use super::offload::Offloaded;
use super::remainder::is_severe;
use super::staging::Times;
use super::{Common, Inside, Worker};
use crate::level::Level;
use crate::ring::Ring;
use crate::shutdown::{GRACE, ShutdownOutcome, ShutdownReport};
use crate::stats::PerLevel;

/// How long a shutdown goes on offering records to a sink that fails.
pub(super) const LAST_TRIES: Duration = Duration::from_millis(250);

/// What a slot costs apart from the sinks, until it was measured; and what counting it does.
const SLOT: Duration = Duration::from_nanos(400);
const COUNT: Duration = Duration::from_nanos(25);

/// A sink that takes longer than this for what it is offered in one go is given less, when there is
/// not much time.
const FAST: Duration = Duration::from_millis(1);

/// Which of the remaining records a round hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// All, as they come.
    AsLogged,
    /// Warnings and errors, passing over the others.
    Severe,
    /// Those that were passed over.
    Rest,
}

impl Worker {
    /// Drains everything up to the frontiers, or as much as the deadline allows, and reports. Only
    /// while the gate is closing.
    pub(crate) fn finish(&mut self) {
        self.consumer.ring().seal();
        self.waiter.reset();
        self.delivery.be_patient(self.common.control.time_left());
        let mut slot = SLOT;
        let mut pass = Pass::AsLogged;
        let mut ends = vec![None; self.consumer.ring().sources()];
        let drained = loop {
            if pass != Pass::Severe && self.is_drained(&mut ends) {
                break true;
            }
            let left = self.time_for_records();
            if left.is_zero() {
                break false;
            }
            if pass == Pass::AsLogged && self.needs(slot) > left {
                pass = Pass::Severe;
                self.notice(
                    Level::Warn,
                    "there is not time for all: what is left of warnings and errors comes first",
                );
            }
            let before = self.consumer.backlog();
            let started = Instant::now();
            if !self.last_round(pass, self.most(left)) {
                return;
            }
            let moved = before.saturating_sub(self.consumer.backlog());
            if moved > 0 {
                self.waiter.reset();
                let rendering = started.elapsed().saturating_sub(self.delivery.pace.0);
                slot = rendering / u32::try_from(moved).unwrap_or(u32::MAX);
            } else if pass == Pass::Severe {
                self.consumer.rewind_all();
                pass = Pass::Rest;
            } else {
                self.waiter.wait_at_the_end();
            }
        };
        if !(drained && self.end_drained()) {
            self.end_cut_off(pass);
        }
    }

    /// Whether everything up to the frontiers has been read. Only after the ring was sealed. Notes the
    /// `ends` that were found: a producer that goes on trying hides them most of the time.
    fn is_drained(&self, ends: &mut [Option<u64>]) -> bool {
        let ring = self.consumer.ring();
        let mut drained = true;
        for (source, end) in ends.iter_mut().enumerate() {
            let position = self.consumer.position(source);
            if end.is_none() && ring.frontier(source) == Some(position) {
                *end = Some(position);
            }
            drained &= *end == Some(position);
        }
        drained
    }

    /// The time until the deadline, less what the last words take: as long as the sinks took lately,
    /// for the line and for the flush; and the counting.
    fn time_for_records(&self) -> Duration {
        let last_words = self.delivery.pace.0 * 2 + COUNT.saturating_mul(self.backlog());
        self.common.control.time_left().saturating_sub(last_words)
    }

    /// How long the drain would take at the pace so far.
    fn needs(&self, slot: Duration) -> Duration {
        // What was offered a few at a time says little of how long many take.
        const TELLING: u64 = 64;
        let (took, records) = self.delivery.pace;
        let sinks = took.as_nanos() as u64 / records.max(TELLING);
        let backlog = u64::from(self.backlog());
        Duration::from_nanos(sinks.saturating_mul(backlog))
            .saturating_add(slot.saturating_mul(self.backlog()))
    }

    fn backlog(&self) -> u32 {
        u32::try_from(self.consumer.backlog()).unwrap_or(u32::MAX)
    }

    /// How many records may be offered in one go: for slow sinks, no more than they take in half of
    /// the time, if it grows with the number.
    fn most(&self, left: Duration) -> usize {
        const LEAST: u128 = 16;
        let (took, records) = self.delivery.pace;
        if took <= FAST {
            return usize::MAX;
        }
        let most = (left / 2).as_nanos() * u128::from(records) / took.as_nanos();
        usize::try_from(most.max(LEAST)).unwrap_or(usize::MAX)
    }

    /// Answers false if the report is out.
    fn last_round(&mut self, pass: Pass, most: usize) -> bool {
        let until = self.common.control.deadline();
        self.limit_sinks(until);
        if pass == Pass::AsLogged {
            let everything = match self.times() {
                Times::Stamped { .. } => Times::Stamped {
                    watermark: u64::MAX,
                },
                Times::Arrival => Times::Arrival,
            };
            self.round(most, everything);
            return !self.consumer.ring().gate().is_settled();
        }
        let _inside = Inside::enter(self.common.id);
        self.pick(pass, most);
        self.deliver();
        self.settle(pass == Pass::Severe)
    }

    /// Renders the next records that are for this pass.
    fn pick(&mut self, pass: Pass, most: usize) {
        let common = self.common.clone();
        common.counters.rounds.fetch_add(1, Ordering::Relaxed);
        self.consumer.refresh_active();
        let (now, times) = (self.timeline.now(), self.times());
        let mut remainder = common.remainder();
        let picked = self.staging.pick(
            &mut self.consumer,
            most,
            (times, &self.timeline, now),
            |source, ticket, body| match remainder.look(source, ticket, body) {
                Some((level, went_ahead)) => match pass {
                    Pass::Severe => is_severe(level),
                    _ => !went_ahead,
                },
                // It tells of drops.
                None => pass != Pass::Severe,
            },
        );
        drop(remainder);
        if picked {
            let (renderer, delivery) = (&mut self.renderer, &mut self.delivery);
            self.staging
                .merge(times, &self.timeline, now, usize::MAX, |record| {
                    renderer.render(record, (now, &self.timeline), &common.threads, delivery);
                });
        }
    }

    fn deliver(&mut self) {
        let now = self.timeline.now();
        self.delivery.deliver(now);
    }

    fn limit_sinks(&mut self, until: Instant) {
        for branch in &mut self.delivery.branches {
            branch.limit(until);
        }
    }

    /// Everything was read: has the sinks write it out, and reports. Answers false if the deadline
    /// came first.
    fn end_drained(&mut self) -> bool {
        let _inside = Inside::enter(self.common.id);
        self.forget_backtrace();
        self.tell_misuse();
        self.tell_last_gaps();
        self.deliver();
        self.delivery
            .apart()
            .for_each(|(_, offloaded)| offloaded.begin_end());
        if self.delivery.holds_here() {
            self.flush_to_the_end();
        }
        self.delivery.give_up();
        self.account();
        if !self.wait_for_apart(|offloaded| offloaded.has_ended()) {
            return false;
        }
        let said = self
            .common
            .report_of(self.consumer.ring(), ShutdownOutcome::Drained);
        self.say_last(&said);
        self.flush_to_the_end();
        self.delivery.give_up();
        self.close_here();
        self.account();
        self.delivery
            .apart()
            .for_each(|(_, offloaded)| offloaded.begin_close());
        if !self.wait_for_apart(Offloaded::is_closed) {
            return false;
        }
        self.account();
        self.common
            .report(self.consumer.ring(), ShutdownOutcome::Drained, Some(&said));
        true
    }

    /// The deadline has come, or leaves time for the last words only: what is left is counted.
    fn end_cut_off(&mut self, pass: Pass) {
        let _inside = Inside::enter(self.common.id);
        let common = self.common.clone();
        self.delivery.give_up_failed();
        self.forget_backtrace();
        self.tell_misuse();
        if pass != Pass::Rest {
            // What there is of warnings and errors goes out together with the last line.
            self.pick(Pass::Severe, self.most(self.delivery.pace.0));
        }
        self.limit_sinks(common.control.deadline().max(Instant::now()) + GRACE);
        self.account();
        let mut said = common.report_of(self.consumer.ring(), ShutdownOutcome::TimedOut);
        if self.delivery.takes_at_once() {
            let statements = &self.delivery.statements;
            said.written += statements.len() as u64;
            let levels = common.remainder().levels_of(statements);
            said.abandoned = said.abandoned.less(levels);
        }
        self.say_last(&said);
        // In the last pass, what was read before has been handed on, or went ahead.
        if !self.settle(pass != Pass::Rest) {
            return;
        }
        if !common.control.time_left().is_zero() {
            self.flush_sinks(self.flush_begun.0);
            self.close_here();
            self.account();
        }
        let ring = self.consumer.ring();
        common.report(ring, ShutdownOutcome::TimedOut, Some(&said));
    }

    /// Writes the log's own last record.
    fn say_last(&mut self, report: &ShutdownReport) {
        if self.common.notes.closing_record {
            let level = if report.is_complete() {
                Level::Info
            } else {
                Level::Warn
            };
            self.notice(level, &report.summary().to_string());
        }
        self.deliver();
    }

    /// Nothing has called for what the backtrace keeps, unless somebody asks for it now.
    fn forget_backtrace(&mut self) {
        if let Some(backtrace) = &mut self.renderer.backtrace {
            if self.common.control.dump_wanted() == self.dumped {
                self.delivery.pass_over(backtrace.clear());
            }
        }
    }

    fn tell_misuse(&mut self) {
        let common = self.common.clone();
        if let Some(text) = common.notes.to_log() {
            self.notice(Level::Warn, text);
        }
    }

    fn tell_last_gaps(&mut self) {
        for source in 0..self.consumer.ring().sources() {
            let untold = self.consumer.untold_drops(source);
            self.tell_gap(source, &untold);
        }
    }

    /// Waits until all sinks on threads of their own are so far; not longer than to the deadline.
    fn wait_for_apart(&mut self, is_so_far: impl Fn(&mut Offloaded) -> bool) -> bool {
        const PAUSE: Duration = Duration::from_millis(1);
        let common = self.common.clone();
        let in_sink = |place| common.counters.in_sink.store(place, Ordering::Relaxed);
        loop {
            let late = self.delivery.apart().find_map(|(place, offloaded)| {
                let late = !is_so_far(offloaded);
                late.then_some(place as u64 + 1)
            });
            let Some(late) = late else {
                in_sink(0);
                return true;
            };
            self.account();
            // So that the report can name it.
            in_sink(late);
            let left = common.control.time_left();
            if left.is_zero() {
                return false;
            }
            thread::sleep(left.min(PAUSE));
        }
    }

    /// Flushes the sinks; those that fail are tried again for a while.
    fn flush_to_the_end(&mut self) {
        let common = self.common.clone();
        let patience = common.control.time_left().min(LAST_TRIES);
        let mut pause = Duration::from_millis(1);
        let mut waited = Duration::ZERO;
        while self.flush_sinks(self.flush_begun.0).is_some() {
            let left = common.control.time_left();
            let waits_for_reader = self.delivery.is_busy();
            if left.is_zero() || (waited >= patience && !waits_for_reader) {
                break;
            }
            thread::sleep(pause.min(left));
            waited += pause;
            pause = (pause * 2).min(LAST_TRIES);
        }
    }

    /// Tells the sinks that nothing more comes. What fails is too late to be told in the log; the
    /// report counts it.
    fn close_here(&mut self) {
        let control = &self.common.control;
        self.delivery
            .call(|branch| branch.close(control.time_left()));
    }
}

impl super::Delivery {
    /// Whether a sink on this thread has not taken everything.
    fn holds_here(&mut self) -> bool {
        self.branches
            .iter()
            .any(|branch| matches!(branch, Branch::Here(_)) && branch.holds())
    }

    /// Whether every sink has taken everything so far, and has the next batch before `deliver`
    /// returns.
    fn takes_at_once(&self) -> bool {
        !self.branches.iter().any(Branch::holds)
    }

    fn give_up(&mut self) {
        for branch in &mut self.branches {
            branch.give_up(&mut self.ledger);
        }
    }

    fn give_up_failed(&mut self) {
        for branch in &mut self.branches {
            branch.give_up_failed(&mut self.ledger);
        }
    }

    /// From now on full queues are waited for: each for an equal share of the time, so that one
    /// that never has room leaves the others theirs.
    fn be_patient(&mut self, time: Duration) {
        let shares = u32::try_from(self.branches.len()).unwrap_or(u32::MAX);
        self.apart()
            .for_each(|(_, offloaded)| offloaded.set_patience(time / (shares + 1)));
    }
}

impl Common {
    /// Settles how the logger ended, and publishes the report; unless that was done before. `said` is
    /// what the log's last line says, if there is one.
    pub(crate) fn report(
        &self,
        ring: &Ring,
        outcome: ShutdownOutcome,
        said: Option<&ShutdownReport>,
    ) {
        let mut report = {
            // So that nothing that is counted changes before the gate says that it must not.
            let mut remainder = self.remainder();
            let settled = match outcome {
                ShutdownOutcome::Drained => ring.gate().drained(),
                _ => ring.gate().give_up(),
            };
            if !settled {
                return;
            }
            if outcome == ShutdownOutcome::TimedOut {
                ring.settle_drops();
            }
            self.make_report(ring, outcome, &mut remainder)
        };
        if let Some(said) = said {
            report.rejected = said.rejected;
            report.stuck_sink.clone_from(&said.stuck_sink);
        }
        self.notes.print_on_request(&report);
        self.control.publish(report);
        ring.gate().closed();
    }

    /// How things stand, as a report.
    pub(crate) fn report_of(&self, ring: &Ring, outcome: ShutdownOutcome) -> ShutdownReport {
        self.make_report(ring, outcome, &mut self.remainder())
    }

    fn make_report(
        &self,
        ring: &Ring,
        outcome: ShutdownOutcome,
        remainder: &mut super::Remainder,
    ) -> ShutdownReport {
        let written = self.counters.written.load(Ordering::Relaxed);
        let failed = self.counters.failed.load(Ordering::Relaxed);
        let in_sink = self.counters.in_sink.load(Ordering::Relaxed);
        let mut report = ShutdownReport {
            outcome,
            written,
            dropped: PerLevel::new(ring.dropped().by_level),
            rejected: self.rejected(),
            failed,
            abandoned: PerLevel::default(),
            in_flight: 0,
            sink_errors: self.counters.sink_errors.load(Ordering::Relaxed),
            stuck_sink: None,
            elapsed: self.control.since_closing(),
        };
        if outcome == ShutdownOutcome::TimedOut {
            report.abandoned = remainder.count(ring);
            // What was claimed and is not there, with what is behind it; and those that may still
            // claim.
            let missing = ring
                .accepted()
                .saturating_sub(written + failed + report.abandoned.total());
            report.in_flight = ring.undecided() as u64 + missing;
            report.stuck_sink = usize::try_from(in_sink)
                .ok()
                .and_then(|place| self.meters.get(place.checked_sub(1)?))
                .map(|meter| meter.name.clone());
        }
        report
    }
}
