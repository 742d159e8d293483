//! Which statements pass, by target and level: from the builder, from the environment, and changed
//! while the program runs.

mod support;

use std::thread;

use ringlog::sink::{Memory, Null};
use ringlog::{Builder, Filter, FilterError, Level, LevelFilter, Outcome, RingLogger, rlog};
use support::child::{command, is_child};
use support::{LONG, Log};

fn builder() -> Builder {
    RingLogger::builder().sink(Null)
}

/// The most verbose level that passes, for three targets.
fn passing(logger: &RingLogger) -> [Option<Level>; 3] {
    macro_rules! passing {
        ($target:literal) => {{
            let outcomes = [
                (Level::Error, rlog!(logger: logger, target: $target, Level::Error, "")),
                (Level::Warn, rlog!(logger: logger, target: $target, Level::Warn, "")),
                (Level::Info, rlog!(logger: logger, target: $target, Level::Info, "")),
                (Level::Debug, rlog!(logger: logger, target: $target, Level::Debug, "")),
                (Level::Trace, rlog!(logger: logger, target: $target, Level::Trace, "")),
            ];
            let accepted = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Accepted);
            accepted.map(|(level, _)| *level).max()
        }};
    }
    [
        passing!("engine"),
        passing!("engine::risk"),
        passing!("net::tcp"),
    ]
}

const FILTER: &str = "info,engine::risk=trace,net=off";
const PASSING: [Option<Level>; 3] = [Some(Level::Info), Some(Level::Trace), None];

#[test]
fn a_filter_of_the_builder_decides_by_target() {
    let logger = builder().filter(FILTER).build().unwrap();
    assert_eq!(passing(&logger), PASSING);
    assert_eq!(logger.filter(), FILTER.parse().unwrap());
    assert_eq!(logger.level(), LevelFilter::Trace);
}

#[test]
fn the_last_of_level_and_filter_counts() {
    let logger = builder().filter(FILTER).level(Level::Warn).build().unwrap();
    assert_eq!(passing(&logger), [Some(Level::Warn); 3]);
    let logger = builder()
        .level(Level::Trace)
        .filter("net=debug")
        .build()
        .unwrap();
    assert_eq!(passing(&logger), [None, None, Some(Level::Debug)]);
}

#[test]
fn a_filter_may_change_at_any_time_and_counts_from_the_next_record_on() {
    let logger = builder().build().unwrap();
    for _ in 0..3 {
        logger.set_filter(FILTER).unwrap();
        assert_eq!(passing(&logger), PASSING);
        logger.set_level(LevelFilter::Debug);
        assert_eq!(passing(&logger), [Some(Level::Debug); 3]);
        logger.set_filter(String::from("engine=error")).unwrap();
        assert_eq!(
            passing(&logger),
            [Some(Level::Error), Some(Level::Error), None]
        );
        let filter: Filter = "net=2".parse().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| logger.set_filter(filter).unwrap());
        });
        assert_eq!(passing(&logger), [None, None, Some(Level::Warn)]);
    }
}

#[test]
fn a_filter_that_is_wrong_changes_nothing_and_says_where_it_is_wrong() {
    let logger = builder().filter(FILTER).build().unwrap();
    let error: FilterError = logger.set_filter("info,engine=loud").unwrap_err();
    assert_eq!(error.directive(), "engine=loud");
    assert_eq!(error.column(), 13);
    assert_eq!(passing(&logger), PASSING);

    let error = builder()
        .filter("info,engine=loud")
        .build()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`engine=loud`") && error.contains("column 13"),
        "{error}"
    );
}

#[test]
fn loggers_have_filters_of_their_own() {
    let first = builder().filter(FILTER).build().unwrap();
    let second = builder().filter("engine=debug").build().unwrap();
    assert_eq!(passing(&first), PASSING);
    let debug = Some(Level::Debug);
    assert_eq!(passing(&second), [debug, debug, None]);
    drop(first);
    let third = builder().build().unwrap();
    assert_eq!(passing(&third), [Some(Level::Info); 3]);
}

#[test]
fn a_target_is_filtered_as_it_is_written() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .filter("filter=info,other=off")
        .sink(memory.clone())
        .build()
        .unwrap();
    let outcomes = [
        // This file's own module path.
        ringlog::info!(logger: &logger, "mine"),
        ringlog::debug!(logger: &logger, "too detailed"),
        ringlog::error!(logger: &logger, target: "other", "off"),
        ringlog::error!(logger: &logger, target: "unknown", "not named"),
    ];
    use Outcome::{Accepted, Filtered};
    assert_eq!(outcomes, [Accepted, Filtered, Filtered, Filtered]);
    logger.shutdown(LONG);
    assert_eq!(Log::of(&memory).texts(), ["mine"]);
}

/// What `report` of the child says, with the variable set to this.
#[cfg(not(miri))]
#[track_caller]
fn in_child_with(test: &str, variable: &str, value: &str) -> String {
    let output = command(test).env(variable, value).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    let line = stdout.lines().find_map(|line| line.split_once("report: "));
    line.unwrap_or_else(|| panic!("no report: {stdout}"))
        .1
        .to_owned()
}

fn report(logger: Result<RingLogger, ringlog::BuildError>) {
    match logger {
        Ok(logger) => println!("\nreport: {:?}", passing(&logger)),
        Err(error) => println!("\nreport: {error}"),
    }
}

#[test]
#[cfg(not(miri))]
fn the_environment_has_the_last_word() {
    const TEST: &str = "the_environment_has_the_last_word";
    if is_child() {
        return report(builder().level(Level::Error).build());
    }
    let passing = format!("{PASSING:?}");
    assert_eq!(in_child_with(TEST, "RINGLOG", FILTER), passing);
    let errors = format!("{:?}", [Some(Level::Error); 3]);
    assert_eq!(in_child_with(TEST, "RINGLOG", ""), errors);
    assert_eq!(in_child_with(TEST, "RUST_LOG", FILTER), errors);
    let error = in_child_with(TEST, "RINGLOG", "info,engine=loud");
    for part in [
        "RINGLOG",
        "`engine=loud`",
        "column 13",
        "`loud` is not a level",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
#[cfg(not(miri))]
fn the_variable_is_the_one_that_the_builder_names() {
    const TEST: &str = "the_variable_is_the_one_that_the_builder_names";
    if is_child() {
        return report(
            builder()
                .level(Level::Error)
                .filter_variable("RUST_LOG")
                .build(),
        );
    }
    let passing = format!("{PASSING:?}");
    assert_eq!(in_child_with(TEST, "RUST_LOG", FILTER), passing);
    let errors = format!("{:?}", [Some(Level::Error); 3]);
    assert_eq!(in_child_with(TEST, "RINGLOG", FILTER), errors);
}

#[test]
#[cfg(not(miri))]
fn a_program_may_ignore_the_environment() {
    const TEST: &str = "a_program_may_ignore_the_environment";
    if is_child() {
        return report(builder().level(Level::Error).filter_variable(None).build());
    }
    let errors = format!("{:?}", [Some(Level::Error); 3]);
    assert_eq!(in_child_with(TEST, "RINGLOG", "trace,,=("), errors);
}
