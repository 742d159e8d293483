//! A sink that stands in for another.
//!
//! A circuit breaker decides who is written to. It opens when the first sink has failed so many times
//! in a row; from then on the second one gets everything, beginning with what the first did not
//! take. After a pause one batch is a probe: the first sink is offered it, and if it takes it, all is
//! as before; if not, the second one gets that batch as well, and the next pause is longer.
//!
//! The change comes between entries. One that the first sink took part of is given to the second one
//! whole.

use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::{Batch, Collected, Sink};
use crate::format::AnyFormat;

/// Writes to a first sink, and to a second one while the first fails. Nothing is lost as long as one
/// of them works.
///
/// The second one takes over when the first has failed three times in a row, which takes a few
/// milliseconds; until then what it did not take waits. Then the first one is tried again with one
/// batch after a second, and after pauses that double up to a minute; as soon as it takes one, it
/// gets everything again. The log says in a line of its own when that happens, and how much went to
/// the second sink.
///
/// Both get the same text: in the format that is named, or that both like best, or else
/// [`Text`](crate::format::Text).
///
/// A flush flushes the one that is written to. A first sink that fails in a flush has failed, and so
/// has the flush: what it had taken may be lost. A first sink that is slow holds up the consumer;
/// behind an [`Offload`](super::Offload) it does not: `Offload::new(Fallback::new(a, b))`.
///
/// ```
/// use ringlog::sink::{Fallback, File, Memory};
/// use ringlog::{RingLogger, info};
/// use std::time::Duration;
///
/// # #[cfg(target_os = "linux")] {
/// let memory = Memory::new();
/// let logger = RingLogger::builder()
///     .sink(Fallback::new(File::append("/dev/full")?, memory.clone()))
///     .build()?;
/// info!(logger: &logger, "filled {} lots", 3);
/// let report = logger.shutdown(Duration::from_secs(1));
/// assert_eq!(report.written, 1);
/// assert!(memory.contents().contains("filled 3 lots\n"));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Fallback {
    halves: [Half; 2],
    name: String,
    breaker: Breaker,
    /// What one of them took of the entry that it has not taken whole.
    begun: Option<Begun>,
    /// An entry that the other one had begun, on its way to this one.
    owed: Option<Owed>,
    /// How many entries the second one has taken since it took over.
    diverted: u64,
    /// The second one failed when it was last written to.
    second_fails: bool,
    /// What is to be said in the log.
    notice: Option<String>,
}

/// The places of the two sinks.
const FIRST: usize = 0;
const SECOND: usize = 1;

struct Half {
    sink: Box<dyn Sink>,
    /// Its output ends within an entry, of which the other one has the whole.
    torn: bool,
}

struct Begun {
    by: usize,
    bytes: Vec<u8>,
}

struct Owed {
    to: usize,
    entry: Collected,
    /// How much of it has been taken.
    taken: usize,
}

impl Fallback {
    /// Writes to the first sink, and to the second while the first fails.
    #[must_use]
    pub fn new(first: impl Sink + 'static, second: impl Sink + 'static) -> Self {
        Fallback::boxed(Box::new(first), Box::new(second))
    }

    pub(crate) fn boxed(first: Box<dyn Sink>, second: Box<dyn Sink>) -> Self {
        Fallback {
            name: format!("{}, else {}", first.name(), second.name()),
            halves: [first, second].map(|sink| Half { sink, torn: false }),
            breaker: Breaker {
                state: State::Closed { failures: 0 },
                most_failures: 3,
                first_pause: Duration::from_secs(1),
                longest_pause: Duration::from_secs(60),
            },
            begun: None,
            owed: None,
            diverted: 0,
            second_fails: false,
            notice: None,
        }
    }

    /// After how many failures in a row the second sink takes over, at least 1; default 3.
    #[must_use]
    pub fn after_failures(mut self, failures: u32) -> Self {
        self.breaker.most_failures = failures.max(1);
        self
    }

    /// The pause before the first sink is tried again; default 1 s. It doubles with each failure, up
    /// to `longest`; default 60 s. Neither is longer than a year.
    #[must_use]
    pub fn probe_after(mut self, pause: Duration, longest: Duration) -> Self {
        const YEAR: Duration = Duration::from_secs(365 * 86_400);
        self.breaker.first_pause = pause.min(YEAR);
        self.breaker.longest_pause = longest.max(pause).min(YEAR);
        self
    }

    /// The pauses, where they are given.
    #[cfg(feature = "config")]
    pub(crate) fn probe(self, pause: Option<Duration>, longest: Option<Duration>) -> Self {
        let pause = pause.unwrap_or(self.breaker.first_pause);
        let longest = longest.unwrap_or(self.breaker.longest_pause);
        self.probe_after(pause, longest)
    }

