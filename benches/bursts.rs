//! What happens when more comes than the ring holds: `cargo bench --bench bursts -- --help`
//!
//! One thread, pinned to one core, sends bursts of records at a fixed rate: each record has a time at
//! which it arrives, whether or not the thread is done with the one before. The **response time** of
//! a record is counted from its arrival to the return of the call, so a call that waits delays all
//! that arrive meanwhile, and the delays are seen. The consumer is pinned to another core, and writes
//! `"Iteration: {} int: {} double: {}"` to a file in memory. Before a burst, the ring is empty and the
//! consumer asleep (`Idle::Adaptive`) or at its post (`Idle::Spin`).
//!
//! There are two tables:
//!
//! * `overflow`: bursts of four times the ring, for each overflow policy and several sizes of the
//!   ring: response times of all calls (those that answer `Full` are among them), records dropped,
//!   and the **recovery time**, from the end of the burst until the ring is empty and the file
//!   flushed (median, lowest, highest);
//! * `capacity`: for bursts of several sizes at several rates, the smallest ring that drops nothing
//!   in any of the bursts, found by doubling, beside the one that the rule in `docs/capacity.md` asks
//!   for. The rule is given what is measured first: `drain_per_s`, what the consumer writes while one
//!   thread logs as fast as it can and waits when the ring is full; and `stall_us`, how long the
//!   machine keeps the consumer's core from it.

mod support;

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use ringlog::{Idle, Level, Outcome, Overflow, RingLogger, rlog, sink};

use support::arguments::{Arguments, UsageError};
use support::cores::{self, Pair};
use support::results::{self, Row};
use support::ticks::{self, Scale};

const HELP: &str = "\
What happens when more comes than the ring holds.

Usage: cargo bench --bench bursts -- [OPTIONS]

Options:
  --json                      one JSON object per case instead of tables
  --table overflow|capacity   only this table
  --filter SUBSTRING          only the cases of `overflow` with this in their names
  --bursts N                  bursts per case (default 10)
  --rate N                    records a second of `overflow` (default 20000000)
  --burst N                   records per burst of `overflow` (default: four times the ring)
  --idle adaptive|spin        what the consumer of `overflow` does when it is idle (default adaptive)
  --producer-core N           where the thread that logs runs (default: one of the last two allowed)
  --consumer-core N           where the consumer runs (default: the last allowed)
  --help                      prints this
";

/// Between two bursts. `Idle::Adaptive` has come to its longest sleep by then.
const PAUSE: Duration = Duration::from_millis(10);

/// Writes out what is in the ring.
const DEADLINE: Duration = Duration::from_secs(60);

/// The longest sleep of a consumer with `Idle::Adaptive`.
const LONGEST_SLEEP: Duration = Duration::from_millis(1);

const IDLES: [(&str, Idle); 2] = [("adaptive", Idle::Adaptive), ("spin", Idle::Spin)];

struct Options {
    json: bool,
    table: Option<Table>,
    filter: String,
    bursts: u64,
    rate: u64,
    size: Option<u64>,
    idle: Idle,
    producer_core: Option<usize>,
    consumer_core: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Overflow,
    Capacity,
}

/// `None`: the user asked for help.
fn options(mut arguments: Arguments) -> Result<Option<Options>, UsageError> {
    let mut options = Options {
        json: false,
        table: None,
        filter: String::new(),
        bursts: if support::is_measuring() { 10 } else { 2 },
        rate: 20_000_000,
        size: None,
        idle: Idle::Adaptive,
        producer_core: None,
        consumer_core: None,
    };
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(None),
            // From cargo.
            Some("--bench") => {}
            Some("--json") => options.json = true,
            Some("--table") => {
                let choices = [("overflow", Table::Overflow), ("capacity", Table::Capacity)];
                options.table = Some(arguments.choice("--table", &choices)?);
            }
            Some("--filter") => options.filter = arguments.text("--filter")?,
            Some("--bursts") => options.bursts = arguments.number("--bursts", 1..=1_000_000)?,
            Some("--rate") => options.rate = arguments.number("--rate", 1..=1_000_000_000)?,
            Some("--burst") => {
                options.size = Some(arguments.number("--burst", 1..=100_000_000)?);
            }
            Some("--idle") => options.idle = arguments.choice("--idle", &IDLES)?,
            Some(option @ ("--producer-core" | "--consumer-core")) => {
                let core = Some(arguments.number(option, 0..=1023)? as usize);
                if option == "--producer-core" {
                    options.producer_core = core;
                } else {
                    options.consumer_core = core;
                }
            }
            _ => return Err(UsageError::unknown(&argument)),
        }
    }
    Ok(Some(options))
}

