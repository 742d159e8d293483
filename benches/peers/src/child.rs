//! The process of one contender at one work: it measures, prints one line of JSON, and ends.

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::contenders::Contender;
use crate::support::cores::{self, Pair};
use crate::support::ticks::{self, Scale};
use crate::work::Work;

/// From the start of one sample to the next.
const PERIOD: Duration = Duration::from_millis(1);

/// How much of it the thread that logs sleeps, as a program does that waits for its next event; it
/// spins through the rest, so that its core is awake again and at speed.
const SLEEP: Duration = Duration::from_micros(500);

/// Samples at the start that are not counted: the first calls set up what each thread needs.
const WARM_UP: u64 = 50;

/// Longer samples than this, minutes, count as this.
const MOST_TICKS: u64 = 1 << 40;

/// A contender that takes longer than this, in seconds, hangs.
const LIMIT: u32 = 180;

/// What a child has to do, as its parent tells it in one argument.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    pub contender: String,
    pub work: String,
    pub samples: u64,
    pub file: PathBuf,
    pub producer_core: usize,
    pub consumer_core: usize,
}

impl Order {
    pub fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| format!("`--child` takes JSON: {error}"))
    }
}

/// What a child has measured. Times are in nanoseconds, those of calls per call; memory in KiB.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Lines that were logged.
    pub lines: u64,
    /// One bare `rdtsc`, before the logger was set up.
    pub rdtsc_ns: f64,
    /// A cache line's way from the producer's core to the other one, before the logger was set up.
    pub line_ns: f64,
    /// The most memory that the process had when the logger was not set up yet.
    pub memory_before: u64,
    /// The most memory that the process ever had.
    pub memory: u64,
    pub calls: Option<Calls>,
    pub pace: Option<Pace>,
}

/// Percentiles of what a call costs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Calls {
    pub p50: f64,
    /// The mean of the middle half, from p25 to p75: finer than the steps of the counter.
    pub middle: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// How long all lines took, in seconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pace {
    /// Until the last call had returned.
    pub logged: f64,
    /// Until the logger had written out everything.
    pub written: f64,
}

/// What a contender is measured with: it sets itself up, and then calls [`measure`](Bench::measure).
pub struct Bench {
    pub file: PathBuf,
    work: Work,
    samples: u64,
    pair: Pair,
    scale: Scale,
    rdtsc_ns: f64,
    line_ns: f64,
    memory_before: u64,
}

/// Does what the order says.
pub fn run(order: &Order) -> Result<(), String> {
    // SAFETY: has no preconditions. The signal's default action ends the process, which the parent
    // reports.
    unsafe { libc::alarm(LIMIT) };
    let contender = Contender::named(&order.contender)?;
    let pair = Pair {
        producer: order.producer_core,
        consumer: order.consumer_core,
    };
    cores::pin(pair.producer)?;
    let scale = Scale::measure();
    let bench = Bench {
        file: order.file.clone(),
        work: order.work.parse()?,
        samples: order.samples,
        pair,
        scale,
        rdtsc_ns: scale.bare_read(),
        // Now, because some loggers' threads never leave the other core to anybody.
        line_ns: pair.line_transfer(&scale)?,
        memory_before: peak_memory()?,
    };
    // Every thread that the logger starts inherits this.
    cores::pin(pair.consumer)?;
    let measured = (contender.run)(&bench)?;
    println!(
        "{}",
        serde_json::to_string(&measured).map_err(|error| error.to_string())?
    );
    Ok(())
}

impl Bench {
    /// Calls `log` with the numbers of the lines, and then `finish`, which returns when every line
    /// has been handed to the kernel.
    pub fn measure(
        &self,
        log: impl Fn(u64) + Sync,
        finish: impl FnOnce() -> Result<(), String>,
    ) -> Result<Measured, String> {
        cores::pin(self.pair.producer)?;
        let (mut calls, mut pace) = (None, None);
        let lines = match self.work {
            Work::Calls(1) => {
                calls = Some(self.take::<1>(&log));
                finish()?;
                WARM_UP + self.samples
            }
            Work::Calls(20) => {
                calls = Some(self.take::<20>(&log));
                finish()?;
                20 * (WARM_UP + self.samples)
            }
            Work::Calls(calls) => return Err(format!("bursts of {calls} are not built in")),
            Work::Lines { lines, .. } => {
                pace = Some(self.pace(lines, &log, finish)?);
                lines
            }
        };
        Ok(Measured {
            lines,
            rdtsc_ns: self.rdtsc_ns,
            line_ns: self.line_ns,
            memory_before: self.memory_before,
            memory: peak_memory()?,
            calls,
            pace,
        })
    }

