//! A sink on a thread of its own: the queue in between, and both of its ends.
//!
//! The consumer puts batches in and goes on. The thread takes them out, one at a time, and offers
//! them to the sink through an [`Outlet`], as the consumer would. What became of them comes back the
//! same way, so that the account stays exact: a record is settled when the sink has taken or lost
//! it, not when it is in the queue.
//!
//! One lock guards both directions. It is held for moving a batch in or out and never while the
//! sink runs, so neither side waits for more than that; only a shutdown waits for room.
//!
//! While the sink is in trouble nothing is taken out, so that what is lost is decided in one place:
//! where the queue is full, by its policy.

use std::collections::VecDeque;
use std::ffi::CString;
use std::io;
use std::mem;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::ledger::Ledger;
use super::meter::Meter;
use super::outlet::{Outlet, lose_all};
use super::{Common, Inside, LAST_TRIES, voice};
use crate::format::Formatter;
use crate::sink::{Batch, Collected, Offload, OffloadSettings as Settings, Place, QueueFull};
use crate::sys;
use crate::sys::exclusive::{Exclusive, Taken};

/// How many emptied batches are kept, with their memory, for batches to come.
const SPARE: usize = 4;

/// How often the sink does what it does by the clock.
const TICK: Duration = Duration::from_millis(5);

/// The consumer's end.
pub(crate) struct Offloaded {
    name: String,
    shared: Arc<Shared>,
    /// Until somebody has waited for its end. Nobody can in a forked child.
    thread: Option<JoinHandle<()>>,
    /// How long it may wait for room, all in all. Only a shutdown may.
    patience: Duration,
}

/// What both ends see.
pub(crate) struct Shared {
    /// Taken by the thread for each of its steps, and by nobody else; so that a fork finds it at
    /// rest in between.
    outlet: Exclusive<Outlet>,
    settings: Settings,
    meter: Arc<Meter>,
    common: Arc<Common>,
    state: Mutex<State>,
    /// Wakes the thread: a batch, a flush, the closing.
    work: Condvar,
    /// Wakes a shutdown that waits for room.
    room: Condvar,
}

#[derive(Default)]
struct State {
    queue: Queue,
    /// The latest flush that was asked for, and how many batches had been put in then.
    flush_wanted: u64,
    flush_after: u64,
    /// Whether the sink is to open its destination again; to come to an end; to be closed.
    reopen: bool,
    end: bool,
    close: bool,
    progress: Progress,
}

/// Batches that wait for the sink.
#[derive(Default)]
struct Queue {
    batches: VecDeque<Waiting>,
    bytes: usize,
    /// How many batches were ever put in, and how many are out again: taken or dropped.
    put: u64,
    out: u64,
    /// The records lost behind the last batch.
    lost_behind: u64,
    spare: Vec<Collected>,
}

/// A batch that waits.
struct Waiting {
    entries: Collected,
    /// How many bytes of them have been dropped.
    dropped: usize,
    /// All records of the range are in it, were lost, or were not for this sink.
    records: Range<u64>,
    /// The records lost between the batch before and this one.
    lost_before: u64,
    since: Instant,
}

impl Waiting {
    fn rest(&self) -> Batch<'_> {
        self.entries.batch().after(self.dropped)
    }
}

/// What the thread has done.
#[derive(Default)]
struct Progress {
    /// While the thread holds records that are not settled: all before this one are.
    unsettled: Option<u64>,
    lost: Vec<Range<u64>>,
    errors: u64,
    flushed: u64,
    flush_error: Option<String>,
    /// What went wrong last without costing records, until that has been told.
    failure: Option<String>,
    /// Whether it came to an end, and whether the sink is closed.
    ended: bool,
    closed: bool,
}

