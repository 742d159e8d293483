//! How a logger ends: closing, draining under a deadline, and the report.

mod control;
mod report;

pub(crate) use control::Control;
pub use report::{ShutdownOutcome, ShutdownReport};
