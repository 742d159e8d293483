//! A small matching engine that logs everything it does:
//! `cargo run --release --example matching_engine`
//!
//! Three threads, each of which logs: the *gateway* reads or makes up orders and logs each of them;
//! the *matcher* carries them out in a [limit order book](book) and logs what each led to; the
//! *risk* thread keeps the positions and warns of every [breach](risk). The matcher times each of
//! its log calls.
//!
//! Orders come from a file (`--orders`, in the format described in [`orders`]) or from a generator
//! that gives the same orders for the same seed. A line that is not an order is logged as a warning,
//! told again on standard error at the end, and left out.
//!
//! The engine must not wait for its log: where the log cannot keep up, records are dropped
//! ([`Overflow::Drop`]), the log says where, and the report says how many. `--overflow block` waits
//! instead.
//!
//! It ends with status 0 if all went well, 1 if something failed or an order line was malformed, and
//! 2 for a command line that it does not take.

mod book;
mod generator;
mod orders;
mod risk;
#[path = "../support/mod.rs"]
mod support;
mod timer;

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::{Level, Overflow, RingLogger, ShutdownOutcome, error, info, rlog, sink, warn};

use book::{Book, Event, Fill};
use generator::Generator;
use orders::{Action, Malformed, Order, OrderReader};
use risk::{POSITION_LIMIT, Risk};
use support::arguments::{Arguments, UsageError};
use timer::Timer;

const HELP: &str = "\
A small matching engine that logs everything it does.

Usage: matching_engine [OPTIONS]

Options:
  --orders FILE           orders to match, as CSV; `-`: standard input
  --count N               how many orders to make up without --orders (default 200000)
  --seed S                which orders to make up (default 42)
  --log PATH              the log to write (default matching_engine.log)
  --overflow drop|block   what to do when the ring is full (default drop)
  --help                  prints this

The CSV begins with the line `action,id,account,side,quantity,price`; the other lines are like
  limit,1,7,buy,300,101.25
  market,2,9,sell,100,
  cancel,1,7,,,
";

/// Room for what a thread logs while the consumer is off its core for some milliseconds.
const LANE_CAPACITY: usize = 64 * 1024;

/// How many orders or fills may wait between two threads.
const CHANNEL_CAPACITY: usize = 4096;

/// How long the records still in the ring may take to reach the log.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many malformed lines are told on standard error; all of them are in the log.
const MALFORMED_SHOWN: usize = 10;

struct Options {
    source: Source,
    log: PathBuf,
    overflow: Overflow,
}

enum Source {
    File(PathBuf),
    StandardInput,
    Generator { seed: u64, count: u64 },
}

/// `None`: the user asked for help.
fn options(mut arguments: Arguments) -> Result<Option<Options>, UsageError> {
    let mut file = None;
    let mut count = None;
    let mut seed = None;
    let mut log = PathBuf::from("matching_engine.log");
    let mut overflow = Overflow::Drop;
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(None),
            Some("--orders") => file = Some(arguments.path("--orders")?),
            Some("--count") => count = Some(arguments.number("--count", 0..=u64::MAX)?),
            Some("--seed") => seed = Some(arguments.number("--seed", 0..=u64::MAX)?),
            Some("--log") => log = arguments.path("--log")?,
            Some("--overflow") => {
                let choices = [("drop", Overflow::Drop), ("block", Overflow::Block)];
                overflow = arguments.choice("--overflow", &choices)?;
            }
            _ => return Err(UsageError::unknown(&argument)),
        }
    }
    let source = match file {
        Some(_) if count.is_some() || seed.is_some() => {
            return Err(UsageError::new(
                "`--count` and `--seed` are for made-up orders, not for `--orders`",
            ));
        }
        Some(file) if file.as_os_str() == "-" => Source::StandardInput,
        Some(file) => Source::File(file),
        None => Source::Generator {
            seed: seed.unwrap_or(42),
            count: count.unwrap_or(200_000),
        },
    };
    Ok(Some(Options {
        source,
        log,
        overflow,
    }))
}

/// Where orders come from, opened.
enum Orders {
    Read {
        name: String,
        reader: OrderReader<Box<dyn BufRead + Send>>,
    },
    MadeUp(std::iter::Take<Generator>),
}