impl Offloaded {
    /// Starts the thread.
    pub(crate) fn start(
        outlet: Outlet,
        format: Formatter,
        settings: Settings,
        meter: Arc<Meter>,
        common: Arc<Common>,
    ) -> io::Result<Self> {
        let name = outlet.name();
        let shared = Arc::new(Shared {
            outlet: Exclusive::new(outlet),
            settings,
            meter,
            common,
            state: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
        });
        let thread_name = format!("ringlog {}", name.replace('\0', ""));
        let thread_name = CString::new(thread_name).unwrap_or_default();
        let thread = sys::thread::spawn(thread_name, {
            let shared = shared.clone();
            move || {
                sys::thread::block_signals();
                Runner::new(format, shared).run();
            }
        })?;
        Ok(Offloaded {
            name,
            shared,
            thread,
            patience: Duration::ZERO,
        })
    }

    pub(crate) fn shared(&self) -> Weak<Shared> {
        Arc::downgrade(&self.shared)
    }

    /// In a forked child: makes the sink fit for use there.
    pub(crate) fn restart_in_child(&self) -> Result<(), String> {
        // The sink stays where it is until it is known that all can be used.
        let outlet = &self.shared.outlet;
        match outlet.take_over(|outlet| Err::<(), _>(outlet.restart_in_child())) {
            Some(Err(answer)) => answer,
            _ => Err("it was being called while the process forked".into()),
        }
    }

    /// In a forked child: the sink, without what it has not taken.
    pub(crate) fn into_place(self) -> Option<Place> {
        let take = |outlet: &mut Outlet| Ok::<_, ()>(outlet.take());
        let outlet = self.shared.outlet.take_over(take)?.ok()?;
        let sink = outlet.into_sink();
        let settings = self.shared.settings;
        Some(Place::Apart(Offload { sink, settings }))
    }

    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    /// Puts a batch into the queue. It has those of these records that are for this sink. What does
    /// not fit is lost.
    pub(crate) fn offer(&mut self, batch: Batch<'_>, records: Range<u64>, ledger: &mut Ledger) {
        let shared = &*self.shared;
        let mut state = shared.state();
        let (mut batch, mut records) = (batch, records);
        while !self.patience.is_zero() {
            let room = shared
                .settings
                .queue_bytes
                .saturating_sub(state.queue.bytes);
            let fitting = batch.fitting(room);
            let rest = batch.after(fitting.bytes().len());
            let next = rest.records().next().unwrap_or(records.end);
            state
                .queue
                .put_all(fitting, records.start..next, &shared.settings);
            (batch, records.start) = (rest, next);
            if state.queue.bytes == 0 || batch.len() == 0 {
                break;
            }
            shared.work.notify_one();
            let started = Instant::now();
            let waiting = state.queue.bytes;
            (state, _) = shared
                .room
                .wait_timeout_while(state, self.patience, |state| state.queue.bytes == waiting)
                .unwrap_or_else(PoisonError::into_inner);
            self.patience = self.patience.saturating_sub(started.elapsed());
        }
        state.queue.put(batch, records, &shared.settings, ledger);
        shared.meter.queued.set(state.queue.bytes as u64);
        drop(state);
        shared.work.notify_one();
    }