/// So many records, one after the other at a fixed rate.
#[derive(Clone, Copy)]
struct Burst {
    size: u64,
    /// Records a second.
    rate: u64,
}

/// What became of a burst.
struct Sent {
    dropped: u64,
    /// From the end of the burst until the ring was empty, in ticks.
    recovery: u64,
}

/// What all cases have in common.
struct Plan {
    pair: Pair,
    scale: Scale,
    file: PathBuf,
    bursts: u64,
}

/// The statement of all cases. `#[inline]`, so that each loop is the same machine code as a
/// programmer's own.
#[inline(always)]
fn log(logger: &RingLogger, number: u64) -> Outcome {
    rlog!(
        logger: logger,
        Level::Info,
        "Iteration: {} int: {} double: {}",
        number,
        2 * number,
        number as f64 / 2.0
    )
}

impl Plan {
    fn logger(
        &self,
        capacity: usize,
        overflow: Overflow,
        idle: Idle,
    ) -> Result<RingLogger, String> {
        let logger = RingLogger::builder()
            .lanes(1)
            .lane_capacity(capacity)
            .shared_capacity(256)
            .overflow(overflow)
            .idle(idle)
            .pin(self.pair.consumer)
            .sink(sink::File::append(&self.file).map_err(|error| error.to_string())?)
            .build()
            .map_err(|error| error.to_string())?;
        // Registers the statement, and claims the lane.
        log(&logger, 0);
        logger.flush(DEADLINE).map_err(|error| error.to_string())?;
        Ok(logger)
    }

    /// Sends one burst, waits until the ring is empty again, and empties the file, so that it does not
    /// outgrow the memory that the machine has at hand. The response times, in ticks, are
    /// added to `responses`, which has room for them.
    fn send(
        &self,
        logger: &RingLogger,
        burst: Burst,
        responses: &mut Vec<u64>,
    ) -> Result<Sent, String> {
        let second = 1e9 / self.scale.nanoseconds(1.0);
        let step = second / burst.rate as f64;
        let mut dropped = 0;
        let start = ticks::read();
        let mut now = start;
        for number in 0..burst.size {
            let arrival = start + (number as f64 * step) as u64;
            while now < arrival {
                now = ticks::read();
            }
            let outcome = log(logger, black_box(number));
            now = ticks::read();
            dropped += u64::from(outcome == Outcome::Full);
            responses.push(now.saturating_sub(arrival));
        }
        logger.flush(DEADLINE).map_err(|error| error.to_string())?;
        let recovery = ticks::read().saturating_sub(now);
        self.empty_file()?;
        Ok(Sent { dropped, recovery })
    }

    fn empty_file(&self) -> Result<(), String> {
        let file = fs::OpenOptions::new().write(true).open(&self.file);
        file.and_then(|file| file.set_len(0))
            .map_err(|error| format!("cannot empty {}: {error}", self.file.display()))
    }

    /// Closes a logger, and checks that no record is unaccounted for.
    fn close(&self, logger: &RingLogger, sent: u64, dropped: u64) -> Result<(), String> {
        let report = logger.shutdown(DEADLINE);
        if report.written + dropped == sent && report.dropped.total() == dropped {
            Ok(())
        } else {
            Err(format!(
                "{sent} records were sent, and {dropped} dropped: {report}"
            ))
        }
    }

    /// How long the consumer's core does something else: the longest time in which a thread that
    /// spins there for two seconds did not get to run, in nanoseconds. It is another process, or the
    /// host of a virtual machine.
    fn stall(&self) -> Result<f64, String> {
        let time = Duration::from_millis(if support::is_measuring() { 2000 } else { 10 });
        let spinning = thread::scope(|scope| {
            let thread = thread::Builder::new().spawn_scoped(scope, || {
                cores::pin(self.pair.consumer)?;
                let (begin, mut last, mut longest) = (Instant::now(), ticks::read(), 0);
                while begin.elapsed() < time {
                    let now = ticks::read();
                    longest = longest.max(now.saturating_sub(last));
                    last = now;
                }
                Ok(longest)
            });
            let thread = thread.map_err(|error| format!("cannot start a thread: {error}"))?;
            thread.join().map_err(|_| "the spinning thread panicked")?
        });
        spinning.map(|ticks: u64| self.scale.nanoseconds(ticks as f64))
    }

