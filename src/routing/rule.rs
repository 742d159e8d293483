//! Conditions on records.

use std::ops::Not;

use crate::format::glob;
use crate::level::{Level, LevelFilter};

/// A condition on records: their level, their target, their fields.
///
/// ```
/// use ringlog::sink::{Memory, Rule, SinkOptions};
/// use ringlog::{Level, RingLogger, info, warn};
/// use std::time::Duration;
///
/// let audit = Memory::new();
/// let rule = Rule::target("bank").and(Rule::level(Level::Warn).or(Rule::has_field("account")));
/// let logger = RingLogger::builder()
///     .sink_with(audit.clone(), SinkOptions::new().filter(rule))
///     .build()?;
/// warn!(logger: &logger, target: "bank::limits", "reached");
/// info!(logger: &logger, target: "bank", account = 7, "opened");
/// info!(logger: &logger, target: "bank", "tick");
/// warn!(logger: &logger, target: "banking", "reached");
/// logger.flush(Duration::from_secs(1))?;
/// assert_eq!(audit.lines().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Rule {
    condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Level(LevelFilter),
    Target(String),
    HasField(String),
    Field(String, String),
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Not(Box<Rule>),
}

/// What is known of a record.
pub(crate) struct Facts<'a> {
    pub(crate) level: Level,
    pub(crate) target: &'a str,
    /// Calls back with the name and the text of each field; `None` if only the statement is known.
    pub(crate) fields: Option<&'a Fields<'a>>,
    /// The names of the fields that all records of the statement have.
    pub(crate) names: &'a [&'a str],
    /// Whether records may have other fields than those.
    pub(crate) is_open: bool,
}

/// Walks the fields of a record until it is answered true, and answers whether it was.
pub(crate) type Fields<'a> = dyn Fn(&mut dyn FnMut(&str, &str) -> bool) -> bool + 'a;

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    No,
    Yes,
    /// On values that are not known yet.
    Depends,
}

impl From<bool> for Answer {
    fn from(holds: bool) -> Self {
        if holds { Answer::Yes } else { Answer::No }
    }
}

impl Answer {
    /// Whether both hold.
    pub(crate) fn and(self, other: impl FnOnce() -> Answer) -> Answer {
        match self {
            Answer::No => Answer::No,
            Answer::Yes => other(),
            Answer::Depends => match other() {
                Answer::No => Answer::No,
                _ => Answer::Depends,
            },
        }
    }

    fn not(self) -> Answer {
        match self {
            Answer::No => Answer::Yes,
            Answer::Yes => Answer::No,
            Answer::Depends => Answer::Depends,
        }
    }
}

impl Rule {
    fn new(condition: Condition) -> Self {
        Rule { condition }
    }

    /// Holds for records of this level and more severe ones.
    pub fn level(level: impl Into<LevelFilter>) -> Self {
        Rule::new(Condition::Level(level.into()))
    }

    /// Holds for records of this target and of those below it: `bank` is `bank` and `bank::limits`,
    /// not `banking`. With `*`, which stands for any characters, the whole target is compared.
    pub fn target(target: impl Into<String>) -> Self {
        Rule::new(Condition::Target(target.into()))
    }

    /// Holds for records that have a field of this name.
    pub fn has_field(name: impl Into<String>) -> Self {
        Rule::new(Condition::HasField(name.into()))
    }

    /// Holds for records that have a field of this name with this value, as `{}` shows it. Looks at
    /// each record of a statement that has such a field, whether the field is masked or not.
    pub fn field(name: impl Into<String>, value: impl ToString) -> Self {
        Rule::new(Condition::Field(name.into(), value.to_string()))
    }

    /// Holds if both do.
    pub fn and(self, other: Rule) -> Self {
        Rule::new(Condition::All(vec![self, other]))
    }

    /// Holds if one of them does.
    pub fn or(self, other: Rule) -> Self {
        Rule::new(Condition::Any(vec![self, other]))
    }

