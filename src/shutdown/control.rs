//! Where the threads that ask for a flush or a shutdown meet the one that drains.
//!
//! A flush is a number. Who asks takes the next one and waits until it has been served; the drain
//! looks at the latest number, notes where every source ends now, and serves all numbers up to that
//! one when it has come so far. So any number of flushes at once are one flush.
//!
//! A shutdown has one deadline, the earliest that any caller named, and one report, which every
//! caller gets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::ShutdownReport;
use crate::error::FlushError;

/// How long after the deadline a shutdown waits for the last words of a worker that is at work.
pub(crate) const GRACE: Duration = Duration::from_millis(5);

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Control {
    started: Instant,
    /// The latest flush that was asked for.
    flush_wanted: AtomicU64,
    /// The latest flush that was served, for those who may not take the lock.
    flush_done: AtomicU64,
    /// How often the sinks were to open their destinations again.
    reopen_wanted: AtomicU64,
    dump_wanted: AtomicU64,
    /// The shutdown's deadline, in nanoseconds after `started`; the greatest number until there is
    /// one. Only gets earlier.
    deadline: AtomicU64,
    /// When the gate closed, in nanoseconds after `started`; the greatest number before.
    closed_at: AtomicU64,
    answers: Mutex<Answers>,
    answered: Condvar,
    /// The consumer thread, to be woken.
    consumer: Mutex<Option<Thread>>,
}

#[derive(Debug, Default)]
struct Answers {
    flush_served: u64,
    flush_error: Option<FlushError>,
    report: Option<ShutdownReport>,
}

/// A flush that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlushTicket(u64);

impl Control {
    pub(crate) fn new() -> Self {
        Control {
            started: Instant::now(),
            flush_wanted: AtomicU64::new(0),
            flush_done: AtomicU64::new(0),
            reopen_wanted: AtomicU64::new(0),
            dump_wanted: AtomicU64::new(0),
            deadline: AtomicU64::new(u64::MAX),
            closed_at: AtomicU64::new(u64::MAX),
            answers: Mutex::default(),
            answered: Condvar::new(),
            consumer: Mutex::default(),
        }
    }

