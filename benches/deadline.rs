//! How much later than its deadline a shutdown returns: `cargo bench --bench deadline -- --help`
//!
//! While `--threads` threads log as fast as they can, the logger is shut down, with a deadline of 0 to
//! 5 seconds, `--reps` times each. The promise is: at most 10 ms, and one call of a sink, after the
//! deadline. A case is named after its sink:
//! * `file`: a file in memory, which takes everything before a deadline that is not very short;
//! * `slow`: 20 us for each record: there is never time for all;
//! * `stuck`: it does not return before the shutdown has, so that no call can be taken off;
//! * `offload`: the same on a thread of its own.
//!
//! `late` is the time from the deadline to the return of the shutdown, in milliseconds; where all was
//! written before, `early` says how often that was, and those are not counted as late. `call_max` is
//! the longest call of the sink that returned, of all repetitions.

mod support;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::{Batch, File, Offload, Sink};
use ringlog::{Builder, Level, RingLogger, ShutdownOutcome, rlog};

use support::arguments::{Arguments, UsageError};
use support::results::{self, Row};

const HELP: &str = "\
How much later than its deadline a shutdown returns.

usage: cargo bench --bench deadline -- [OPTION]...

  --json             one JSON object per case
  --filter TEXT      only cases whose name contains it
  --reps NUMBER      how often each case is repeated
  --threads NUMBER   how many threads log meanwhile
";

const DEADLINES: [u64; 6] = [0, 1, 10, 100, 1000, 5000];

const SINKS: [&str; 4] = ["file", "slow", "stuck", "offload"];

struct Options {
    json: bool,
    filter: String,
    reps: u64,
    threads: u64,
}

/// `None`: the user asked for help.
fn options(mut arguments: Arguments) -> Result<Option<Options>, UsageError> {
    let mut options = Options {
        json: false,
        filter: String::new(),
        reps: if support::is_measuring() { 20 } else { 1 },
        threads: 2,
    };
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(None),
            // From cargo.
            Some("--bench") => {}
            Some("--json") => options.json = true,
            Some("--filter") => options.filter = arguments.text("--filter")?,
            Some("--reps") => options.reps = arguments.number("--reps", 1..=10_000)?,
            Some("--threads") => options.threads = arguments.number("--threads", 0..=1000)?,
            _ => return Err(UsageError::unknown(&argument)),
        }
    }
    Ok(Some(options))
}

/// A sink that takes so long for each record, and does not return before it may.
struct Slow {
    record: Duration,
    may_return: Arc<AtomicBool>,
    /// The longest call that returned, in nanoseconds.
    longest: Arc<AtomicU64>,
}

impl Sink for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        let started = Instant::now();
        let lines = batch.bytes().iter().filter(|byte| **byte == b'\n').count();
        thread::sleep(self.record.saturating_mul(lines as u32));
        while !self.may_return.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
        let took = started.elapsed().as_nanos() as u64;
        self.longest.fetch_max(took, Ordering::Relaxed);
        Ok(batch.bytes().len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn builder(
    sink: &str,
    has_ended: &Arc<AtomicBool>,
    longest: &Arc<AtomicU64>,
) -> io::Result<Builder> {
    let builder = RingLogger::builder().lanes(4);
    let slow = |record, may_return| Slow {
        record,
        may_return,
        longest: longest.clone(),
    };
    let stuck = || slow(Duration::ZERO, has_ended.clone());
    Ok(match sink {
        "file" => {
            let path = support::memory_folder().join("ringlog-deadline.log");
            builder.sink(File::truncate(path)?)
        }
        "slow" => builder.sink(slow(Duration::from_micros(20), Arc::new(true.into()))),
        "stuck" => builder.sink(stuck()),
        _ => builder.sink(Offload::new(stuck())),
    })
}

/// How late the shutdown was; `None` if all was written before the deadline.
fn measure(
    sink: &str,
    deadline: Duration,
    threads: u64,
    longest: &Arc<AtomicU64>,
) -> Result<Option<Duration>, String> {
    let has_ended = Arc::new(AtomicBool::new(false));
    let builder = builder(sink, &has_ended, longest).map_err(|error| error.to_string())?;
    let logger = builder.build().map_err(|error| error.to_string())?;
    let late = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut number = 0_u64;
                while !has_ended.load(Ordering::Relaxed) {
                    rlog!(logger: &logger, Level::Info, "number {number}");
                    number += 1;
                }
            });
        }
        thread::sleep(Duration::from_millis(10));
        let started = Instant::now();
        let report = logger.shutdown(deadline);
        let took = started.elapsed();
        has_ended.store(true, Ordering::Relaxed);
        let is_late = report.outcome != ShutdownOutcome::Drained || took > deadline;
        is_late.then(|| took.saturating_sub(deadline))
    });
    Ok(late)
}

fn run(options: &Options) -> Result<(), String> {
    let mut rows = Vec::new();
    for sink in SINKS {
        for deadline in DEADLINES {
            let name = format!("{sink}_{deadline}ms");
            if !name.contains(&options.filter) {
                continue;
            }
            let longest = Arc::default();
            let mut late = Vec::new();
            for _ in 0..options.reps {
                let deadline = Duration::from_millis(deadline);
                let one = measure(sink, deadline, options.threads, &longest)?;
                late.extend(one.map(|late| late.as_secs_f64() * 1e3));
            }
            let early = options.reps - late.len() as u64;
            late.sort_by(f64::total_cmp);
            let at = |share: f64| {
                let place = (late.len() as f64 * share) as usize;
                let value = late.get(place.min(late.len().wrapping_sub(1)));
                value.copied().unwrap_or(0.0)
            };
            rows.push(
                Row::new()
                    .text("case", name)
                    .count("reps", options.reps)
                    .count("early", early)
                    .measured("late_p50_ms", at(0.5), 3)
                    .measured("late_p99_ms", at(0.99), 3)
                    .measured("late_max_ms", at(1.0), 3)
                    .measured(
                        "call_max_ms",
                        longest.load(Ordering::Relaxed) as f64 / 1e6,
                        3,
                    ),
            );
        }
    }
    results::print(&rows, options.json);
    Ok(())
}

fn main() -> ExitCode {
    support::run("deadline", HELP, options, run)
}
