//! The consumer: where the ring, the formats and the sinks meet.
//!
//! A round copies what has been published, merges it by time, renders it, hands it to the sinks,
//! and only then returns its space to the producers. Whoever holds the worker may run rounds: the
//! consumer thread, as long as there is one; or else `poll`, a flush, or a shutdown. The thread lets
//! go of the worker whenever it sleeps, so that one that is killed then leaves a whole one.

mod backtrace;
mod branch;
mod closing;
mod idle;
mod ledger;
mod meter;
mod offload;
mod outlet;
mod remainder;
mod staging;
mod statistics;
mod streams;
mod threads;

use std::cell::Cell;
#[cfg(feature = "crash")]
use std::sync::atomic::AtomicI32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::callsite;
use crate::clock::{Ages, Stamper, Timeline};
use crate::config::Builder;
use crate::error::{BuildError, FlushError};
use crate::format::{Formatter, Occurrence, Output, Redaction};
use crate::level::Level;
use crate::record::{Context, Gap, Introduction, flags};
use crate::ring::Drops;
use crate::ring::consumer::Consumer;
use crate::routing::Attached;
#[cfg(feature = "config")]
use crate::routing::{Reselection, Selection};
use crate::shutdown::{Control, Notes};
use crate::sink::Mark;
use crate::stats::PerLevel;
use crate::sys;

use backtrace::{Backtrace, Fate};
pub(crate) use branch::Branch;
use closing::LAST_TRIES;
use idle::Waiter;
use ledger::Ledger;
pub(crate) use meter::Meter;
use offload::Offloaded;
use remainder::Fresh;
pub(crate) use remainder::Remainder;
use staging::{Staged, Staging, Times};
pub(crate) use statistics::Counters;
use statistics::Due;
use streams::{Placed, Streams};
pub(crate) use threads::{ThreadName, Threads};

/// How long after its timestamp a record is waited for: stamped, but not yet published. In units of
/// the stamp, and at least a microsecond whether those are nanoseconds or ticks of up to 4 GHz.
const GRACE: u64 = 4096;

/// How often sinks do what they do by the clock, in nanoseconds.
const TICK: u64 = 1_000_000;

thread_local! {
    /// The logger whose sinks are running on this thread; 0 if none.
    static INSIDE: Cell<u64> = const { Cell::new(0) };
}

/// Whether the caller is inside a sink, or other code run by the consumer, of this logger.
pub(crate) fn is_inside(logger: u64) -> bool {
    INSIDE.try_with(Cell::get) == Ok(logger)
}

/// What the worker shares with the producers and with those who end the logger.
#[derive(Debug)]
pub(crate) struct Common {
    /// The logger's number, never used twice.
    pub(crate) id: u64,
    pub(crate) counters: Counters,
    pub(crate) control: Control,
    pub(crate) threads: Threads,
    /// By the sinks' places.
    pub(crate) meters: Vec<Arc<Meter>>,
    /// By the sinks' places, where a crash writes its line; -1 where there is none, or none that is
    /// certain because the sink is being called.
    #[cfg(feature = "crash")]
    pub(crate) descriptors: Box<[AtomicI32]>,
    /// The process is a forked child: nothing may be written to the sinks.
    pub(crate) forked: AtomicBool,
    /// The sinks on threads of their own, for a fork to find them.
    pub(crate) apart: OnceLock<Vec<Weak<offload::Shared>>>,
    /// How old the stamps of records are.
    pub(crate) ages: OnceLock<Ages>,
    /// Records that came after the closing, by level.
    pub(crate) rejected: [AtomicU64; Level::COUNT],
    /// What is to be masked from now on, if that was changed.
    pub(crate) redaction: Latest<Redaction>,
    /// What goes to which sink from now on, if that was changed.
    #[cfg(feature = "config")]
    pub(crate) reselection: Latest<Reselection>,
    /// Held while the counters and the space of the ring change together, and while what is left is
    /// counted.
    pub(crate) remainder: Mutex<Remainder>,
    pub(crate) notes: Notes,
}

