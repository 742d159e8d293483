//! The keys of a configuration, and what each of them sets.

use std::ops::RangeInclusive;

use super::builder::Builder;
use super::node::Table;
use super::policy::{Idle, Overflow};
use super::reader::{Fault, Path, Reader, Reading};
use super::rules;
use super::sinks::{self, SinkPlan};
use crate::clock::Clock;
use crate::filter::Filter;
use crate::format::Redaction;
use crate::level::{Level, LevelFilter};
use crate::record::MAX_SLOTS;

/// What a configuration says: a builder without its sinks, and the sinks, which are not open yet.
pub(super) struct Settings {
    pub(super) builder: Builder,
    pub(super) sinks: Vec<SinkPlan>,
}

/// Sets what is given.
fn set<T>(builder: Builder, value: Option<T>, to: impl FnOnce(Builder, T) -> Builder) -> Builder {
    match value {
        Some(value) => to(builder, value),
        None => builder,
    }
}

impl Settings {
    pub(super) fn read(table: &Table) -> Reading<Settings> {
        Reader::read(table, Path::default(), Settings::read_keys)
    }

    fn read_keys(keys: &mut Reader<'_>) -> Reading<Settings> {
        // What a preset says is in the table by now.
        keys.text("preset")?;
        let builder = read_filter(keys, Builder::default())?;
        let builder = keys.section("ring", |keys| read_ring(keys, builder))?;
        let builder = keys.section("consumer", |keys| read_consumer(keys, builder))?;
        let builder = keys.section("shutdown", |keys| read_shutdown(keys, builder))?;
        let backtrace = keys.table("backtrace", read_backtrace)?;
        let builder = set(builder, backtrace, |builder, backtrace| {
            builder.backtrace(backtrace.records, backtrace.levels, backtrace.on)
        });
        let builder = keys.section("redaction", |keys| read_redaction(keys, builder))?;
        let routes = keys.section("routing", rules::read_routing)?;
        let sinks = keys.tables("sinks", sinks::read)?;
        Ok(Settings {
            builder: builder.routes(routes),
            sinks,
        })
    }
}

fn read_filter(keys: &mut Reader<'_>, builder: Builder) -> Reading<Builder> {
    let level = keys.parsed("level", str::parse::<LevelFilter>)?;
    let filter = keys.parsed("filter", str::parse::<Filter>)?;
    if level.is_some() && filter.is_some() {
        return Err(keys.fault(
            "level",
            "and `filter` are both there; a filter names the level",
        ));
    }
    let builder = set(builder, level, Builder::level);
    let mut builder = set(builder, filter, Builder::filter);
    if let Some(variable) = keys.text("filter_variable")? {
        builder.filter_variable = (!variable.is_empty()).then(|| variable.to_owned());
    }
    Ok(builder)
}

fn read_ring(keys: &mut Reader<'_>, builder: Builder) -> Reading<Builder> {
    let capacity = Builder::LEAST_CAPACITY..=Builder::MOST_CAPACITY;
    let lanes = keys.number("lanes", 0..=Builder::MOST_LANES)?;
    let builder = set(builder, lanes, Builder::lanes);
    let slots = keys.number("lane_capacity", capacity.clone())?;
    let builder = set(builder, slots, Builder::lane_capacity);
    let slots = keys.number("shared_capacity", capacity)?;
    let builder = set(builder, slots, Builder::shared_capacity);
    let slots = keys.number("max_record_slots", 1..=MAX_SLOTS)?;
    let builder = set(builder, slots, Builder::max_record_slots);
    let builder = set(builder, keys.flag("prefault")?, Builder::prefault);
    let builder = set(builder, keys.flag("mlock")?, Builder::mlock);
    let builder = set(builder, keys.flag("huge_pages")?, Builder::huge_pages);

    let policies = [("drop", Overflow::Drop), ("block", Overflow::Block)];
    let overflow = keys.choice("overflow", &policies)?;
    let limit = keys.duration("block_for")?;
    let overflow = match (overflow, limit) {
        (Some(Overflow::Block), Some(limit)) => Some(Overflow::BlockFor(limit)),
        (_, Some(_)) => {
            return Err(keys.fault("block_for", "goes with `overflow = \"block\"` only"));
        }
        (overflow, None) => overflow,
    };
    Ok(set(builder, overflow, Builder::overflow))
}

fn read_consumer(keys: &mut Reader<'_>, builder: Builder) -> Reading<Builder> {
    let builder = set(builder, keys.flag("thread")?, Builder::thread);
    let core = keys.number("pin", 0..=usize::MAX)?;
    let builder = set(builder, core, Builder::pin);
    let idle = [("adaptive", Idle::Adaptive), ("spin", Idle::Spin)];
    let builder = set(builder, keys.choice("idle", &idle)?, Builder::idle);
    let clocks = [
        ("tsc", Clock::Tsc),
        ("arrival", Clock::Arrival),
        ("system", Clock::System),
    ];
    Ok(set(builder, keys.choice("clock", &clocks)?, Builder::clock))
}