    /// From now on it may wait for room, for so long all in all.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    pub(crate) fn errors(&self) -> u64 {
        self.shared.state().progress.errors
    }

    /// Every record below this was taken or lost, if `offered` have been offered; the lost ones are
    /// entered.
    pub(crate) fn settle(&mut self, offered: u64, ledger: &mut Ledger) -> u64 {
        let mut state = self.shared.state();
        for range in state.progress.lost.drain(..) {
            ledger.lose(range);
        }
        let first_waiting = || state.queue.batches.front().map(|first| first.records.start);
        state
            .progress
            .unsettled
            .or_else(first_waiting)
            .unwrap_or(offered)
    }

    /// Asks for a flush of everything that is in the queue. Does not wait.
    pub(crate) fn begin_flush(&mut self, wanted: u64) {
        let mut state = self.shared.state();
        state.flush_wanted = wanted;
        state.flush_after = state.queue.put;
        drop(state);
        self.shared.work.notify_one();
    }

    /// The latest flush that was done, and what went wrong in it.
    pub(crate) fn flushed(&self) -> (u64, Option<String>) {
        let progress = &self.shared.state().progress;
        (progress.flushed, progress.flush_error.clone())
    }

    /// Asks the sink to open its destination again. Does not wait.
    pub(crate) fn begin_reopen(&mut self) {
        self.shared.state().reopen = true;
        self.shared.work.notify_one();
    }

    /// What went wrong without costing records, and has not been answered before.
    pub(crate) fn failure(&mut self) -> Option<String> {
        self.shared.state().progress.failure.take()
    }

    /// Asks the thread to write what waits or give it up. Does not wait.
    pub(crate) fn begin_end(&mut self) {
        self.shared.state().end = true;
        self.shared.work.notify_one();
    }

    /// Whether it has.
    pub(crate) fn has_ended(&self) -> bool {
        self.shared.state().progress.ended
    }

    /// Asks the thread to write what has come since, and to close the sink. Does not wait.
    pub(crate) fn begin_close(&mut self) {
        self.shared.state().close = true;
        self.shared.work.notify_one();
    }

    /// Whether the sink is closed.
    pub(crate) fn is_closed(&mut self) -> bool {
        if !self.shared.state().progress.closed {
            return false;
        }
        if let Some(thread) = self.thread.take() {
            // It catches what sinks throw.
            let _ = thread.join();
        }
        true
    }
}

/// A logger that could not be built leaves no thread behind.
impl Drop for Offloaded {
    fn drop(&mut self) {
        // In a forked child there is no thread, and the lock may be that of one that is missing.
        if !self.shared.common.forked.load(Ordering::Relaxed) {
            self.begin_close();
        }
    }
}

impl Shared {
    /// For the thread that forks: as [`Exclusive::rest`].
    pub(crate) fn rest(&self, patience: impl FnMut() -> bool) {
        self.outlet.rest(patience);
    }

