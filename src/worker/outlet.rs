//! A sink as the worker sees it: something that may fail, be slow, or panic.
//!
//! What a failing sink does not take waits in a buffer of bounded size and is offered again, at
//! longer and longer intervals. When the buffer is full, the oldest entries in it are lost for this
//! sink: the latest ones tell what became of the program. What is lost is counted, and told in the
//! sink's output, in the form of its other entries, where it is missing. No sink waits for another.
//!
//! Everything that is lost lies directly before what waits, so one number and one line tell of it;
//! but for an entry of which the sink took part, whose rest is never lost to make room.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::mem;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ledger::Ledger;
use super::meter::Meter;
use crate::sink::{Batch, Kept, Mark, Null, Sink};

/// Makes an entry of the logger's own, in the form of the sink's other entries.
pub(crate) type Voice<'a> = dyn FnMut(&str, &mut Vec<u8>) -> Mark + 'a;

/// The most bytes of entries that wait for a failing sink.
const MOST_PENDING: usize = 1 << 20;

/// The pause after a first failure. It doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause of a sink that only cannot take more at the moment.
const LONGEST_BUSY_PAUSE: Duration = Duration::from_millis(8);

/// See the [module](self).
pub(crate) struct Outlet {
    sink: Box<dyn Sink>,
    /// What the sink has not taken, in order.
    pending: VecDeque<Chunk>,
    pending_bytes: usize,
    /// The record after the last one that was offered.
    next: u64,
    /// Set while the sink fails.
    trouble: Option<Trouble>,
    /// The records that are missing before what is pending, or behind the first chunk if that is
    /// the rest of an entry; until a line has told of them.
    untold_losses: u64,
    /// Whether some of them were lost because the sink was slow, or because it failed.
    too_slow: bool,
    had_failed: bool,
    /// Whether the sink took part of an entry of which the rest is lost.
    torn: bool,
    /// What the sink said when it lost records, until a flush has reported it.
    unreported: Option<String>,
    /// When a call may no longer follow another; `None` before a shutdown.
    until: Option<Instant>,
    meter: Arc<Meter>,
}

/// Entries that wait. All records of the range are in them, or were not for this sink.
#[derive(Debug)]
struct Chunk {
    entries: Kept,
    /// How many bytes of them are done with.
    taken: usize,
    records: Range<u64>,
}

impl Chunk {
    fn new(entries: Batch<'_>, records: Range<u64>) -> Self {
        Chunk {
            entries: entries.to_kept(),
            taken: 0,
            records,
        }
    }

    fn rest(&self) -> Batch<'_> {
        self.entries.batch().after(self.taken)
    }

    /// So many bytes more are done with.
    fn advance(&mut self, bytes: usize) {
        self.taken += bytes;
        let next = self.rest().records().next();
        self.records.start = next.unwrap_or(self.records.end);
    }
}

/// A sink that fails, and when it is tried again.
#[derive(Debug)]
struct Trouble {
    error: String,
    /// Whether the sink only cannot take more at the moment, such as a pipe that is full.
    busy: bool,
    pause: Duration,
    next_try: Instant,
}

/// How an offer to a sink ended.
enum Offered {
    /// It took so many bytes.
    Taken(usize),
    /// It panicked. What it did not take before is lost.
    Panicked,
}

impl Outlet {
    pub(crate) fn new(sink: Box<dyn Sink>, meter: Arc<Meter>) -> Self {
        Outlet {
            sink,
            pending: VecDeque::new(),
            pending_bytes: 0,
            next: 0,
            trouble: None,
            untold_losses: 0,
            too_slow: false,
            had_failed: false,
            torn: false,
            unreported: None,
            until: None,
            meter,
        }
    }

    /// Makes the sink fit for use in a forked child.
    pub(crate) fn restart_in_child(&mut self) -> Result<(), String> {
        self.call(|sink| sink.restart_in_child())
    }

