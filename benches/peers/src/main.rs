//! ringlog and its peers at the same work: `cargo run --release -- --help`
//!
//! Each contender logs `"Iteration: {} int: {} double: {}"` to a file on `/dev/shm`, in a process of
//! its own: most of them can be set up once per process, and the most memory that a process had is
//! then that of one logger. A process takes one measurement:
//!
//! * `burst20`, `single`: what 20 calls in a row, or one call, cost the thread that makes them, a
//!   millisecond from one sample to the next;
//! * `1M-1`, `1M-4`, `4M-1`, `4M-4`: how long it takes until that many lines of one or of four
//!   threads are in the file.
//!
//! Every logger waits when its queue is full, and nothing may be lost: the parent reads each file
//! back and counts. The thread that logs is pinned to one core; whatever threads a logger starts
//! inherit the pin to another one. A repetition runs all contenders at one work before the next, so
//! that a slow minute of the machine meets all of them, and each repetition begins with another
//! contender.
//!
//! The results are tables on the standard output, and in the folder `results` the tables, each run
//! as a line of JSON, the medians and ranges as JSON, and charts.

mod chart;
mod child;
mod contenders;
mod log_file;
mod machine;
mod parent;
mod summary;
#[path = "../../support/mod.rs"]
mod support;
mod tables;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use support::arguments::{Arguments, UsageError};
use support::cores::Pair;

use contenders::{Contender, statement};
use parent::Plan;
use work::Work;

const HELP: &str = "\
ringlog and its peers at the same work.

Usage: cargo run --release -- [OPTIONS]

Options:
  --only NAMES         only these contenders, separated by commas (--list names them)
  --work NAMES         only these works, separated by commas; `latency` and `throughput` stand for
                       all of a kind (default: all)
  --scaling            instead: 1M lines from 1, 2, 4, 8 and 16 threads, as far as there are cores
  --reps N             how often everything is repeated (default 5)
  --samples N          samples per run of `burst20` and `single` (default 2000)
  --append             keeps the runs that are in the results already, and adds to them
  --report             runs nothing: makes the tables and charts of the runs that are there
  --results FOLDER     where the results go (default: `results` beside this crate's manifest)
  --producer-core N    where the thread that logs runs (default: one of the last two allowed)
  --consumer-core N    where the loggers' own threads run (default: the last allowed)
  --list               prints the contenders and how each is set up
  --help               prints this
";

struct Options {
    plan: Plan,
    report_only: bool,
    results: PathBuf,
}

enum Command {
    Help,
    List,
    Run(Options),
    Child(child::Order),
}

/// The elements of a list such as `a,b`.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|name| !name.is_empty())
}

fn command(mut arguments: Arguments) -> Result<Command, UsageError> {
    let mut contenders = Vec::new();
    let mut works = Vec::new();
    let (mut scaling, mut append, mut report_only) = (false, false, false);
    let (mut reps, mut samples) = (5, 2000);
    let mut results = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/results"));
    let (mut producer_core, mut consumer_core) = (None, None);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(Command::Help),
            Some("--list") => return Ok(Command::List),
            Some("--child") => {
                let order = arguments.text("--child")?;
                return child::Order::parse(&order)
                    .map(Command::Child)
                    .map_err(UsageError::new);
            }
            Some("--only") => {
                for name in list(&arguments.text("--only")?) {
                    contenders.push(Contender::named(name).map_err(UsageError::new)?);
                }
            }
            Some("--work") => {
                for name in list(&arguments.text("--work")?) {
                    works.extend(Work::named(name).map_err(UsageError::new)?);
                }
            }
            Some("--scaling") => scaling = true,
            Some("--reps") => reps = arguments.number("--reps", 1..=1000)?,
            Some("--samples") => samples = arguments.number("--samples", 10..=10_000_000)?,
            Some("--append") => append = true,
            Some("--report") => report_only = true,
            Some("--results") => results = arguments.path("--results")?,
            Some(option @ ("--producer-core" | "--consumer-core")) => {
                let core = Some(arguments.number(option, 0..=1023)? as usize);
                if option == "--producer-core" {
                    producer_core = core;
                } else {
                    consumer_core = core;
                }
            }
            _ => return Err(UsageError::unknown(&argument)),
        }
    }
    if contenders.is_empty() {
        contenders = Contender::ALL.iter().collect();
    }
    if scaling && !works.is_empty() {
        return Err(UsageError::new("`--scaling` takes no `--work`"));
    }
    let pair = Pair::choose(producer_core, consumer_core).map_err(UsageError::new)?;
    if scaling {
        works = Work::scaling(support::cores::allowed().len());
    } else if works.is_empty() {
        works = Work::usual();
    }
    Ok(Command::Run(Options {
        plan: Plan {
            contenders,
            works,
            reps,
            samples,
            pair,
            keep: append || report_only,
        },
        report_only,
        results,
    }))
}

/// ticklog, as the other [`contenders`]. Its statements compile at the root of a crate only.
fn ticklog(bench: &child::Bench) -> Result<child::Measured, String> {
    let guard = ticklog::configure! {
        sink: ticklog::FileSink::truncate(&bench.file).map_err(|error| error.to_string())?,
        backpressure: ticklog::Backpressure::Block,
    }
    .map_err(|error| error.to_string())?;
    bench.measure(
        |number| statement!(number, ticklog::info),
        || {
            drop(guard);
            Ok(())
        },
    )
}

fn run(options: &Options) -> Result<(), String> {
    let runs = if options.report_only {
        parent::earlier_runs(&options.results)?
    } else {
        options.plan.run(&options.results)?
    };
    let summary = summary::Summary::of(machine::Machine::here(), &runs);
    let text = tables::all(&summary);
    print!("{text}");
    summary::write(&options.results, &summary, &text)
}

fn main() -> ExitCode {
    let result = match command(Arguments::of_process()) {
        Ok(Command::Help) => {
            print!("{HELP}");
            Ok(())
        }
        Ok(Command::List) => {
            print!("{}", tables::contenders());
            Ok(())
        }
        Ok(Command::Child(order)) => child::run(&order),
        Ok(Command::Run(options)) => run(&options),
        Err(error) => {
            eprintln!("peers: {error}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}