/// A setting that others change while the consumer runs.
#[derive(Debug)]
pub(crate) struct Latest<T> {
    is_new: AtomicBool,
    value: Mutex<Option<T>>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Latest {
            is_new: AtomicBool::new(false),
            value: Mutex::new(None),
        }
    }
}

impl<T> Latest<T> {
    pub(crate) fn set(&self, value: T) {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        // Only a hint to look: the lock orders the rest.
        self.is_new.store(true, Ordering::Relaxed);
    }

    /// What was set since the last call.
    fn take(&self) -> Option<T> {
        if !self.is_new.load(Ordering::Relaxed) {
            return None;
        }
        self.is_new.store(false, Ordering::Relaxed);
        self.value
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Common {
    /// Calls every sink with its place, one after the other, and lets others see which one it is.
    fn in_turn(&self, branches: &mut [Branch], mut call: impl FnMut(usize, &mut Branch)) {
        for (place, branch) in branches.iter_mut().enumerate() {
            if self.forked.load(Ordering::Relaxed) {
                // A sink forked, and this is the child: the rest is for the parent to do.
                break;
            }
            let place_plus_one = place as u64 + 1;
            self.counters
                .in_sink
                .store(place_plus_one, Ordering::Relaxed);
            #[cfg(feature = "crash")]
            self.descriptors[place].store(-1, Ordering::Release);
            call(place, branch);
            #[cfg(feature = "crash")]
            self.show_descriptor(place, branch);
        }
        self.counters.in_sink.store(0, Ordering::Relaxed);
    }

    #[cfg(feature = "crash")]
    fn show_descriptor(&self, place: usize, branch: &Branch) {
        #[cfg(unix)]
        let descriptor = branch.descriptor().unwrap_or(-1);
        #[cfg(not(unix))]
        let (descriptor, _) = (-1, branch);
        // Release: pairs with the Acquire of a thread that crashes.
        self.descriptors[place].store(descriptor, Ordering::Release);
    }

    /// Nothing panics under the lock, so what it guards is whole.
    pub(crate) fn remainder(&self) -> MutexGuard<'_, Remainder> {
        self.remainder
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// For the thread that forks: as [`Exclusive::rest`](crate::sys::exclusive::Exclusive::rest),
    /// for the sinks on threads of their own.
    pub(crate) fn rest_sinks(&self, mut patience: impl FnMut() -> bool) {
        for sink in self.apart.get().into_iter().flatten() {
            if let Some(sink) = sink.upgrade() {
                sink.rest(&mut patience);
            }
        }
    }

    pub(crate) fn rejected(&self) -> PerLevel {
        PerLevel::new(std::array::from_fn(|level| {
            self.rejected[level].load(Ordering::Relaxed)
        }))
    }
}

/// Why the consumer thread does not go on at once. It leaves the worker to others meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pause {
    /// There is nothing to do, for so long or until somebody wakes it.
    Sleep(Duration),
    /// A fork is under way.
    Fork,
    /// The logger is closed.
    Ended,
}

/// See the [module](self).
pub(crate) struct Worker {
    consumer: Consumer,
    common: Arc<Common>,
    stamper: Stamper,
    timeline: Timeline,
    staging: Staging,
    renderer: Renderer,
    delivery: Delivery,
    waiter: Waiter,
    /// The flush that is being served, and where each source ended when it was asked for.
    flushing: Option<(u64, Vec<u64>)>,
    /// The latest flush for which the sinks were flushed, or their threads asked to; and what went
    /// wrong.
    flush_begun: (u64, Option<FlushError>),
    /// The latest flush that was served.
    flushed: u64,
    /// The latest wish to open the sinks' destinations again that was served.
    reopened: u64,
    /// The wish to write what the backtrace keeps that is being served, and where each source ended
    /// when it was asked for.
    dumping: Option<(u64, Vec<u64>)>,
    /// The latest such wish that was served.
    dumped: u64,
    /// When the sinks last did what they do by the clock.
    ticked: u64,
    /// When the log says how the logger does.
    stats_due: Option<Due>,
}

/// What is to be known of each source, to make entries of its records.
struct Renderer {
    /// The name of each lane's owner; not yet known where `None`.
    names: Vec<Option<ThreadName>>,
    /// The thread without a lane that logged last.
    last_other: Option<(u64, ThreadName)>,
    /// The time of the latest record rendered.
    latest: u64,
    late: u64,
    cut: u64,
    /// Records that are written only if something calls for them.
    backtrace: Option<Backtrace>,
}

/// Rendered entries, and the sinks they go to.
struct Delivery {
    streams: Streams,
    branches: Vec<Branch>,
    /// For each branch the place of its stream.
    stream_of: Vec<usize>,
    ledger: Ledger,
    /// The records rendered so far.
    rendered: u64,
    /// Of those, the ones that have been offered to the sinks; and the statements of the others.
    offered: u64,
    statements: Vec<u32>,
    /// The statements of the latest of those, if a sink holds some.
    fresh: Fresh,
    /// How long the sinks took lately for what they were offered in one go, and how many records
    /// that was.
    pace: (Duration, u64),
    /// Lines of the logger's own, which are no records.
    bytes: u64,
    common: Arc<Common>,
}

impl Worker {
    pub(crate) fn new(
        consumer: Consumer,
        common: Arc<Common>,
        settings: &Builder,
        sinks: Vec<Attached>,
        place: usize,
    ) -> Result<(Self, Stamper, Option<String>), BuildError> {
        let (timeline, stamper, warning) = Timeline::new(settings.clock);
        let lanes = consumer.ring().sources() - 1;
        let redaction = Arc::new(settings.redaction.clone());
        let (streams, placed) = Streams::new(sinks, &settings.routes, &redaction);
        let stream_of = placed.iter().map(|sink| sink.stream).collect();
        let branch = |(sink, meter): (Placed, &Arc<Meter>)| {
            let format = &streams.formats[streams.streams[sink.stream].format];
            Branch::new(sink.to, meter, || format.another(), &common)
        };
        let placed = placed.into_iter().zip(&common.meters);
        let branches = placed.map(branch).collect::<Result<Vec<_>, _>>()?;
        let apart = branches.iter().filter_map(Branch::shared).collect();
        // Nobody else sets it.
        let _ = common.apart.set(apart);
        let _ = common.ages.set(Ages::new(stamper, &timeline));
        #[cfg_attr(not(feature = "crash"), expect(unused_mut))]
        let mut worker = Worker {
            stamper,
            timeline,
            staging: Staging::new(),
            renderer: Renderer {
                names: vec![None; lanes],
                last_other: None,
                latest: 0,
                late: 0,
                cut: 0,
                backtrace: settings
                    .backtrace
                    .as_ref()
                    .map(|backtrace| Backtrace::new(place, backtrace.records, backtrace.on)),
            },
            delivery: Delivery {
                streams,
                branches,
                stream_of,
                ledger: Ledger::default(),
                rendered: 0,
                offered: 0,
                statements: Vec::with_capacity(4096),
                fresh: Fresh::default(),
                pace: (Duration::ZERO, 0),
                bytes: 0,
                common: common.clone(),
            },
            waiter: Waiter::new(settings.idle),
            flushing: None,
            flush_begun: (0, None),
            flushed: 0,
            reopened: 0,
            dumping: None,
            dumped: 0,
            ticked: 0,
            stats_due: None,
            consumer,
            common,
        };
        #[cfg(feature = "crash")]
        for (place, branch) in worker.delivery.branches.iter_mut().enumerate() {
            worker.common.show_descriptor(place, branch);
        }
        Ok((worker, stamper, warning))
    }