    /// How many records a second the consumer writes while one thread logs as fast as it can: the
    /// median of five runs.
    fn drain_rate(&self, lines: u64) -> Result<f64, String> {
        let runs = (0..5)
            .map(|_| {
                let logger = self.logger(4096, Overflow::Block, Idle::Spin)?;
                let start = ticks::read();
                for number in 0..lines {
                    log(&logger, number);
                }
                logger.flush(DEADLINE).map_err(|error| error.to_string())?;
                let ticks = ticks::read().saturating_sub(start);
                self.empty_file()?;
                self.close(&logger, lines + 1, 0)?;
                Ok(lines as f64 / self.scale.nanoseconds(ticks as f64) * 1e9)
            })
            .collect::<Result<Vec<f64>, String>>()?;
        let [_, median, _] = support::spread(&runs);
        Ok(median)
    }
}

/// A ring of some size with a policy, and bursts that it cannot hold.
struct Case {
    policy: &'static str,
    overflow: Overflow,
    capacity: u64,
}

impl Case {
    fn all() -> Vec<Case> {
        let policies = [
            ("drop", Overflow::Drop),
            (
                "block-for-100us",
                Overflow::BlockFor(Duration::from_micros(100)),
            ),
            ("block", Overflow::Block),
        ];
        let sizes: &[u64] = if support::is_measuring() {
            &[1024, 4096, 16_384, 65_536]
        } else {
            &[256]
        };
        let mut cases = Vec::new();
        for (policy, overflow) in policies {
            cases.extend(sizes.iter().map(|&capacity| Case {
                policy,
                overflow,
                capacity,
            }));
        }
        cases
    }

    fn name(&self) -> String {
        format!("{}/{}", self.policy, self.capacity)
    }

    fn measure(&self, plan: &Plan, options: &Options) -> Result<Row, String> {
        let burst = Burst {
            size: options.size.unwrap_or(4 * self.capacity),
            rate: options.rate,
        };
        let logger = plan.logger(self.capacity as usize, self.overflow, options.idle)?;
        let mut responses = Histogram::<u64>::new_with_bounds(1, 1 << 40, 3)
            .expect("the bounds and the digits are within what a histogram takes");
        let mut times = Vec::with_capacity(burst.size as usize);
        let mut dropped = 0;
        let mut recoveries = Vec::new();
        for _ in 0..plan.bursts {
            thread::sleep(PAUSE);
            times.clear();
            let sent = plan.send(&logger, burst, &mut times)?;
            for &ticks in &times {
                responses.saturating_record(ticks);
            }
            dropped += sent.dropped;
            recoveries.push(plan.scale.nanoseconds(sent.recovery as f64) / 1e3);
        }
        let sent = plan.bursts * burst.size;
        plan.close(&logger, sent + 1, dropped)
            .map_err(|fault| format!("{}: {fault}", self.name()))?;

        let response = |quantile| {
            let ticks = responses.value_at_quantile(quantile);
            plan.scale.nanoseconds(ticks as f64) / 1e3
        };
        let [low, recovery, high] = support::spread(&recoveries);
        Ok(Row::new()
            .text("policy", self.policy)
            .count("capacity", self.capacity)
            .count("burst", burst.size)
            .count("rate_per_s", burst.rate)
            .measured("p50_us", response(0.5), 3)
            .measured("p99_us", response(0.99), 3)
            .measured("p999_us", response(0.999), 3)
            .measured("max_us", response(1.0), 1)
            .measured("dropped_percent", dropped as f64 / sent as f64 * 100.0, 2)
            .measured("recovery_us", recovery, 0)
            .measured("recovery_low_us", low, 0)
            .measured("recovery_high_us", high, 0)
            .count("bursts", plan.bursts))
    }
}