    #[cfg(all(feature = "crash", unix))]
    pub(crate) fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        self.sink.descriptor()
    }

    /// All of it; what stays in its place takes what comes, and keeps nothing.
    pub(crate) fn take(&mut self) -> Outlet {
        let nothing = Outlet::new(Box::new(Null), self.meter.clone());
        mem::replace(self, nothing)
    }

    pub(crate) fn into_sink(self) -> Box<dyn Sink> {
        self.sink
    }

    pub(crate) fn name(&self) -> String {
        self.meter.name.clone()
    }

    /// Failed calls, all of them.
    pub(crate) fn errors(&self) -> u64 {
        self.meter.errors.get()
    }

    /// Whether something waits for a sink that cannot take more at the moment, and has not failed.
    pub(crate) fn is_busy(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.busy)
    }

    /// Whether something waits here.
    pub(crate) fn holds(&self) -> bool {
        !self.pending.is_empty()
    }

    /// From `until` on no call of the sink follows another.
    pub(crate) fn limit(&mut self, until: Instant) {
        self.until = Some(until);
    }

    fn is_at_limit(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Every record below this was taken or lost, if `offered` have been offered.
    pub(crate) fn settled(&self, offered: u64) -> u64 {
        self.pending
            .front()
            .map_or(offered, |chunk| chunk.records.start)
    }

    /// Offers a batch. It has those of these records that are for this sink.
    pub(crate) fn offer(
        &mut self,
        batch: Batch<'_>,
        records: Range<u64>,
        voice: &mut Voice<'_>,
        ledger: &mut Ledger,
    ) {
        self.next = records.start;
        if self.trouble.is_none() {
            // Tells of what was lost in a call that did not fail.
            self.drain(voice, ledger);
        } else {
            self.retry(voice, ledger);
        }
        self.next = records.end;
        let rest = if self.trouble.is_some() || self.holds() || self.is_at_limit() {
            batch
        } else {
            match self.write(batch, ledger) {
                Offered::Taken(bytes) => batch.after(bytes),
                Offered::Panicked => return,
            }
        };
        if !rest.bytes().is_empty() {
            let first = rest.records().next().unwrap_or(records.end);
            self.pending_bytes += rest.bytes().len();
            self.pending.push_back(Chunk::new(rest, first..records.end));
            self.make_room(ledger);
            self.meter.waiting.set(self.pending_bytes as u64);
        }
    }

    /// Offers again what waits, if the pause is over.
    pub(crate) fn retry(&mut self, voice: &mut Voice<'_>, ledger: &mut Ledger) {
        let due = |trouble: &Trouble| Instant::now() >= trouble.next_try;
        if self.trouble.as_ref().is_some_and(due) {
            self.drain(voice, ledger);
        }
    }

    /// Offers again what waits, without regard to the pause.
    pub(crate) fn retry_now(&mut self, voice: &mut Voice<'_>, ledger: &mut Ledger) {
        if self.trouble.is_some() {
            self.drain(voice, ledger);
        }
    }

    /// When a failing sink is tried again; `None` while it does not fail, and nothing waits.
    pub(crate) fn next_try(&self) -> Option<Instant> {
        self.trouble.as_ref().map(|trouble| trouble.next_try)
    }

    /// So many records never reached this sink. That is told before the next one. Only while the
    /// sink does not fail.
    pub(crate) fn missed(&mut self, records: u64) {
        if records > 0 {
            self.meter.lost.add(records);
            self.untold_losses += records;
            self.too_slow = true;
            self.unreported
                .get_or_insert_with(|| format!("{records} records found its queue full"));
        }
    }

    /// Flushes the sink. What fails is an error, whether of the flush or of a write before it.
    pub(crate) fn flush(
        &mut self,
        voice: &mut Voice<'_>,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        self.drain(voice, ledger);
        if self.trouble.is_none() {
            if let Err(error) = self.call(|sink| sink.flush()) {
                self.fail(error, false);
            }
        }
        let lost = self.unreported.take();
        match &self.trouble {
            Some(trouble) => Err(trouble.error.clone()),
            None => lost.map_or(Ok(()), Err),
        }
    }

    /// Has the sink open its destination again. What fails costs no records.
    pub(crate) fn reopen(&mut self) -> Result<(), String> {
        self.call(|sink| sink.reopen())
            .inspect_err(|_| self.meter.errors.add(1))
    }

    /// Has the sink do what it does by the clock. What fails costs no records.
    pub(crate) fn tick(&mut self) -> Result<(), String> {
        self.call(|sink| sink.tick())
            .inspect_err(|_| self.meter.errors.add(1))
    }

    /// Tells the sink that nothing more comes.
    pub(crate) fn close(&mut self, time_left: Duration) -> Result<(), String> {
        self.call(|sink| sink.close(time_left))
            .inspect_err(|_| self.meter.errors.add(1))
    }

    /// What still waits is lost, if the sink fails.
    pub(crate) fn give_up_failed(&mut self, ledger: &mut Ledger) {
        if self.trouble.as_ref().is_some_and(|trouble| !trouble.busy) {
            self.give_up(ledger);
        }
    }

    /// What still waits is lost.
    pub(crate) fn give_up(&mut self, ledger: &mut Ledger) {
        for chunk in self.pending.drain(..) {
            self.meter.lost.add(lose_all(chunk.rest(), ledger));
        }
        self.pending_bytes = 0;
        self.meter.waiting.set(0);
    }

    /// Offers what waits, now, and tells what is missing before it.
    fn drain(&mut self, voice: &mut Voice<'_>, ledger: &mut Ledger) {
        let before = self.trouble.take();
        loop {
            let completes_entry = self.begins_within_entry();
            if self.untold_losses > 0 && !completes_entry {
                self.tell_losses(voice, ledger);
            } else if let Some(mut chunk) = self.pending.pop_front() {
                let rest = chunk.rest();
                let whole = rest.bytes().len();
                let taken = match self.write(rest, ledger) {
                    Offered::Taken(bytes) => bytes,
                    Offered::Panicked => whole,
                };
                self.pending_bytes -= taken;
                if taken < whole {
                    chunk.advance(taken);
                    self.pending.push_front(chunk);
                }
            } else {
                break;
            }
            if self.trouble.is_some() || self.is_at_limit() {
                break;
            }
        }
        self.meter.waiting.set(self.pending_bytes as u64);
        if let (Some(now), Some(before)) = (&mut self.trouble, before) {
            let longest = if now.busy {
                LONGEST_BUSY_PAUSE
            } else {
                LONGEST_PAUSE
            };
            now.pause = (before.pause * 2).min(longest);
            now.next_try = Instant::now() + now.pause;
        }
    }

    /// Whether what waits begins with the rest of an entry.
    fn begins_within_entry(&self) -> bool {
        self.pending
            .front()
            .is_some_and(|chunk| chunk.rest().is_torn())
    }

    /// Writes as much as the sink takes.
    fn write(&mut self, batch: Batch<'_>, ledger: &mut Ledger) -> Offered {
        let mut taken = 0;
        while taken < batch.bytes().len() {
            if taken > 0 && self.is_at_limit() {
                break;
            }
            let rest = batch.after(taken);
            let sink = &mut self.sink;
            let started = Instant::now();
            let answer = catch_unwind(AssertUnwindSafe(|| sink.write(&rest)));
            self.meter.note_write(started.elapsed());
            match answer {
                Ok(Ok(0)) => {
                    self.fail(io::Error::from(ErrorKind::WriteZero).to_string(), false);
                    break;
                }
                Ok(Ok(more)) => {
                    let more = more.min(rest.bytes().len());
                    taken += more;
                    self.meter.bytes.add(more as u64);
                    self.torn = batch.after(taken).is_torn();
                }
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Ok(Err(error)) => {
                    let busy = error.kind() == ErrorKind::WouldBlock;
                    self.fail(error.to_string(), busy);
                    break;
                }
                Err(_) => {
                    // How much it took is not known, and offered again the same bytes could make
                    // it panic for ever.
                    self.fail(PANICKED.into(), false);
                    self.lose(rest, ledger);
                    return Offered::Panicked;
                }
            }
        }
        Offered::Taken(taken)
    }

    /// Any other call of the sink.
    fn call(&mut self, call: impl FnOnce(&mut dyn Sink) -> io::Result<()>) -> Result<(), String> {
        let sink = &mut *self.sink;
        match catch_unwind(AssertUnwindSafe(|| call(sink))) {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(PANICKED.into()),
        }
    }

    fn fail(&mut self, error: String, busy: bool) {
        self.meter.errors.add(u64::from(!busy));
        self.trouble = Some(Trouble {
            error,
            busy,
            pause: FIRST_PAUSE,
            next_try: Instant::now() + FIRST_PAUSE,
        });
    }

    fn lose(&mut self, batch: Batch<'_>, ledger: &mut Ledger) {
        let records = lose_all(batch, ledger);
        if records == 0 {
            return;
        }
        self.meter.lost.add(records);
        self.untold_losses += records;
        let busy = self.is_busy();
        self.too_slow |= busy;
        self.had_failed |= !busy;
        let error = self.trouble.as_ref().map(|trouble| trouble.error.clone());
        self.unreported = error.or(self.unreported.take());
    }

    /// Loses the oldest entries until what waits is no more than may wait.
    fn make_room(&mut self, ledger: &mut Ledger) {
        if self.pending_bytes > MOST_PENDING && self.begins_within_entry() {
            self.part_first_entry();
        }
        while self.pending_bytes > MOST_PENDING {
            let place = usize::from(self.begins_within_entry());
            let Some(mut chunk) = self.pending.remove(place) else {
                return;
            };
            let excess = self.pending_bytes - MOST_PENDING;
            let lost = chunk.rest().at_least(excess);
            let bytes = lost.bytes().len();
            self.lose(lost, ledger);
            self.pending_bytes -= bytes;
            chunk.advance(bytes);
            if !chunk.rest().bytes().is_empty() {
                self.pending.insert(place, chunk);
            }
        }
    }

    /// Makes the first entry, of which the sink took part, a chunk of its own.
    fn part_first_entry(&mut self) {
        let Some(mut chunk) = self.pending.pop_front() else {
            return;
        };
        let start = chunk.records.start;
        let entry = chunk.rest().at_least(1);
        let mut first = Chunk::new(entry, start..start);
        chunk.advance(entry.bytes().len());
        first.records.end = chunk.records.start;
        if !chunk.rest().bytes().is_empty() {
            self.pending.push_front(chunk);
        }
        self.pending.push_front(first);
    }

    /// Says in the sink's own output what is missing from it, here.
    fn tell_losses(&mut self, voice: &mut Voice<'_>, ledger: &mut Ledger) {
        let mut bytes = Vec::new();
        if self.torn {
            bytes.push(b'\n');
        }
        let cause = match (self.had_failed, self.too_slow) {
            (false, true) => "was too slow",
            (true, true) => "was too slow and had failed",
            _ => "had failed",
        };
        let text = format!(
            "{} records are missing here: this sink {cause}",
            self.untold_losses
        );
        let mark = voice(&text, &mut bytes);
        let next = self.settled(self.next);
        let entry = Batch::marked(&bytes, std::slice::from_ref(&mark), next);
        match self.write(entry, ledger) {
            // Told when it can be; there may be more to tell by then.
            Offered::Taken(0) | Offered::Panicked => {}
            Offered::Taken(taken) => {
                self.untold_losses = 0;
                (self.had_failed, self.too_slow) = (false, false);
                let rest = entry.after(taken);
                if !rest.bytes().is_empty() {
                    self.pending_bytes += rest.bytes().len();
                    self.pending.push_front(Chunk::new(rest, next..next));
                }
            }
        }
    }
}

/// The ledger loses all records of a batch. Answers how many it was.
pub(super) fn lose_all(batch: Batch<'_>, ledger: &mut Ledger) -> u64 {
    let mut count = 0;
    let mut numbers = batch.records().peekable();
    while let Some(first) = numbers.next() {
        let mut end = first + 1;
        while numbers.next_if_eq(&end).is_some() {
            end += 1;
        }
        count += end - first;
        ledger.lose(first..end);
    }
    count
}

/// What is said of a sink that panicked.
const PANICKED: &str = "it panicked";