    /// The sink, for one step of its thread.
    fn outlet(&self) -> Taken<'_, Outlet> {
        loop {
            match self.outlet.try_take() {
                Some(outlet) => return outlet,
                // The sink forked, and this is the child: what follows is for the parent to do.
                None if self.common.forked.load(Ordering::Relaxed) => resume_unwind(Box::new(())),
                // A fork is under way.
                None => thread::sleep(Duration::from_micros(50)),
            }
        }
    }

    /// Nothing panics under the lock, so what it guards is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Puts in what fits, by the policy.
    fn put(
        &mut self,
        batch: Batch<'_>,
        records: Range<u64>,
        settings: &Settings,
        ledger: &mut Ledger,
    ) {
        let room = settings.queue_bytes.saturating_sub(self.bytes);
        let missing = batch.bytes().len().saturating_sub(room);
        if missing == 0 {
            return self.put_all(batch, records, settings);
        }
        match settings.when_full {
            QueueFull::DropNewest => {
                let kept = batch.fitting(room);
                let rest = batch.after(kept.bytes().len());
                let end = rest.records().next().unwrap_or(records.end);
                self.put_all(kept, records.start..end, settings);
                self.lost_behind += lose_all(rest, ledger);
            }
            QueueFull::DropOldest => {
                self.drop_oldest(missing, ledger);
                // A batch longer than the queue loses its own oldest entries.
                let lost = match batch.bytes().len().saturating_sub(settings.queue_bytes) {
                    0 => batch.first(0),
                    too_long => batch.at_least(too_long),
                };
                self.lost_behind += lose_all(lost, ledger);
                self.put_all(batch.after(lost.bytes().len()), records, settings);
            }
        }
    }

    /// Puts in everything, in batches of the size that the sink is to be given.
    fn put_all(&mut self, mut batch: Batch<'_>, records: Range<u64>, settings: &Settings) {
        let mut start = records.start;
        while batch.len() > 0 {
            let fitting = match self.room_in_last(&batch, settings) {
                Some(fitting) => fitting,
                None => self.begin(&batch, start, settings),
            };
            let rest = batch.after(fitting.bytes().len());
            let last = self.batches.back_mut().expect("one was begun");
            last.entries.append(&fitting);
            start = rest.records().next().unwrap_or(records.end);
            last.records.end = start;
            self.bytes += fitting.bytes().len();
            batch = rest;
        }
    }

    /// What of it fits into the last batch, if anything does.
    fn room_in_last<'a>(&self, batch: &Batch<'a>, settings: &Settings) -> Option<Batch<'a>> {
        let last = self.batches.back()?;
        if self.lost_behind > 0 || !last.entries.can_take(batch) {
            return None;
        }
        let present = last.entries.batch();
        let fitting = batch
            .fitting(settings.batch_bytes.saturating_sub(present.bytes().len()))
            .first(settings.batch_records.saturating_sub(present.len()));
        (fitting.len() > 0).then_some(fitting)
    }

    /// Begins a batch. Answers what goes into it.
    fn begin<'a>(&mut self, batch: &Batch<'a>, start: u64, settings: &Settings) -> Batch<'a> {
        self.batches.push_back(Waiting {
            entries: self.spare.pop().unwrap_or_default(),
            dropped: 0,
            records: start..start,
            lost_before: mem::take(&mut self.lost_behind),
            since: Instant::now(),
        });
        self.put += 1;
        let fitting = batch.fitting(settings.batch_bytes);
        // An entry that is longer goes alone.
        let fitting = if fitting.len() > 0 {
            fitting
        } else {
            batch.first(1)
        };
        fitting.first(settings.batch_records)
    }

    /// Drops the oldest entries: so many bytes, or up to an entry more.
    fn drop_oldest(&mut self, mut bytes: usize, ledger: &mut Ledger) {
        let mut lost = 0;
        while bytes > 0 {
            let Some(first) = self.batches.front_mut() else {
                break;
            };
            let dropped = first.rest().at_least(bytes);
            let length = dropped.bytes().len();
            lost += lose_all(dropped, ledger);
            lost += mem::take(&mut first.lost_before);
            self.bytes -= length;
            bytes = bytes.saturating_sub(length);
            first.dropped += length;
            let next = first.rest().records().next();
            first.records.start = next.unwrap_or(first.records.end);
            if first.rest().len() == 0 {
                let first = self.batches.pop_front();
                self.out += 1;
                self.recycle(first.map(|first| first.entries).unwrap_or_default());
            }
        }
        match self.batches.front_mut() {
            Some(first) => first.lost_before += lost,
            None => self.lost_behind += lost,
        }
    }

    fn take(&mut self) -> Option<Waiting> {
        let first = self.batches.pop_front()?;
        self.bytes -= first.rest().bytes().len();
        self.out += 1;
        Some(first)
    }

    fn recycle(&mut self, mut entries: Collected) {
        if self.spare.len() < SPARE {
            entries.clear();
            self.spare.push(entries);
        }
    }

    /// The records lost before the next entry that comes out. Who asks tells of them.
    fn lost_in_front(&mut self) -> u64 {
        mem::take(match self.batches.front_mut() {
            Some(first) => &mut first.lost_before,
            None => &mut self.lost_behind,
        })
    }

    /// How long until the first batch is to be written; `None` if there is none.
    fn due_in(&self, settings: &Settings) -> Option<Duration> {
        let first = self.batches.front()?;
        let rest = first.rest();
        let full = self.batches.len() > 1
            || rest.bytes().len() >= settings.batch_bytes
            || rest.len() >= settings.batch_records;
        Some(if full {
            Duration::ZERO
        } else {
            settings.batch_age.saturating_sub(first.since.elapsed())
        })
    }
}

impl State {
    /// Takes out the first batch. Its records stay unsettled.
    fn take(&mut self) -> Option<Waiting> {
        let batch = self.queue.take()?;
        self.progress.unsettled = Some(batch.records.start);
        Some(batch)
    }
}