    /// Writes a line of the logger's own.
    pub(crate) fn notice(&mut self, level: Level, text: &str) {
        let now = self.timeline.now();
        self.delivery.streams.notice(now, level, b"ringlog", text);
    }

    /// Runs rounds until there is a reason not to. Unless it is the end, to be called again.
    pub(crate) fn run(&mut self) -> Pause {
        while !self.consumer.ring().gate().is_settled() {
            if self.consumer.ring().gate().is_closing() {
                self.finish();
                return Pause::Ended;
            }
            if sys::fork::is_under_way() {
                return Pause::Fork;
            }
            self.timeline.maintain();
            let records = self.round(usize::MAX, self.times());
            self.serve_reopen();
            self.serve_dump();
            if self.serve_flush() || records > 0 {
                self.waiter.reset();
            } else if let Some(pause) = self.waiter.wait() {
                return Pause::Sleep(pause);
            }
        }
        Pause::Ended
    }

    /// The sinks' branches, to be restarted in a forked child.
    pub(crate) fn branches(&mut self) -> impl Iterator<Item = &mut Branch> {
        self.delivery.branches.iter_mut()
    }

    /// The sinks, without what they have not taken.
    pub(crate) fn take_sinks(&mut self) -> Vec<Attached> {
        let Delivery {
            streams,
            branches,
            stream_of,
            ..
        } = &mut self.delivery;
        let attached = |(branch, &stream): (Branch, &usize)| {
            let (format, level, filter) = streams.options(stream);
            Some(Attached {
                name: branch.name(),
                to: branch.into_place()?,
                format,
                level,
                filter,
            })
        };
        let branches = branches.drain(..).zip(&*stream_of);
        branches.filter_map(attached).collect()
    }

