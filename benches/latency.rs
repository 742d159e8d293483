//! What a log call costs the thread that makes it: `cargo bench --bench latency -- --help`
//!
//! One thread logs, pinned to one core; the consumer is pinned to another. A sample is a burst of 20
//! calls, whose time is divided by 20, or a single call. How time is read, and what is taken off for
//! reading it, is told in `support/ticks.rs`; `empty_ns` is what was taken off each sample, before
//! the division, and `step_ns` is the step in which the counter moves, below which a single call
//! cannot be resolved.
//!
//! From the start of one sample to the next it is one millisecond. The thread sleeps through the
//! first part of it (`--sleep-us`, half a millisecond unless said otherwise), as a program does that
//! waits for its next event, and spins through the rest, so that its core is awake again and at speed.
//! What ran on the core meanwhile has taken its share of the caches. `--sleep-us 0` shows the cost to
//! a thread that never gives up its core.
//!
//! A case is named after its samples (`burst20`, `single`), its clock (`tsc`, `arrival`, `system`),
//! its arguments (`none`; `numbers`: two integers and a double; `text24`: a string of 24 bytes;
//! `fields5`: five numbers one by one; `struct5`: the same five in a derived struct) and
//! where its records go:
//! * `lane`: the thread's private lane, through the logger;
//! * `handle`: a lane owned by a `Producer`;
//! * `shared`: the shared ring, in a logger without lanes;
//! * `off`: nowhere, because the level is off.
//!
//! The cases run one after the other, `--bursts` samples each, and all of them again `--reps` times.
//! The percentiles are those of all samples of a case; `p50_low_ns` and `p50_high_ns` are the lowest
//! and the highest median of a repetition. Right before its samples, each repetition of each case
//! measures what one bare `rdtsc` costs (`rdtsc_ns`) and how long a cache line takes from one core to
//! the other (`line_ns`, the median of the repetitions, `line_low_ns` and `line_high_ns`): on a
//! virtual machine the two cores may move apart at any moment, and a figure means little without its
//! distance. All times are in nanoseconds, those of a case per call.
//!
//! Records go to a null sink unless `--file` names a file, which is overwritten.

mod support;

use std::hint::black_box;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use ringlog::{Clock, Idle, Level, RingLogger, rlog, sink};

use support::arguments::{Arguments, UsageError};
use support::cores::{self, Pair};
use support::results::{self, Row};
use support::ticks::{self, Scale};

/// From the start of one sample to the next.
const PERIOD: Duration = Duration::from_millis(1);

/// Samples at the start of a case that are not counted: the first one registers the statement.
const WARM_UP: u64 = 10;

/// Shuts down a logger that has a few records left.
const DEADLINE: Duration = Duration::from_secs(10);

const TEXT: &str = "the string of 24 letters";
const _: () = assert!(TEXT.len() == 24);

const HELP: &str = "\
What a log call costs the thread that makes it, in nanoseconds.

Usage: cargo bench --bench latency -- [OPTIONS]

Options:
  --json                 one JSON object per case instead of a table
  --filter SUBSTRING     only the cases with this in their names
  --reps N               how often all cases are repeated (default 5)
  --bursts N             samples per case and repetition (default 1000)
  --sleep-us N           how much of the millisecond between two samples the thread that logs
                         sleeps (0 to 1000; default 500); it spins through the rest
  --file PATH            writes the log to a file, not to a null sink
  --idle adaptive|spin   what the consumer does when it is idle (default adaptive)
  --producer-core N      where the thread that logs runs (default: one of the last two allowed)
  --consumer-core N      where the consumer runs (default: the last allowed)
  --help                 prints this
";

struct Options {
    json: bool,
    reps: u64,
    bursts: u64,
    sleep: Duration,
    filter: String,
    file: Option<PathBuf>,
    idle: Idle,
    producer_core: Option<usize>,
    consumer_core: Option<usize>,
}

