//! Which record goes to which sink.
//!
//! A sink has a level and a filter of its own, and there may be [`Routes`], which say for all sinks
//! in one place what goes where. Levels and targets are decided once for each statement and sink;
//! only a rule that asks for the value of a field looks at records.

mod attached;
mod routes;
mod rule;

pub use routes::Routes;
pub use rule::Rule;

pub(crate) use attached::Attached;
pub(crate) use rule::{Answer, Facts};

use crate::level::LevelFilter;

/// What a sink wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) level: LevelFilter,
    pub(crate) filter: Option<Rule>,
    /// The rules of all routes, in order, and whether this sink is among their destinations.
    pub(crate) routes: Vec<(Rule, bool)>,
    /// Whether it is a destination of what no route takes.
    pub(crate) otherwise: bool,
}

/// What sinks want from now on.
#[cfg(feature = "config")]
#[derive(Debug)]
pub(crate) struct Reselection {
    /// The levels and filters of the first sinks; those of further ones stay.
    pub(crate) wishes: Vec<(LevelFilter, Option<Rule>)>,
    /// The routes of all.
    pub(crate) routes: Routes,
}

#[cfg(feature = "config")]
impl Reselection {
    /// What the sink of this place and name wants, which wanted something else before.
    pub(crate) fn apply(&self, place: usize, name: &str, before: &Selection) -> Selection {
        let (level, filter) = match self.wishes.get(place) {
            Some((level, filter)) => (*level, filter.clone()),
            None => (before.level, before.filter.clone()),
        };
        let (routes, otherwise) = self.routes.to(name);
        Selection {
            level,
            filter,
            routes,
            otherwise,
        }
    }
}

impl Selection {
    /// Whether it is every record.
    pub(crate) fn is_everything(&self) -> bool {
        self.level == LevelFilter::Trace
            && self.filter.is_none()
            && self.routes.iter().all(|(_, here)| *here)
            && self.otherwise
    }

    /// Whether a record is wanted; [`Answer::Depends`] only if `facts` lacks the values.
    pub(crate) fn wants(&self, facts: &Facts<'_>) -> Answer {
        if !self.level.allows(facts.level) {
            return Answer::No;
        }
        let filter = self
            .filter
            .as_ref()
            .map_or(Answer::Yes, |rule| rule.ask(facts));
        filter.and(|| self.routed(facts))
    }

    /// The first route that takes the record decides.
    fn routed(&self, facts: &Facts<'_>) -> Answer {
        let mut depends = false;
        for (rule, here) in &self.routes {
            match rule.ask(facts) {
                Answer::No => {}
                Answer::Yes if depends => return Answer::Depends,
                Answer::Yes => return (*here).into(),
                Answer::Depends => depends = true,
            }
        }
        if depends {
            Answer::Depends
        } else {
            self.otherwise.into()
        }
    }
}
