//! A shutdown that a task waits for, without blocking the thread that the task runs on.
//!
//! A thread of the shutdown's own does what [`RingLogger::shutdown`] does, and wakes the task. So it
//! needs nothing of any runtime, keeps its deadline whether or not it is polled again, and comes to
//! its end if the future is dropped or the runtime is gone.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::RingLogger;
use super::core::Core;
use crate::shutdown::ShutdownReport;
use crate::sys;

impl RingLogger {
    /// [`shutdown`](Self::shutdown) for asynchronous programs: the task waits for the report, and the
    /// thread that it runs on does not.
    ///
    /// Works with every runtime and without one, and with several at once: it needs a waker, and no
    /// timer or reactor. The future owns what it needs, so that it can be spawned.
    ///
    /// The closing begins when the future is polled first, and so does the deadline. From then on it
    /// is as for `shutdown`: every record is answered `Closed`, the earliest deadline that any caller
    /// names counts, and all get the same report. If the future is dropped then, or is never polled
    /// again, the shutdown goes on without it.
    ///
    /// The first poll allocates and starts a thread, which takes some ten microseconds; where the
    /// kernel refuses one, the poll blocks like `shutdown`. Inside a sink, and in a forked child, the
    /// first poll answers at once, as `shutdown` does.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ringlog::{RingLogger, info, sink::Memory};
    ///
    /// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// let memory = Memory::new();
    /// let logger = RingLogger::builder().sink(memory.clone()).build()?;
    /// let report = runtime.block_on(async {
    ///     info!(logger: &logger, "the last request was number {}", 17);
    ///     logger.shutdown_async(Duration::from_secs(5)).await
    /// });
    /// assert!(report.is_complete());
    /// assert!(memory.contents().contains("the last request was number 17\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown_async(&self, deadline: Duration) -> ShutdownFuture {
        let core = self.core().me.upgrade();
        ShutdownFuture {
            core: core.expect("a logger keeps its core alive"),
            deadline,
            answer: None,
        }
    }
}

/// A shutdown that is going on: see [`RingLogger::shutdown_async`].
///
/// May be polled again after it is ready: the report stays the same.
#[must_use = "the shutdown begins when the future is polled"]
pub struct ShutdownFuture {
    core: Arc<Core>,
    deadline: Duration,
    /// Where the thread leaves the report, once there is one.
    answer: Option<Arc<Mutex<Answer>>>,
}

#[derive(Default)]
struct Answer {
    report: Option<ShutdownReport>,
    /// Of the task that polled last.
    waker: Option<Waker>,
}

/// What the lock guards is whole whoever panicked: a waker is woken and dropped outside of it.
fn lock(answer: &Mutex<Answer>) -> MutexGuard<'_, Answer> {
    answer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Future for ShutdownFuture {
    type Output = ShutdownReport;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<ShutdownReport> {
        if self.core.is_forked() {
            // The thread that would answer is the parent's.
            return Poll::Ready(self.core.forked_report());
        }
        let Some(answer) = &self.answer else {
            return self.begin(context.waker());
        };
        let waker = context.waker().clone();
        let mut answer = lock(answer);
        if let Some(report) = &answer.report {
            return Poll::Ready(report.clone());
        }
        let before = answer.waker.replace(waker);
        drop(answer);
        drop(before);
        Poll::Pending
    }
}

impl ShutdownFuture {
    fn begin(&mut self, waker: &Waker) -> Poll<ShutdownReport> {
        let end = Instant::now().checked_add(self.deadline);
        let core = &self.core;
        core.begin_shutdown(self.deadline);
        if core.is_inside() {
            return Poll::Ready(core.shutdown(self.deadline));
        }
        let answer = Arc::new(Mutex::new(Answer {
            report: None,
            waker: Some(waker.clone()),
        }));
        let spawned = sys::thread::spawn(c"ringlog-ending", {
            let (core, answer, deadline) = (core.clone(), answer.clone(), self.deadline);
            move || {
                let left = end.map_or(deadline, |end| {
                    end.saturating_duration_since(Instant::now())
                });
                let report = core.shutdown(left);
                core.join_consumer(&report);
                // Whoever waits may free the logger's memory next; not this thread.
                drop(core);
                let mut answer = lock(&answer);
                answer.report = Some(report);
                let waker = answer.waker.take();
                drop(answer);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        });
        if spawned.is_err() {
            let report = core.shutdown(self.deadline);
            core.join_consumer(&report);
            return Poll::Ready(report);
        }
        self.answer = Some(answer);
        Poll::Pending
    }
}

impl fmt::Debug for ShutdownFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownFuture")
            .field("deadline", &self.deadline)
            .field("has_begun", &self.answer.is_some())
            .finish_non_exhaustive()
    }
}
