//! How a logger is set up.

mod builder;
#[cfg(feature = "config")]
mod file;
#[cfg(feature = "config")]
mod formats;
#[cfg(feature = "config")]
mod node;
mod policy;
#[cfg(feature = "config")]
mod reader;
#[cfg(feature = "config")]
mod reload;
#[cfg(feature = "config")]
mod rules;
#[cfg(feature = "config")]
mod settings;
#[cfg(feature = "config")]
mod sinks;
#[cfg(feature = "config")]
mod source;

pub use builder::Builder;
#[cfg(feature = "config")]
pub use file::{Config, ConfigError, ConfigPlace};
pub use policy::{Idle, Overflow};