    /// Gives a batch to one of the two. An entry that the other one has begun it gets whole.
    fn write_to(&mut self, to: usize, batch: &Batch<'_>) -> io::Result<usize> {
        let entry = batch.first(1);
        self.take_over_entry(to, &entry);
        if self.halves[to].torn {
            match self.call(to, |sink| sink.write(&Batch::line_feed()))? {
                0 => return Err(ErrorKind::WriteZero.into()),
                _ => self.halves[to].torn = false,
            }
        }
        let Some(mut owed) = self.owed.take() else {
            let taken = self.call(to, |sink| sink.write(batch))?;
            let taken = taken.min(batch.bytes().len());
            self.note_begun(to, batch, taken);
            return Ok(taken);
        };
        while owed.taken < owed.entry.batch().bytes().len() {
            let rest = owed.entry.batch().after(owed.taken);
            match self.call(to, |sink| sink.write(&rest)) {
                Ok(more) if more > 0 => owed.taken += more.min(rest.bytes().len()),
                other => {
                    self.owed = Some(owed);
                    return other;
                }
            }
        }
        self.begun = None;
        Ok(entry.bytes().len())
    }

    /// If the batch begins within an entry of which the other one took part, this one is owed the
    /// whole.
    fn take_over_entry(&mut self, to: usize, rest: &Batch<'_>) {
        if !rest.is_torn() {
            (self.begun, self.owed) = (None, None);
        }
        match &mut self.owed {
            Some(owed) if owed.to != to => {
                self.halves[owed.to].torn |= owed.taken > 0;
                (owed.to, owed.taken) = (to, 0);
            }
            Some(_) => {}
            None => {
                if let Some(begun) = self.begun.take_if(|begun| begun.by != to) {
                    self.halves[begun.by].torn = true;
                    self.owed = Some(Owed {
                        to,
                        entry: Collected::completed(&begun.bytes, rest),
                        taken: 0,
                    });
                }
            }
        }
    }

    /// Keeps what was taken of an entry that goes on.
    fn note_begun(&mut self, by: usize, batch: &Batch<'_>, taken: usize) {
        let goes_on = batch.is_torn() && batch.first(1).bytes().len() > taken;
        let mut bytes = match self.begun.take() {
            Some(begun) if goes_on => begun.bytes,
            _ => Vec::new(),
        };
        let rest = batch.after(taken);
        if rest.is_torn() {
            bytes.extend_from_slice(batch.begun_within(taken));
            self.begun = Some(Begun { by, bytes });
        }
        if by == SECOND {
            self.diverted += (batch.len() - rest.len()) as u64;
        }
    }

    /// Calls one of the two. A panic is an error: the other one is there for what it was given.
    fn call<R>(
        &mut self,
        whom: usize,
        call: impl FnOnce(&mut dyn Sink) -> io::Result<R>,
    ) -> io::Result<R> {
        let sink = &mut *self.halves[whom].sink;
        catch_unwind(AssertUnwindSafe(|| call(sink)))
            .unwrap_or_else(|_| Err(io::Error::other("it panicked")))
    }

    /// Calls both. Two errors are one.
    fn call_both(
        &mut self,
        mut call: impl FnMut(&mut dyn Sink) -> io::Result<()>,
    ) -> io::Result<()> {
        let first = self.call(FIRST, &mut call);
        both(first, self.call(SECOND, call))
    }

    fn succeeded(&mut self) {
        if let Some((error, since)) = self.breaker.succeeded() {
            self.notice = Some(format!(
                "`{}` works again, after {:.1?}; {} entries went to `{}` ({error})",
                self.halves[FIRST].sink.name(),
                since.elapsed(),
                self.diverted,
                self.halves[SECOND].sink.name(),
            ));
            self.diverted = 0;
        }
    }

    /// The first sink failed. Answers whether the second one has its place.
    fn failed(&mut self, error: &io::Error) -> bool {
        let was_open = self.breaker.is_open();
        let is_open = self.breaker.failed(error, Instant::now());
        if is_open && !was_open {
            self.notice = Some(format!(
                "`{}` fails, `{}` takes over: {error}",
                self.halves[FIRST].sink.name(),
                self.halves[SECOND].sink.name(),
            ));
        }
        is_open
    }

    /// Whether the first sink is to be offered this batch. A probe begins no entry anew, unless that
    /// is the only hope.
    fn asks_first(&self, batch: &Batch<'_>) -> bool {
        !self.breaker.is_open()
            || self.second_fails
            || (self.breaker.is_due(Instant::now()) && !batch.is_torn())
    }
}

/// Whether an error says only that nothing can be taken at the moment.
fn is_no_failure(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
}

impl Sink for Fallback {
    fn name(&self) -> &str {
        &self.name
    }

    /// If both do: the same text goes to either.
    fn wants_color(&self) -> bool {
        self.halves.iter().all(|half| half.sink.wants_color())
    }

    /// That of both; if they differ, text, of which either can make something.
    fn default_format(&self) -> AnyFormat {
        let [first, second] = &self.halves;
        let format = first.sink.default_format();
        if format.is_same(&second.sink.default_format()) {
            format
        } else {
            AnyFormat::default()
        }
    }