    /// Drains at most so many records. Answers how many it was.
    pub(crate) fn poll(&mut self, most: usize) -> usize {
        let mut records = 0;
        if !self.consumer.ring().gate().is_open() {
            return 0;
        }
        self.timeline.maintain();
        while records < most {
            match self.round(most - records, self.times()) {
                0 => break,
                more => records += more,
            }
        }
        self.serve_reopen();
        self.serve_dump();
        self.serve_flush();
        records
    }

    /// How records are dated in an ordinary round.
    fn times(&self) -> Times {
        if self.stamper.is_arrival() {
            Times::Arrival
        } else {
            Times::Stamped {
                watermark: self.stamper.now().saturating_sub(GRACE),
            }
        }
    }

    /// Drains what is there now, up to a staging area full. Answers how many records it was.
    fn round(&mut self, most: usize, times: Times) -> usize {
        let _inside = Inside::enter(self.common.id);
        let counters = &self.common.counters;
        counters.rounds.fetch_add(1, Ordering::Relaxed);
        if let Some(redaction) = self.common.redaction.take() {
            self.delivery.streams.redact(&Arc::new(redaction));
        }
        #[cfg(feature = "config")]
        if let Some(reselection) = self.common.reselection.take() {
            self.reselect(&reselection);
        }
        if let Some(backtrace) = &mut self.renderer.backtrace {
            backtrace.look_at_filters();
        }
        self.consumer.refresh_active();
        let now = self.timeline.now();
        let mut records = 0;
        if self
            .staging
            .fill(&mut self.consumer, times, &self.timeline, now)
        {
            self.note_backlog();
            let (renderer, delivery) = (&mut self.renderer, &mut self.delivery);
            let threads = &self.common.threads;
            records = self
                .staging
                .merge(times, &self.timeline, now, most, |record| {
                    renderer.render(record, (now, &self.timeline), threads, delivery);
                    if delivery.streams.is_full() {
                        delivery.deliver(now);
                    }
                });
            self.staging.leave_rest(&mut self.consumer);
        }
        self.tick(now);
        self.delivery.deliver(now);
        if self.settle(false) {
            self.reap();
        }
        if records > 0 {
            self.note_lag();
        }
        records
    }

    /// Changes what goes to which sink. What was said before goes where it did.
    #[cfg(feature = "config")]
    #[cold]
    fn reselect(&mut self, reselection: &Reselection) {
        let now = self.timeline.now();
        self.delivery.deliver(now);
        let Delivery {
            streams,
            branches,
            stream_of,
            ..
        } = &mut self.delivery;
        let names: Vec<String> = branches.iter().map(Branch::name).collect();
        let choose =
            |place: usize, before: &Selection| reselection.apply(place, &names[place], before);
        streams.reselect(stream_of, choose);
    }

