//! How a logger is set up.

mod builder;
mod policy;

pub use builder::Builder;
pub use policy::{Idle, Overflow};
