//! What the front, the producers and the consumer share.

use std::mem;
#[cfg(feature = "crash")]
use std::sync::atomic::AtomicI32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

use super::lanes::Tag;
use super::{fork, live};
use crate::callsite::Place;
use crate::clock::Stamper;
use crate::config::{Builder, Overflow};
use crate::error::{BuildError, FlushError};
use crate::level::Level;
use crate::record::payload_of;
use crate::ring::Ring;
use crate::ring::slab::Slab;
use crate::shutdown::{Control, Notes, ShutdownOutcome, ShutdownReport};
use crate::stats::Stats;
use crate::sys;
use crate::sys::exclusive::{Exclusive, Taken};
use crate::worker::{self, Common, Counters, Inside, Latest, Meter, Pause, Threads, Worker};

/// What the producers' threads see of a logger.
///
/// What every record needs comes first, on one line, and never changes, so that every core keeps its
/// own copy of it.
#[repr(C, align(128))]
pub struct Core {
    pub(super) hot: Hot,
    pub(super) ring: Arc<Ring>,
    /// The core's own handle, for threads that bind to it.
    pub(super) me: Weak<Core>,
    pub(super) common: Arc<Common>,
    pub(super) overflow: Overflow,
    pub(super) place: Place,
    #[cfg(all(
        any(feature = "signals", feature = "crash"),
        target_os = "linux",
        not(miri)
    ))]
    pub(super) has_consumer: bool,
    /// How long a shutdown may take that nobody named a deadline for.
    pub(super) deadline: Duration,
    /// The number of the consumer thread; 0 if there is none.
    consumer_id: AtomicU64,
    /// Whether the last drain was not the consumer thread's, which may never wake then.
    taken_over: AtomicBool,
    /// The consumer thread, until somebody has waited for its end. Nobody can in a forked child.
    consumer: Mutex<Option<JoinHandle<()>>>,
    /// Taken by whoever drains: the consumer thread for life, or the one that polls or shuts down.
    pub(super) worker: CachePadded<Exclusive<Worker>>,
    /// What a [restart](Core::restart) needs to build it again: all but the sinks.
    pub(super) settings: Mutex<Builder>,
    /// What the kernel refused.
    pub(super) warnings: Vec<String>,
}

const _: () = assert!(std::mem::offset_of!(Core, ring) + size_of::<Arc<Ring>>() <= 64);

/// What every record needs of its logger.
#[derive(Debug)]
pub(super) struct Hot {
    /// Never used twice in a process.
    pub(super) id: u64,
    pub(super) tag: Tag,
    pub(super) stamper: Stamper,
    /// The logger's bit in every call site.
    pub(super) mask: u32,
    /// The most bytes of payload in one record.
    pub(super) most_payload: u32,
}