    /// Nothing panics under the locks, so what they guard is whole.
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_consumer(&self, thread: Thread) {
        *self.consumer.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    /// Ends the consumer thread's sleep, if it sleeps.
    pub(crate) fn wake_consumer(&self) {
        let consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = &*consumer {
            thread.unpark();
        }
    }

    /// As [`wake_consumer`](Self::wake_consumer), but never waits for the lock.
    pub(crate) fn nudge_consumer(&self) {
        if let Ok(consumer) = self.consumer.try_lock() {
            if let Some(thread) = &*consumer {
                thread.unpark();
            }
        }
    }

    fn nanos(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.started).as_nanos())
            .unwrap_or(u64::MAX - 1)
    }

    // Reopening.

    /// Nobody waits for it, so a store is all there is to do.
    pub(crate) fn ask_to_reopen(&self) {
        // Release: pairs with the Acquire in `reopen_wanted`, so that the file that the caller moved
        // away has been moved when the sinks look.
        self.reopen_wanted.fetch_add(1, Ordering::Release);
    }

    /// Changes whenever the sinks are asked to open their destinations again.
    pub(crate) fn reopen_wanted(&self) -> u64 {
        self.reopen_wanted.load(Ordering::Acquire)
    }

    /// Asks the consumer to write what the backtrace keeps.
    pub(crate) fn ask_for_dump(&self) {
        // Release: pairs with the Acquire in `dump_wanted`, so that what the caller has logged
        // before is seen with it.
        self.dump_wanted.fetch_add(1, Ordering::Release);
    }

    /// How often that was asked for.
    pub(crate) fn dump_wanted(&self) -> u64 {
        self.dump_wanted.load(Ordering::Acquire)
    }

    // Flush.

    pub(crate) fn ask_for_flush(&self) -> FlushTicket {
        // Release: pairs with the Acquire in `flush_wanted`, so that the drain sees at least the
        // positions that the caller saw.
        FlushTicket(self.flush_wanted.fetch_add(1, Ordering::AcqRel) + 1)
    }

    /// The latest flush that was asked for; 0 if none ever was.
    pub(crate) fn flush_wanted(&self) -> u64 {
        self.flush_wanted.load(Ordering::Acquire)
    }

    /// Everything asked for up to `wanted` has been done, or tried.
    pub(crate) fn serve_flush(&self, wanted: u64, error: Option<FlushError>) {
        let mut answers = self.answers();
        answers.flush_served = wanted;
        answers.flush_error = error;
        drop(answers);
        // Release: pairs with the Acquire in `is_flushed`.
        self.flush_done.store(wanted, Ordering::Release);
        self.answered.notify_all();
    }

    /// Waits for the answer to a flush, but not longer than so long.
    pub(crate) fn wait_for_flush(
        &self,
        ticket: FlushTicket,
        longest: Duration,
    ) -> Option<Result<(), FlushError>> {
        let pending = |a: &mut Answers| a.flush_served < ticket.0 && a.report.is_none();
        let (answers, _) = self
            .answered
            .wait_timeout_while(self.answers(), longest, pending)
            .unwrap_or_else(PoisonError::into_inner);
        if answers.flush_served >= ticket.0 {
            Some(answers.flush_error.clone().map_or(Ok(()), Err))
        } else {
            answers.report.as_ref().map(|_| Err(FlushError::Closed))
        }
    }

    /// Whether a flush has been served. Takes no lock.
    #[cfg(all(
        any(feature = "signals", feature = "crash"),
        target_os = "linux",
        not(miri)
    ))]
    pub(crate) fn is_flushed(&self, ticket: FlushTicket) -> bool {
        self.flush_done.load(Ordering::Acquire) >= ticket.0
    }

    // Shutdown.

    /// Notes when the closing begins, unless it has begun. To be called before the gate closes.
    pub(crate) fn note_closing(&self) {
        self.closed_at
            .fetch_min(self.nanos(Instant::now()), Ordering::Relaxed);
    }

    pub(crate) fn since_closing(&self) -> Duration {
        let closed_at = Duration::from_nanos(self.closed_at.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(closed_at)
    }

    /// Names a deadline; the earliest one counts.
    pub(crate) fn set_deadline(&self, deadline: Instant) {
        self.deadline
            .fetch_min(self.nanos(deadline), Ordering::AcqRel);
    }

    /// The deadline; a day from now if it is further away, or there is none.
    pub(crate) fn deadline(&self) -> Instant {
        const FAR_AWAY: Duration = Duration::from_secs(24 * 60 * 60);
        let now = Instant::now();
        now + self.time_left().min(FAR_AWAY)
    }

    /// How long there is until the deadline; zero when it has passed.
    pub(crate) fn time_left(&self) -> Duration {
        let deadline = Duration::from_nanos(self.deadline.load(Ordering::Acquire));
        deadline.saturating_sub(self.started.elapsed())
    }

    /// How long there is until nobody waits any longer: to the deadline and a little more, so that
    /// the worker can still count what is left and say so.
    pub(crate) fn patience_left(&self) -> Duration {
        let deadline = Duration::from_nanos(self.deadline.load(Ordering::Acquire));
        (deadline.saturating_add(GRACE)).saturating_sub(self.started.elapsed())
    }

    /// Publishes the report. The caller moved the gate out of Closing, so there is one only.
    pub(crate) fn publish(&self, report: ShutdownReport) {
        self.answers().report = Some(report);
        self.answered.notify_all();
    }

    /// Waits for the report, but not longer than so long.
    pub(crate) fn wait_for_report(&self, longest: Duration) -> Option<ShutdownReport> {
        self.answered
            .wait_timeout_while(self.answers(), longest, |a| a.report.is_none())
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .report
            .clone()
    }
}
