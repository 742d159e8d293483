//! What a logger can be built with, and what is refused, by name.

mod support;

use std::error::Error as _;
use std::fs;
use std::time::Duration;

use ringlog::sink::{Memory, Null};
use ringlog::{BuildError, Builder, Idle, Level, Outcome, Overflow, RingLogger, error, info};
use support::{Books, LONG, Log};

/// How many errors a ring takes that nobody drains: all of its slots.
fn capacity(builder: Builder) -> u64 {
    let logger = builder.thread(false).sink(Null).build().unwrap();
    let mut count = 0;
    while error!(logger: &logger, "full?") == Outcome::Accepted {
        count += 1;
    }
    count
}

#[test]
fn the_capacity_of_a_lane_is_rounded_up_to_a_power_of_two() {
    for (asked, got) in [(16, 16), (17, 32), (100, 128), (128, 128), (4095, 4096)] {
        let builder = RingLogger::builder().lanes(1).lane_capacity(asked);
        assert_eq!(capacity(builder), got, "{asked}");
    }
}

#[test]
fn the_capacity_of_the_shared_ring_is_rounded_up_to_a_power_of_two() {
    for (asked, got) in [(16, 16), (17, 32), (100, 128), (128, 128), (4095, 4096)] {
        let builder = RingLogger::builder().lanes(0).shared_capacity(asked);
        assert_eq!(capacity(builder), got, "{asked}");
    }
}

