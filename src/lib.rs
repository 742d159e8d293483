#![doc = include_str!("../README.md")]

mod callsite;
#[cfg(feature = "serde")]
mod capture_serde;
mod clock;
mod config;
mod error;
mod error_chain;
mod filter;
mod fixed;
pub mod format;
mod level;
mod limit;
mod logger;
mod macros;
mod record;
mod ring;
mod routing;
mod shutdown;
pub mod sink;
mod stats;
mod symbol;
mod sys;
mod worker;

#[cfg(feature = "serde")]
pub use capture_serde::{Serde, serde};
pub use clock::{Clock, Timestamp};
pub use config::{Builder, Idle, Overflow};
#[cfg(feature = "config")]
pub use config::{Config, ConfigError, ConfigPlace};
#[cfg(any(feature = "signals", feature = "crash"))]
pub use error::SignalError;
pub use error::{BuildError, FlushError, PinError, RestartError, SymbolError};
pub use error_chain::{ErrorChain, error_chain};
pub use filter::{Filter, FilterError};
pub use fixed::Fixed;
pub use level::{Level, LevelFilter, MAX_LEVEL, ParseLevelError};
pub use logger::{
    ContextGuard, Guard, InHandler, Outcome, ParseTraceIdError, Producer, RingLogger,
    ShutdownFuture, TraceId, configure, in_context, in_handler, logger,
};
pub use record::Record;
pub use ringlog_macros::Record;
pub use shutdown::{ShutdownOutcome, ShutdownReport};
pub use stats::{LaneStats, Latency, PerLevel, SinkStats, Stats};
pub use symbol::Symbol;

/// Tests the page.
#[cfg(doctest)]
#[doc = include_str!("../docs/shutdown.md")]
mod shutdown_page {}

/// Tests the page.
#[cfg(all(doctest, feature = "config"))]
#[doc = include_str!("../docs/configuration.md")]
mod configuration_page {}

/// Tests the page.
#[cfg(doctest)]
#[doc = include_str!("../docs/statistics.md")]
mod statistics_page {}

/// Tests the page.
#[cfg(doctest)]
#[doc = include_str!("../docs/arguments.md")]
mod arguments_page {}

/// Tests the page.
#[cfg(doctest)]
#[doc = include_str!("../docs/formats.md")]
mod formats_page {}

/// Tests the page.
#[cfg(doctest)]
#[doc = include_str!("../docs/macros.md")]
mod macros_page {}

/// Tests the page.
#[cfg(doctest)]
#[doc = include_str!("../docs/migrating.md")]
mod migrating_page {}

/// Tests the page.
#[cfg(doctest)]
#[doc = include_str!("../docs/sinks.md")]
mod sinks_page {}

/// What the macros expand to. Not part of the public API: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::callsite::{Callsite, Metadata};
    pub use crate::level::{DEBUG, ERROR, INFO, TRACE, WARN, is_compiled};
    pub use crate::limit::{Every, Limit, Once, Per, Sample};
    pub use crate::logger::{
        Global, Log, Outcome, enabled, enter_context, submit, submit_at, submit_limited,
        submit_limited_at,
    };
    pub use crate::record::{
        Derived, Field, Form, Member, Put, Shape, Spec, Type, Variant, address_probe,
        context_probe, fixed_with, plain_probe, probe, text_probe, type_with,
    };
    pub use ringlog_macros::{context_impl, rlog_impl};
}