fn read_shutdown(keys: &mut Reader<'_>, builder: Builder) -> Reading<Builder> {
    let deadline = keys.duration("deadline")?;
    let builder = set(builder, deadline, Builder::shutdown_deadline);
    let builder = set(builder, keys.flag("exit_hook")?, Builder::exit_hook);
    let builder = set(builder, keys.flag("panic_hook")?, Builder::panic_hook);
    let record = keys.flag("closing_record")?;
    let builder = set(builder, record, Builder::closing_record);
    let print = keys.flag("print_report")?;
    let builder = set(builder, print, Builder::print_report);
    let signals = keys.flag("signals")?;
    #[cfg(feature = "signals")]
    let builder = set(builder, signals, Builder::signals);
    #[cfg(not(feature = "signals"))]
    refuse_without_feature(keys, "signals", signals, "signals")?;
    let crash_handler = keys.flag("crash_handler")?;
    #[cfg(feature = "crash")]
    let builder = set(builder, crash_handler, Builder::crash_handler);
    #[cfg(not(feature = "crash"))]
    refuse_without_feature(keys, "crash_handler", crash_handler, "crash")?;
    Ok(builder)
}

/// Something is wanted that this program cannot do.
#[cfg(not(all(feature = "signals", feature = "crash")))]
fn refuse_without_feature(
    keys: &Reader<'_>,
    key: &str,
    wanted: Option<bool>,
    feature: &str,
) -> Reading<()> {
    match wanted {
        Some(true) => {
            let problem =
                format!("is true, and this program was built without feature `{feature}`");
            Err(keys.fault(key, problem))
        }
        _ => Ok(()),
    }
}

/// What is kept for what reason.
struct Backtrace {
    records: usize,
    levels: RangeInclusive<Level>,
    on: Level,
}

fn read_backtrace(keys: &mut Reader<'_>) -> Reading<Backtrace> {
    let mut levels = Vec::new();
    for (place, word) in keys
        .text_or_texts("levels")?
        .into_iter()
        .flatten()
        .enumerate()
    {
        let level = word.parse::<Level>().map_err(|error| Fault {
            path: keys.path().key("levels").place(place),
            problem: format!("is {word:?}: {error}"),
        })?;
        levels.push(level);
    }
    let on = keys.parsed("on", str::parse::<Level>)?;
    let records = keys.number("records", 1..=Builder::MOST_BACKTRACE)?;
    let least = levels.iter().min().unwrap_or(&Level::Debug);
    let most = levels.iter().max().unwrap_or(&Level::Trace);
    Ok(Backtrace {
        records: records.ok_or_else(|| keys.lacks("records"))?,
        levels: *least..=*most,
        on: on.unwrap_or(Level::Error),
    })
}

fn read_redaction(keys: &mut Reader<'_>, builder: Builder) -> Reading<Builder> {
    let mut redaction = match keys.flag("usual")? {
        None | Some(true) => Redaction::new(),
        Some(false) => Redaction::none().urls(true),
    };
    if let Some(mask) = keys.flag("urls")? {
        redaction = redaction.urls(mask);
    }
    if let Some(names) = keys.text_or_texts("fields")? {
        redaction = redaction.fields(names);
    }
    Ok(builder.redact(redaction))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::{Language, Source};
    use std::collections::BTreeSet;

    const EXAMPLE: &str = include_str!("../../examples/ringlog.toml");
    const REFERENCE: &str = include_str!("../../docs/configuration.md");

    /// Every key that is read while the example is, and each of its sinks.
    fn all_keys() -> BTreeSet<String> {
        let source = Source::new(EXAMPLE, Language::Toml);
        let table = source.parse().unwrap();
        let keys = |keys: &mut Reader<'_>| {
            Settings::read_keys(keys)?;
            Ok(keys.asked_keys())
        };
        Reader::read(&table, Path::default(), keys).unwrap()
    }

    #[test]
    fn the_example_and_the_reference_have_every_key() {
        let keys = all_keys();
        assert!(keys.contains("lane_capacity") && keys.contains("queue_bytes"));
        for key in keys {
            let mut words = EXAMPLE.split(|c: char| !c.is_alphanumeric() && c != '_');
            assert!(
                words.any(|word| word == key),
                "`{key}` is not in examples/ringlog.toml"
            );
            assert!(
                REFERENCE.contains(&format!("`{key}`")),
                "`{key}` is not in docs/configuration.md"
            );
        }
    }
}
