//! Log files that other programs move, delete or take away: no line is lost, and none is written
//! where nobody finds it.

#![cfg(all(unix, not(miri)))]

mod support;

use std::fs;
use std::path::Path;

use ringlog::sink::{File, Memory};
use ringlog::{RingLogger, ShutdownOutcome, info};
use support::{LONG, Log, wait_for};

fn numbers(path: &Path) -> Vec<u64> {
    let log = Log::parse(&fs::read_to_string(path).unwrap());
    log.numbers().remove("n").unwrap_or_default()
}

#[test]
fn after_reopen_and_a_flush_the_moved_file_is_complete_and_the_new_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    for thread in [true, false] {
        let logger = RingLogger::builder()
            .thread(thread)
            .sink(File::truncate(&path).unwrap())
            .build()
            .unwrap();
        for round in 0..20 {
            let moved = folder.path().join(format!("app.log.{round}"));
            info!(logger: &logger, "n {}", 2 * round);
            logger.flush(LONG).unwrap();
            fs::rename(&path, &moved).unwrap();
            logger.reopen();
            logger.flush(LONG).unwrap();
            info!(logger: &logger, "n {}", 2 * round + 1);
            logger.flush(LONG).unwrap();
            let before = if round == 0 {
                vec![0]
            } else {
                vec![2 * round - 1, 2 * round]
            };
            assert_eq!(numbers(&moved), before);
            assert_eq!(numbers(&path), [2 * round + 1]);
        }
    }
}

#[test]
fn a_file_that_cannot_be_opened_again_is_told_of_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    fs::create_dir(&here).unwrap();
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .sink(File::append(here.join("app.log")).unwrap())
        .sink(memory.clone())
        .build()
        .unwrap();
    fs::rename(&here, &there).unwrap();
    logger.reopen();
    info!(logger: &logger, "n {}", 0);
    logger.flush(LONG).unwrap();
    let report = logger.shutdown(LONG);
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
    assert_eq!((report.written, report.failed), (1, 0));
    assert_eq!(report.sink_errors, 1);
    let log = Log::of(&memory);
    let told = log.lines.iter().filter(|line| line.is_own());
    let told: Vec<_> = told.map(|line| &*line.text).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("app.log"), "{told:?}");
    assert!(told[0].contains("does not exist"), "{told:?}");
    assert_eq!(
        fs::read_to_string(there.join("app.log")).unwrap(),
        memory.contents()
    );
}

#[test]
fn a_file_that_was_moved_away_is_noticed_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("a.log"), folder.path().join("a.log.1"));
    let logger = RingLogger::builder()
        .sink(File::append(&path).unwrap())
        .build()
        .unwrap();
    info!(logger: &logger, "n {}", 0);
    logger.flush(LONG).unwrap();
    fs::rename(&path, &moved).unwrap();
    let mut next = 1;
    wait_for("the file to be noticed", || {
        info!(logger: &logger, "n {next}");
        next += 1;
        logger.flush(LONG).unwrap();
        path.exists()
    });
    assert_eq!(logger.shutdown(LONG).written, next);
    let both = [numbers(&moved), numbers(&path)].concat();
    assert!(both.into_iter().eq(0..next));
}

#[test]
fn a_file_that_was_deleted_is_made_again_with_all_that_follows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let logger = RingLogger::builder()
        .sink(File::append(&path).unwrap())
        .build()
        .unwrap();
    for number in 0..10 {
        info!(logger: &logger, "n {number}");
        logger.flush(LONG).unwrap();
        assert_eq!(numbers(&path), [number]);
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(logger.shutdown(LONG).written, 10);
}
