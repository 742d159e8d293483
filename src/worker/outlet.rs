//! A sink as the worker sees it: something that may fail, be slow, or panic.
//!
//! What a failing sink does not take waits in a buffer of bounded size and is offered again, at
//! longer and longer intervals. What does not fit in the buffer is lost for this sink, counted, and
//! told in its output, in the form of its other entries, where it is missing. No sink waits for another.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::ledger::Ledger;
use crate::sink::{Batch, Kept, Mark, Sink};

/// Makes an entry of the logger's own, in the form of the sink's other entries.
pub(crate) type Voice<'a> = dyn FnMut(&str, &mut Vec<u8>) -> Mark + 'a;

/// The most bytes that wait for a failing sink.
const MOST_PENDING: usize = 1 << 20;

/// The pause after a first failure. It doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// See the [module](self).
pub(crate) struct Outlet {
    sink: Box<dyn Sink>,
    /// What the sink has not taken, in order.
    pending: VecDeque<Chunk>,
    pending_bytes: usize,
    /// Set while the sink fails.
    trouble: Option<Trouble>,
    /// The records lost since the last line that told of losses.
    untold_losses: u64,
    /// Whether the sink took part of an entry of which the rest is lost.
    torn: bool,
    /// What the sink said when it lost records, until a flush has reported it.
    unreported: Option<String>,
    /// Failed calls, all of them.
    errors: u64,
}

/// Entries that wait. All records of the range are in them, or were not for this sink.
#[derive(Debug)]
struct Chunk {
    entries: Kept,
    /// How many bytes of them the sink took.
    taken: usize,
    records: Range<u64>,
}

impl Chunk {
    fn rest(&self) -> Batch<'_> {
        self.entries.batch().after(self.taken)
    }
}

/// A sink that fails, and when it is tried again.
#[derive(Debug)]
struct Trouble {
    error: String,
    pause: Duration,
    next_try: Instant,
}

impl Outlet {
    pub(crate) fn new(sink: Box<dyn Sink>) -> Self {
        Outlet {
            sink,
            pending: VecDeque::new(),
            pending_bytes: 0,
            trouble: None,
            untold_losses: 0,
            torn: false,
            unreported: None,
            errors: 0,
        }
    }

    pub(crate) fn name(&self) -> String {
        self.sink.name().to_owned()
    }

    pub(crate) fn errors(&self) -> u64 {
        self.errors
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
        self.retry(ledger);
        if self.trouble.is_none() && self.untold_losses > 0 {
            self.tell_losses(records.start, voice);
            self.drain(ledger);
        }
        let rest = if self.trouble.is_some() {
            batch
        } else {
            batch.after(self.write(batch, ledger))
        };
        if !rest.bytes().is_empty() {
            let first = rest.records().next().unwrap_or(records.end);
            self.keep(rest, first..records.end, voice, ledger);
        }
    }

    /// Offers again what waits, if the pause is over.
    pub(crate) fn retry(&mut self, ledger: &mut Ledger) {
        let due = |trouble: &Trouble| Instant::now() >= trouble.next_try;
        if self.trouble.as_ref().is_some_and(due) {
            self.drain(ledger);
        }
    }

