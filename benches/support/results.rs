//! Results, as a table to read or as JSON to compute with.

use std::fmt::Write as _;

/// The result of one case: named values, in the order in which they are shown.
#[derive(Clone, Debug, Default)]
pub struct Row {
    cells: Vec<(&'static str, Cell)>,
}

#[derive(Clone, Debug)]
enum Cell {
    Text(String),
    Count(u64),
    Measured(f64, usize),
}

impl Row {
    /// A row without values.
    pub fn new() -> Self {
        Row::default()
    }

    /// Adds a word.
    #[must_use]
    pub fn text(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.cells.push((name, Cell::Text(value.into())));
        self
    }

    /// Adds a whole number.
    #[must_use]
    pub fn count(mut self, name: &'static str, value: u64) -> Self {
        self.cells.push((name, Cell::Count(value)));
        self
    }

    /// Adds a number that is shown with so many digits after the point.
    #[must_use]
    pub fn measured(mut self, name: &'static str, value: f64, digits: usize) -> Self {
        self.cells.push((name, Cell::Measured(value, digits)));
        self
    }

    fn json(&self) -> String {
        let mut json = String::from("{");
        for (name, cell) in &self.cells {
            if json.len() > 1 {
                json.push(',');
            }
            let value = match cell {
                Cell::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
                cell => cell.shown(),
            };
            write!(json, "\"{name}\":{value}").expect("a string takes all text");
        }
        json.push('}');
        json
    }
}

impl Cell {
    fn shown(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Count(count) => count.to_string(),
            Cell::Measured(value, digits) => format!("{value:.digits$}"),
        }
    }
}

/// Prints one JSON object per row, each on a line, or a table.
pub fn print(rows: &[Row], json: bool) {
    if json {
        for row in rows {
            println!("{}", row.json());
        }
    } else {
        print_table(rows);
    }
}

/// All rows have the names of the first one.
fn print_table(rows: &[Row]) {
    let Some(first) = rows.first() else {
        return;
    };
    let mut lines = vec![
        first
            .cells
            .iter()
            .map(|(name, _)| (*name).to_string())
            .collect::<Vec<_>>(),
    ];
    for row in rows {
        lines.push(row.cells.iter().map(|(_, cell)| cell.shown()).collect());
    }
    let widths: Vec<usize> = (0..first.cells.len())
        .map(|column| lines.iter().map(|line| line[column].len()).max())
        .map(|width| width.unwrap_or(0))
        .collect();
    for line in &lines {
        let mut shown = String::new();
        for ((text, width), (_, cell)) in line.iter().zip(&widths).zip(&first.cells) {
            match cell {
                Cell::Text(_) => write!(shown, "{text:<width$}  "),
                _ => write!(shown, "{text:>width$}  "),
            }
            .expect("a string takes all text");
        }
        println!("{}", shown.trim_end());
    }
}
