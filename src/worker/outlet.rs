//! A sink as the worker sees it: something that may fail, be slow, or panic.
//!
//! What a failing sink does not take waits in a buffer of bounded size and is offered again, at
//! longer and longer intervals. What does not fit in the buffer is lost for this sink, counted, and
//! told in its output where it is missing. No sink waits for another.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::ledger::Ledger;
use crate::sink::{Batch, Sink};

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
    /// Whether the sink took part of a line of which the rest is lost.
    torn: bool,
    /// What the sink said when it lost records, until a flush has reported it.
    unreported: Option<String>,
    /// Failed calls, all of them.
    errors: u64,
}

/// Bytes that wait, and the records that end in them; none in a line of the logger's own.
#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    records: Range<u64>,
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

    /// Offers a batch that holds these records, one per line.
    pub(crate) fn offer(&mut self, bytes: &[u8], records: Range<u64>, ledger: &mut Ledger) {
        self.retry(ledger);
        if self.trouble.is_none() && self.untold_losses > 0 {
            self.tell_losses(records.start);
            self.drain(ledger);
        }
        if self.trouble.is_some() {
            self.keep(bytes, records, ledger);
            return;
        }
        let taken = self.write(bytes, &records, ledger);
        let (done, rest) = bytes.split_at(taken);
        if !rest.is_empty() {
            let first = records.start + lines(done);
            self.keep(rest, first..records.end, ledger);
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
    pub(crate) fn flush(&mut self, offered: u64, ledger: &mut Ledger) -> Result<(), String> {
        self.drain(ledger);
        if self.trouble.is_none() && self.untold_losses > 0 {
            self.tell_losses(offered);
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
            ledger.lose(chunk.records);
        }
        self.pending_bytes = 0;
    }

    /// Offers what waits, now.
    fn drain(&mut self, ledger: &mut Ledger) {
        let before = self.trouble.take();
        while let Some(mut chunk) = self.pending.pop_front() {
            self.pending_bytes -= chunk.bytes.len();
            let taken = self.write(&chunk.bytes, &chunk.records, ledger);
            if taken < chunk.bytes.len() {
                if !chunk.records.is_empty() {
                    chunk.records.start += lines(&chunk.bytes[..taken]);
                }
                chunk.bytes.drain(..taken);
                self.pending_bytes += chunk.bytes.len();
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
    fn write(&mut self, bytes: &[u8], records: &Range<u64>, ledger: &mut Ledger) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            let rest = &bytes[taken..];
            let sink = &mut self.sink;
            match catch_unwind(AssertUnwindSafe(|| sink.write(&Batch::new(rest)))) {
                Ok(Ok(0)) => {
                    self.fail(io::Error::from(ErrorKind::WriteZero).to_string());
                    return taken;
                }
                Ok(Ok(more)) => {
                    taken += more.min(rest.len());
                    self.torn = bytes[taken - 1] != b'\n';
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
                    let first = (records.start + lines(&bytes[..taken])).min(records.end);
                    self.lose(first..records.end, ledger);
                    return bytes.len();
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

    fn lose(&mut self, records: Range<u64>, ledger: &mut Ledger) {
        if records.is_empty() {
            return;
        }
        self.untold_losses += records.end - records.start;
        let error = self.trouble.as_ref().map(|trouble| trouble.error.clone());
        self.unreported = error.or(self.unreported.take());
        ledger.lose(records);
    }

    /// Keeps what the sink did not take, as far as there is room.
    fn keep(&mut self, bytes: &[u8], records: Range<u64>, ledger: &mut Ledger) {
        if self.untold_losses > 0 {
            // All or nothing: where records are missing is told once.
            if bytes.len() + LOSS_LINE > MOST_PENDING.saturating_sub(self.pending_bytes) {
                self.lose(records, ledger);
                return;
            }
            self.tell_losses(records.start);
        }
        let room = MOST_PENDING.saturating_sub(self.pending_bytes);
        let fitting = if bytes.len() <= room {
            bytes.len()
        } else {
            // Whole lines.
            let end = bytes[..room].iter().rposition(|&byte| byte == b'\n');
            end.map_or(0, |end| end + 1)
        };
        let (kept, rest) = bytes.split_at(fitting);
        let lost = if rest.is_empty() {
            records.end
        } else {
            records.start + lines(kept)
        };
        if !kept.is_empty() {
            self.push(kept.to_vec(), records.start..lost);
        }
        self.lose(lost..records.end, ledger);
    }

    fn push(&mut self, bytes: Vec<u8>, records: Range<u64>) {
        self.pending_bytes += bytes.len();
        self.pending.push_back(Chunk { bytes, records });
    }

    /// Says in the sink's own output what is missing from it, before the record `next`.
    fn tell_losses(&mut self, next: u64) {
        let broken = if std::mem::take(&mut self.torn) {
            "\n"
        } else {
            ""
        };
        let line = format!(
            "{broken}ringlog: {} records are missing here: this sink had failed\n",
            self.untold_losses
        );
        self.untold_losses = 0;
        self.push(line.into_bytes(), next..next);
    }
}

/// What is said of a sink that panicked.
const PANICKED: &str = "it panicked";

/// Room enough for a line that tells of losses.
const LOSS_LINE: usize = 128;

/// How many records end in these bytes.
fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}