    /// One write to the first sink, or to the second, or to both if the first fails.
    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        if self.asks_first(batch) {
            let error = match self.write_to(FIRST, batch) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(taken) => {
                    self.succeeded();
                    return Ok(taken);
                }
                Err(error) if is_no_failure(&error) => return Err(error),
                Err(error) => error,
            };
            if !self.failed(&error) {
                return Err(error);
            }
        }
        let answer = self.write_to(SECOND, batch);
        self.second_fails = match &answer {
            Ok(taken) => *taken == 0,
            Err(error) => !is_no_failure(error),
        };
        answer
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.breaker.is_open() {
            return self.call(SECOND, |sink| sink.flush());
        }
        self.call(FIRST, |sink| sink.flush())
            .inspect_err(|error| _ = self.failed(error))
    }

    /// Both do, and the first one is tried again with the next batch.
    fn reopen(&mut self) -> io::Result<()> {
        self.breaker.probe_now();
        self.call_both(|sink| sink.reopen())
    }

    fn tick(&mut self) -> io::Result<()> {
        let answer = self.call_both(|sink| sink.tick());
        match self.notice.take() {
            Some(notice) => both(Err(io::Error::other(notice)), answer),
            None => answer,
        }
    }

    fn close(&mut self, time_left: Duration) -> io::Result<()> {
        let started = Instant::now();
        self.call_both(|sink| sink.close(time_left.saturating_sub(started.elapsed())))
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        let place = if self.breaker.is_open() {
            SECOND
        } else {
            FIRST
        };
        self.halves[place].sink.descriptor()
    }

    fn restart_in_child(&mut self) -> io::Result<()> {
        (self.begun, self.owed) = (None, None);
        self.call_both(|sink| sink.restart_in_child())
    }
}

impl std::fmt::Debug for Fallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fallback")
            .field("name", &self.name)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}

/// Both errors, if there are two.
fn both(first: io::Result<()>, second: io::Result<()>) -> io::Result<()> {
    match (first, second) {
        (Err(first), Err(second)) => {
            Err(io::Error::new(first.kind(), format!("{first}; {second}")))
        }
        (first, second) => first.and(second),
    }
}

/// Who is written to.
#[derive(Debug)]
struct Breaker {
    state: State,
    most_failures: u32,
    first_pause: Duration,
    longest_pause: Duration,
}

#[derive(Debug)]
enum State {
    /// The first sink, which has failed so many times in a row.
    Closed { failures: u32 },
    /// The second one; the first is asked again after the pause.
    Open {
        error: String,
        since: Instant,
        pause: Duration,
        next_probe: Instant,
    },
}

impl Breaker {
    fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether a probe is due.
    fn is_due(&self, now: Instant) -> bool {
        matches!(&self.state, State::Open { next_probe, .. } if now >= *next_probe)
    }

    /// Closed, or from open to closed. If it was open: why, and since when.
    fn succeeded(&mut self) -> Option<(String, Instant)> {
        let closed = State::Closed { failures: 0 };
        match std::mem::replace(&mut self.state, closed) {
            State::Closed { .. } => None,
            State::Open { error, since, .. } => Some((error, since)),
        }
    }

    /// Closed to open after so many failures; from open to open with a longer pause. Answers whether
    /// it is open.
    fn failed(&mut self, error: &io::Error, now: Instant) -> bool {
        match &mut self.state {
            State::Closed { failures } if *failures + 1 < self.most_failures => {
                *failures += 1;
                return false;
            }
            State::Closed { .. } => {
                self.state = State::Open {
                    error: error.to_string(),
                    since: now,
                    pause: self.first_pause,
                    next_probe: now + self.first_pause,
                }
            }
            State::Open {
                pause, next_probe, ..
            } => {
                *pause = (*pause * 2).min(self.longest_pause);
                *next_probe = now + *pause;
            }
        }
        true
    }

    /// The pause is over.
    fn probe_now(&mut self) {
        if let State::Open { next_probe, .. } = &mut self.state {
            *next_probe = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, State};
    use std::io;
    use std::time::{Duration, Instant};

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let second = Duration::from_secs(1);
        let mut breaker = Breaker {
            state: State::Closed { failures: 0 },
            most_failures: 2,
            first_pause: second,
            longest_pause: 3 * second,
        };
        let error = || io::Error::other("broken");
        let mut now = Instant::now();
        for _ in 0..2 {
            assert!(!breaker.failed(&error(), now));
            assert!(breaker.failed(&error(), now));
            for pause in [1, 2, 3, 3] {
                let due = now + pause * second;
                assert!(!breaker.is_due(due - Duration::from_nanos(1)));
                assert!(breaker.is_due(due));
                now = due;
                assert!(breaker.failed(&error(), now));
            }
            assert!(breaker.succeeded().is_some());
            assert!(breaker.succeeded().is_none());
        }
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let mut breaker = Breaker {
            state: State::Closed { failures: 0 },
            most_failures: 2,
            first_pause: Duration::ZERO,
            longest_pause: Duration::ZERO,
        };
        for _ in 0..5 {
            assert!(!breaker.failed(&io::Error::other("broken"), Instant::now()));
            breaker.succeeded();
        }
        assert!(!breaker.is_open());
    }
}
