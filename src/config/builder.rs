//! [`Builder`]: every setting of a logger, as a method.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Idle, Overflow};
use crate::clock::Clock;
use crate::error::BuildError;
use crate::filter::{Filter, FilterError};
use crate::format::Redaction;
use crate::level::{Level, LevelFilter};
use crate::logger::RingLogger;
use crate::record::MAX_SLOTS;
use crate::ring::Layout;
use crate::routing::{Attached, Routes};
use crate::sink::{Destination, OffloadSettings, SinkOptions};
use crate::sys::mapping::HugePages;

/// Sets up a [`RingLogger`].
///
/// The defaults take about 8 MiB: 16 lanes of 4,096 slots and a shared ring of 65,536, of 64 bytes
/// each.
#[must_use = "a builder does nothing until `build` or `install` is called"]
pub struct Builder {
    pub(crate) lanes: usize,
    pub(crate) lane_capacity: usize,
    pub(crate) shared_capacity: usize,
    pub(crate) max_record_slots: usize,
    pub(crate) prefault: bool,
    pub(crate) lock: bool,
    pub(crate) huge_pages: HugePages,
    pub(crate) overflow: Overflow,
    pub(crate) clock: Clock,
    pub(crate) idle: Idle,
    pub(crate) stats_every: Option<Duration>,
    pub(crate) pin: Option<usize>,
    pub(crate) thread: bool,
    pub(crate) shutdown_deadline: Duration,
    pub(crate) exit_hook: bool,
    pub(crate) panic_hook: bool,
    pub(crate) closing_record: bool,
    pub(crate) print_report: bool,
    #[cfg(feature = "signals")]
    pub(crate) signals: bool,
    #[cfg(feature = "crash")]
    pub(crate) crash_handler: bool,
    pub(crate) filter: Result<Filter, FilterError>,
    pub(crate) filter_variable: Option<String>,
    pub(crate) backtrace: Option<Backtrace>,
    pub(crate) sinks: Vec<Attached>,
    /// Of the first sinks, what tells them from others in a configuration.
    #[cfg(feature = "config")]
    pub(crate) configured: Vec<String>,
    pub(crate) routes: Routes,
    pub(crate) redaction: Redaction,
}

/// What is kept in memory until something calls for it.
#[derive(Clone, Debug)]
pub(crate) struct Backtrace {
    pub(crate) records: usize,
    /// The more severe level first.
    pub(crate) levels: RangeInclusive<Level>,
    pub(crate) on: Level,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sinks: Vec<&str> = self.sinks.iter().map(|sink| &*sink.name).collect();
        let mut builder = f.debug_struct("Builder");
        #[cfg(feature = "signals")]
        builder.field("signals", &self.signals);
        #[cfg(feature = "crash")]
        builder.field("crash_handler", &self.crash_handler);
        builder
            .field("lanes", &self.lanes)
            .field("lane_capacity", &self.lane_capacity)
            .field("shared_capacity", &self.shared_capacity)
            .field("max_record_slots", &self.max_record_slots)
            .field("prefault", &self.prefault)
            .field("mlock", &self.lock)
            .field("huge_pages", &self.huge_pages)
            .field("overflow", &self.overflow)
            .field("clock", &self.clock)
            .field("idle", &self.idle)
            .field("stats_every", &self.stats_every)
            .field("pin", &self.pin)
            .field("thread", &self.thread)
            .field("shutdown_deadline", &self.shutdown_deadline)
            .field("exit_hook", &self.exit_hook)
            .field("panic_hook", &self.panic_hook)
            .field("closing_record", &self.closing_record)
            .field("print_report", &self.print_report)
            .field("filter", &self.filter)
            .field("filter_variable", &self.filter_variable)
            .field("backtrace", &self.backtrace)
            .field("sinks", &sinks)
            .field("routes", &self.routes)
            .field("redaction", &self.redaction)
            .finish()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            lanes: 16,
            lane_capacity: 4096,
            shared_capacity: 65536,
            max_record_slots: MAX_SLOTS,
            prefault: true,
            lock: false,
            huge_pages: HugePages::default(),
            overflow: Overflow::default(),
            clock: Clock::default(),
            idle: Idle::default(),
            stats_every: None,
            pin: None,
            thread: true,
            shutdown_deadline: Duration::from_secs(5),
            exit_hook: true,
            panic_hook: true,
            closing_record: true,
            print_report: false,
            #[cfg(feature = "signals")]
            signals: true,
            #[cfg(feature = "crash")]
            crash_handler: true,
            filter: Ok(LevelFilter::Info.into()),
            filter_variable: Some("RINGLOG".to_owned()),
            backtrace: None,
            sinks: Vec::new(),
            #[cfg(feature = "config")]
            configured: Vec::new(),
            routes: Routes::new(),
            redaction: Redaction::new(),
        }
    }
}

