//! Which record goes to which sink, and that the account of all of them stays exact.

mod support;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ringlog::format::{Format, Json, Record, Text};
use ringlog::sink::{Memory, Offload, Routes, Rule, SinkOptions, Tee};
use ringlog::{
    BuildError, Level, LevelFilter, RingLogger, context, debug, error, info, trace, warn,
};
use support::sinks::Scripted;
use support::{Books, LONG, wait_for};

fn plain() -> SinkOptions {
    SinkOptions::new().format(Text::pattern("{message}").unwrap())
}

#[test]
fn each_sink_has_its_own_level_filter_and_format() {
    let sinks: [Memory; 5] = Default::default();
    let [all, errors, bank, accounts, json] = &sinks;
    let logger = RingLogger::builder()
        .closing_record(false)
        .level(LevelFilter::Trace)
        .sink_with(all.clone(), plain())
        .sink_with(errors.clone(), plain().level(Level::Error))
        .sink_with(bank.clone(), plain().filter(Rule::target("bank")))
        .sink_with(
            accounts.clone(),
            plain().filter(Rule::field("account", 7).or(Rule::field("session", 42))),
        )
        .sink_with(
            json.clone(),
            SinkOptions::new().format(Json::new()).level(Level::Warn),
        )
        .build()
        .unwrap();
    error!(logger: &logger, target: "bank", "1");
    trace!(logger: &logger, target: "bank::limits", account = 7, "2");
    warn!(logger: &logger, target: "banking", account = 8, "3");
    info!(logger: &logger, "4");
    {
        let _context = context!(session = 42);
        debug!(logger: &logger, "5");
    }
    debug!(logger: &logger, account = "7", "6");
    let report = logger.shutdown(LONG);
    assert_eq!((report.written, report.failed), (6, 0));
    assert_eq!(all.lines(), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(errors.lines(), ["1"]);
    assert_eq!(bank.lines(), ["1", "2"]);
    assert_eq!(accounts.lines(), ["2", "5", "6"]);
    let lines = json.lines();
    let messages = lines.iter().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        (
            line["seq"].as_u64().unwrap(),
            line["msg"].as_str().unwrap().to_owned(),
        )
    });
    assert!(messages.eq([(1, "1".into()), (3, "3".into())]));
}

#[test]
fn the_first_route_that_holds_decides() {
    let sinks: [Memory; 3] = Default::default();
    let [app, audit, pager] = &sinks;
    let logger = RingLogger::builder()
        .closing_record(false)
        .sink_with(app.clone(), plain().name("app"))
        .sink_with(audit.clone(), plain().name("audit"))
        .sink_with(pager.clone(), plain().name("pager").level(Level::Error))
        .routes(
            Routes::new()
                .route(Rule::field("secret", true), [] as [&str; 0])
                .route(Rule::target("bank"), ["audit", "pager"])
                .route(Rule::level(Level::Error), ["app", "pager"])
                .otherwise(["app"]),
        )
        .build()
        .unwrap();
    error!(logger: &logger, target: "bank", "1");
    info!(logger: &logger, target: "bank", "2");
    error!(logger: &logger, "3");
    info!(logger: &logger, "4");
    error!(logger: &logger, secret = true, "5");
    error!(logger: &logger, secret = false, "6");
    let report = logger.shutdown(LONG);
    assert_eq!((report.written, report.failed), (6, 0));
    assert_eq!(app.lines(), ["3", "4", "6"]);
    assert_eq!(audit.lines(), ["1", "2"]);
    assert_eq!(pager.lines(), ["1", "3", "6"]);
}

#[test]
fn a_route_that_leads_nowhere_is_an_error_that_names_it() {
    let error = RingLogger::builder()
        .closing_record(false)
        .sink_with(Memory::new(), plain().name("app"))
        .routes(Routes::new().route(Rule::target("bank"), ["audit"]))
        .build()
        .unwrap_err();
    assert!(matches!(error, BuildError::Route { .. }));
    let text = error.to_string();
    assert!(text.contains("`audit`") && text.contains("`app`"), "{text}");
}

/// A sink that fails loses the records that were for it, and no others.
#[test]
fn a_failing_sink_loses_only_what_it_wanted() {
    let books = Books::new();
    let all = Memory::new();
    let logger = RingLogger::builder()
        .closing_record(false)
        .sink_with(
            Scripted::new("bad", |_| Err(io::Error::other("broken"))),
            plain().level(Level::Warn),
        )
        .sink_with(all.clone(), plain())
        .build()
        .unwrap();
    for number in 0..1000 {
        let outcome = if number % 10 == 0 {
            warn!(logger: &logger, "n {number}")
        } else {
            info!(logger: &logger, "n {number}")
        };
        books.note(Level::Info, outcome);
    }
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!((report.written, report.failed), (900, 100));
    assert_eq!(all.lines().len(), 1000);
}