    /// Takes samples of `CALLS` calls each. A constant, so that the loop is the same machine code
    /// as a programmer's own.
    fn take<const CALLS: u64>(&self, log: &impl Fn(u64)) -> Calls {
        let mut ticks = Histogram::<u64>::new_with_bounds(1, MOST_TICKS, 3)
            .expect("the bounds and digits are within what a histogram takes");
        for number in 0..WARM_UP + self.samples {
            let begin = Instant::now();
            let first = black_box(number * CALLS);
            let start = ticks::start();
            for call in 0..CALLS {
                log(first + call);
            }
            let stop = ticks::stop();
            if number >= WARM_UP {
                ticks.saturating_record(self.scale.ticks(start, stop));
            }
            thread::sleep(SLEEP);
            while begin.elapsed() < PERIOD {
                std::hint::spin_loop();
            }
        }
        let per_call = |ticks: u64| self.scale.nanoseconds(ticks as f64) / CALLS as f64;
        Calls {
            p50: per_call(ticks.value_at_quantile(0.5)),
            middle: self.scale.nanoseconds(middle(&ticks)) / CALLS as f64,
            p99: per_call(ticks.value_at_quantile(0.99)),
            p999: per_call(ticks.value_at_quantile(0.999)),
            max: per_call(ticks.max()),
        }
    }

    /// Logs `lines` lines from all threads together.
    fn pace(
        &self,
        lines: u64,
        log: &(impl Fn(u64) + Sync),
        finish: impl FnOnce() -> Result<(), String>,
    ) -> Result<Pace, String> {
        // The first thread gets the producer's core, the others the rest in turn.
        let mut others = cores::allowed();
        others.retain(|&core| core != self.pair.consumer && core != self.pair.producer);
        let cores: Vec<usize> = [self.pair.producer].into_iter().chain(others).collect();

        let start = Instant::now();
        thread::scope(|scope| {
            let threads = (0..self.work.producers())
                .zip(cores.iter().cycle())
                .map(|(producer, &core)| {
                    let numbers = self.work.share(producer, lines);
                    thread::Builder::new()
                        .name(format!("producer-{producer}"))
                        .spawn_scoped(scope, move || {
                            cores::pin(core)?;
                            numbers.for_each(log);
                            Ok(())
                        })
                        .map_err(|error| format!("cannot start a thread: {error}"))
                })
                .collect::<Result<Vec<_>, String>>()?;
            threads.into_iter().try_for_each(|thread| {
                let result: Result<(), String> = thread
                    .join()
                    .map_err(|_| "a thread that logged panicked".to_string())?;
                result
            })
        })?;
        let logged = start.elapsed().as_secs_f64();
        finish()?;
        let written = start.elapsed().as_secs_f64();
        Ok(Pace { logged, written })
    }
}

/// The mean of the middle half of all samples: a quarter is left out at each end.
fn middle(samples: &Histogram<u64>) -> f64 {
    let (first, last) = (samples.len() / 4, samples.len() - samples.len() / 4);
    let (mut before, mut sum) = (0, 0.0);
    for value in samples.iter_recorded() {
        let after = before + value.count_at_value();
        let inside = after.min(last).saturating_sub(before.max(first));
        sum += inside as f64 * value.value_iterated_to() as f64;
        before = after;
    }
    sum / (last - first).max(1) as f64
}

/// The most memory that this process had at any time, in KiB.
fn peak_memory() -> Result<u64, String> {
    let status = fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("cannot read /proc/self/status: {error}"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok())
        .ok_or_else(|| "/proc/self/status does not tell the peak memory (VmHWM)".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_half_leaves_a_quarter_out_at_each_end() {
        let mut samples = Histogram::<u64>::new_with_bounds(1, MOST_TICKS, 3).unwrap();
        for value in [1, 2, 10, 10, 20, 30, 1000, 2000] {
            samples.record(value).unwrap();
        }
        assert!((middle(&samples) - 17.5).abs() < 1e-9);
    }
}
