//! The source of a program with many log statements, no two alike.

use std::fmt::Write as _;

/// Macros that keep their arguments alive and do nothing else.
pub const NOTHING: &str = "
macro_rules! info {
    ($text:literal $(, $argument:expr)* $(,)?) => { std::hint::black_box(&($(&$argument,)*)); };
}
use info as debug; use info as error; use info as trace; use info as warn;";

/// The arguments that there are, and how each may be shown.
const ARGUMENTS: [(&str, &[&str]); 9] = [
    ("id", &["{}", "{:>8}", "{:x}"]),
    ("count", &["{}", "{:05}", "{:?}"]),
    ("offset", &["{}", "{:+}"]),
    ("price", &["{}", "{:.2}", "{:10.3}"]),
    ("is_buy", &["{}", "{:?}"]),
    ("side", &["{}", "{:?}"]),
    ("symbol", &["{}", "{:<6}", "{:?}"]),
    ("venue", &["{}", "{:>4}"]),
    ("flags", &["{:#x}", "{:b}"]),
];

const WORDS: [&str; 16] = [
    "order", "filled", "rejected", "cancel", "quote", "limit", "risk", "gap", "session", "sent",
    "received", "replay", "stale", "price", "book", "level",
];

/// One in ten of each of the others; the rest is `info`.
const LEVELS: [&str; 10] = [
    "error", "warn", "debug", "trace", "info", "info", "info", "info", "info", "info",
];

const STATEMENTS_PER_FUNCTION: usize = 20;

/// Numbers without order that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound as u64) as usize
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// The program's source.
pub fn source(import: &str, statements: usize) -> String {
    let mut random = Random(7);
    let mut source = format!("{import}\n\n");
    let functions = statements.div_ceil(STATEMENTS_PER_FUNCTION);
    for function in 0..functions {
        // Few functions use all of their arguments: warnings would be a part of what is measured.
        let _ = writeln!(
            source,
            "#[inline(never)]\n#[allow(unused_variables)]\n#[rustfmt::skip]\n\
             fn function_{function}(id: u64, count: u32, offset: i64, price: f64, is_buy: bool, \
             side: char, symbol: &str, venue: &String, flags: u16) {{"
        );
        let rest = statements - function * STATEMENTS_PER_FUNCTION;
        for _ in 0..rest.min(STATEMENTS_PER_FUNCTION) {
            statement(&mut source, &mut random);
        }
        source.push_str("}\n\n");
    }
    source.push_str("fn main() {\n    let venue = std::env::args().next().unwrap();\n");
    for function in 0..functions {
        let _ = writeln!(
            source,
            "    function_{function}(venue.len() as u64, 1, -1, 0.5, true, 'b', &venue, &venue, 3);"
        );
    }
    source.push_str("}\n");
    source
}

/// Up to five arguments, as a statement of a real program has.
fn statement(source: &mut String, random: &mut Random) {
    let level = random.of(&LEVELS);
    let mut text = random.of(&WORDS).to_owned();
    let mut arguments = String::new();
    for _ in 0..random.below(6) {
        let (name, shown) = ARGUMENTS[random.below(ARGUMENTS.len())];
        let _ = write!(text, " {} {}", random.of(&WORDS), random.of(shown));
        let _ = write!(arguments, ", {name}");
    }
    let _ = writeln!(source, "    {level}!(\"{text}\"{arguments});");
}
