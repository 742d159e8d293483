//! Conditions on records in a configuration: a table, all of whose keys have to hold.

use super::node::Node;
use super::reader::{Fault, Reader, Reading};
use crate::level::LevelFilter;
use crate::sink::{Routes, Rule};

/// A table with the keys of a condition.
pub(super) fn read(keys: &mut Reader<'_>) -> Reading<Rule> {
    let mut all = Vec::new();
    let level = keys.parsed("level", str::parse::<LevelFilter>)?;
    all.extend(level.map(Rule::level));
    if let Some(targets) = keys.text_or_texts("target")? {
        all.push(any_of(
            keys,
            "target",
            targets.into_iter().map(Rule::target),
        )?);
    }
    if let Some(names) = keys.text_or_texts("has_field")? {
        all.push(any_of(
            keys,
            "has_field",
            names.into_iter().map(Rule::has_field),
        )?);
    }
    for (name, value) in keys.entries("fields")? {
        let value = match value {
            Node::Text(text) => text.clone(),
            Node::Integer(number) => number.to_string(),
            Node::Float(number) => number.to_string(),
            Node::Flag(flag) => flag.to_string(),
            Node::List(_) | Node::Table(_) => {
                return Err(Fault {
                    path: keys.path().key("fields").key(name),
                    problem: format!("must be a single value, and is {}", value.kind()),
                });
            }
        };
        all.push(Rule::field(name, value));
    }
    if keys.has("any") {
        let rules = keys.tables("any", read)?;
        all.push(any_of(keys, "any", rules.into_iter())?);
    }
    if keys.has("all") {
        all.extend(keys.tables("all", read)?);
    }
    all.extend(keys.table("not", read)?.map(|rule| !rule));
    keys.refuse_unknown_keys()?;
    all.into_iter().reduce(Rule::and).ok_or_else(|| Fault {
        path: keys.path().clone(),
        problem: "says nothing; there are `level`, `target`, `has_field`, `fields`, `any`, `all`, \
                  `not`"
            .into(),
    })
}

fn any_of(keys: &Reader<'_>, key: &str, rules: impl Iterator<Item = Rule>) -> Reading<Rule> {
    let any = rules.reduce(Rule::or);
    any.ok_or_else(|| keys.fault(key, "is empty, and would never hold"))
}

/// The table `routing`.
pub(super) fn read_routing(keys: &mut Reader<'_>) -> Reading<Routes> {
    let routes = keys.tables("routes", |keys| {
        let when = keys.required_table("when", read)?;
        let to = keys.text_or_texts("to")?;
        match to {
            Some(to) => Ok((when, to)),
            None => Err(keys.lacks("to")),
        }
    })?;
    let mut all = Routes::new();
    for (when, to) in routes {
        all = all.route(when, to);
    }
    if let Some(otherwise) = keys.text_or_texts("otherwise")? {
        all = all.otherwise(otherwise);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::node::Table;
    use crate::config::reader::Path;
    use crate::config::source::{Language, Source};
    use crate::level::Level;

    fn rule(toml: &str) -> Result<Rule, String> {
        let table: Table = Source::new(toml, Language::Toml).parse().unwrap();
        Reader::read(&table, Path::default(), read)
            .map_err(|fault| format!("`{}` {}", fault.path, fault.problem))
    }

    #[test]
    fn all_that_a_table_says_has_to_hold() {
        let buy = || Rule::field("side", "buy");
        for (toml, expected) in [
            ("level = 'warn'", Rule::level(Level::Warn)),
            ("target = 'bank'", Rule::target("bank")),
            (
                "target = ['bank', 'desk*']",
                Rule::target("bank").or(Rule::target("desk*")),
            ),
            ("has_field = 'account'", Rule::has_field("account")),
            ("fields = { side = 'buy' }", buy()),
            (
                "fields = { lots = 3, side = 'buy' }",
                Rule::field("lots", 3).and(buy()),
            ),
            (
                "level = 'error'\ntarget = 'bank'\nfields = { side = 'buy' }",
                Rule::level(Level::Error)
                    .and(Rule::target("bank"))
                    .and(buy()),
            ),
            (
                "any = [{ level = 'error' }, { target = 'bank', has_field = 'account' }]",
                Rule::level(Level::Error).or(Rule::target("bank").and(Rule::has_field("account"))),
            ),
            (
                "all = [{ level = 'error' }, { target = 'bank' }]",
                Rule::level(Level::Error).and(Rule::target("bank")),
            ),
            (
                "target = 'bank'\nnot = { level = 'warn' }",
                Rule::target("bank").and(!Rule::level(Level::Warn)),
            ),
        ] {
            assert_eq!(rule(toml), Ok(expected), "{toml}");
        }
    }

    #[test]
    fn a_condition_that_cannot_be_meant_is_refused() {
        for (toml, expected) in [
            (
                "targt = 'bank'",
                "`targt` is not a key; did you mean `target`?",
            ),
            ("target = []", "`target` is empty, and would never hold"),
            ("any = []", "`any` is empty, and would never hold"),
            (
                "target = 3",
                "`target` must be text or a list of texts, and is a number",
            ),
            (
                "fields = { lots = [3] }",
                "`fields.lots` must be a single value, and is a list",
            ),
            ("fields = 'lots'", "`fields` must be a table, and is text"),
            (
                "any = [{ level = 'warn' }, { levl = 'warn' }]",
                "`any[1].levl` is not a key; did you mean `level`?",
            ),
            (
                "not = {}",
                "`not` says nothing; there are `level`, `target`, `has_field`, `fields`, `any`, \
                 `all`, `not`",
            ),
        ] {
            assert_eq!(rule(toml), Err(expected.into()), "{toml}");
        }
    }
}
