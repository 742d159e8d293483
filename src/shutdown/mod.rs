//! How a logger ends: closing, draining under a deadline, and the report.

mod control;
mod notes;
mod report;

pub(crate) use control::{Control, GRACE};
pub(crate) use notes::Notes;
pub use report::{ShutdownOutcome, ShutdownReport};
