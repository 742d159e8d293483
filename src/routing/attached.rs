//! A sink with all that was said when it was attached.

use super::{Routes, Rule, Selection};
use crate::format::AnyFormat;
use crate::level::LevelFilter;
use crate::sink::{Destination, Place, SinkOptions};

/// A sink, and what it gets in what form.
pub(crate) struct Attached {
    pub(crate) to: Place,
    pub(crate) name: String,
    pub(crate) format: AnyFormat,
    pub(crate) level: LevelFilter,
    pub(crate) filter: Option<Rule>,
}

impl Attached {
    /// The sinks of a destination, which all have the same options.
    pub(crate) fn all(to: Destination, options: SinkOptions) -> Vec<Self> {
        let attach = |to| Attached::new(to, options.share());
        to.0.into_iter().map(attach).collect()
    }

    fn new(to: Place, options: SinkOptions) -> Self {
        let sink = to.sink();
        let mut format = options.format.unwrap_or_else(|| sink.default_format());
        format.resolve_color(sink.wants_color());
        Attached {
            name: options.name.unwrap_or_else(|| sink.name().to_owned()),
            to,
            format,
            level: options.level,
            filter: options.filter,
        }
    }

    /// Which records the sink gets.
    pub(crate) fn selection(&self, routes: &Routes) -> Selection {
        let (routes, otherwise) = routes.to(&self.name);
        Selection {
            level: self.level,
            filter: self.filter.clone(),
            routes,
            otherwise,
        }
    }
}
