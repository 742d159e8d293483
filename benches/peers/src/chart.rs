//! The results as pictures (SVG), for the README.

use std::fmt::Write as _;

use crate::summary::{Cell, Range};
use crate::work::Work;

const FONT: &str = "font-family=\"system-ui, sans-serif\"";
const INK: &str = "#1f2933";
const FAINT: &str = "#d5dbe1";
const GREY: &str = "#9aa5b1";
const OWN: &str = "#d9480f";

/// Where the names end and the values begin.
const LABELS: f64 = 130.0;
const ROW: f64 = 22.0;

/// A picture that grows by elements.
struct Svg {
    body: String,
}

impl Svg {
    fn new() -> Self {
        Svg {
            body: String::new(),
        }
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        writeln!(
            self.body,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" \
             stroke-width=\"{width}\"/>",
            from.0, from.1, to.0, to.1
        )
        .expect("a string takes all text");
    }

    fn bar(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
        writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{colour}\"/>"
        )
        .expect("a string takes all text");
    }

    fn dot(&mut self, (x, y): (f64, f64), colour: &str, told: &str) {
        writeln!(
            self.body,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"><title>{told}</title></circle>"
        )
        .expect("a string takes all text");
    }

    /// `anchor`: `start`, `middle` or `end`, what lies at the point.
    fn text(&mut self, (x, y): (f64, f64), anchor: &str, bold: bool, size: u32, text: &str) {
        let weight = if bold { " font-weight=\"bold\"" } else { "" };
        writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\"{weight} \
             fill=\"{INK}\">{text}</text>"
        )
        .expect("a string takes all text");
    }

    fn finish(self, width: f64, height: f64) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\" {FONT}>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}</svg>\n",
            self.body
        )
    }
}

/// What a call costs each contender: the percentiles of a row are dots on one logarithmic axis.
pub fn latency(work: Work, cells: &[Cell]) -> String {
    const WIDTH: f64 = 760.0;
    const TOP: f64 = 64.0;
    type Percentile = (&'static str, &'static str, fn(&Cell) -> Option<Range>);
    const PERCENTILES: [Percentile; 4] = [
        ("p50", "#1c7ed6", |cell| cell.p50),
        ("p99", "#f59f00", |cell| cell.p99),
        ("p99.9", "#e8590c", |cell| cell.p999),
        ("max", "#c92a2a", |cell| cell.max),
    ];

    let values = || {
        let medians = |cell| PERCENTILES.map(|(_, _, value)| Some(value(cell)?.median));
        cells.iter().flat_map(medians).flatten()
    };
    // Whole decades, from the one of the lowest value.
    let first = values()
        .fold(f64::INFINITY, f64::min)
        .max(0.1)
        .log10()
        .floor();
    let last = values().fold(1.0, f64::max).log10().ceil().max(first + 1.0);
    if !first.is_finite() {
        return Svg::new().finish(WIDTH, TOP);
    }
    let bottom = TOP + ROW * cells.len() as f64;
    let x = |value: f64| {
        let part = (value.max(0.1).log10() - first) / (last - first);
        LABELS + part * (WIDTH - LABELS - 30.0)
    };

    let mut svg = Svg::new();
    let what = match work {
        Work::Calls(calls @ 2..) => format!("A call in a burst of {calls}"),
        _ => "A single call".to_string(),
    };
    svg.text(
        (12.0, 22.0),
        "start",
        true,
        15,
        &format!("{what}, after a pause of a millisecond (logarithmic)"),
    );
    for (at, (name, colour, _)) in PERCENTILES.iter().enumerate() {
        let left = LABELS + 80.0 * at as f64;
        svg.dot((left, 41.0), colour, name);
        svg.text((left + 10.0, 45.0), "start", false, 12, name);
    }
    for decade in first as i32..=last as i32 {
        let at = x(10_f64.powi(decade));
        svg.line((at, TOP - 6.0), (at, bottom), FAINT, 1.0);
        svg.text(
            (at, bottom + 16.0),
            "middle",
            false,
            11,
            &nanoseconds(decade),
        );
    }
    for (row, cell) in cells.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        let own = cell.contender.is_ringlog();
        svg.text(
            (LABELS - 12.0, y + 4.0),
            "end",
            own,
            12,
            cell.contender.name,
        );
        if let (Some(low), Some(high)) = (cell.p50, cell.max) {
            let colour = if own { OWN } else { GREY };
            svg.line((x(low.median), y), (x(high.median), y), colour, 2.0);
        }
        for (name, colour, value) in PERCENTILES {
            if let Some(range) = value(cell) {
                let told = format!("{} {name}: {:.1} ns", cell.contender.name, range.median);
                svg.dot((x(range.median), y), colour, &told);
            }
        }
    }
    svg.finish(WIDTH, bottom + 30.0)
}

/// 10 to the `decade` nanoseconds.
fn nanoseconds(decade: i32) -> String {
    let (units, unit) = match decade {
        ..3 => (0, "ns"),
        3..6 => (3, "µs"),
        6..9 => (6, "ms"),
        _ => (9, "s"),
    };
    format!("{} {unit}", 10_f64.powi(decade - units))
}

/// How many lines a second reach the file: a panel for each work, all with the same axis.
pub fn throughput(works: &[(Work, &[Cell])]) -> String {
    const PANEL: f64 = 440.0;
    const HEAD: f64 = 40.0;
    const COLUMNS: usize = 2;

    let rates = works
        .iter()
        .flat_map(|(_, cells)| cells.iter().filter_map(|cell| cell.rate));
    let most = rates.map(|rate| rate.high).fold(0.0, f64::max).max(0.1);
    let rows = works
        .iter()
        .map(|(_, cells)| cells.len())
        .max()
        .unwrap_or(0) as f64;
    let height = HEAD + ROW * rows + 16.0;
    let scale = (PANEL - LABELS - 50.0) / most;

    let mut svg = Svg::new();
    svg.text(
        (12.0, 22.0),
        "start",
        true,
        15,
        "Million lines a second until all are in the file (line: lowest to highest run)",
    );
    for (number, (work, cells)) in works.iter().enumerate() {
        let left = PANEL * (number % COLUMNS) as f64;
        let top = 24.0 + height * (number / COLUMNS) as f64;
        let Work::Lines { lines, producers } = work else {
            continue;
        };
        let threads = if *producers == 1 { "thread" } else { "threads" };
        let title = format!("{} M lines, {producers} {threads}", *lines as f64 / 1e6);
        svg.text((left + LABELS, top + 26.0), "start", true, 12, &title);
        for (row, cell) in cells.iter().enumerate() {
            let y = top + HEAD + ROW * row as f64;
            let own = cell.contender.is_ringlog();
            svg.text(
                (left + LABELS - 12.0, y + 12.0),
                "end",
                own,
                12,
                cell.contender.name,
            );
            let Some(rate) = cell.rate else { continue };
            let origin = left + LABELS;
            let colour = if own { OWN } else { GREY };
            svg.bar((origin, y), (rate.median * scale, ROW - 6.0), colour);
            let middle = y + (ROW - 6.0) / 2.0;
            let ends = (origin + rate.low * scale, origin + rate.high * scale);
            svg.line((ends.0, middle), (ends.1, middle), INK, 1.5);
            let value = format!("{:.2}", rate.median);
            svg.text(
                (ends.1.max(origin) + 6.0, y + 12.0),
                "start",
                own,
                11,
                &value,
            );
        }
    }
    let panels = works.len().div_ceil(COLUMNS) as f64;
    svg.finish(
        PANEL * works.len().min(COLUMNS) as f64,
        24.0 + height * panels,
    )
}
