//! What the consumer does for one record, from the ring to rendered text: `cargo bench --bench format`
//!
//! Each run logs some records, which is not measured, and then drains them with `poll` into a null
//! sink, which is: copying them out of the ring, putting them in order, and rendering them. Logger
//! and consumer share a core, so no cache line has to come from another.

mod support;

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use ringlog::{Outcome, RingLogger, info, sink};

use support::cores;

/// How many records are drained at once. They fit into a lane even if each takes three slots.
const RUN: u64 = 1024;

const TEXT_24: &str = "the string of 24 letters";
const TEXT_121: &str = "a string of 121 letters is about as long as the longest line that anyone wants \
                        to read on a screen, and it has no newline";
const _: () = assert!(TEXT_24.len() == 24 && TEXT_121.len() == 121);

/// Measures the draining of what `log` logs.
fn records(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    log: impl Fn(&RingLogger, u64) -> Outcome,
) {
    let logger = RingLogger::builder()
        .thread(false)
        .sink(sink::Null)
        .build()
        .expect("the defaults can be built");
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|records| {
            let mut total = Duration::ZERO;
            let mut made = 0;
            while made < records {
                let run = RUN.min(records - made);
                for number in made..made + run {
                    assert_eq!(log(&logger, number), Outcome::Accepted);
                }
                let start = Instant::now();
                let mut drained = 0;
                while drained < run {
                    drained += logger.poll(usize::MAX) as u64;
                }
                total += start.elapsed();
                made += run;
            }
            total
        });
    });
}

fn rendering(criterion: &mut Criterion) {
    if let Some(&core) = cores::allowed().last() {
        cores::pin(core).expect("the core is one of the allowed ones");
    }
    let mut group = criterion.benchmark_group("format");
    group.throughput(Throughput::Elements(1));

    records(
        &mut group,
        "none",
        |logger, _| info!(logger: logger, "heartbeat"),
    );
    records(
        &mut group,
        "integer",
        |logger, number| info!(logger: logger, "sequence {}", number),
    );
    records(&mut group, "two-integers-and-double", |logger, number| {
        info!(
            logger: logger,
            "Iteration: {} int: {} double: {}",
            number,
            2 * number,
            number as f64 / 2.0
        )
    });
    records(&mut group, "four-integers", |logger, number| {
        info!(
            logger: logger,
            "fill: order {} takes {} of order {} at {}",
            number,
            100_u32,
            number / 2,
            1_012_500_i64
        )
    });
    records(
        &mut group,
        "double-two-digits",
        |logger, number| info!(logger: logger, "price {:.2}", number as f64 / 64.0),
    );
    records(
        &mut group,
        "long-double",
        |logger, number| info!(logger: logger, "ratio {}", 1.0 / (number + 3) as f64),
    );
    records(
        &mut group,
        "padded-and-hexadecimal",
        |logger, number| info!(logger: logger, "at {:>12} flags {:#010x}", number, number as u32),
    );
    records(
        &mut group,
        "text-24",
        |logger, _| info!(logger: logger, "symbol: {}", TEXT_24),
    );
    records(
        &mut group,
        "text-121",
        |logger, _| info!(logger: logger, "{}", TEXT_121),
    );
    records(
        &mut group,
        "debug-of-a-tuple",
        |logger, number| info!(logger: logger, "state {:?}", (number, "open", true)),
    );
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    rendering(&mut criterion);
    criterion.final_summary();
}