    /// Publishes what the sinks have done, and returns the space of what they were handed, unless it
    /// is to be read again. Answers false if the report is out: what it says must stay true.
    fn settle(&mut self, read_again: bool) -> bool {
        let common = self.common.clone();
        let mut remainder = common.remainder();
        if self.consumer.ring().gate().is_settled() {
            return false;
        }
        self.publish(&mut remainder);
        if read_again {
            let sources = 0..self.consumer.ring().sources();
            remainder.went_ahead(sources.map(|source| self.consumer.position(source)));
        } else {
            for index in 0..self.consumer.active().len() {
                self.consumer.give_back(self.consumer.active()[index]);
            }
        }
        true
    }

    /// Frees the lanes whose owners are gone.
    fn reap(&mut self) {
        if !self.consumer.has_draining() {
            return;
        }
        for index in 0..self.consumer.active().len() {
            let source = self.consumer.active()[index];
            if let Some(untold) = self.consumer.reap(source) {
                self.tell_gap(source, &untold);
                self.renderer.names[source] = None;
            }
        }
    }

    /// Says in the log that records of a source are missing here.
    fn tell_gap(&mut self, source: usize, drops: &Drops) {
        let gap = Gap {
            by_level: drops.by_level,
            elapsed: self.stamper.now().saturating_sub(drops.since),
        };
        let now = self.timeline.now();
        let lasted = self.timeline.span(gap.elapsed);
        let threads = &self.common.threads;
        self.renderer
            .render_gap(now, source, &gap, lasted, threads, &mut self.delivery);
    }

    /// Publishes what the sinks have done.
    fn account(&mut self) {
        let common = self.common.clone();
        self.publish(&mut common.remainder());
    }

    fn publish(&mut self, remainder: &mut Remainder) {
        let (written, failed) = self.delivery.account(remainder);
        let counters = &self.common.counters;
        let sinks = self.delivery.branches.iter().map(Branch::errors);
        let errors = sinks.sum::<u64>() + self.delivery.streams.panics();
        for (counter, value) in [
            (&counters.written, written),
            (&counters.failed, failed),
            (&counters.cut, self.renderer.cut),
            (&counters.late, self.renderer.late),
            (&counters.sink_errors, errors),
            (&counters.bytes, self.delivery.bytes),
        ] {
            counter.store(value, Ordering::Relaxed);
        }
    }

    /// Goes on with a flush, if one was asked for. Answers whether it served one.
    pub(crate) fn serve_flush(&mut self) -> bool {
        self.begin_flush();
        let (begun, error) = &self.flush_begun;
        if *begun == self.flushed {
            return false;
        }
        let (served, failure) = self.delivery.flushed(*begun);
        if served <= self.flushed {
            return false;
        }
        let error = error.clone().or(failure);
        self.account();
        self.flushed = served;
        self.common.control.serve_flush(served, error);
        true
    }

    /// Flushes the sinks, or asks their threads to, if that was asked for and everything that was
    /// there has been handed to them. A thread that takes its time holds up no later flush of the
    /// other sinks.
    fn begin_flush(&mut self) {
        let (wanted, targets) = match self.flushing.take() {
            Some(flushing) => flushing,
            None => {
                let wanted = self.common.control.flush_wanted();
                if wanted == self.flush_begun.0 {
                    return;
                }
                (wanted, self.consumer.ends())
            }
        };
        let reached = |(source, end): (usize, &u64)| self.consumer.has_reached(source, *end);
        if !targets.iter().enumerate().all(reached) || self.delivery.is_busy() {
            self.flushing = Some((wanted, targets));
            return;
        }
        self.flush_begun = (wanted, self.flush_sinks(wanted));
        self.account();
    }

    /// Has the sinks open their destinations again, if that was asked for.
    fn serve_reopen(&mut self) {
        let wanted = self.common.control.reopen_wanted();
        if wanted == self.reopened {
            return;
        }
        self.reopened = wanted;
        let _inside = Inside::enter(self.common.id);
        let now = self.timeline.now();
        self.delivery.deliver(now);
        for failure in self.delivery.call(Branch::reopen) {
            self.notice(Level::Warn, &failure);
        }
        self.delivery.deliver(now);
        self.account();
    }

