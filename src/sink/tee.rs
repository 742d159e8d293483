//! Several sinks that are attached as one.

use super::Destination;

/// Several sinks that get the same records in the same form: attached once, with one
/// [`SinkOptions`](super::SinkOptions), and rendered once for all, also in a format of the program's
/// own.
///
/// Beyond that they have nothing to do with each other: each has its own place in the account, each
/// may fail, be slow, or be behind an [`Offload`](super::Offload), and none waits for another. A name
/// in the options is the name of each; without, [`Routes`](super::Routes) and reports call each by its
/// own.
///
/// ```
/// use ringlog::format::Json;
/// use ringlog::sink::{Memory, Offload, SinkOptions, Tee};
/// use ringlog::{Level, RingLogger, info, warn};
/// use std::time::Duration;
///
/// let (near, far) = (Memory::new(), Memory::new());
/// let logger = RingLogger::builder()
///     .sink_with(
///         Tee::new(near.clone(), Offload::new(far.clone())),
///         SinkOptions::new().format(Json::new()).level(Level::Warn),
///     )
///     .build()?;
/// info!(logger: &logger, "filled {} lots", 3);
/// warn!(logger: &logger, "limit reached");
/// logger.flush(Duration::from_secs(1))?;
/// assert_eq!(near.lines().len(), 1);
/// assert_eq!(near.contents(), far.contents());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Tee {
    all: Destination,
}

impl Tee {
    /// Two sinks.
    pub fn new(first: impl Into<Destination>, second: impl Into<Destination>) -> Self {
        Tee { all: first.into() }.and(second)
    }

    /// And another one.
    pub fn and(mut self, another: impl Into<Destination>) -> Self {
        self.all.0.extend(another.into().0);
        self
    }

    pub(super) fn into_destination(self) -> Destination {
        self.all
    }
}
