//! A sink as the worker sees it: something that may fail, be slow, or panic.
//!
//! What a failing sink does not take waits in a buffer of bounded size and is offered again, at
//! longer and longer intervals. What does not fit in the buffer is lost for this sink, counted, and
//! told in its output when it works again. No sink waits for another.

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
    /// What the sink has not taken; begins in the middle of a record if it took part of one.
    pending: Vec<u8>,
    /// The records that end in `pending`.
    pending_records: Range<u64>,
    /// Set while the sink fails.
    trouble: Option<Trouble>,
    /// The records lost since the sink last worked.
    untold_losses: u64,
    /// Failed calls, all of them.
    errors: u64,
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
            pending: Vec::new(),
            pending_records: 0..0,
            trouble: None,
            untold_losses: 0,
            errors: 0,
        }
    }

    pub(crate) fn name(&self) -> String {
        self.sink.name().to_owned()
    }

    pub(crate) fn errors(&self) -> u64 {
        self.errors
    }

    /// The sink's last error, while it fails.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_ref().map(|trouble| &*trouble.error)
    }

    /// Every record below this was taken or lost, if `rendered` have been rendered.
    pub(crate) fn settled(&self, rendered: u64) -> u64 {
        if self.pending.is_empty() {
            rendered
        } else {
            self.pending_records.start
        }
    }

    /// Offers a batch that holds these records, one per line.
    pub(crate) fn offer(&mut self, bytes: &[u8], records: Range<u64>, ledger: &mut Ledger) {
        self.retry(false, ledger);
        if self.pending.is_empty() && self.trouble.is_none() {
            self.tell_losses();
            let taken = self.write(bytes, &records, ledger);
            let (taken_bytes, rest) = bytes.split_at(taken);
            if !rest.is_empty() {
                let done = records.start + lines(taken_bytes);
                self.keep(rest, done..records.end, ledger);
            }
        } else {
            self.keep(bytes, records, ledger);
        }
    }

    /// Offers again what waits, if the pause is over or `now`.
    pub(crate) fn retry(&mut self, now: bool, ledger: &mut Ledger) {
        let Some(trouble) = &self.trouble else {
            return;
        };
        if !now && Instant::now() < trouble.next_try {
            return;
        }
        if self.pending.is_empty() {
            // A panic or a failed flush left nothing to offer: the next batch is the test.
            self.trouble = None;
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let records = self.pending_records.clone();
        let pause = trouble.pause;
        self.trouble = None;
        let taken = self.write(&pending, &records, ledger);
        if let Some(trouble) = &mut self.trouble {
            trouble.pause = (pause * 2).min(LONGEST_PAUSE);
            trouble.next_try = Instant::now() + trouble.pause;
        }
        if taken < pending.len() {
            self.pending_records.start = records.start + lines(&pending[..taken]);
            self.pending = pending;
            self.pending.drain(..taken);
        }
    }

    /// Flushes the sink. What fails is an error, whether of the flush or of a write before.
    pub(crate) fn flush(&mut self, ledger: &mut Ledger) -> Result<(), String> {
        self.retry(true, ledger);
        if self.trouble.is_none() {
            self.tell_losses();
            let sink = &mut self.sink;
            match catch_unwind(AssertUnwindSafe(|| sink.flush())) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.fail(error.to_string()),
                Err(_) => self.fail("it panicked".into()),
            }
        }
        match self.trouble() {
            Some(error) => Err(error.to_owned()),
            None => Ok(()),
        }
    }

    /// What still waits is lost.
    pub(crate) fn give_up(&mut self, ledger: &mut Ledger) {
        if !self.pending.is_empty() {
            ledger.lose(self.pending_records.clone());
            self.pending = Vec::new();
        }
    }

    /// Writes as much as the sink takes, and answers how many bytes that was.
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
                Ok(Ok(more)) => taken += more.min(rest.len()),
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Ok(Err(error)) => {
                    self.fail(error.to_string());
                    return taken;
                }
                Err(_) => {
                    // How much it took is not known, and offered again the same bytes could make
                    // it panic for ever.
                    self.fail("it panicked".into());
                    let lost = records.start + lines(&bytes[..taken])..records.end;
                    self.untold_losses += lost.end - lost.start;
                    ledger.lose(lost);
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

    /// Keeps what the sink did not take, as far as there is room.
    fn keep(&mut self, bytes: &[u8], records: Range<u64>, ledger: &mut Ledger) {
        let room = MOST_PENDING.saturating_sub(self.pending.len());
        // After a loss, nothing may be kept before the sink has been told of it.
        let fitting = if self.untold_losses > 0 && !self.pending.is_empty() {
            0
        } else if bytes.len() <= room {
            bytes.len()
        } else {
            // Whole lines.
            bytes[..room]
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |end| end + 1)
        };
        let kept = records.start + lines(&bytes[..fitting]);
        if fitting > 0 {
            if self.pending.is_empty() {
                self.pending_records.start = records.start;
            }
            self.pending.extend_from_slice(&bytes[..fitting]);
            self.pending_records.end = kept;
        }
        let lost = kept..records.end;
        self.untold_losses += lost.end - lost.start;
        ledger.lose(lost);
    }

    /// Says in the sink's own output what is missing from it.
    fn tell_losses(&mut self) {
        if self.untold_losses == 0 {
            return;
        }
        let line = format!(
            "ringlog: {} records are missing here: this sink had failed\n",
            self.untold_losses
        );
        let sink = &mut self.sink;
        if let Ok(Ok(_)) = catch_unwind(AssertUnwindSafe(|| {
            sink.write(&Batch::new(line.as_bytes()))
        })) {
            self.untold_losses = 0;
        }
    }
}

/// How many records end in these bytes.
fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}
