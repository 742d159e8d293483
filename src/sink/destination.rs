//! What a logger can be given as a sink.

use std::fmt;

use super::{Offload, Sink, Tee};

/// What [`Builder::sink`](crate::Builder::sink) takes: a sink, a sink behind an [`Offload`], or several
/// of them in a [`Tee`].
///
/// An `Offload` and a `Tee` are no sinks themselves, since nothing may stand between a sink and the
/// logger: the logger's account of its records goes through it. `Offload::new(outer(inner))` is the way
/// to combine.
pub struct Destination(pub(crate) Vec<Place>);

/// Where a sink runs.
pub(crate) enum Place {
    /// On the consumer's thread.
    Here(Box<dyn Sink>),
    /// On its own.
    Apart(Offload),
}

impl Place {
    pub(crate) fn sink(&self) -> &dyn Sink {
        match self {
            Place::Here(sink) => &**sink,
            Place::Apart(offload) => &*offload.sink,
        }
    }

    /// The bound of its queue, if it has one.
    pub(crate) fn queue_bytes(&self) -> Option<usize> {
        match self {
            Place::Here(_) => None,
            Place::Apart(offload) => Some(offload.settings.queue_bytes),
        }
    }
}

impl<S: Sink + 'static> From<S> for Destination {
    fn from(sink: S) -> Self {
        Destination(vec![Place::Here(Box::new(sink))])
    }
}

impl From<Box<dyn Sink>> for Destination {
    fn from(sink: Box<dyn Sink>) -> Self {
        Destination(vec![Place::Here(sink)])
    }
}

impl From<Offload> for Destination {
    fn from(offload: Offload) -> Self {
        Destination(vec![Place::Apart(offload)])
    }
}

impl From<Tee> for Destination {
    fn from(tee: Tee) -> Self {
        tee.into_destination()
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Here(sink) => f.debug_tuple("Sink").field(&sink.name()).finish(),
            Place::Apart(offload) => offload.fmt(f),
        }
    }
}
