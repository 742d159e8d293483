//! The results in words and numbers, as Markdown that is also readable as it is.

use std::fmt::Write as _;

use crate::contenders::Contender;
use crate::machine::version;
use crate::summary::{Cell, Range, Summary};
use crate::work::Work;

/// A column in which contenders can be compared.
struct Column {
    name: &'static str,
    unit: &'static str,
    higher_is_better: bool,
    value: fn(&Cell) -> Option<Range>,
}

const LATENCY: &[Column] = &[
    Column::lower("p50", "ns", |cell| cell.p50),
    Column::lower("mean of p25 to p75", "ns", |cell| cell.middle),
    Column::lower("p99", "ns", |cell| cell.p99),
    Column::lower("p99.9", "ns", |cell| cell.p999),
    Column::lower("max", "ns", |cell| cell.max),
    Column::lower("peak memory", "MiB", |cell| cell.memory),
];

const THROUGHPUT: &[Column] = &[
    Column {
        name: "M lines/s",
        unit: "M lines/s",
        higher_is_better: true,
        value: |cell| cell.rate,
    },
    Column::lower("peak memory", "MiB", |cell| cell.memory),
];

/// A name, and how it is shown.
type Fact = (&'static str, fn(&Cell) -> String);

/// What else is told of each contender.
const FACTS: [Fact; 5] = [
    ("lost", |cell| cell.lost.to_string()),
    ("out of order", |cell| cell.disordered.to_string()),
    ("bytes/line", |cell| {
        let median = cell.bytes_per_line.map(|range| range.median);
        median.map_or_else(|| "-".to_string(), |bytes| format!("{bytes:.0}"))
    }),
    ("line transfer, ns", |cell| ranged(cell.line_ns)),
    ("runs", |cell| cell.runs.to_string()),
];

impl Column {
    const fn lower(
        name: &'static str,
        unit: &'static str,
        value: fn(&Cell) -> Option<Range>,
    ) -> Self {
        Column {
            name,
            unit,
            higher_is_better: false,
            value,
        }
    }

    fn of(work: Work) -> &'static [Column] {
        if work.is_calls() { LATENCY } else { THROUGHPUT }
    }

    /// Whether the first is better.
    fn is_better(&self, one: f64, other: f64) -> bool {
        if self.higher_is_better {
            one > other
        } else {
            one < other
        }
    }

    /// The best median of some contenders, and whose it is.
    fn best<'a>(&self, cells: impl Iterator<Item = &'a Cell>) -> Option<(f64, &'a Cell)> {
        cells
            .filter_map(|cell| Some(((self.value)(cell)?.median, cell)))
            .reduce(|best, next| {
                if self.is_better(next.0, best.0) {
                    next
                } else {
                    best
                }
            })
    }
}

/// A number with about three digits.
fn short(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.2}")
    } else if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

fn ranged(range: Option<Range>) -> String {
    range.map_or_else(
        || "-".to_string(),
        |range| {
            let Range { low, median, high } = range;
            format!("{} [{}, {}]", short(median), short(low), short(high))
        },
    )
}

/// Rows of cells as a Markdown table; the first row is the head, and all columns but the first are
/// numbers.
fn table(rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max())
        .map(|width| width.unwrap_or(0).max(3))
        .collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if column == 0 {
                write!(text, "| {cell:<width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            }
            .expect("a string takes all text");
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width - usize::from(column > 0));
                let colon = if column > 0 { ":" } else { "" };
                write!(text, "| {dashes}{colon} ").expect("a string takes all text");
            }
            text.push_str("|\n");
        }
    }
    text
}

fn title(work: Work) -> String {
    match work {
        Work::Calls(1) => "Single calls, a millisecond apart: ns".to_string(),
        Work::Calls(calls) => {
            format!(
                "Bursts of {calls} calls, a millisecond apart: ns per call (the burst's time / {calls})"
            )
        }
        Work::Lines { lines, producers } => format!(
            "{} lines from {producers} thread{}, until all are in the file",
            lines,
            if producers == 1 { "" } else { "s" }
        ),
    }
}

