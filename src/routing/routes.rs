//! What goes where, for all sinks in one place.

use super::rule::Rule;
use crate::error::BuildError;

/// Rules that say to which sinks records go, tried in order: the first that holds decides.
///
/// Sinks are called by the name that [`SinkOptions::name`](crate::sink::SinkOptions::name) gave
/// them, or else their own, such as `stderr`. What no rule takes goes to every sink, unless
/// [`otherwise`](Self::otherwise) says to which. A sink's own level and filter count as well.
///
/// ```
/// use ringlog::sink::{Memory, Routes, Rule, SinkOptions};
/// use ringlog::{Level, RingLogger, error, info};
/// use std::time::Duration;
///
/// let (app, audit, pager) = (Memory::new(), Memory::new(), Memory::new());
/// let named = |name: &str| SinkOptions::new().name(name);
/// let logger = RingLogger::builder()
///     .sink_with(app.clone(), named("app"))
///     .sink_with(audit.clone(), named("audit"))
///     .sink_with(pager.clone(), named("pager"))
///     .routes(
///         Routes::new()
///             .route(Rule::target("bank"), ["audit"])
///             .route(Rule::level(Level::Error), ["app", "pager"])
///             .otherwise(["app"]),
///     )
///     .build()?;
/// error!(logger: &logger, target: "bank", "1");
/// error!(logger: &logger, "2");
/// info!(logger: &logger, "3");
/// logger.flush(Duration::from_secs(1))?;
/// let counts = [&app, &audit, &pager].map(|sink| sink.lines().len());
/// assert_eq!(counts, [2, 1, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Routes {
    routes: Vec<(Rule, Vec<String>)>,
    otherwise: Option<Vec<String>>,
}

impl Routes {
    /// No rules yet.
    pub fn new() -> Self {
        Routes::default()
    }

    /// Records for which the rule holds go to these sinks, unless an earlier rule has taken them.
    pub fn route<S: Into<String>>(
        mut self,
        rule: Rule,
        sinks: impl IntoIterator<Item = S>,
    ) -> Self {
        let sinks = sinks.into_iter().map(Into::into).collect();
        self.routes.push((rule, sinks));
        self
    }

    /// Records that no rule takes go to these sinks; default: to every sink.
    pub fn otherwise<S: Into<String>>(mut self, sinks: impl IntoIterator<Item = S>) -> Self {
        self.otherwise = Some(sinks.into_iter().map(Into::into).collect());
        self
    }

    /// Checks that all destinations are sinks.
    pub(crate) fn check(&self, sinks: &[String]) -> Result<(), BuildError> {
        let routed = self.routes.iter().flat_map(|(_, sinks)| sinks);
        let mut all = routed.chain(self.otherwise.iter().flatten());
        match all.find(|name| !sinks.contains(name)) {
            None => Ok(()),
            Some(destination) => Err(BuildError::Route {
                destination: destination.clone(),
                sinks: sinks.to_vec(),
            }),
        }
    }

    /// The rules with whether they lead to this sink, and whether what is left does.
    pub(crate) fn to(&self, sink: &str) -> (Vec<(Rule, bool)>, bool) {
        let leads_here = |sinks: &Vec<String>| sinks.iter().any(|name| name == sink);
        let routes = self.routes.iter();
        (
            routes
                .map(|(rule, sinks)| (rule.clone(), leads_here(sinks)))
                .collect(),
            self.otherwise.as_ref().is_none_or(leads_here),
        )
    }
}