/// The thread's end.
struct Runner {
    shared: Arc<Shared>,
    ledger: Ledger,
    /// Of the sink's entries; for what is to be said beside them.
    format: Formatter,
    /// The end of the records that the outlet was offered.
    offered: u64,
    /// Whether what waits in the outlet was offered again for the flush that is asked for.
    tried_for_flush: bool,
    /// When the sink last did what it does by the clock.
    ticked: Instant,
}

/// What the thread does next.
enum Step {
    Write(Waiting),
    /// Offers what the sink did not take again.
    Retry,
    Reopen,
    /// Has the sink do what it does by the clock.
    Tick,
    /// Flushes the sink for this flush, after telling of so many lost records.
    Flush(u64, u64),
    /// Comes to an end, as far as that is possible.
    End,
    /// Closes the sink.
    Close,
}

impl Runner {
    fn new(format: Formatter, shared: Arc<Shared>) -> Self {
        Runner {
            shared,
            ledger: Ledger::default(),
            format,
            offered: 0,
            tried_for_flush: false,
            ticked: Instant::now(),
        }
    }

    fn run(mut self) {
        let inside = Inside::enter(self.shared.common.id);
        loop {
            match self.next() {
                Step::Write(batch) => self.write(batch),
                Step::Retry => {
                    let mut voice = voice(&mut self.format, now());
                    let mut outlet = self.shared.outlet();
                    outlet.retry_now(&mut voice, &mut self.ledger);
                    drop((voice, outlet));
                    self.publish();
                }
                Step::Reopen => {
                    let answer = self.shared.outlet().reopen();
                    self.note(answer);
                }
                Step::Tick => {
                    self.ticked = Instant::now();
                    let answer = self.shared.outlet().tick();
                    self.note(answer);
                }
                Step::Flush(wanted, lost) => {
                    self.shared.outlet().missed(lost);
                    let error = self.flush().err();
                    let mut state = self.shared.state();
                    (state.progress.flushed, state.progress.flush_error) = (wanted, error);
                    drop(state);
                    self.shared.common.control.wake_consumer();
                }
                Step::End => {
                    self.end(LAST_TRIES);
                    self.shared.state().progress.ended = true;
                    self.shared.common.control.wake_consumer();
                }
                Step::Close => break,
            }
        }
        self.end(Duration::ZERO);
        let time_left = self.shared.common.control.time_left();
        if !time_left.is_zero() {
            let _ = self.shared.outlet().close(time_left);
            self.publish();
        }
        let Runner { shared, .. } = self;
        let outlet = shared.outlet().take();
        // A sink that panics while it is closed has nothing left to lose.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(outlet)));
        drop(inside);
        shared.state().progress.closed = true;
        shared.common.control.wake_consumer();
    }