impl Orders {
    fn open(source: &Source) -> Result<Self, String> {
        let (name, input): (String, Box<dyn BufRead + Send>) = match source {
            &Source::Generator { seed, count } => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                return Ok(Orders::MadeUp(Generator::new(seed).take(count)));
            }
            Source::StandardInput => (
                "standard input".into(),
                Box::new(BufReader::new(io::stdin())),
            ),
            Source::File(path) => {
                let name = path.display().to_string();
                let file =
                    fs::File::open(path).map_err(|error| format!("cannot open {name}: {error}"))?;
                (name, Box::new(BufReader::new(file)))
            }
        };
        let reader =
            OrderReader::new(input).map_err(|error| format!("cannot read {name}: {error}"))?;
        Ok(Orders::Read { name, reader })
    }

    fn next(&mut self) -> io::Result<Option<Result<Order, Malformed>>> {
        match self {
            Orders::Read { reader, .. } => reader.next(),
            Orders::MadeUp(generator) => Ok(generator.next().map(Ok)),
        }
    }
}

/// What the gateway saw.
#[derive(Default)]
struct Intake {
    orders: u64,
    malformed: u64,
    /// The first of the malformed lines.
    shown: Vec<Malformed>,
    /// What ended the input before its end.
    error: Option<io::Error>,
}

fn gateway(mut orders: Orders, matcher: &SyncSender<Order>) -> Intake {
    let mut intake = Intake::default();
    loop {
        match orders.next() {
            Ok(None) => return intake,
            Ok(Some(Ok(order))) => {
                log_order(&order);
                intake.orders += 1;
                if matcher.send(order).is_err() {
                    // The matcher panicked; joining it tells.
                    return intake;
                }
            }
            Ok(Some(Err(malformed))) => {
                warn!("malformed order: {malformed}");
                intake.malformed += 1;
                if intake.shown.len() < MALFORMED_SHOWN {
                    intake.shown.push(malformed);
                }
            }
            Err(error) => {
                error!("orders end here: {error}");
                intake.error = Some(error);
                return intake;
            }
        }
    }
}

/// A price is logged as two integers: they are stored as they are, and become text in the consumer.
fn log_order(order: &Order) {
    let Order { id, account, .. } = *order;
    match order.action {
        Action::Limit {
            side,
            quantity,
            price,
        } => rlog!(
            Level::Info,
            "order {id} of account {account}: {} {quantity} at {}.{:04}",
            side.as_str(),
            price.units(),
            price.fraction()
        ),
        Action::Market { side, quantity } => rlog!(
            Level::Info,
            "order {id} of account {account}: {} {quantity} at market",
            side.as_str()
        ),
        Action::Cancel => rlog!(Level::Info, "account {account} cancels order {id}"),
    };
}

/// What the matcher did.
struct Matched {
    fills: u64,
    waiting: usize,
    timer: Timer,
}

fn matcher(orders: Receiver<Order>, risk: &SyncSender<Fill>) -> Matched {
    let mut book = Book::new();
    let mut timer = Timer::new();
    let mut fills = 0;
    for order in orders {
        book.apply(&order, |event| {
            let mark = timer.mark();
            log_event(order.id, &event);
            timer.record(mark);
            if let Event::Fill(fill) = event {
                fills += 1;
                // Without a risk thread there is nobody to tell; joining it tells why.
                let _ = risk.send(fill);
            }
        });
    }
    Matched {
        fills,
        waiting: book.len(),
        timer,
    }
}

#[inline(always)]
fn log_event(id: u64, event: &Event) {
    match *event {
        Event::Fill(Fill {
            maker,
            taker,
            quantity,
            price,
            ..
        }) => rlog!(
            Level::Info,
            "fill: order {taker} takes {quantity} of order {maker} at {}.{:04}",
            price.units(),
            price.fraction()
        ),
        Event::Rested { quantity } => rlog!(Level::Info, "order {id} waits: {quantity} left"),
        Event::Dropped { quantity } => {
            rlog!(Level::Info, "order {id} is dropped: {quantity} not traded")
        }
        Event::Cancelled { quantity } => {
            rlog!(Level::Info, "order {id} is cancelled: {quantity} left")
        }
        Event::Refused(refusal) => {
            rlog!(Level::Info, "order {id} is refused: {}", refusal.as_str())
        }
    };
}