    /// Writes what the backtrace keeps, if that was asked for and everything that was there then has
    /// been read.
    fn serve_dump(&mut self) {
        let (wanted, targets) = match self.dumping.take() {
            Some(dumping) => dumping,
            None => {
                let wanted = self.common.control.dump_wanted();
                if wanted == self.dumped {
                    return;
                }
                (wanted, self.consumer.ends())
            }
        };
        let reached = |(source, end): (usize, &u64)| self.consumer.has_reached(source, *end);
        if targets.iter().enumerate().all(reached) {
            self.dump(wanted);
        } else {
            self.dumping = Some((wanted, targets));
        }
    }

    /// Writes what the backtrace keeps, which serves all wishes up to this one.
    fn dump(&mut self, wanted: u64) {
        self.dumping = None;
        self.dumped = wanted;
        let _inside = Inside::enter(self.common.id);
        let now = self.timeline.now();
        self.renderer.dump(now, &mut self.delivery);
        self.delivery.deliver(now);
        self.account();
    }

    /// Has the sinks do what they do by the clock, if it is time.
    fn tick(&mut self, now: u64) {
        if now.saturating_sub(self.ticked) < TICK {
            return;
        }
        self.ticked = now;
        for failure in self.delivery.call(Branch::tick) {
            self.notice(Level::Warn, &failure);
        }
        self.tell_stats(now);
    }

    fn flush_sinks(&mut self, wanted: u64) -> Option<FlushError> {
        // After the flush was seen, so that what its caller asked for before is done before. All
        // that was logged before that has been read.
        self.serve_reopen();
        let dump_wanted = self.common.control.dump_wanted();
        if dump_wanted != self.dumped {
            self.dump(dump_wanted);
        }
        let _inside = Inside::enter(self.common.id);
        let now = self.timeline.now();
        self.delivery.deliver(now);
        self.delivery.flush(wanted, now)
    }
}

impl Renderer {
    #[inline(always)]
    fn render(
        &mut self,
        record: Staged<'_>,
        clock: (u64, &Timeline),
        threads: &Threads,
        delivery: &mut Delivery,
    ) {
        // Most records have nothing that is out of the ordinary.
        let is_plain = record.header.flags == 0
            && record.header.statement != Introduction::STATEMENT
            && self.backtrace.is_none()
            && record.time >= self.latest;
        if let (true, Some(Some(name))) = (is_plain, self.names.get(record.source)) {
            self.latest = record.time;
            let context = Context::default();
            return delivery.record(
                record.time,
                record.header.statement,
                name,
                context,
                record.payload(),
            );
        }
        self.render_any(record, clock, threads, delivery);
    }

    #[inline(never)]
    fn render_any(
        &mut self,
        record: Staged<'_>,
        (now, timeline): (u64, &Timeline),
        threads: &Threads,
        delivery: &mut Delivery,
    ) {
        let mut header = record.header;
        let mut payload = record.payload();
        if header.flags & flags::GAP != 0 {
            let gap = Gap::decode(payload);
            let lasted = timeline.span(gap.elapsed);
            self.render_gap(record.time, record.source, &gap, lasted, threads, delivery);
            return;
        }
        self.cut += u64::from(header.flags & flags::CUT != 0);
        let name = if header.flags & flags::THREAD == 0 {
            self.name_of_lane(record.source, threads)
        } else {
            let (thread, rest) = payload.split_first_chunk().unwrap_or((&[0; 8], &[]));
            payload = rest;
            self.name_of_other(u64::from_le_bytes(*thread), threads)
        };
        (header.statement, payload) = introduced(header.statement, payload);
        if let Some(backtrace) = &mut self.backtrace {
            match backtrace.fate(header.statement) {
                Fate::Written => {}
                Fate::Calls => self.dump(now, delivery),
                Fate::Kept => {
                    delivery.pass_over(backtrace.keep(record.time, header, name, payload));
                    return;
                }
            }
        }
        let (mut context, payload) = split_context(header.flags, payload);
        // A time that the caller named says nothing of when the record was published.
        if header.flags & flags::AT == 0 {
            if record.time < self.latest {
                self.late += 1;
                context = context.of_late();
            } else {
                self.latest = record.time;
            }
        }
        delivery.record(record.time, header.statement, &name, context, payload);
    }