#[test]
fn a_number_out_of_its_range_is_refused_with_its_range() {
    let refused: [(Builder, &str, usize); 10] = [
        (Builder::default().lane_capacity(0), "lane_capacity", 0),
        (Builder::default().lane_capacity(15), "lane_capacity", 15),
        (
            Builder::default().lane_capacity(usize::MAX),
            "lane_capacity",
            usize::MAX,
        ),
        (
            Builder::default().lane_capacity((1 << 30) + 1),
            "lane_capacity",
            (1 << 30) + 1,
        ),
        (Builder::default().shared_capacity(0), "shared_capacity", 0),
        (
            Builder::default().shared_capacity(usize::MAX),
            "shared_capacity",
            usize::MAX,
        ),
        (
            Builder::default().max_record_slots(0),
            "max_record_slots",
            0,
        ),
        (
            Builder::default().max_record_slots(65),
            "max_record_slots",
            65,
        ),
        (Builder::default().lanes(65_537), "lanes", 65_537),
        (Builder::default().lanes(usize::MAX), "lanes", usize::MAX),
    ];
    for (builder, name, number) in refused {
        let error = builder.sink(Null).build().unwrap_err();
        let BuildError::Capacity {
            setting,
            given,
            least,
            most,
        } = error
        else {
            panic!("{name} {number}: {error}");
        };
        assert_eq!((setting, given), (name, number));
        assert!(given < least || given > most);
        let text = error.to_string();
        for part in [
            name,
            &number.to_string(),
            &least.to_string(),
            &most.to_string(),
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
#[cfg_attr(miri, ignore = "miri would try")]
fn memory_that_cannot_be_had_is_an_error_that_says_how_much_it_was() {
    let error = RingLogger::builder()
        .lanes(1 << 16)
        .lane_capacity(1 << 30)
        .sink(Null)
        .build()
        .unwrap_err();
    let BuildError::Memory { bytes, .. } = &error else {
        panic!("{error}");
    };
    assert!(*bytes >= 1 << 52);
    assert!(error.to_string().contains(&bytes.to_string()), "{error}");
    assert!(error.source().is_some());
}

/// Of which the kernel may refuse a few, which is told and does not matter.
#[test]
fn a_logger_works_with_any_kind_of_memory() {
    for (prefault, lock, huge) in [
        (true, false, false),
        (false, false, false),
        (true, true, false),
        (true, false, true),
        (false, true, true),
    ] {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .prefault(prefault)
            .mlock(lock)
            .huge_pages(huge)
            .sink(memory.clone())
            .build()
            .unwrap();
        for number in 0..100 {
            books.note(Level::Info, info!(logger: &logger, "n {number}"));
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        let log = Log::of(&memory);
        assert_eq!(log.numbers()["n"].len(), 100);
        // Every warning is in the log, too, in front.
        let warnings: Vec<_> = log.lines.iter().filter(|line| line.is_own()).collect();
        assert_eq!(warnings.len(), logger.warnings().len());
        for (line, warning) in warnings.iter().zip(logger.warnings()) {
            assert_eq!(line.level, Level::Warn);
            assert_eq!(&line.text, warning);
        }
    }
}

#[test]
fn a_consumer_that_never_sleeps_writes_everything() {
    let (books, memory) = (Books::new(), Memory::new());
    let logger = RingLogger::builder()
        .idle(Idle::Spin)
        .overflow(Overflow::Block)
        .sink(memory.clone())
        .build()
        .unwrap();
    for number in 0..2000 {
        books.note(Level::Info, info!(logger: &logger, "n {number}"));
        if number % 100 == 0 {
            logger.flush(LONG).unwrap();
        }
    }
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!(report.written, 2000);
}

/// The numbers in `0-3,8`.
#[cfg(target_os = "linux")]
fn cores(list: &str) -> Vec<usize> {
    let number = |text: &str| text.parse::<usize>().unwrap();
    let run = |run: &str| match run.split_once('-') {
        Some((first, last)) => number(first)..=number(last),
        None => number(run)..=number(run),
    };
    list.trim().split(',').flat_map(run).collect()
}

/// The line of `/proc/.../status` that says where a thread may run.
#[cfg(target_os = "linux")]
fn allowed_cores(status: &str) -> Vec<usize> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    cores(line.expect("the kernel lists the cores"))
}

#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "miri has no cores")]
fn the_consumer_runs_where_it_was_pinned_and_nobody_else_is_moved() {
    support::child::alone(
        "the_consumer_runs_where_it_was_pinned_and_nobody_else_is_moved",
        || {
            let before = allowed_cores(&fs::read_to_string("/proc/thread-self/status").unwrap());
            for &core in [before[0], *before.last().unwrap()].iter() {
                let memory = Memory::new();
                let logger = RingLogger::builder()
                    .pin(core)
                    .sink(memory.clone())
                    .build()
                    .unwrap();
                let consumer = fs::read_dir("/proc/self/task")
                    .unwrap()
                    .map(|task| task.unwrap().path())
                    .find(|task| fs::read_to_string(task.join("comm")).unwrap() == "ringlog\n")
                    .expect("a thread of that name");
                let status = fs::read_to_string(consumer.join("status")).unwrap();
                assert_eq!(allowed_cores(&status), [core]);
                let status = fs::read_to_string("/proc/thread-self/status").unwrap();
                assert_eq!(allowed_cores(&status), before);
                info!(logger: &logger, "pinned to {core}");
                assert_eq!(logger.shutdown(LONG).written, 1);
            }
        },
    );
}

#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "miri has no cores")]
fn a_core_that_cannot_be_had_is_an_error_that_names_it() {
    let online = cores(&fs::read_to_string("/sys/devices/system/cpu/online").unwrap());
    let absent = (0..1024)
        .find(|core| !online.contains(core))
        .expect("an absent core");
    for core in [absent, 1023, 1024, 1025, 1 << 20, usize::MAX] {
        if online.contains(&core) {
            continue;
        }
        let error = RingLogger::builder()
            .pin(core)
            .sink(Null)
            .build()
            .unwrap_err();
        assert!(matches!(error, BuildError::Pin(_)), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("core {core}")), "{text}");
        assert!(error.source().is_some());
    }
    // Nothing is left behind: the next logger builds.
    let logger = RingLogger::builder().sink(Null).build().unwrap();
    info!(logger: &logger, "text");
    assert_eq!(logger.shutdown(Duration::from_secs(10)).written, 1);
}

/// What a sink can hold on to is let go of when the logger could not be built.
#[test]
fn a_logger_that_was_refused_drops_its_sinks() {
    let memory = std::sync::Arc::new(());
    let held = memory.clone();
    let sink = support::sinks::Scripted::new("holding", move |batch| {
        let _ = &held;
        Ok(batch.bytes().len())
    });
    assert!(
        RingLogger::builder()
            .lane_capacity(0)
            .sink(sink)
            .build()
            .is_err()
    );
    assert_eq!(std::sync::Arc::strong_count(&memory), 1);
}