impl Builder {
    /// The least slots that a ring can have.
    pub(super) const LEAST_CAPACITY: usize = 16;
    /// The most slots that a ring can have: 64 GiB.
    pub(super) const MOST_CAPACITY: usize = 1 << 30;
    /// The most records that a backtrace can keep.
    pub(super) const MOST_BACKTRACE: usize = 1 << 20;
    /// The most lanes that a logger can have.
    pub(super) const MOST_LANES: usize = 1 << 16;

    /// How many threads get a lane of their own, 0 to 65,536; default 16. Further threads use the
    /// shared ring, which costs them one locked instruction a record. With 0, all do.
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.lanes = lanes;
        self
    }

    /// Slots per lane, 16 to 2^30, rounded up to a power of two; default 4,096. A slot is 64 bytes,
    /// and a record takes one for its first 40 bytes of arguments and one for each further 56.
    ///
    /// The last sixteenth is kept for WARN and ERROR.
    pub fn lane_capacity(mut self, slots: usize) -> Self {
        self.lane_capacity = slots;
        self
    }

    /// Slots of the shared ring, 16 to 2^30, rounded up to a power of two; default 65,536.
    pub fn shared_capacity(mut self, slots: usize) -> Self {
        self.shared_capacity = slots;
        self
    }

    /// The most slots that one record may take, 1 to 64; default 64, which holds 3,568 bytes of
    /// arguments. It is never more than a quarter of the smallest ring. The longest texts of a
    /// longer record are cut, marked with how much is missing, and counted.
    pub fn max_record_slots(mut self, slots: usize) -> Self {
        self.max_record_slots = slots;
        self
    }

    /// Whether all memory is touched at once, so that no page fault is left to the hot path;
    /// default true.
    pub fn prefault(mut self, prefault: bool) -> Self {
        self.prefault = prefault;
        self
    }

    /// Whether the ring is locked into memory; default false. A refusal by the kernel is a
    /// [warning](RingLogger::warnings), not an error.
    pub fn mlock(mut self, lock: bool) -> Self {
        self.lock = lock;
        self
    }

    /// Whether the ring asks for transparent huge pages, without which a burst may wait for a miss in the
    /// translation cache. If not said, it asks for those that fit, and is
    /// content without. If true, its size is rounded up to a multiple of 2 MiB, and a refusal by the
    /// kernel is a [warning](RingLogger::warnings), not an error.
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.huge_pages = if huge_pages {
            HugePages::Always
        } else {
            HugePages::Never
        };
        self
    }

    /// What happens to a record that finds the ring full; default [`Overflow::Drop`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Where timestamps come from; default [`Clock::Tsc`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// What the consumer thread does when there is nothing to do; default [`Idle::Adaptive`].
    pub fn idle(mut self, idle: Idle) -> Self {
        self.idle = idle;
        self
    }

    /// How often the log itself says how the logger does: the line that [`Stats`](crate::Stats)
    /// displays, at level INFO. Default never. At least a millisecond.
    pub fn stats_every(mut self, period: Duration) -> Self {
        self.stats_every = Some(period);
        self
    }

    /// Pins the consumer thread to a core. Building fails if that is not possible.
    pub fn pin(mut self, core: usize) -> Self {
        self.pin = Some(core);
        self
    }

    /// Whether there is a consumer thread; default true. Without one, nothing is written but by
    /// [`RingLogger::poll`], [`RingLogger::flush`] and [`RingLogger::shutdown`].
    pub fn thread(mut self, thread: bool) -> Self {
        self.thread = thread;
        self
    }

    /// The most verbose level that is logged, for all targets; default [`LevelFilter::Info`]. It takes
    /// the place of a [`filter`](Self::filter) that was set before.
    pub fn level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.filter = Ok(level.into().into());
        self
    }

    /// How long a shutdown may take that nobody named a deadline for: the one of a logger or a
    /// [`Guard`](crate::Guard) that is dropped, and the one at the end of the process; default 5 s.
    /// With zero, it does not wait: what the consumer has not written yet is counted and lost.
    pub fn shutdown_deadline(mut self, deadline: Duration) -> Self {
        self.shutdown_deadline = deadline;
        self
    }

    /// Whether an installed logger is shut down when the process exits; default true. The hook runs
    /// on the thread that exits, whichever that is, and says on standard error if records were lost.
    ///
    /// Exiting is what `main` does when it returns and what [`exit`](std::process::exit) does. A
    /// fatal signal, [`abort`](std::process::abort) and `_exit` run no hooks. On platforms other
    /// than Unix there is no such hook.
    pub fn exit_hook(mut self, hook: bool) -> Self {
        self.exit_hook = hook;
        self
    }

    /// Whether panics are records of the installed logger; default true. Such a record is of level
    /// ERROR and target `panic`, and says where, on which thread, and with which message; with
    /// `RUST_BACKTRACE` set, it has the frames in its field `backtrace`, one a line.
    ///
    /// The thread that panics waits until the record is written, 100 ms at most, and not at all for
    /// room in the ring. Then the hook that was there before is called: the message on standard error
    /// is what it always was. All panics are told, those that are caught as well; but a panic in a
    /// sink, which the log tells of by itself.
    pub fn panic_hook(mut self, hook: bool) -> Self {
        self.panic_hook = hook;
        self
    }

    /// Whether the installed logger [handles signals](RingLogger::handle_signals), with its
    /// [deadline](Self::shutdown_deadline); default true. Has no effect on one that is only built.
    #[cfg(feature = "signals")]
    pub fn signals(mut self, handle: bool) -> Self {
        self.signals = handle;
        self
    }

    /// Whether the installed logger [handles crashes](RingLogger::handle_crashes), and waits half a
    /// second at most for its consumer; default true. Has no effect on one that is only built.
    #[cfg(feature = "crash")]
    pub fn crash_handler(mut self, handle: bool) -> Self {
        self.crash_handler = handle;
        self
    }

    /// Whether the last record of the log is the logger's own, and says what became of the others:
    /// `log closed: 1,204,331 written, 0 dropped, 0 rejected`; default true.
    pub fn closing_record(mut self, record: bool) -> Self {
        self.closing_record = record;
        self
    }

    /// Whether the report of the shutdown is printed on standard error, in one line; default false.
    pub fn print_report(mut self, print: bool) -> Self {
        self.print_report = print;
        self
    }

    /// What is logged, by target: `.filter("info,engine::risk=trace,net=off")`, in the grammar of
    /// [`Filter`]. It takes the place of a [`level`](Self::level) that was set before. A filter that
    /// cannot be read is an error when the logger is built.
    pub fn filter<F>(mut self, filter: F) -> Self
    where
        F: TryInto<Filter>,
        FilterError: From<F::Error>,
    {
        self.filter = filter.try_into().map_err(FilterError::from);
        self
    }

    /// The environment variable whose filter counts instead of the builder's, so that who runs the
    /// program has the last word; default `RINGLOG`. It is read when the logger is built. One that
    /// is not set, or empty, changes nothing; one that cannot be read is an error. `None` for none.
    pub fn filter_variable(mut self, name: impl Into<Option<&'static str>>) -> Self {
        self.filter_variable = name.into().map(str::to_owned);
        self
    }

    /// Keeps the last `records` records of some levels in memory, unformatted, and writes them, marked
    /// by the field `backtrace=true`, before the next record that is at least as severe as `on`; or
    /// when [`dump_backtrace`](RingLogger::dump_backtrace) is called. Default: nothing is kept.
    ///
    /// ```
    /// use ringlog::{Level, RingLogger, debug, error, info, sink::Memory};
    ///
    /// let memory = Memory::new();
    /// let logger = RingLogger::builder()
    ///     .level(Level::Info)
    ///     .backtrace(1000, Level::Debug..=Level::Trace, Level::Error)
    ///     .closing_record(false)
    ///     .sink(memory.clone())
    ///     .build()?;
    /// debug!(logger: &logger, "the order was {}", 17);
    /// info!(logger: &logger, "working");
    /// error!(logger: &logger, "the order failed");
    /// logger.shutdown(std::time::Duration::from_secs(5));
    /// let log = memory.contents();
    /// let texts: Vec<_> = log.lines().map(|line| line.split_once("] ").unwrap().1).collect();
    /// assert_eq!(
    ///     texts,
    ///     ["working", "the order was 17 backtrace=true", "the order failed"]
    /// );
    /// # Ok::<(), ringlog::BuildError>(())
    /// ```
    ///
    /// What is kept is what the [filter](Self::filter) does not let pass, of the levels in the range,
    /// which may be given in either order; but nothing of targets that are `off`. Such a record costs
    /// its thread what any other does, and takes room in the ring. The memory is 128 bytes per record,
    /// taken when the logger is built; where records are longer, fewer of them are kept. While a
    /// record is kept it counts as `in_ring`; one that made room for others, or that nothing had
    /// called for when the logger was shut down, counts as written.
    ///
    /// `records` is 1 to 2^20; anything else is an error when the logger is built.
    pub fn backtrace(mut self, records: usize, levels: RangeInclusive<Level>, on: Level) -> Self {
        let (one, other) = levels.into_inner();
        self.backtrace = Some(Backtrace {
            records,
            levels: one.min(other)..=one.max(other),
            on,
        });
        self
    }

    /// The filter of the environment variable, or else the builder's own.
    pub(crate) fn effective_filter(&self) -> Result<Filter, BuildError> {
        if let Some(variable) = &self.filter_variable {
            let value = std::env::var_os(variable).unwrap_or_default();
            if !value.is_empty() {
                return Filter::from_os_str(&value).map_err(|source| BuildError::Filter {
                    variable: Some(variable.clone()),
                    source,
                });
            }
        }
        self.filter.clone().map_err(|source| BuildError::Filter {
            variable: None,
            source,
        })
    }

    /// Adds a destination for every record: a [`Sink`](crate::sink::Sink), or one behind an
    /// [`Offload`](crate::sink::Offload), in the form that it likes best: text, unless it says
    /// otherwise.
    pub fn sink(self, sink: impl Into<Destination>) -> Self {
        self.sink_with(sink, SinkOptions::new())
    }

    /// Adds a destination with a format, a level and a filter of its own: see [`SinkOptions`].
    pub fn sink_with(mut self, sink: impl Into<Destination>, options: SinkOptions) -> Self {
        self.sinks.extend(Attached::all(sink.into(), options));
        self
    }

    /// Says for all sinks in one place what goes where; default: everything to every sink.
    pub fn routes(mut self, routes: Routes) -> Self {
        self.routes = routes;
        self
    }

    /// Which values are masked before any sink sees them; default [`Redaction::new`].
    pub fn redact(mut self, redaction: Redaction) -> Self {
        self.redaction = redaction;
        self
    }

    /// Builds the logger and starts its consumer.
    ///
    /// # Errors
    ///
    /// A setting is out of its range, a route leads to a sink that there is not, or the kernel refuses
    /// memory, the thread, or the core.
    pub fn build(self) -> Result<RingLogger, BuildError> {
        RingLogger::new(self, false)
    }

    /// Checks the ranges and rounds.
    pub(crate) fn layout(&self) -> Result<Layout, BuildError> {
        let within = |setting, given, least, most| {
            if (least..=most).contains(&given) {
                Ok(given)
            } else {
                Err(BuildError::Capacity {
                    setting,
                    given,
                    least,
                    most,
                })
            }
        };
        let capacity = |setting, given| {
            within(setting, given, Self::LEAST_CAPACITY, Self::MOST_CAPACITY)
                .map(usize::next_power_of_two)
        };
        within("max_record_slots", self.max_record_slots, 1, MAX_SLOTS)?;
        if let Some(backtrace) = &self.backtrace {
            within("backtrace", backtrace.records, 1, Self::MOST_BACKTRACE)?;
        }
        for bytes in self.sinks.iter().filter_map(|sink| sink.to.queue_bytes()) {
            let range = OffloadSettings::QUEUE_BYTES;
            within("queue_bytes", bytes, *range.start(), *range.end())?;
        }
        Ok(Layout {
            lanes: within("lanes", self.lanes, 0, Self::MOST_LANES)?,
            lane_capacity: capacity("lane_capacity", self.lane_capacity)?,
            shared_capacity: capacity("shared_capacity", self.shared_capacity)?,
        })
    }

    /// The most slots of a record, given the rings it has to fit in.
    pub(crate) fn record_slots(&self, layout: &Layout) -> usize {
        let smallest = if layout.lanes == 0 {
            layout.shared_capacity
        } else {
            layout.lane_capacity.min(layout.shared_capacity)
        };
        self.max_record_slots.min(smallest / 4)
    }
}