/// The capacity that the rule in `docs/capacity.md` asks for, for records of one slot; `drain` in
/// records a second, `away`, the longest that the consumer is away, in seconds.
fn capacity_by_rule(burst: Burst, drain: f64, away: f64) -> u64 {
    let (size, rate) = (burst.size as f64, burst.rate as f64);
    // What has come when the consumer is back, and what is left when the last record comes.
    let meanwhile = size.min(rate * away);
    let at_the_end = size - drain * (size / rate - away).max(0.0);
    let most = meanwhile.max(at_the_end);
    ((most * 16.0 / 11.0).ceil() as u64)
        .max(16)
        .next_power_of_two()
}

/// The smallest ring that takes all bursts whole, and the one that the rule asks for.
fn capacity_row(
    plan: &Plan,
    burst: Burst,
    (idle_name, idle): (&'static str, Idle),
    (drain, stall): (f64, f64),
) -> Result<Row, String> {
    /// 128 MiB.
    const MOST: u64 = 1 << 21;

    let mut times = Vec::with_capacity(burst.size as usize);
    let mut capacity = 64;
    loop {
        let logger = plan.logger(capacity as usize, Overflow::Drop, idle)?;
        let (mut sent, mut dropped) = (1, 0);
        for _ in 0..plan.bursts {
            thread::sleep(PAUSE);
            times.clear();
            dropped += plan.send(&logger, burst, &mut times)?.dropped;
            sent += burst.size;
            if dropped > 0 {
                break;
            }
        }
        plan.close(&logger, sent, dropped)?;
        if dropped == 0 || capacity == MOST {
            break;
        }
        capacity *= 2;
    }
    let sleep = match idle {
        Idle::Spin => 0.0,
        _ => LONGEST_SLEEP.as_secs_f64(),
    };
    let by_rule = capacity_by_rule(burst, drain, sleep + stall / 1e9);
    Ok(Row::new()
        .count("burst", burst.size)
        .count("rate_per_s", burst.rate)
        .text("idle", idle_name)
        .count("capacity_measured", capacity)
        .count("capacity_by_rule", by_rule)
        .measured("drain_per_s", drain, 0)
        .measured("stall_us", stall / 1e3, 0)
        .count("bursts", plan.bursts))
}

fn capacity_table(plan: &Plan) -> Result<Vec<Row>, String> {
    let (sizes, rates, lines): (&[u64], &[u64], u64) = if support::is_measuring() {
        let sizes = &[1000, 10_000, 100_000, 1_000_000];
        (sizes, &[2_000_000, 5_000_000, 20_000_000], 1_000_000)
    } else {
        (&[500], &[5_000_000], 10_000)
    };
    let found = (plan.drain_rate(lines)?, plan.stall()?);
    let mut rows = Vec::new();
    for &rate in rates {
        for &size in sizes {
            for idle in IDLES {
                rows.push(capacity_row(plan, Burst { size, rate }, idle, found)?);
            }
        }
    }
    Ok(rows)
}

fn run(options: &Options) -> Result<(), String> {
    let pair = match Pair::choose(options.producer_core, options.consumer_core) {
        Ok(pair) => pair,
        Err(reason) if !support::is_measuring() => {
            eprintln!("bursts: skipped: {reason}");
            return Ok(());
        }
        Err(reason) => return Err(reason),
    };
    cores::pin(pair.producer)?;
    let plan = Plan {
        pair,
        scale: Scale::measure(),
        file: support::memory_folder().join(format!("ringlog-bursts-{}.log", std::process::id())),
        bursts: options.bursts,
    };
    let show = |rows: &[Row]| results::print(rows, options.json);
    let result = tables(&plan, options, show);
    let _ = fs::remove_file(&plan.file);
    result
}

fn tables(plan: &Plan, options: &Options, show: impl Fn(&[Row])) -> Result<(), String> {
    if options.table != Some(Table::Capacity) {
        let mut cases = Case::all();
        cases.retain(|case| case.name().contains(&options.filter));
        if cases.is_empty() {
            return Err(format!("no case has `{}` in its name", options.filter));
        }
        let rows = cases
            .iter()
            .map(|case| case.measure(plan, options))
            .collect::<Result<Vec<Row>, String>>()?;
        show(&rows);
    }
    if options.table != Some(Table::Overflow) {
        show(&capacity_table(plan)?);
    }
    Ok(())
}

fn main() -> ExitCode {
    support::run("bursts", HELP, options, run)
}