    /// Writes what the backtrace keeps.
    fn dump(&mut self, now: u64, delivery: &mut Delivery) {
        let Some(backtrace) = &mut self.backtrace else {
            return;
        };
        while let Some((kept, payload)) = backtrace.take() {
            let (context, payload) = split_context(kept.header.flags, payload);
            delivery.record(
                kept.time,
                kept.header.statement,
                &kept.thread,
                context.of_backtrace(),
                payload,
            );
            if delivery.streams.is_full() {
                delivery.deliver(now);
            }
        }
    }

    /// Says that records are missing: how many of which levels, for how long, and whose.
    fn render_gap(
        &mut self,
        time: u64,
        source: usize,
        gap: &Gap,
        lasted: Duration,
        threads: &Threads,
        delivery: &mut Delivery,
    ) {
        let drops = PerLevel::new(gap.by_level);
        if drops.total() == 0 {
            // Two threads found untold drops at once, and the other one told of them all.
            return;
        }
        let mut text = format!("{} records dropped here: {drops}", drops.total());
        if !lasted.is_zero() {
            text += &format!(", in {lasted:.1?}");
        }
        let lane = self.names.get(source).is_some();
        let name = lane.then(|| self.name_of_lane(source, threads));
        let name = match &name {
            Some(name) => {
                text += &format!(", lane {source}, thread {}", name.as_text());
                name.as_bytes()
            }
            None => {
                text += ", shared ring";
                b"shared ring"
            }
        };
        delivery.streams.notice(time, Level::Warn, name, &text);
    }

    /// Read again only after the lane got a new owner.
    #[inline]
    fn name_of_lane(&mut self, lane: usize, threads: &Threads) -> ThreadName {
        match self.names.get(lane) {
            Some(Some(name)) => *name,
            Some(None) => {
                let name = threads.of_lane(lane);
                self.names[lane] = Some(name);
                name
            }
            None => ThreadName::default(),
        }
    }

    fn name_of_other(&mut self, thread: u64, threads: &Threads) -> ThreadName {
        match self.last_other {
            Some((known, name)) if known == thread => name,
            _ => {
                let name = threads.of_thread(thread);
                self.last_other = Some((thread, name));
                name
            }
        }
    }
}

/// The context that a payload begins with if the record's flags say so, and what follows.
fn split_context(record_flags: u8, payload: &[u8]) -> (Context<'_>, &[u8]) {
    if record_flags & flags::CONTEXT == 0 {
        return (Context::default(), payload);
    }
    Context::split(payload)
}

/// The statement of a record and what follows, where it may be one that ran in a signal handler
/// only. Behind the thread's number.
fn introduced(statement: u32, payload: &[u8]) -> (u32, &[u8]) {
    if statement == Introduction::STATEMENT {
        if let Some((introduction, rest)) = Introduction::split(payload) {
            // SAFETY: the ring is this process's own, and whoever wrote the record made it.
            return (unsafe { callsite::introduce(&introduction) }, rest);
        }
    }
    (statement, payload)
}

impl Delivery {
    /// Renders a record.
    #[inline(always)]
    fn record(
        &mut self,
        time: u64,
        statement: u32,
        thread: &ThreadName,
        context: Context<'_>,
        payload: &[u8],
    ) {
        let number = self.rendered - self.offered;
        self.rendered += 1;
        self.statements.push(statement);
        let occurrence = Occurrence {
            unix_nanos: time,
            thread: thread.as_bytes(),
            thread_is_plain: thread.is_plain(),
            thread_id: thread.id(),
            number: self.rendered,
            context,
            payload,
        };
        self.streams.record(statement, &occurrence, number);
    }

    /// So many records need not be rendered.
    fn pass_over(&mut self, records: u64) {
        self.rendered += records;
        let unknown = std::iter::repeat_n(Introduction::STATEMENT, records as usize);
        self.statements.extend(unknown);
    }

