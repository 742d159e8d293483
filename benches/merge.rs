//! What it costs to bring records in the order of time: `cargo bench --bench merge -- --help`
//!
//! One thread logs `"n {}"` through a handle for each lane that is busy, in turn, so that no two
//! records in a row come from one lane: the most that a merge can have to do. Then it polls, which
//! orders the records, renders them, and throws them away; only that is timed. What is shown is the
//! time per record:
//!
//! * `lanes`: lanes that the logger has;
//! * `owned`: lanes that have an owner, and so are looked into in every round;
//! * `busy`: lanes that have records;
//! * `burst`: how many records in a row come from one lane.
//!
//! The cases run one after the other, and all of them again `--reps` times; shown is the median of
//! the repetitions, and the fastest and the slowest.

mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use ringlog::{Level, Outcome, Producer, RingLogger, rlog, sink};

use support::arguments::{Arguments, UsageError};
use support::results::{self, Row};

const HELP: &str = "\
What it costs to bring records in the order of time.

Usage: cargo bench --bench merge -- [OPTIONS]

Options:
  --json               one JSON object per case instead of a table
  --reps N             how often all cases are repeated (default 5)
  --rounds N           how often each repetition fills the lanes and polls (default 500)
  --help               prints this
";

/// Records that wait for each poll, of all lanes together.
const RECORDS: usize = 1024;

/// Slots of a lane. A poll takes a quarter at a time.
const CAPACITY: usize = 2048;

/// Longer than the consumer waits for a record that is stamped and not published.
const GRACE: Duration = Duration::from_micros(10);

/// `(lanes, owned, busy, burst)`
const CASES: &[(usize, usize, usize, usize)] = &[
    (1, 1, 1, 1),
    (16, 1, 1, 1),
    (64, 1, 1, 1),
    (512, 1, 1, 1),
    (16, 16, 1, 1),
    (64, 64, 1, 1),
    (512, 512, 1, 1),
    (16, 2, 2, 1),
    (16, 16, 16, 1),
    (64, 64, 64, 1),
    (512, 512, 512, 1),
    (16, 16, 16, 20),
    (64, 64, 64, 16),
    (512, 512, 512, 2),
];

struct Options {
    json: bool,
    reps: u64,
    rounds: u64,
}

/// `None`: the user asked for help.
fn options(mut arguments: Arguments) -> Result<Option<Options>, UsageError> {
    let measuring = support::is_measuring();
    let mut options = Options {
        json: false,
        reps: if measuring { 5 } else { 1 },
        rounds: if measuring { 500 } else { 2 },
    };
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(None),
            // From cargo.
            Some("--bench") => {}
            Some("--json") => options.json = true,
            Some("--reps") => options.reps = arguments.number("--reps", 1..=1000)?,
            Some("--rounds") => options.rounds = arguments.number("--rounds", 1..=1_000_000)?,
            _ => return Err(UsageError::unknown(&argument)),
        }
    }
    Ok(Some(options))
}

struct Case {
    lanes: usize,
    owned: usize,
    busy: usize,
    burst: usize,
    /// Nanoseconds per record, of each repetition.
    nanos: Vec<f64>,
}

impl Case {
    fn repeat(&mut self, options: &Options) -> Result<(), String> {
        let logger = RingLogger::builder()
            .lanes(self.lanes)
            .lane_capacity(CAPACITY)
            .thread(false)
            .closing_record(false)
            .sink(sink::Null)
            .build()
            .map_err(|error| error.to_string())?;
        let owners: Vec<Producer> = (0..self.owned).map(|_| logger.producer()).collect();
        // So that every lane is one that has been used, and nothing is done for the first time.
        log(&owners, self.owned, 1)?;
        drain(&logger);
        let mut polling = Duration::ZERO;
        let mut records = 0;
        for _ in 0..options.rounds {
            log(&owners[..self.busy], RECORDS, self.burst)?;
            let logged = Instant::now();
            while logged.elapsed() < GRACE {
                std::hint::spin_loop();
            }
            let started = Instant::now();
            records += logger.poll(usize::MAX);
            polling += started.elapsed();
        }
        drain(&logger);
        let (stats, expected) = (logger.stats(), options.rounds * RECORDS as u64);
        if records as u64 != expected || stats.late > 0 || stats.dropped.total() > 0 {
            return Err(format!("{records} of {expected} records: {stats}"));
        }
        self.nanos.push(polling.as_nanos() as f64 / records as f64);
        Ok(())
    }

    fn row(&self) -> Row {
        let [fastest, nanos, slowest] = support::spread(&self.nanos);
        Row::new()
            .count("lanes", self.lanes as u64)
            .count("owned", self.owned as u64)
            .count("busy", self.busy as u64)
            .count("burst", self.burst as u64)
            .measured("ns_per_record", nanos, 1)
            .measured("fastest_ns", fastest, 1)
            .measured("slowest_ns", slowest, 1)
            .count("runs", self.nanos.len() as u64)
    }
}

/// Logs so many records, `burst` in a row through each of the handles in turn.
fn log(through: &[Producer], records: usize, burst: usize) -> Result<(), String> {
    for number in 0..records {
        let producer = &through[number / burst % through.len()];
        let outcome = rlog!(logger: producer, Level::Info, "n {}", number);
        if outcome != Outcome::Accepted {
            return Err(format!("record {number} was answered {outcome:?}"));
        }
    }
    Ok(())
}

fn drain(logger: &RingLogger) {
    while logger.stats().in_ring > 0 {
        logger.poll(usize::MAX);
    }
}

fn run(options: &Options) -> Result<(), String> {
    let case = |&(lanes, owned, busy, burst)| Case {
        lanes,
        owned,
        busy,
        burst,
        nanos: Vec::new(),
    };
    let mut cases: Vec<Case> = CASES.iter().map(case).collect();
    for _ in 0..options.reps {
        for case in &mut cases {
            case.repeat(options)?;
        }
    }
    let rows: Vec<Row> = cases.iter().map(Case::row).collect();
    results::print(&rows, options.json);
    Ok(())
}

fn main() -> ExitCode {
    support::run("merge", HELP, options, run)
}
