//! What the instructions of a log call cost, without any transfer of cache lines between cores:
//! `cargo bench --bench ring`
//!
//! The logger has no thread; it is drained between the runs that are measured, on the same core. So
//! these numbers are a lower bound of those of the `latency` bench, and tell one version of the code
//! from another.

mod support;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use ringlog::{Builder, Clock, Level, Outcome, RingLogger, rlog, sink};

use support::cores;

/// How many calls are measured before the ring is drained: they fit into every ring.
const RUN: u64 = 1024;

fn builder(clock: Clock) -> Builder {
    RingLogger::builder()
        .thread(false)
        .clock(clock)
        .sink(sink::Null)
}

fn build(builder: Builder) -> RingLogger {
    builder.build().expect("the defaults can be built")
}

/// The time of `calls` calls of `log`, each with another number; `drain` runs outside of it.
fn time(calls: u64, log: impl Fn(u64) -> Outcome, expected: Outcome, drain: impl Fn()) -> Duration {
    let mut total = Duration::ZERO;
    let mut made = 0;
    while made < calls {
        let run = RUN.min(calls - made);
        let start = Instant::now();
        for number in made..made + run {
            log(number);
        }
        total += start.elapsed();
        made += run;
        // Asked here, so that the calls above are made as most are, without looking at the outcome.
        assert_eq!(log(made), expected);
        drain();
    }
    total
}

/// A call with two integers and a double.
macro_rules! call {
    ($logger:expr, $level:ident) => {
        |number: u64| {
            rlog!(
                logger: $logger,
                Level::$level,
                "Iteration: {} int: {} double: {}",
                number,
                2 * number,
                number as f64 / 2.0
            )
        }
    };
}

fn drain(logger: &RingLogger) {
    while logger.poll(usize::MAX) > 0 {}
}

fn log_calls(criterion: &mut Criterion) {
    if let Some(&core) = cores::allowed().last() {
        cores::pin(core).expect("the core is one of the allowed ones");
    }
    let mut group = criterion.benchmark_group("ring");
    group.throughput(Throughput::Elements(1));

    for (name, clock) in [("tsc", Clock::Tsc), ("arrival", Clock::Arrival)] {
        let logger = build(builder(clock));
        group.bench_function(format!("lane/{name}"), |bencher| {
            bencher.iter_custom(|calls| {
                let log = call!(&logger, Info);
                time(calls, log, Outcome::Accepted, || drain(&logger))
            });
        });

        let producer = logger.producer();
        group.bench_function(format!("handle/{name}"), |bencher| {
            bencher.iter_custom(|calls| {
                let log = call!(&producer, Info);
                time(calls, log, Outcome::Accepted, || drain(&logger))
            });
        });

        let shared = build(builder(clock).lanes(0));
        group.bench_function(format!("shared/{name}"), |bencher| {
            bencher.iter_custom(|calls| {
                let log = call!(&shared, Info);
                time(calls, log, Outcome::Accepted, || drain(&shared))
            });
        });
    }

    let logger = build(builder(Clock::Tsc));
    group.bench_function("filtered", |bencher| {
        bencher.iter_custom(|calls| {
            let log = call!(&logger, Debug);
            time(calls, log, Outcome::Filtered, || ())
        });
    });
    logger.shutdown(Duration::from_secs(1));
    group.bench_function("closed", |bencher| {
        bencher.iter_custom(|calls| {
            let log = call!(&logger, Info);
            time(calls, log, Outcome::Closed, || ())
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    log_calls(&mut criterion);
    criterion.final_summary();
}