fn watch(fills: Receiver<Fill>) -> Risk {
    let mut risk = Risk::new();
    for fill in fills {
        for crossing in risk.book(&fill).into_iter().flatten() {
            let (account, position) = (crossing.account, crossing.position);
            if crossing.breach {
                warn!(
                    target: "risk",
                    "breach: account {account} holds {position:+} lots, the limit is {POSITION_LIMIT}"
                );
            } else {
                info!(target: "risk", "account {account} is back within limits: {position:+} lots");
            }
        }
    }
    risk
}

/// Starts the three threads and waits for them.
///
/// # Errors
///
/// That of starting a thread.
fn trade(orders: Orders) -> io::Result<(Intake, Matched, Risk)> {
    let (to_matcher, from_gateway) = mpsc::sync_channel(CHANNEL_CAPACITY);
    let (to_risk, from_matcher) = mpsc::sync_channel(CHANNEL_CAPACITY);
    let named = |name: &str| thread::Builder::new().name(name.into());

    let risk = named("risk").spawn(move || watch(from_matcher))?;
    let matcher = named("matcher").spawn(move || matcher(from_gateway, &to_risk))?;
    let gateway = named("gateway").spawn(move || gateway(orders, &to_matcher))?;
    let intake = gateway.join().expect("the gateway does not panic");
    let matched = matcher.join().expect("the matcher does not panic");
    let risk = risk.join().expect("the risk thread does not panic");
    Ok((intake, matched, risk))
}

/// Whether all order lines were orders.
fn run(options: &Options) -> Result<bool, String> {
    // The orders first: where there are none, the last log stays.
    let orders = Orders::open(&options.source)?;
    let source = match &orders {
        Orders::Read { name, .. } => name.clone(),
        Orders::MadeUp(_) => "the generator".into(),
    };
    let log = sink::File::truncate(&options.log).map_err(|error| error.to_string())?;
    let logger = RingLogger::builder()
        .lanes(4)
        .lane_capacity(LANE_CAPACITY)
        .overflow(options.overflow)
        .sink(log)
        .install()
        .map_err(|error| error.to_string())?;

    let start = Instant::now();
    let traded = trade(orders);
    let report = logger.shutdown(DEADLINE);
    let seconds = start.elapsed().as_secs_f64();
    let (intake, matched, risk) =
        traded.map_err(|error| format!("cannot start a thread: {error}"))?;

    println!(
        "orders from {source}: {}, fills: {}, orders that wait: {}, breaches: {}",
        intake.orders,
        matched.fills,
        matched.waiting,
        risk.breaches()
    );
    println!("{report}");
    println!(
        "{} lines in {seconds:.3} s, {:.0} lines/s, in {}",
        report.written,
        report.written as f64 / seconds,
        options.log.display()
    );
    print_cost(&matched.timer);

    for malformed in &intake.shown {
        eprintln!("matching_engine: {source}: {malformed}");
    }
    if intake.malformed > 0 {
        eprintln!(
            "matching_engine: {source}: malformed lines left out: {}",
            intake.malformed
        );
    }
    if let Some(error) = intake.error {
        return Err(format!("cannot read {source}: {error}"));
    }
    // What was dropped was dropped by choice, and the log says where.
    if report.outcome != ShutdownOutcome::Drained || report.failed > 0 {
        return Err(format!("{} is not complete", options.log.display()));
    }
    Ok(intake.malformed == 0)
}

fn print_cost(timer: &Timer) {
    if timer.calls() == 0 {
        println!("rlog! in the matcher: no calls");
        return;
    }
    println!(
        "rlog! in the matcher, {} calls: p50 {:.0} ns, p99 {:.0} ns, p99.9 {:.0} ns, max {:.0} ns; \
         about {:.0} ns of each is reading the timer",
        timer.calls(),
        timer.quantile(0.5),
        timer.quantile(0.99),
        timer.quantile(0.999),
        timer.quantile(1.0),
        timer.overhead()
    );
}

fn main() -> ExitCode {
    let options = match options(Arguments::of_process()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("matching_engine: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("matching_engine: {error}");
            ExitCode::FAILURE
        }
    }
}