/// One work: a table, what failed, and where ringlog stands.
fn section(work: Work, cells: &[Cell]) -> String {
    let columns = Column::of(work);
    let mut head = vec!["logger".to_string()];
    head.extend(columns.iter().map(|column| {
        if column.name == column.unit {
            column.name.to_string()
        } else {
            format!("{}, {}", column.name, column.unit)
        }
    }));
    head.extend(FACTS.map(|(name, _)| name.to_string()));
    let mut rows = vec![head];
    for cell in cells {
        let mut row = vec![cell.contender.name.to_string()];
        for column in columns {
            let value = (column.value)(cell);
            let best = column
                .best(cells.iter())
                .map(|(_, best)| best.contender.name);
            row.push(if best == Some(cell.contender.name) {
                format!("**{}**", ranged(value))
            } else {
                ranged(value)
            });
        }
        row.extend(FACTS.map(|(_, shown)| shown(cell)));
        rows.push(row);
    }
    let mut text = format!("### `{work}`: {}\n\n{}\n", title(work), table(&rows));
    for cell in cells {
        for failure in &cell.failures {
            writeln!(text, "* {} failed: {failure}", cell.contender.name).expect("a string");
        }
        if cell.repeated > 0 {
            writeln!(
                text,
                "* {} wrote {} lines twice",
                cell.contender.name, cell.repeated
            )
            .expect("a string takes all text");
        }
    }
    for cell in cells.iter().filter(|cell| cell.contender.is_ringlog()) {
        text.push_str(&standing(cell, cells, columns));
    }
    text.push('\n');
    text
}

/// In which columns a ringlog is ahead of every peer, in which it is level with the best, and in which
/// it is not.
fn standing(ringlog: &Cell, cells: &[Cell], columns: &[Column]) -> String {
    /// Medians as near as this are equal: the counter itself moves in steps.
    const LEVEL: f64 = 0.005;

    let (mut ahead, mut level, mut behind) = (Vec::new(), Vec::new(), Vec::new());
    for column in columns {
        let peers = cells.iter().filter(|cell| !cell.contender.is_ringlog());
        let (Some(own), Some((best, peer))) = ((column.value)(ringlog), column.best(peers)) else {
            continue;
        };
        let own = own.median;
        let said = format!(
            "{} ({} {}; {} {}",
            column.name,
            short(own),
            column.unit,
            peer.contender.name,
            short(best)
        );
        let factor = (own / best).max(best / own);
        if factor - 1.0 < LEVEL {
            level.push(format!("{said})"));
        } else if column.is_better(own, best) {
            ahead.push(format!("{said}, {factor:.1} times)"));
        } else {
            behind.push(format!("{said}, {factor:.1} times)"));
        }
    }
    let mut text = String::new();
    for (what, columns) in [
        ("is ahead of every peer in", ahead),
        ("is level with the best peer in", level),
        ("**loses**", behind),
    ] {
        if !columns.is_empty() {
            writeln!(
                text,
                "* {} {what} {}",
                ringlog.contender.name,
                columns.join(", ")
            )
            .expect("a string takes all text");
        }
    }
    text
}

/// A line of each contender's log.
fn samples(summary: &Summary) -> String {
    let mut text = String::from("### A line of each log\n\n```text\n");
    for contender in Contender::ALL {
        let mut cells = summary.works.values().flatten();
        if let Some(cell) = cells.find(|cell| cell.contender.name == contender.name) {
            writeln!(text, "{:<16} {}", contender.name, cell.sample)
                .expect("a string takes all text");
        }
    }
    text.push_str("```\n\n");
    text
}

/// Who the contenders are.
pub fn contenders() -> String {
    let mut text = String::new();
    for contender in Contender::ALL {
        writeln!(
            text,
            "* `{}` ({} {}): {}",
            contender.name,
            contender.package,
            version(contender.package),
            contender.setup
        )
        .expect("a string takes all text");
    }
    text
}

/// Everything.
pub fn all(summary: &Summary) -> String {
    let machine = &summary.machine;
    let mut text = format!(
        "{} cores of {}, Linux {}, {}.\n\n\
         Median of the repetitions, and in brackets the lowest and the highest; **bold** is the best \
         of a column.\n\n",
        machine.cores, machine.processor, machine.kernel, machine.compiler,
    );
    let cells = summary.works.values().flatten();
    let rdtsc: Vec<f64> = cells
        .clone()
        .filter_map(|cell| Some(cell.rdtsc_ns?.median))
        .collect();
    let before: Vec<f64> = cells
        .filter_map(|cell| Some(cell.memory_before?.median))
        .collect();
    if !rdtsc.is_empty() {
        let [_, rdtsc, _] = crate::support::spread(&rdtsc);
        let [_, before, _] = crate::support::spread(&before);
        writeln!(
            text,
            "A bare `rdtsc` took {} ns. {} MiB of each process are there before its logger is.\n",
            short(rdtsc),
            short(before)
        )
        .expect("a string takes all text");
    }
    writeln!(text, "### The contenders\n\n{}", contenders()).expect("a string takes all text");
    for (&work, cells) in &summary.works {
        text.push_str(&section(work, cells));
    }
    text.push_str(&samples(summary));
    text
}