/// `None`: the user asked for help.
fn options(mut arguments: Arguments) -> Result<Option<Options>, UsageError> {
    let measuring = support::is_measuring();
    let mut options = Options {
        json: false,
        reps: if measuring { 5 } else { 1 },
        bursts: if measuring { 1000 } else { 10 },
        sleep: PERIOD / 2,
        filter: String::new(),
        file: None,
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
            Some("--reps") => options.reps = arguments.number("--reps", 1..=1000)?,
            Some("--bursts") => options.bursts = arguments.number("--bursts", 1..=10_000_000)?,
            Some("--sleep-us") => {
                let most = PERIOD.as_micros() as u64;
                options.sleep = Duration::from_micros(arguments.number("--sleep-us", 0..=most)?);
            }
            Some("--filter") => options.filter = arguments.text("--filter")?,
            Some("--file") => options.file = Some(arguments.path("--file")?),
            Some("--idle") => {
                let choices = [("adaptive", Idle::Adaptive), ("spin", Idle::Spin)];
                options.idle = arguments.choice("--idle", &choices)?;
            }
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sample {
    Burst,
    Single,
}

impl Sample {
    /// How many calls it is.
    const fn calls(self) -> u64 {
        match self {
            Sample::Burst => 20,
            Sample::Single => 1,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Sample::Burst => "burst20",
            Sample::Single => "single",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    None,
    Numbers,
    Text,
    /// The fields of an [`Order`], one by one.
    Fields,
    /// An [`Order`].
    Struct,
}

/// What a program may have to log.
#[derive(Clone, Copy, Debug, ringlog::Record)]
struct Order {
    id: u64,
    price: f64,
    lots: u32,
    side: char,
    is_open: bool,
}

impl Order {
    #[inline(always)]
    fn new(number: i64) -> Self {
        Order {
            id: number as u64,
            price: number as f64 / 2.0,
            lots: number as u32,
            side: 'B',
            is_open: number % 2 == 0,
        }
    }
}

impl Values {
    fn name(self) -> &'static str {
        match self {
            Values::None => "none",
            Values::Numbers => "numbers",
            Values::Text => "text24",
            Values::Fields => "fields5",
            Values::Struct => "struct5",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Lane,
    Handle,
    Shared,
    Off,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Lane => "lane",
            Way::Handle => "handle",
            Way::Shared => "shared",
            Way::Off => "off",
        }
    }
}

/// One way to log, and what was measured of it.
struct Case {
    sample: Sample,
    clock: (Clock, &'static str),
    values: Values,
    way: Way,
    /// Ticks per sample.
    ticks: Histogram<u64>,
    /// The median of each repetition, in nanoseconds per call.
    medians: Vec<f64>,
    /// The cost of a bare `rdtsc` at each repetition, in nanoseconds.
    reads: Vec<f64>,
    /// The time of a cache line between the cores at each repetition, in nanoseconds.
    lines: Vec<f64>,
}

/// What all cases have in common.
struct Plan {
    pair: Pair,
    scale: Scale,
    bursts: u64,
    sleep: Duration,
}

impl Plan {
    /// Takes samples of `log`, which makes a call for each of the numbers it is given.
    fn take(&self, sample: Sample, log: impl Fn(Range<i64>)) -> Histogram<u64> {
        let mut histogram = new_histogram();
        for number in 0..WARM_UP + self.bursts {
            let begin = Instant::now();
            let first = (number * sample.calls()) as i64;
            let numbers = black_box(first..first + sample.calls() as i64);
            let start = ticks::start();
            log(numbers);
            let stop = ticks::stop();
            if number >= WARM_UP {
                histogram.saturating_record(self.scale.ticks(start, stop));
            }
            if !self.sleep.is_zero() {
                thread::sleep(self.sleep);
            }
            while begin.elapsed() < PERIOD {
                std::hint::spin_loop();
            }
        }
        histogram
    }
}

/// Takes the samples of a case through `$logger`, with a statement of its own for each kind of
/// arguments. A burst is a loop around the statement.
macro_rules! take {
    ($plan:expr, $case:expr, $logger:expr, $level:ident) => {{
        let text = black_box(TEXT);
        match $case.values {
            Values::None => $plan.take($case.sample, |numbers| {
                for _ in numbers {
                    rlog!(logger: $logger, Level::$level, "heartbeat");
                }
            }),
            Values::Numbers => $plan.take($case.sample, |numbers| {
                for number in numbers {
                    rlog!(
                        logger: $logger,
                        Level::$level,
                        "Iteration: {} int: {} double: {}",
                        number,
                        2 * number,
                        number as f64 / 2.0
                    );
                }
            }),
            Values::Text => $plan.take($case.sample, |numbers| {
                for _ in numbers {
                    rlog!(logger: $logger, Level::$level, "symbol: {}", text);
                }
            }),
            Values::Fields => $plan.take($case.sample, |numbers| {
                for number in numbers {
                    let order = black_box(Order::new(number));
                    rlog!(
                        logger: $logger,
                        Level::$level,
                        "order: {} {} {} {} {}",
                        order.id,
                        order.price,
                        order.lots,
                        order.side,
                        order.is_open
                    );
                }
            }),
            Values::Struct => $plan.take($case.sample, |numbers| {
                for number in numbers {
                    let order = black_box(Order::new(number));
                    rlog!(logger: $logger, Level::$level, "order: {:?}", order);
                }
            }),
        }
    }};
}

impl Case {
    fn new(sample: Sample, clock: (Clock, &'static str), values: Values, way: Way) -> Self {
        Case {
            sample,
            clock,
            values,
            way,
            ticks: new_histogram(),
            medians: Vec::new(),
            reads: Vec::new(),
            lines: Vec::new(),
        }
    }

    fn all() -> Vec<Case> {
        const TSC: (Clock, &str) = (Clock::Tsc, "tsc");
        const CLOCKS: [(Clock, &str); 3] =
            [TSC, (Clock::Arrival, "arrival"), (Clock::System, "system")];
        const VALUES: [Values; 3] = [Values::None, Values::Numbers, Values::Text];
        let mut cases = Vec::new();
        for sample in [Sample::Burst, Sample::Single] {
            for clock in CLOCKS {
                cases.extend(VALUES.map(|values| Case::new(sample, clock, values, Way::Lane)));
            }
            for way in [Way::Handle, Way::Shared] {
                cases.extend(VALUES.map(|values| Case::new(sample, TSC, values, way)));
            }
            for clock in [TSC, (Clock::Arrival, "arrival")] {
                for values in [Values::Fields, Values::Struct] {
                    cases.push(Case::new(sample, clock, values, Way::Lane));
                }
            }
            cases.push(Case::new(sample, TSC, Values::Numbers, Way::Off));
        }
        cases
    }

    fn name(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.sample.name(),
            self.clock.1,
            self.values.name(),
            self.way.name()
        )
    }

    /// Takes the samples of one repetition, with a logger of its own.
    fn repeat(&mut self, plan: &Plan, options: &Options) -> Result<(), String> {
        let mut builder = RingLogger::builder()
            .clock(self.clock.0)
            .idle(options.idle)
            .pin(plan.pair.consumer)
            .lanes(if self.way == Way::Shared { 0 } else { 16 });
        builder = match &options.file {
            None => builder.sink(sink::Null),
            Some(path) => {
                builder.sink(sink::File::truncate(path).map_err(|error| error.to_string())?)
            }
        };
        let logger = builder.build().map_err(|error| error.to_string())?;
        if self.medians.is_empty() {
            for warning in logger.warnings() {
                eprintln!("latency: {}: {warning}", self.name());
            }
        }

        let read = plan.scale.bare_read();
        let line = plan.pair.line_transfer(&plan.scale)?;
        let ticks = match self.way {
            Way::Lane | Way::Shared => {
                logger.warm_up();
                take!(plan, self, &logger, Info)
            }
            Way::Handle => {
                let producer = logger.producer();
                take!(plan, self, &producer, Info)
            }
            Way::Off => take!(plan, self, &logger, Debug),
        };

        let report = logger.shutdown(DEADLINE);
        let expected = match self.way {
            Way::Off => 0,
            _ => (WARM_UP + plan.bursts) * self.sample.calls(),
        };
        if report.written != expected {
            return Err(format!(
                "{}: {expected} records should have been written: {report}",
                self.name()
            ));
        }
        self.reads.push(read);
        self.lines.push(line);
        self.medians.push(self.per_call(plan, &ticks, 0.5));
        self.ticks += ticks;
        Ok(())
    }

    /// Nanoseconds per call that this share of the samples did not exceed.
    fn per_call(&self, plan: &Plan, ticks: &Histogram<u64>, quantile: f64) -> f64 {
        let ticks = ticks.value_at_quantile(quantile) as f64;
        plan.scale.nanoseconds(ticks) / self.sample.calls() as f64
    }

    fn row(&self, plan: &Plan) -> Row {
        let quantile = |quantile| self.per_call(plan, &self.ticks, quantile);
        let [p50_low, _, p50_high] = support::spread(&self.medians);
        let [_, rdtsc, _] = support::spread(&self.reads);
        let [line_low, line, line_high] = support::spread(&self.lines);
        Row::new()
            .text("case", self.name())
            .text("clock", self.clock.1)
            .measured("p50_ns", quantile(0.5), 2)
            .measured("p99_ns", quantile(0.99), 2)
            .measured("p999_ns", quantile(0.999), 2)
            .measured("max_ns", quantile(1.0), 1)
            .measured("rdtsc_ns", rdtsc, 2)
            .measured("line_ns", line, 1)
            .measured("p50_low_ns", p50_low, 2)
            .measured("p50_high_ns", p50_high, 2)
            .measured("line_low_ns", line_low, 1)
            .measured("line_high_ns", line_high, 1)
            .measured("empty_ns", plan.scale.empty(), 2)
            .measured("step_ns", plan.scale.step(), 2)
            .count("samples", self.ticks.len())
    }
}

fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 1 << 40, 3)
        .expect("the bounds and the digits are within what a histogram takes")
}

fn run(options: &Options) -> Result<(), String> {
    let pair = match Pair::choose(options.producer_core, options.consumer_core) {
        Ok(pair) => pair,
        Err(reason) if !support::is_measuring() => {
            eprintln!("latency: skipped: {reason}");
            return Ok(());
        }
        Err(reason) => return Err(reason),
    };
    cores::pin(pair.producer)?;
    let plan = Plan {
        pair,
        scale: Scale::measure(),
        bursts: options.bursts,
        sleep: options.sleep,
    };
    let mut cases = Case::all();
    cases.retain(|case| case.name().contains(&options.filter));
    if cases.is_empty() {
        return Err(format!("no case has `{}` in its name", options.filter));
    }

    for _ in 0..options.reps {
        for case in &mut cases {
            case.repeat(&plan, options)?;
        }
    }
    let rows: Vec<Row> = cases.iter().map(|case| case.row(&plan)).collect();
    if !options.json {
        println!(
            "producer on core {}, consumer on core {}; ns per call",
            pair.producer, pair.consumer
        );
    }
    results::print(&rows, options.json);
    Ok(())
}

fn main() -> ExitCode {
    support::run("latency", HELP, options, run)
}