    /// Waits until there is something to do.
    fn next(&mut self) -> Step {
        let shared = self.shared.clone();
        // Not while the lock is held: a fork may be under way, for which the consumer has to come
        // to rest. Nothing but the steps of this thread changes it.
        let outlet = shared.outlet();
        let (retry, is_busy) = (outlet.next_try(), outlet.is_busy());
        drop(outlet);
        let mut state = shared.state();
        loop {
            if state.reopen {
                state.reopen = false;
                return Step::Reopen;
            }
            if state.end && !state.progress.ended {
                return Step::End;
            }
            if state.close {
                return Step::Close;
            }
            let flush = state.flush_wanted > state.progress.flushed;
            let failing = retry.is_some() && !is_busy;
            if flush && failing && !self.tried_for_flush {
                // Only a sink that is still in trouble fails a flush.
                self.tried_for_flush = true;
                return Step::Retry;
            }
            if flush && (failing || retry.is_none() && state.queue.out >= state.flush_after) {
                self.tried_for_flush = false;
                let lost = match retry {
                    Some(_) => 0,
                    None => state.queue.lost_in_front(),
                };
                return Step::Flush(state.flush_wanted, lost);
            }
            let until_tick = TICK.saturating_sub(self.ticked.elapsed());
            if until_tick.is_zero() {
                return Step::Tick;
            }
            let pause = match retry {
                Some(next_try) => {
                    let pause = next_try.saturating_duration_since(Instant::now());
                    if pause.is_zero() {
                        return Step::Retry;
                    }
                    Some(pause)
                }
                None => match state.queue.due_in(&shared.settings) {
                    Some(pause) if pause.is_zero() || flush => {
                        let batch = state.take().expect("one is due");
                        shared.room.notify_one();
                        return Step::Write(batch);
                    }
                    pause => pause,
                },
            };
            let pause = pause.map_or(until_tick, |pause| pause.min(until_tick));
            let waited = shared.work.wait_timeout(state, pause);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn write(&mut self, batch: Waiting) {
        self.offered = batch.records.end;
        let (entries, records) = (batch.rest(), batch.records.clone());
        let mut voice = voice(&mut self.format, now());
        let mut outlet = self.shared.outlet();
        outlet.missed(batch.lost_before);
        outlet.offer(entries, records, &mut voice, &mut self.ledger);
        drop((voice, outlet));
        self.publish();
        self.shared.state().queue.recycle(batch.entries);
    }

    fn flush(&mut self) -> Result<(), String> {
        let mut voice = voice(&mut self.format, now());
        let mut outlet = self.shared.outlet();
        let answer = outlet.flush(&mut voice, &mut self.ledger);
        drop((voice, outlet));
        self.publish();
        answer
    }

    /// Tells the consumer of what went wrong without costing records.
    fn note(&mut self, answer: Result<(), String>) {
        if let Err(error) = answer {
            self.publish();
            self.shared.state().progress.failure = Some(error);
        }
    }

    /// Tells the consumer what became of the records.
    fn publish(&mut self) {
        let outlet = self.shared.outlet();
        let (settled, errors) = (outlet.settled(self.offered), outlet.errors());
        drop(outlet);
        let mut state = self.shared.state();
        state.progress.unsettled = (settled < self.offered).then_some(settled);
        state.progress.errors = errors;
        self.shared.meter.queued.set(state.queue.bytes as u64);
        self.ledger.hand_over(&mut state.progress.lost);
    }

    /// Writes what waits, until the deadline. A sink that fails is tried again for so long, then what
    /// it did not take is lost.
    fn end(&mut self, patience: Duration) {
        const FIRST_PAUSE: Duration = Duration::from_millis(1);
        let shared = self.shared.clone();
        let time_left = || shared.common.control.time_left();
        let mut failing_since = None;
        let mut pause = FIRST_PAUSE;
        while !time_left().is_zero() {
            if self.shared.outlet().next_try().is_none() {
                failing_since = None;
                pause = FIRST_PAUSE;
                let batch = shared.state().take();
                if let Some(batch) = batch {
                    shared.room.notify_one();
                    self.write(batch);
                    continue;
                }
                let lost = shared.state().queue.lost_in_front();
                self.shared.outlet().missed(lost);
            }
            let _ = self.flush();
            if self.shared.outlet().next_try().is_none() {
                if shared.state().queue.batches.is_empty() {
                    return;
                }
                continue;
            }
            let since = *failing_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= patience && !self.shared.outlet().is_busy() {
                self.give_up();
                return;
            }
            thread::sleep(pause.min(time_left()));
            let longest = if self.shared.outlet().is_busy() {
                TICK
            } else {
                LAST_TRIES
            };
            pause = (pause * 2).min(longest);
        }
    }

    /// What still waits is lost.
    fn give_up(&mut self) {
        self.shared.outlet().give_up(&mut self.ledger);
        let mut state = self.shared.state();
        while let Some(batch) = state.queue.take() {
            self.offered = batch.records.end;
            lose_all(batch.rest(), &mut self.ledger);
        }
        drop(state);
        self.shared.room.notify_one();
        self.publish();
    }
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64)
}
