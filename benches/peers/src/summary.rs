//! Many runs, as medians and ranges.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Serialize, Serializer};

use crate::chart;
use crate::child::Measured;
use crate::contenders::Contender;
use crate::machine::{Machine, version};
use crate::parent::Run;
use crate::support::spread;
use crate::work::Work;

/// The lowest value, the median and the highest value of all repetitions.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Range {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Range {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.collect();
        if values.is_empty() {
            return None;
        }
        let [low, median, high] = spread(&values);
        Some(Range { low, median, high })
    }
}

/// All that is known of one contender at one work.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    #[serde(serialize_with = "name_of")]
    pub contender: &'static Contender,
    pub version: &'static str,
    pub setup: &'static str,
    /// Runs that gave a result.
    pub runs: usize,
    /// Why the others did not.
    pub failures: Vec<String>,
    /// Nanoseconds per call.
    pub p50: Option<Range>,
    pub middle: Option<Range>,
    pub p99: Option<Range>,
    pub p999: Option<Range>,
    pub max: Option<Range>,
    /// Millions of lines a second until all were written, and until all calls had returned.
    pub rate: Option<Range>,
    pub logged_rate: Option<Range>,
    /// Peak memory of the process, in MiB, and how much of it was there before the logger was.
    pub memory: Option<Range>,
    pub memory_before: Option<Range>,
    /// Nanoseconds that a line took from core to core, and that a bare `rdtsc` took, in these runs.
    pub line_ns: Option<Range>,
    pub rdtsc_ns: Option<Range>,
    /// The most of any run.
    pub lost: u64,
    pub repeated: u64,
    pub disordered: u64,
    /// The length of a line in the file, newline included.
    pub bytes_per_line: Option<Range>,
    /// A line of the log.
    pub sample: String,
}

fn name_of<S: Serializer>(contender: &&Contender, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(contender.name)
}

/// All works, with all contenders that were measured at each.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub machine: Machine,
    #[serde(serialize_with = "by_name")]
    pub works: BTreeMap<Work, Vec<Cell>>,
}

fn by_name<S: Serializer>(
    works: &BTreeMap<Work, Vec<Cell>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(works.iter().map(|(work, cells)| (work.to_string(), cells)))
}

impl Summary {
    pub fn of(machine: Machine, runs: &[Run]) -> Self {
        let mut works: BTreeMap<Work, Vec<Cell>> = BTreeMap::new();
        for work in runs.iter().filter_map(|run| run.work.parse::<Work>().ok()) {
            works.entry(work).or_default();
        }
        for (work, cells) in &mut works {
            let name = work.to_string();
            for contender in Contender::ALL {
                let runs: Vec<&Run> = runs
                    .iter()
                    .filter(|run| run.contender == contender.name && run.work == name)
                    .collect();
                if !runs.is_empty() {
                    cells.push(Cell::of(contender, &runs));
                }
            }
        }
        Summary { machine, works }
    }
}

impl Cell {
    fn of(contender: &'static Contender, runs: &[&Run]) -> Self {
        let good: Vec<(&Measured, &Run)> = runs
            .iter()
            .filter_map(|run| Some((run.measured.as_ref().ok()?, *run)))
            .collect();
        let range = |value: &dyn Fn(&Measured, &Run) -> Option<f64>| {
            Range::of(
                good.iter()
                    .filter_map(|(measured, run)| value(measured, run)),
            )
        };
        let most = |value: fn(&Run) -> u64| good.iter().map(|(_, run)| value(run)).max();
        let mebibytes = |kibibytes: u64| Some(kibibytes as f64 / 1024.0);
        // The highest duration is the lowest rate, so the rates are taken run by run.
        let rate = |lines: u64, seconds: f64| lines as f64 / seconds / 1e6;
        Cell {
            contender,
            version: version(contender.package),
            setup: contender.setup,
            runs: good.len(),
            failures: runs
                .iter()
                .filter_map(|run| run.measured.as_ref().err().cloned())
                .collect(),
            p50: range(&|measured, _| Some(measured.calls?.p50)),
            middle: range(&|measured, _| Some(measured.calls?.middle)),
            p99: range(&|measured, _| Some(measured.calls?.p99)),
            p999: range(&|measured, _| Some(measured.calls?.p999)),
            max: range(&|measured, _| Some(measured.calls?.max)),
            rate: range(&|measured, _| Some(rate(measured.lines, measured.pace?.written))),
            logged_rate: range(&|measured, _| Some(rate(measured.lines, measured.pace?.logged))),
            memory: range(&|measured, _| mebibytes(measured.memory)),
            memory_before: range(&|measured, _| mebibytes(measured.memory_before)),
            line_ns: range(&|measured, _| Some(measured.line_ns)),
            rdtsc_ns: range(&|measured, _| Some(measured.rdtsc_ns)),
            lost: most(|run| run.lost).unwrap_or(0),
            repeated: most(|run| run.repeated).unwrap_or(0),
            disordered: most(|run| run.disordered).unwrap_or(0),
            bytes_per_line: range(&|measured, run| {
                let found = measured.lines - run.lost;
                (found > 0).then(|| run.bytes as f64 / found as f64)
            }),
            sample: good
                .first()
                .map_or_else(String::new, |(_, run)| run.sample.clone()),
        }
    }
}

/// Writes the tables, the numbers and the charts into the folder of the results.
pub fn write(results: &Path, summary: &Summary, tables: &str) -> Result<(), String> {
    let put = |name: &str, text: &str| {
        let path = results.join(name);
        fs::create_dir_all(results)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    };
    let mut json = serde_json::to_string_pretty(summary).map_err(|error| error.to_string())?;
    json.push('\n');
    put("summary.json", &json)?;
    put("tables.md", tables)?;
    for (work, cells) in &summary.works {
        if work.is_calls() {
            put(&format!("{work}.svg"), &chart::latency(*work, cells))?;
        }
    }
    let throughput: Vec<_> = summary
        .works
        .iter()
        .filter(|(work, _)| !work.is_calls())
        .map(|(&work, cells)| (work, &cells[..]))
        .collect();
    if !throughput.is_empty() {
        put("throughput.svg", &chart::throughput(&throughput))?;
    }
    Ok(())
}