    /// Flushes the sink. What fails is an error, whether of the flush or of a write before it.
    pub(crate) fn flush(
        &mut self,
        offered: u64,
        voice: &mut Voice<'_>,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        self.drain(ledger);
        if self.trouble.is_none() && self.untold_losses > 0 {
            self.tell_losses(offered, voice);
            self.drain(ledger);
        }
        if self.trouble.is_none() {
            let sink = &mut self.sink;
            match catch_unwind(AssertUnwindSafe(|| sink.flush())) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.fail(error.to_string()),
                Err(_) => self.fail(PANICKED.into()),
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
        let sink = &mut self.sink;
        let answer = catch_unwind(AssertUnwindSafe(|| sink.reopen()));
        let error = match answer {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => PANICKED.into(),
        };
        self.errors += 1;
        Err(error)
    }

    /// What still waits is lost.
    pub(crate) fn give_up(&mut self, ledger: &mut Ledger) {
        for chunk in self.pending.drain(..) {
            lose_all(chunk.rest(), ledger);
        }
        self.pending_bytes = 0;
    }

    /// Offers what waits, now.
    fn drain(&mut self, ledger: &mut Ledger) {
        let before = self.trouble.take();
        while let Some(mut chunk) = self.pending.pop_front() {
            let rest = chunk.rest();
            let taken = self.write(rest, ledger);
            self.pending_bytes -= taken;
            if taken < rest.bytes().len() {
                let next = rest.after(taken).records().next();
                chunk.records.start = next.unwrap_or(chunk.records.end);
                chunk.taken += taken;
                self.pending.push_front(chunk);
            }
            if self.trouble.is_some() {
                break;
            }
        }
        if let (Some(now), Some(before)) = (&mut self.trouble, before) {
            now.pause = (before.pause * 2).min(LONGEST_PAUSE);
            now.next_try = Instant::now() + now.pause;
        }
    }

    /// Writes as much as the sink takes, and answers how many bytes are done with: taken, or lost
    /// in a panic.
    fn write(&mut self, batch: Batch<'_>, ledger: &mut Ledger) -> usize {
        let mut taken = 0;
        while taken < batch.bytes().len() {
            let rest = batch.after(taken);
            let sink = &mut self.sink;
            match catch_unwind(AssertUnwindSafe(|| sink.write(&rest))) {
                Ok(Ok(0)) => {
                    self.fail(io::Error::from(ErrorKind::WriteZero).to_string());
                    return taken;
                }
                Ok(Ok(more)) => {
                    taken += more.min(rest.bytes().len());
                    self.torn = batch.after(taken).is_torn();
                }
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Ok(Err(error)) => {
                    self.fail(error.to_string());
                    return taken;
                }
                Err(_) => {
                    // How much it took is not known, and offered again the same bytes could make
                    // it panic for ever.
                    self.fail(PANICKED.into());
                    self.lose(rest, ledger);
                    return batch.bytes().len();
                }
            }
        }
        taken
    }

    fn fail(&mut self, error: String) {
        self.errors += 1;
        self.trouble = Some(Trouble {
            error,
            pause: FIRST_PAUSE,
            next_try: Instant::now() + FIRST_PAUSE,
        });
    }

    fn lose(&mut self, batch: Batch<'_>, ledger: &mut Ledger) {
        let records = lose_all(batch, ledger);
        if records == 0 {
            return;
        }
        self.untold_losses += records;
        let error = self.trouble.as_ref().map(|trouble| trouble.error.clone());
        self.unreported = error.or(self.unreported.take());
    }

    /// Keeps what the sink did not take, as far as there is room.
    fn keep(
        &mut self,
        batch: Batch<'_>,
        records: Range<u64>,
        voice: &mut Voice<'_>,
        ledger: &mut Ledger,
    ) {
        if self.untold_losses > 0 {
            // All or nothing: where records are missing is told once.
            let room = MOST_PENDING.saturating_sub(self.pending_bytes);
            if batch.bytes().len() + LOSS_LINE > room {
                self.lose(batch, ledger);
                return;
            }
            self.tell_losses(records.start, voice);
        }
        let kept = batch.fitting(MOST_PENDING.saturating_sub(self.pending_bytes));
        let rest = batch.after(kept.bytes().len());
        let lost = rest.records().next().unwrap_or(records.end);
        if !kept.bytes().is_empty() {
            self.push(kept.to_kept(), records.start..lost);
        }
        self.lose(rest, ledger);
    }

    fn push(&mut self, entries: Kept, records: Range<u64>) {
        self.pending_bytes += entries.batch().bytes().len();
        self.pending.push_back(Chunk {
            entries,
            taken: 0,
            records,
        });
    }

    /// Says in the sink's own output what is missing from it, before the record `next`.
    fn tell_losses(&mut self, next: u64, voice: &mut Voice<'_>) {
        let mut bytes = Vec::new();
        if std::mem::take(&mut self.torn) {
            bytes.push(b'\n');
        }
        let text = format!(
            "{} records are missing here: this sink had failed",
            self.untold_losses
        );
        let mark = voice(&text, &mut bytes);
        self.untold_losses = 0;
        self.push(Batch::marked(&bytes, &[mark], next).to_kept(), next..next);
    }
}

/// The ledger loses all records of a batch. Answers how many it was.
fn lose_all(batch: Batch<'_>, ledger: &mut Ledger) -> u64 {
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

/// Room enough for an entry that tells of losses, in any format.
const LOSS_LINE: usize = 1024;
