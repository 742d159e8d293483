//! What the benches share: time, cores, command lines and results.

#![allow(dead_code, reason = "each bench uses a part of it")]

#[path = "../../examples/support/arguments.rs"]
pub mod arguments;
pub mod cores;
pub mod results;
pub mod ticks;

/// The median; of an even number of values, the higher of the two in the middle.
///
/// # Panics
///
/// If there are no values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Whether this process was started by `cargo bench`.
///
/// `cargo test --benches` starts it too, to see that it runs; then a bench does as little as it can.
/// Criterion tells the two apart in the same way.
pub fn is_measuring() -> bool {
    std::env::args_os().any(|argument| argument == "--bench")
}