    /// Hands the rendered entries to every sink.
    fn deliver(&mut self, now: u64) {
        let records = self.offered..self.rendered;
        let started = Instant::now();
        let Streams {
            formats, streams, ..
        } = &mut self.streams;
        self.common.in_turn(&mut self.branches, |place, branch| {
            let stream = &streams[self.stream_of[place]];
            let voice = &mut voice(&mut formats[stream.format], now);
            let batch = stream.batch(self.offered);
            if batch.bytes().is_empty() {
                branch.retry(voice, &mut self.ledger);
            } else {
                branch.offer(batch, records.clone(), voice, &mut self.ledger);
            }
        });
        if !records.is_empty() {
            self.pace = (started.elapsed(), records.end - records.start);
        }
        let all_settled = !self.branches.iter().any(Branch::holds);
        let first = self.offered;
        self.fresh.note(&self.statements, first, all_settled);
        self.statements.clear();
        self.bytes += self.streams.clear();
        self.offered = self.rendered;
    }

    /// Makes a call that costs no records of every sink, and answers what went wrong.
    fn call(&mut self, call: impl Fn(&mut Branch) -> Result<(), String>) -> Vec<String> {
        let mut failures = Vec::new();
        self.common.in_turn(&mut self.branches, |_, branch| {
            if let Err(error) = call(branch) {
                failures.push(format!("sink `{}`: {error}", branch.name()));
            }
        });
        failures
    }

    /// Whether a sink that has not failed cannot take more at the moment.
    fn is_busy(&self) -> bool {
        self.branches.iter().any(Branch::is_busy)
    }

    /// Flushes every sink, and answers what went wrong first.
    fn flush(&mut self, wanted: u64, now: u64) -> Option<FlushError> {
        let Streams {
            formats, streams, ..
        } = &mut self.streams;
        let mut first = None;
        self.common.in_turn(&mut self.branches, |place, branch| {
            let stream = &streams[self.stream_of[place]];
            let voice = &mut voice(&mut formats[stream.format], now);
            if let Err(error) = branch.flush(wanted, voice, &mut self.ledger) {
                first.get_or_insert(FlushError::Sink {
                    name: branch.name(),
                    error,
                });
            }
        });
        first
    }

    fn settled(&mut self) -> u64 {
        let (offered, ledger) = (self.offered, &mut self.ledger);
        let settled = self
            .branches
            .iter_mut()
            .map(|branch| branch.settle(offered, ledger));
        settled.min().unwrap_or(offered)
    }

    /// How many records every sink took, and how many at least one lost.
    fn account(&mut self, remainder: &mut Remainder) -> (u64, u64) {
        let settled = self.settled();
        remainder.settle(settled, &mut self.fresh, &self.ledger);
        let written = settled - self.ledger.lost_below(settled);
        (written, self.ledger.lost())
    }

    /// The sinks on threads of their own, and their places.
    fn apart(&mut self) -> impl Iterator<Item = (usize, &mut Offloaded)> {
        let branches = self.branches.iter_mut().enumerate();
        branches.filter_map(|(place, branch)| Some((place, branch.apart()?)))
    }

    /// The latest flush that all threads have done, of those up to `begun`, and what went wrong.
    fn flushed(&self, begun: u64) -> (u64, Option<FlushError>) {
        let mut all = (begun, None);
        for branch in &self.branches {
            let Some((flushed, error)) = branch.flushed() else {
                continue;
            };
            all.0 = all.0.min(flushed);
            let failure = error.map(|error| FlushError::Sink {
                name: branch.name(),
                error,
            });
            all.1 = all.1.or(failure);
        }
        all
    }
}

/// Makes entries of the logger's own, for sinks of this format.
fn voice(format: &mut Formatter, now: u64) -> impl FnMut(&str, &mut Vec<u8>) -> Mark + '_ {
    move |text, out| {
        let mut entry = Output::default();
        format.notice(&mut entry, now, Level::Warn, b"ringlog", text);
        out.extend_from_slice(entry.entries());
        Mark::own(now, Level::Warn, out.len())
    }
}

/// Marks the thread as being inside the consumer for as long as it lives.
pub(crate) struct Inside {
    before: u64,
}

impl Inside {
    pub(crate) fn enter(logger: u64) -> Self {
        Inside {
            before: INSIDE
                .try_with(|inside| inside.replace(logger))
                .unwrap_or(0),
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.set(self.before));
    }
}