    pub(crate) fn ask(&self, facts: &Facts<'_>) -> Answer {
        match &self.condition {
            Condition::Level(level) => level.allows(facts.level).into(),
            Condition::Target(target) => is_within(facts.target, target).into(),
            Condition::HasField(name) => {
                if facts.names.contains(&&**name) {
                    return Answer::Yes;
                }
                if !facts.is_open {
                    return Answer::No;
                }
                facts.has(|known, _| known == name)
            }
            Condition::Field(name, value) => {
                if !facts.is_open && !facts.names.contains(&&**name) {
                    return Answer::No;
                }
                facts.has(|known, text| known == name && text == value)
            }
            Condition::All(rules) => rules
                .iter()
                .fold(Answer::Yes, |all, rule| all.and(|| rule.ask(facts))),
            Condition::Any(rules) => rules.iter().fold(Answer::No, |any, rule| {
                any.not().and(|| rule.ask(facts).not()).not()
            }),
            Condition::Not(rule) => rule.ask(facts).not(),
        }
    }
}

/// The opposite.
impl Not for Rule {
    type Output = Rule;

    fn not(self) -> Rule {
        Rule::new(Condition::Not(Box::new(self)))
    }
}

impl Facts<'_> {
    /// Whether a record has a field like this.
    fn has(&self, mut is: impl FnMut(&str, &str) -> bool) -> Answer {
        match self.fields {
            Some(fields) => fields(&mut is).into(),
            None => Answer::Depends,
        }
    }
}

/// Whether the target is `wanted` or below it, or what `wanted` describes if that has a star.
fn is_within(target: &str, wanted: &str) -> bool {
    if wanted.contains('*') {
        return glob::matches(wanted, target);
    }
    match target.strip_prefix(wanted) {
        Some(rest) => rest.is_empty() || rest.starts_with("::"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(rule: &Rule, fields: Option<&[(&str, &str)]>) -> Answer {
        let walk = |is: &mut dyn FnMut(&str, &str) -> bool| {
            fields
                .unwrap_or_default()
                .iter()
                .any(|(name, text)| is(name, text))
        };
        rule.ask(&Facts {
            level: Level::Warn,
            target: "bank::limits",
            fields: fields.map(|_| &walk as &Fields<'_>),
            names: &["account"],
            is_open: false,
        })
    }

    #[test]
    fn levels_and_targets_are_known_of_the_statement() {
        for (rule, expected) in [
            (Rule::level(Level::Warn), Answer::Yes),
            (Rule::level(Level::Info), Answer::Yes),
            (Rule::level(Level::Error), Answer::No),
            (Rule::target("bank"), Answer::Yes),
            (Rule::target("bank::limits"), Answer::Yes),
            (Rule::target("bank::lim"), Answer::No),
            (Rule::target("ban"), Answer::No),
            (Rule::target("*::limits"), Answer::Yes),
            (Rule::target("bank::limits::*"), Answer::No),
            (Rule::has_field("account"), Answer::Yes),
            (Rule::has_field("other"), Answer::No),
            (Rule::field("other", 1), Answer::No),
            (Rule::field("account", 1), Answer::Depends),
            (!Rule::target("bank"), Answer::No),
        ] {
            assert_eq!(ask(&rule, None), expected, "{rule:?}");
        }
    }

    #[test]
    fn what_depends_on_values_is_settled_where_it_makes_no_difference() {
        let depends = || Rule::field("account", 7);
        let (yes, no) = (|| Rule::target("bank"), || Rule::target("shop"));
        for (rule, expected) in [
            (depends().and(yes()), Answer::Depends),
            (depends().and(no()), Answer::No),
            (no().and(depends()), Answer::No),
            (depends().or(yes()), Answer::Yes),
            (depends().or(no()), Answer::Depends),
            (!depends(), Answer::Depends),
        ] {
            assert_eq!(ask(&rule, None), expected, "{rule:?}");
            let known = ask(&rule, Some(&[("account", "7")]));
            assert_ne!(known, Answer::Depends);
            assert!(expected == Answer::Depends || known == expected, "{rule:?}");
        }
        assert_eq!(ask(&depends(), Some(&[("account", "7")])), Answer::Yes);
        assert_eq!(ask(&depends(), Some(&[("account", "8")])), Answer::No);
    }
}