impl Core {
    /// Everything but the consumer thread.
    pub(super) fn new(
        mut builder: Builder,
        place: impl FnOnce(&Builder) -> Result<Place, BuildError>,
    ) -> Result<Arc<Core>, BuildError> {
        let layout = builder.layout()?;
        let most_payload = payload_of(builder.record_slots(&layout));
        let place = place(&builder)?;
        let sinks = mem::take(&mut builder.sinks);
        let sink_names: Vec<String> = sinks.iter().map(|sink| sink.name.clone()).collect();
        builder.routes.check(&sink_names)?;
        let bytes = layout
            .slots()
            .checked_mul(64)
            .ok_or_else(|| BuildError::Memory {
                bytes: usize::MAX,
                source: std::io::ErrorKind::OutOfMemory.into(),
            })?;
        let options = sys::mapping::Options {
            prefault: builder.prefault,
            lock: builder.lock,
            huge_pages: builder.huge_pages,
        };
        let (mapping, mut warnings) = sys::mapping::Mapping::new(bytes, options)
            .map_err(|source| BuildError::Memory { bytes, source })?;
        let ring = Arc::new(Ring::new(Slab::new(mapping), layout));
        let consumer = Ring::consumer(&ring).expect("a new ring has no consumer");

        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let common = Arc::new(Common {
            id,
            counters: Counters::new(layout.lanes + 1),
            control: Control::new(),
            threads: Threads::new(layout.lanes),
            #[cfg(feature = "crash")]
            descriptors: sinks.iter().map(|_| AtomicI32::new(-1)).collect(),
            meters: sink_names
                .iter()
                .map(|name| Arc::new(Meter::new(name)))
                .collect(),
            forked: AtomicBool::new(false),
            apart: OnceLock::new(),
            ages: OnceLock::new(),
            rejected: Default::default(),
            remainder: Default::default(),
            redaction: Latest::default(),
            #[cfg(feature = "config")]
            reselection: Latest::default(),
            notes: Notes::new(builder.closing_record, builder.print_report),
        });
        let (mut worker, stamper, warning) =
            Worker::new(consumer, common.clone(), &builder, sinks, place.index())?;
        worker.tell_stats_every(builder.stats_every);
        warnings.extend(warning);
        for warning in &warnings {
            worker.notice(Level::Warn, warning);
        }
        let core = Arc::new_cyclic(|me| Core {
            me: me.clone(),
            hot: Hot {
                id,
                tag: Tag::of(id),
                stamper,
                mask: place.mask(),
                most_payload: most_payload as u32,
            },
            ring,
            common,
            overflow: builder.overflow,
            place,
            #[cfg(all(
                any(feature = "signals", feature = "crash"),
                target_os = "linux",
                not(miri)
            ))]
            has_consumer: builder.thread,
            deadline: builder.shutdown_deadline,
            consumer_id: AtomicU64::new(0),
            taken_over: AtomicBool::new(false),
            consumer: Mutex::new(None),
            worker: CachePadded::new(Exclusive::new(worker)),
            settings: Mutex::new(builder),
            warnings,
        });
        Ok(core)
    }

    /// Starts the consumer thread, if there is to be one; from now on the logger is alive.
    pub(super) fn start(self: &Arc<Self>) -> Result<(), BuildError> {
        let (thread, pin) = {
            let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
            (settings.thread, settings.pin)
        };
        fork::prepare();
        live::enter(self);
        if thread {
            self.spawn_consumer(pin)?;
        }
        Ok(())
    }

    /// Asks the sinks to open their destinations anew.
    pub(super) fn reopen(&self) {
        self.common.control.ask_to_reopen();
        self.common.control.wake_consumer();
    }

    /// Whether the caller runs inside this logger's consumer.
    pub(super) fn is_inside(&self) -> bool {
        worker::is_inside(self.hot.id)
    }

    fn spawn_consumer(self: &Arc<Self>, pin: Option<usize>) -> Result<(), BuildError> {
        let (started, has_started) = mpsc::sync_channel(1);
        let core = self.clone();
        let consumer = sys::thread::spawn(c"ringlog", move || {
            sys::thread::block_signals();
            let pinned = pin.map_or(Ok(()), sys::affinity::pin_current_thread);
            let ready = pinned.is_ok();
            // Taken before the builder goes on, so that nobody else drains.
            let mut worker = core.wait_for_worker();
            core.consumer_id.store(sys::thread::id(), Ordering::Release);
            let _ = started.send(pinned.map(|()| thread::current()));
            // Between rounds, too: what a signal handler does there must not wait for the consumer.
            let _inside = Inside::enter(core.hot.id);
            if !ready {
                return;
            }
            loop {
                match worker.run() {
                    Pause::Ended => break,
                    Pause::Fork => drop(worker),
                    Pause::Sleep(longest) => {
                        drop(worker);
                        thread::park_timeout(longest);
                    }
                }
                worker = core.wait_for_worker();
            }
        })
        .map_err(BuildError::Thread)?;
        match has_started.recv() {
            Ok(Ok(thread)) => {
                self.common.control.set_consumer(thread);
                *self.consumer() = consumer;
                Ok(())
            }
            Ok(Err(error)) => {
                // Its share of the logger is gone then, and the logger's place free again.
                if let Some(consumer) = consumer {
                    let _ = consumer.join();
                }
                Err(BuildError::Pin(error))
            }
            Err(_) => Err(BuildError::Thread(std::io::Error::other(
                "the consumer thread ended at once",
            ))),
        }
    }

    fn consumer(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.consumer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end of the consumer thread, if it has nothing left to do but end.
    pub(super) fn join_consumer(&self, report: &ShutdownReport) {
        let taken_over = self.taken_over.load(Ordering::Relaxed);
        if report.outcome != ShutdownOutcome::Drained || taken_over || self.is_inside() {
            return;
        }
        let consumer = self.consumer().take();
        if let Some(consumer) = consumer {
            // It catches what sinks throw; a panic of its own has been reported by the hook.
            let _ = consumer.join();
        }
    }

    /// The worker, if nobody has it and there is no consumer thread, or none any more. One that died
    /// asleep, or unwound, left the worker whole; one that was killed at work has it for ever.
    pub(super) fn try_drain(&self) -> Option<Taken<'_, Worker>> {
        if self.worker.is_taken() || self.has_live_consumer() {
            return None;
        }
        self.worker.try_take()
    }

    /// Whether there was a consumer thread, and is none any more, as far as the kernel says.
    /// Async-signal-safe.
    pub(super) fn has_lost_consumer(&self) -> bool {
        // Acquire: pairs with the Release of the consumer thread.
        let id = self.consumer_id.load(Ordering::Acquire);
        id != 0 && sys::thread::is_alive(id) == Some(false)
    }

    fn has_live_consumer(&self) -> bool {
        // Acquire: as above.
        let id = self.consumer_id.load(Ordering::Acquire);
        let runs = || {
            let consumer = self.consumer();
            consumer
                .as_ref()
                .is_some_and(|thread| !thread.is_finished())
        };
        id != 0 && sys::thread::is_alive(id).unwrap_or_else(runs)
    }

    /// For the consumer thread: the worker, when nobody has it and no fork is under way.
    fn wait_for_worker(&self) -> Taken<'_, Worker> {
        loop {
            match self.worker.try_take() {
                Some(worker) => return worker,
                None => thread::sleep(Duration::from_micros(50)),
            }
        }
    }

    /// How often a thread that waits for a drain looks whether it has to do it itself.
    const TAKE_OVER: Duration = Duration::from_millis(5);

    /// How many records a flush drains before it looks whether it is served.
    const SHARE: usize = 1024;

    /// How long a consumer thread that sleeps may take to wake for the closing. After that, whoever
    /// shuts down drains in its place: it gets no time, or will never wake.
    const STARVED: Duration = Duration::from_millis(20);

    pub(super) fn flush(&self, deadline: Duration) -> Result<(), FlushError> {
        if self.is_forked() {
            return Err(FlushError::Forked);
        }
        if self.is_inside() {
            return Err(FlushError::InsideSink);
        }
        let started = Instant::now();
        let control = &self.common.control;
        let ticket = control.ask_for_flush();
        control.wake_consumer();
        loop {
            let mut pause = Self::TAKE_OVER;
            if let Some(mut worker) = self.try_drain() {
                if !self.ring.gate().is_open() {
                    return Err(FlushError::Closed);
                }
                // Not all there is: as long as others log, there is always more.
                pause = match worker.poll(Self::SHARE) {
                    // What is served has been; what is not waits for a sink.
                    0 => Duration::from_micros(100),
                    _ => Duration::ZERO,
                };
            }
            let left = deadline.saturating_sub(started.elapsed());
            if let Some(answer) = control.wait_for_flush(ticket, left.min(pause)) {
                return answer;
            }
            if left.is_zero() {
                return Err(FlushError::TimedOut);
            }
        }
    }

    pub(super) fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        if self.is_forked() {
            return self.forked_report();
        }
        self.begin_shutdown(deadline);
        if self.is_inside() {
            return self.common.report_of(&self.ring, ShutdownOutcome::TimedOut);
        }
        let control = &self.common.control;
        loop {
            if let Some(report) = control.wait_for_report(Duration::ZERO) {
                return report;
            }
            let starved = control.since_closing() >= Self::STARVED;
            let worker = self.try_drain();
            let worker = worker.or_else(|| starved.then(|| self.worker.try_take()).flatten());
            if let Some(mut worker) = worker {
                if self.ring.gate().is_closing() {
                    // Relaxed: the report is published later, under a lock.
                    self.taken_over.store(true, Ordering::Relaxed);
                    worker.finish();
                }
            }
            let left = control.patience_left();
            if left.is_zero() {
                self.common
                    .report(&self.ring, ShutdownOutcome::TimedOut, None);
            }
            // Nobody else can give up after the deadline; who was faster publishes at once.
            let pause = if left.is_zero() {
                Self::TAKE_OVER
            } else {
                left.min(Self::TAKE_OVER)
            };
            if let Some(report) = control.wait_for_report(pause) {
                return report;
            }
        }
    }

    /// From now on every record is rejected, and the consumer comes to its end. Does not wait. Not in
    /// a forked child.
    pub(super) fn begin_shutdown(&self, deadline: Duration) {
        let control = &self.common.control;
        let now = Instant::now();
        let far_away = now + Duration::from_secs(365 * 24 * 60 * 60);
        control.set_deadline(now.checked_add(deadline).unwrap_or(far_away));
        control.note_closing();
        if self.ring.gate().close() {
            self.ring.seal();
        }
        control.wake_consumer();
    }

    /// The end that nobody gets a report of: what was lost is said on standard error.
    ///
    /// Uses no thread-local storage that could be gone, and starts no thread.
    pub(super) fn end(&self) {
        if self.is_forked() {
            return;
        }
        let report = self.shutdown(self.deadline);
        if !report.is_complete() {
            self.common.notes.print(&report);
        }
    }

    pub(super) fn stats(&self) -> Stats {
        if self.is_forked() {
            return self.forked_stats();
        }
        self.common.stats(&self.ring)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        live::leave(self);
    }
}
