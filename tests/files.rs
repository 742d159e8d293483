//! Log files that other programs move, delete or take away: no line is lost, and none is written
//! where nobody finds it.

#![cfg(all(unix, not(miri)))]

mod support;

use std::fs;
use std::path::Path;

use ringlog::sink::{File, Fsync, Memory, Rolling};
use ringlog::{Builder, RingLogger, ShutdownOutcome, info};
use support::child::alone;
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

/// Nothing can be written while it is gone; what is logged then waits.
#[test]
fn a_folder_that_is_deleted_and_comes_back_has_all_that_was_logged_since() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    let path = here.join("a.log");
    let open: [&dyn Fn(Builder) -> Builder; 2] = [
        &|builder| builder.sink(File::append(&path).unwrap()),
        &|builder| builder.sink(Rolling::builder(&path).size(1 << 20).open().unwrap()),
    ];
    for open in open {
        fs::create_dir(&here).unwrap();
        let logger = open(RingLogger::builder().closing_record(false))
            .build()
            .unwrap();
        info!(logger: &logger, "n {}", 0);
        logger.flush(LONG).unwrap();
        fs::remove_dir_all(&here).unwrap();
        for number in 1..100 {
            info!(logger: &logger, "n {number}");
        }
        let error = logger.flush(LONG).unwrap_err().to_string();
        assert!(error.contains("a.log"), "{error}");
        fs::create_dir(&here).unwrap();
        wait_for("the sink to recover", || logger.flush(LONG).is_ok());
        info!(logger: &logger, "n {}", 100);
        let report = logger.shutdown(LONG);
        assert_eq!((report.written, report.failed), (101, 0));
        assert!(numbers(&path).into_iter().eq(1..101));
        fs::remove_dir_all(&here).unwrap();
    }
}

/// What an earlier process left is not made longer by what this one writes.
#[test]
fn a_torn_line_at_the_end_of_a_file_stays_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    fs::write(&path, "whole\ntorn").unwrap();
    for number in 0..2 {
        let logger = RingLogger::builder()
            .sink(File::append(&path).unwrap())
            .build()
            .unwrap();
        info!(logger: &logger, "n {number}");
        logger.shutdown(LONG);
    }
    let text = fs::read_to_string(&path).unwrap();
    let rest = text.strip_prefix("whole\ntorn\n").unwrap();
    assert_eq!(Log::parse(rest).texts(), ["n 0", "n 1"]);
}

#[test]
fn a_folder_that_takes_no_files_is_named_when_the_sink_is_made() {
    let name = "a_folder_that_takes_no_files_is_named_when_the_sink_is_made";
    alone(name, || {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("here");
        fs::create_dir(&here).unwrap();
        fs::write(here.join("old.log"), "").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode;
        for path in [folder.path(), &here, &here.join("old.log")] {
            fs::set_permissions(path, mode(0o555)).unwrap();
        }
        // Nobody refuses anything to root.
        // SAFETY: no memory is passed. Only this process changes.
        let _ = unsafe { libc::seteuid(65_534) };
        let told = format!(
            "cannot open log file {0}/app.log: Permission denied (os error 13); \
             the directory {0} takes no new files from this process",
            here.display()
        );
        let error = File::append(here.join("app.log")).unwrap_err();
        assert_eq!(error.to_string(), told);
        // The folder is not at fault.
        let error = File::append(here.join("old.log")).unwrap_err().to_string();
        assert!(error.ends_with("(os error 13)"), "{error}");
        // A rolling log needs the folder, even if its file is there.
        let rolling = |path: &str| Rolling::builder(here.join(path)).size(1000).open();
        let error = rolling("app.log").unwrap_err();
        assert_eq!(error.to_string(), told);
        assert_eq!(error.path(), here.join("app.log"));
        // SAFETY: as above. The folder is to be removed.
        let _ = unsafe { libc::seteuid(libc::getuid()) };
        for path in [folder.path(), &here] {
            fs::set_permissions(path, mode(0o755)).unwrap();
        }
    });
}

/// The kernel lets the disk fail, so that each attempt is told.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn the_disk_is_asked_when_the_policy_says_so_and_its_refusal_costs_no_record() {
    use ringlog::error;
    use std::time::Duration;

    let name = "the_disk_is_asked_when_the_policy_says_so_and_its_refusal_costs_no_record";
    alone(name, || {
        support::seccomp::fail(libc::SYS_fdatasync, libc::EIO);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let set_up = |fsync| {
            let memory = Memory::new();
            let logger = RingLogger::builder()
                .sink(File::truncate(&path).unwrap().fsync(fsync))
                .sink(memory.clone())
                .build()
                .unwrap();
            (logger, memory)
        };
        let told = |memory: &Memory| Log::of(memory).lines.iter().filter(|l| l.is_own()).count();
        let ends_with = |logger: RingLogger, records, errors| {
            let report = logger.shutdown(LONG);
            assert_eq!((report.written, report.failed), (records, 0));
            assert_eq!(report.sink_errors, errors);
        };

        let (logger, _) = set_up(Fsync::Never);
        error!(logger: &logger, "n {}", 0);
        logger.flush(LONG).unwrap();
        ends_with(logger, 1, 0);

        let (logger, _) = set_up(Fsync::AtShutdown);
        error!(logger: &logger, "n {}", 0);
        logger.flush(LONG).unwrap();
        ends_with(logger, 1, 1);

        let (logger, memory) = set_up(Fsync::OnError);
        info!(logger: &logger, "n {}", 0);
        wait_for("the record", || memory.lines().len() == 1);
        error!(logger: &logger, "n {}", 1);
        wait_for("the refusal to be told", || told(&memory) == 1);
        info!(logger: &logger, "n {}", 2);
        let error = logger.flush(LONG).unwrap_err().to_string();
        assert!(
            error.contains("a.log") && error.contains("os error 5"),
            "{error}"
        );
        // Nothing has come since, except for the line about it.
        assert_eq!(numbers(&path), [0, 1, 2]);
        let errors = logger.stats().sink_errors;
        assert!(errors >= 2);
        drop(logger);

        let (logger, memory) = set_up(Fsync::Every(Duration::from_millis(20)));
        info!(logger: &logger, "n {}", 0);
        wait_for("the refusal to be told", || told(&memory) == 1);
        drop(logger);
    });
}