/// Records of several lines, records that go elsewhere, and lines of the logger's own lie between
/// what a sink takes and what it loses.
#[test]
fn the_account_is_exact_whatever_an_entry_looks_like() {
    let armed = Arc::new(AtomicBool::new(false));
    let panics = armed.clone();
    let (taken, good) = (Memory::new(), Memory::new());
    let mut copy = taken.clone();
    let raw = Text::pattern("{message}").unwrap().escape(false);
    let logger = RingLogger::builder()
        .closing_record(false)
        .thread(false)
        .sink_with(
            Scripted::new("bad", move |batch| {
                assert!(!panics.swap(false, Ordering::Relaxed), "on purpose");
                ringlog::sink::Sink::write(&mut copy, batch)
            }),
            SinkOptions::new().format(raw).filter(Rule::target("mine")),
        )
        .sink(good.clone())
        .build()
        .unwrap();
    let log = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            info!(logger: &logger, target: "mine", "{number}\nand\nmore");
            info!(logger: &logger, target: "other", "{number}");
        }
    };
    log(0..10);
    logger.flush(LONG).unwrap();
    armed.store(true, Ordering::Relaxed);
    log(10..15);
    while logger.poll(usize::MAX) > 0 {}
    wait_for("the sink to recover", || logger.flush(LONG).is_ok());
    log(15..20);
    let report = logger.shutdown(LONG);
    // One call panicked; how many records it had been given is the consumer's choice.
    let failed = report.failed;
    assert!((1..=5).contains(&failed), "{report:?}");
    assert_eq!(report.written, 40 - failed);
    assert_eq!(good.lines().len(), 40);
    let lines = taken.lines();
    let whole = lines.iter().filter(|line| *line == "more").count() as u64;
    assert_eq!(whole, 20 - failed);
    assert!(lines.contains(&format!(
        "{failed} records are missing here: this sink had failed"
    )));
}

/// What is missing is told wherever warnings are read.
#[test]
fn gaps_are_told_to_every_sink_whose_level_lets_warnings_through() {
    let sinks: [Memory; 3] = Default::default();
    let [bank, warnings, errors] = &sinks;
    let logger = RingLogger::builder()
        .closing_record(false)
        .thread(false)
        .lanes(1)
        .lane_capacity(16)
        .sink_with(bank.clone(), plain().filter(Rule::target("bank")))
        .sink_with(warnings.clone(), plain().level(Level::Warn))
        .sink_with(errors.clone(), plain().level(Level::Error))
        .build()
        .unwrap();
    for number in 0..100 {
        info!(logger: &logger, "n {number}");
    }
    error!(logger: &logger, "the end");
    logger.shutdown(LONG);
    for (sink, expected) in [(bank, 1), (warnings, 1), (errors, 0)] {
        let gaps = sink
            .lines()
            .iter()
            .filter(|line| line.contains("dropped here"))
            .count();
        assert_eq!(gaps, expected);
    }
}

/// Counts how often it is asked.
struct Counting(Arc<AtomicU64>);

impl Format for Counting {
    fn format(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        out.extend_from_slice(format!("{count} {}\n", record.message()).as_bytes());
    }
}

#[test]
fn a_tee_gives_several_sinks_the_same_and_renders_it_once() {
    let (here, apart, other) = (Memory::new(), Memory::new(), Memory::new());
    let rendered = Arc::new(AtomicU64::new(0));
    let broken = Scripted::new("broken", |_| Err(io::Error::other("on purpose")));
    let logger = RingLogger::builder()
        .closing_record(false)
        .sink_with(
            Tee::new(here.clone(), Offload::new(apart.clone())).and(broken),
            SinkOptions::new()
                .name("tee")
                .format(Counting(rendered.clone()))
                .level(Level::Info)
                .filter(Rule::target("desk").or(Rule::target("bank"))),
        )
        .sink_with(other.clone(), plain().name("other"))
        .routes(Routes::new().route(Rule::target("bank"), ["other"]))
        .build()
        .unwrap();
    for number in 0..100 {
        info!(logger: &logger, target: "desk", "{number}");
        debug!(logger: &logger, target: "desk", "too fine");
        info!(logger: &logger, target: "bank", "elsewhere");
        info!(logger: &logger, "filtered");
    }
    let report = logger.shutdown(LONG);
    // The broken one lost its own.
    assert_eq!((report.written, report.failed), (200, 100));
    assert_eq!(rendered.load(Ordering::Relaxed), 100);
    let expected: Vec<String> = (0..100).map(|n| format!("{n} {n}")).collect();
    assert_eq!(here.lines(), expected);
    assert_eq!(apart.lines(), expected);
    assert_eq!(other.lines().len(), 300);
}
