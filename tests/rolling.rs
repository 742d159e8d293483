//! A log in many files: each line is in one of them, whatever happens to the process.

#![cfg(all(unix, not(miri)))]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use ringlog::sink::{Memory, Period, Rolling, RollingBuilder};
use ringlog::{Overflow, RingLogger, ShutdownOutcome, info};
use support::child;
use support::log::Line;
use support::{LONG, Log, Random, scaled, wait_for};

fn logger(sink: Rolling) -> RingLogger {
    RingLogger::builder()
        .closing_record(false)
        .overflow(Overflow::Block)
        .sink(sink)
        .build()
        .unwrap()
}

/// The log's files: closed ones in the order of their names, then the current one.
fn files(current: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(current.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path != current)
        .collect();
    files.sort();
    files.push(current.to_owned());
    files
}

fn numbers(path: &Path) -> Vec<u64> {
    let log = Log::parse(&fs::read_to_string(path).unwrap());
    log.numbers().remove("n").unwrap_or_default()
}

#[test]
fn no_file_grows_beyond_its_size_and_each_line_is_whole_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let count = scaled(20_000) as u64;
    for run in 0..2 {
        let logger = logger(Rolling::builder(&path).size(10_000).open().unwrap());
        for number in run * count..(run + 1) * count {
            info!(logger: &logger, "n {number}");
        }
        assert_eq!(logger.shutdown(LONG).written, count);
    }
    let files = files(&path);
    assert!(files.len() > 10, "{files:?}");
    for file in &files {
        let length = fs::metadata(file).unwrap().len();
        // All but the last are as full as they can be.
        assert!(length <= 10_000, "{file:?}");
        assert!(length > 9_800 || file == &path, "{file:?}: {length}");
    }
    let all: Vec<u64> = files.iter().flat_map(|file| numbers(file)).collect();
    assert!(all.into_iter().eq(0..2 * count));
}

#[test]
fn a_record_that_is_longer_than_a_file_has_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app");
    let logger = logger(Rolling::builder(&path).size(200).open().unwrap());
    let long = "x".repeat(1000);
    for number in 0..10 {
        if number % 3 == 1 {
            info!(logger: &logger, "n {number} {long}");
        } else {
            info!(logger: &logger, "n {number}");
        }
    }
    logger.shutdown(LONG);
    let contents: Vec<_> = files(&path).iter().map(|file| numbers(file)).collect();
    let expected: &[&[u64]] = &[&[0], &[1], &[2, 3], &[4], &[5, 6], &[7], &[8, 9]];
    assert_eq!(contents, expected);
}

#[test]
fn each_file_has_the_records_of_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let second = Period::Every(Duration::from_secs(1));
    let logger = logger(Rolling::builder(&path).every(second).open().unwrap());
    let started = Instant::now();
    let mut next = 0;
    while started.elapsed() < Duration::from_millis(2300) {
        info!(logger: &logger, "n {next}");
        next += 1;
        thread::sleep(Duration::from_micros(300));
    }
    // Without a record, too.
    let full = files(&path).len();
    wait_for("the last file to be closed", || files(&path).len() > full);
    assert_eq!(logger.shutdown(LONG).written, next);
    let files = files(&path);
    assert!(files.len() > 3, "{files:?}");
    let mut seconds = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let mut times = text
            .lines()
            .map(|line| Line::parse(line).time / 1_000_000_000);
        if let Some(first) = times.next() {
            assert!(times.all(|time| time == first), "{text}");
            seconds.push(first);
        } else {
            assert_eq!(file, &path);
        }
    }
    assert!(seconds.is_sorted_by(|a, b| a < b), "{seconds:?}");
    let all: Vec<u64> = files.iter().flat_map(|file| numbers(file)).collect();
    assert!(all.into_iter().eq(0..next));
}

/// What a process of another day left behind is closed before the first record.
#[test]
fn a_file_of_an_earlier_time_is_closed_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    fs::write(&path, "yesterday\n").unwrap();
    let yesterday = std::time::SystemTime::now() - Duration::from_secs(86_400);
    let file = fs::File::options().append(true).open(&path).unwrap();
    file.set_modified(yesterday).unwrap();
    let logger = logger(Rolling::builder(&path).every(Period::Day).open().unwrap());
    info!(logger: &logger, "n {}", 0);
    logger.shutdown(LONG);
    let files = files(&path);
    assert_eq!(files.len(), 2, "{files:?}");
    assert_eq!(fs::read_to_string(&files[0]).unwrap(), "yesterday\n");
    assert_eq!(numbers(&files[1]), [0]);
}

/// As a process leaves it that is killed between the names of the old file and the new one.
#[test]
fn a_log_without_a_current_file_goes_on_with_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let first = logger(Rolling::builder(&path).size(1 << 20).open().unwrap());
    info!(logger: &first, "n {}", 0);
    first.shutdown(LONG);
    let closed = folder.path().join("app.2026-11-25T03-46-19.123Z.log");
    fs::rename(&path, &closed).unwrap();
    fs::write(folder.path().join("app.log.next"), "").unwrap();
    let second = logger(Rolling::builder(&path).size(1 << 20).open().unwrap());
    info!(logger: &second, "n {}", 1);
    second.shutdown(LONG);
    assert_eq!(files(&path), [closed.clone(), path.clone()]);
    assert_eq!([numbers(&closed), numbers(&path)].concat(), [0, 1]);
}

/// Rolls through many files, and answers the closed ones that are left and how many there were.
fn keep(folder: &Path, set_up: impl Fn(RollingBuilder) -> RollingBuilder) -> Vec<PathBuf> {
    let path = folder.join("app.log");
    let builder = Rolling::builder(&path).size(1000);
    let logger = logger(set_up(builder).open().unwrap());
    for number in 0..200 {
        info!(logger: &logger, "n {number}");
    }
    assert_eq!(logger.shutdown(LONG).written, 200);
    let mut files = files(&path);
    let last = numbers(&files.pop().unwrap());
    assert_eq!(last.last(), Some(&199));
    // The latest ones.
    let mut next = last[0];
    for file in files
        .iter()
        .rev()
        .filter(|file| file.extension().unwrap() == "log")
    {
        let numbers = numbers(file);
        assert_eq!(numbers.last(), Some(&(next - 1)));
        next = numbers[0];
    }
    files
}

#[test]
fn only_what_is_to_be_kept_is_kept() {
    let fresh = || tempfile::tempdir().unwrap();
    let folder = fresh();
    let all = keep(folder.path(), |builder| builder);
    assert!(all.len() > 10);
    // What an earlier process left counts, and is deleted by its age.
    let hour = Duration::from_secs(3600);
    for old in &all {
        let file = fs::File::options().append(true).open(old).unwrap();
        file.set_modified(std::time::SystemTime::now() - 2 * hour)
            .unwrap();
    }
    let stranger = folder.path().join("app.2026-11-25.log");
    fs::write(&stranger, "somebody else's\n").unwrap();
    let logger = logger(
        Rolling::builder(folder.path().join("app.log"))
            .size(1000)
            .keep_age(hour)
            .open()
            .unwrap(),
    );
    wait_for("the old ones to be deleted", || {
        !all.iter().any(|old| old.exists())
    });
    drop(logger);
    assert!(stranger.exists());

    assert_eq!(
        keep(fresh().path(), |builder| builder.keep_files(3)).len(),
        3
    );
    assert_eq!(
        keep(fresh().path(), |builder| builder.keep_files(0)).len(),
        0
    );
    let folder = fresh();
    let files = keep(folder.path(), |builder| builder.keep_bytes(4000));
    let total: u64 = files
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum();
    assert!(total <= 4000 && files.len() >= 4, "{total}: {files:?}");
}

#[test]
fn where_no_new_file_can_be_made_the_old_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .closing_record(false)
        .sink(Rolling::builder(&path).size(1000).open().unwrap())
        .sink(memory.clone())
        .build()
        .unwrap();
    let obstacle = folder.path().join("app.log.next");
    fs::create_dir(&obstacle).unwrap();
    for number in 0..100 {
        info!(logger: &logger, "n {number}");
    }
    logger.flush(LONG).unwrap();
    let told = || {
        let lines = Log::of(&memory).lines;
        let own = lines.into_iter().filter(Line::is_own);
        own.map(|line| line.text).collect::<Vec<_>>()
    };
    wait_for("the log to say so", || !told().is_empty());
    fs::remove_dir(&obstacle).unwrap();
    let mut next = 100;
    wait_for("a new file", || {
        info!(logger: &logger, "n {next}");
        next += 1;
        logger.flush(LONG).unwrap();
        files(&path).len() > 1
    });
    let report = logger.shutdown(LONG);
    assert_eq!(
        (report.written, report.failed, report.sink_errors),
        (next, 0, 1)
    );
    // Once, however often it was tried.
    let told = told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("cannot begin a new file"), "{told:?}");
    assert!(told[0].contains("app.log.next"), "{told:?}");
    let files = files(&path);
    assert!(fs::metadata(&files[0]).unwrap().len() > 5000);
    let all: Vec<u64> = files.iter().flat_map(|file| numbers(file)).collect();
    assert!(all.into_iter().eq(0..next));
}

#[test]
fn what_cannot_work_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    for (builder, expected) in [
        (Rolling::builder(&path), "needs a size or a period"),
        (Rolling::builder(&path).size(0), "a size of 0 bytes"),
        (
            Rolling::builder(&path).every(Period::Every(Duration::from_millis(1500))),
            "whole seconds, from one to a day, and not Every(1.5s)",
        ),
        (
            Rolling::builder(&path).size(1).zone("+2:00"),
            "there is no zone `+2:00`: it is not an offset",
        ),
        (
            Rolling::builder(&path).size(1).zone("Europe/Nowhere"),
            "there is no zone `Europe/Nowhere`",
        ),
        (
            Rolling::builder(folder.path().join("no/app.log")).size(1),
            "no does not exist",
        ),
    ] {
        let error = builder.open().unwrap_err().to_string();
        assert!(error.contains("app.log"), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    assert!(!path.exists());
}

#[test]
fn only_a_file_can_be_rolled() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    make_pipe(&pipe);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    for path in [&pipe, &link, folder.path(), Path::new("/dev/null")] {
        let error = Rolling::builder(path).size(1).open().unwrap_err();
        let expected = format!("log file {}: only a file can be rolled", path.display());
        assert!(error.to_string().contains(&expected), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

fn make_pipe(path: &Path) {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the name is a string of C that lives through the call.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

/// What has the name of a closed file, and is none: links to other files, pipes, folders.
#[test]
fn what_only_has_the_name_of_a_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let secret = folder.path().join("secret");
    fs::write(&secret, "somebody else's").unwrap();
    let strange = |number| {
        let name = format!("app.2020-01-01T00-00-00.00{number}Z.log");
        folder.path().join(name)
    };
    for (number, target) in [(1, &*secret), (2, Path::new("/dev/zero"))] {
        std::os::unix::fs::symlink(target, strange(number)).unwrap();
    }
    fs::create_dir(strange(3)).unwrap();
    make_pipe(&strange(4));

    let builder = killed::compressed(Rolling::builder(&path).size(1000)).keep_files(2);
    let logger = logger(builder.open().unwrap());
    for number in 0..200 {
        info!(logger: &logger, "n {number}");
    }
    logger.flush(LONG).unwrap();
    let mut ours = Vec::new();
    wait_for("old files to go", || {
        ours = files(&path);
        let is_ours = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            ("app.2021".."app.log").contains(&name)
        };
        ours.retain(is_ours);
        ours.len() == 2
    });
    let started = Instant::now();
    let report = logger.shutdown(LONG);
    assert_eq!(
        (report.written, report.failed, report.sink_errors),
        (200, 0, 0)
    );
    // Nobody waits for the pipe.
    assert!(started.elapsed() < LONG / 2);
    for number in 1..=4 {
        assert!(strange(number).symlink_metadata().is_ok());
        assert!(!strange(number).is_file() || number == 1);
    }
    assert!(strange(1).is_symlink() && strange(2).is_symlink());
    assert_eq!(fs::read_to_string(&secret).unwrap(), "somebody else's");
}

#[test]
fn a_link_is_what_it_leads_to() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    for path in [&here, &there] {
        fs::create_dir(path).unwrap();
    }
    let (link, real) = (here.join("app.log"), there.join("real.log"));
    // It leads nowhere yet.
    std::os::unix::fs::symlink("../there/real.log", &link).unwrap();
    let logger = logger(Rolling::builder(&link).size(1000).open().unwrap());
    for number in 0..100 {
        info!(logger: &logger, "n {number}");
    }
    assert_eq!(logger.shutdown(LONG).written, 100);
    assert!(link.is_symlink());
    assert_eq!(fs::read_dir(&here).unwrap().count(), 1);
    let files = files(&real);
    assert!(files.len() > 5, "{files:?}");
    let all: Vec<u64> = files.iter().flat_map(|file| numbers(file)).collect();
    assert!(all.into_iter().eq(0..100));
    assert_eq!(numbers(&link), numbers(&real));
}

/// On Linux a name is bytes: no text, or one with line feeds.
#[test]
#[cfg(target_os = "linux")]
fn a_name_may_be_any_bytes() {
    use std::os::unix::ffi::OsStrExt as _;

    for name in [
        &b"\xff\xfe app.log"[..],
        b"a\nb\x1b[2J.log",
        b"app.l\xffog",
        b".\xff",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(std::ffi::OsStr::from_bytes(name));
        let memory = Memory::new();
        let builder = killed::compressed(Rolling::builder(&path).size(1000)).keep_files(3);
        let logger = RingLogger::builder()
            .closing_record(false)
            .sink(builder.open().unwrap())
            .sink(memory.clone())
            .build()
            .unwrap();
        for number in 0..100 {
            info!(logger: &logger, "n {number}");
        }
        logger.flush(LONG).unwrap();
        wait_for("old files to go", || files(&path).len() == 1 + 3);
        // It is told in one line which file it is.
        let next = folder
            .path()
            .join(std::ffi::OsStr::from_bytes(&[name, b".next"].concat()));
        fs::create_dir(&next).unwrap();
        for number in 100..150 {
            info!(logger: &logger, "n {number}");
        }
        wait_for("the log to say so", || {
            Log::of(&memory).lines.iter().any(Line::is_own)
        });
        let report = logger.shutdown(LONG);
        assert_eq!((report.written, report.failed), (150, 0));
        let text = memory.contents();
        assert_eq!(text.lines().count(), 151);
        assert!(!text.contains('\x1b'), "{text}");
    }
}

/// Several processes roll one log: here, several loggers that know nothing of each other.
#[test]
fn two_loggers_may_roll_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let each = scaled(20_000) as u64;
    thread::scope(|scope| {
        for name in ["a", "b"] {
            let logger = logger(Rolling::builder(&path).size(20_000).open().unwrap());
            scope.spawn(move || {
                for number in 0..each {
                    info!(logger: &logger, "{name} {number}");
                }
                let report = logger.shutdown(LONG);
                assert_eq!((report.written, report.failed), (each, 0));
            });
        }
    });
    let mut all = BTreeMap::<String, Vec<u64>>::new();
    for file in files(&path) {
        let log = Log::parse(&fs::read_to_string(&file).unwrap());
        for (name, numbers) in log.numbers() {
            all.entry(name.into()).or_default().extend(numbers);
        }
    }
    for (name, mut numbers) in all {
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..each), "{name}");
    }
}

/// And here they are processes, and one of them compresses.
#[test]
fn two_processes_may_roll_one_log() {
    const FOLDER: &str = "RINGLOG_ROLLING_TOGETHER";
    const NAMES: [&str; 2] = ["a", "b"];
    let test = "two_processes_may_roll_one_log";
    let each = scaled(10_000) as u64;
    if child::is_child() {
        let variable = std::env::var(FOLDER).unwrap();
        let (name, folder) = variable.split_once(' ').unwrap();
        let mut builder = Rolling::builder(Path::new(folder).join("app.log")).size(20_000);
        if name == NAMES[0] {
            builder = killed::compressed(builder);
        }
        let logger = logger(builder.open().unwrap());
        for number in 0..each {
            info!(logger: &logger, "{name} {number}");
        }
        let report = logger.shutdown(LONG);
        assert_eq!((report.written, report.failed), (each, 0));
        return;
    }
    let folder = killed::in_memory();
    let start = |name| {
        child::command(test)
            .env(FOLDER, format!("{name} {}", folder.path().display()))
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    for mut process in NAMES.map(start) {
        assert!(process.wait().unwrap().success());
    }
    let path = folder.path().join("app.log");
    killed::heal(&path);
    let mut all = BTreeMap::<String, Vec<u64>>::new();
    for file in files(&path) {
        let text = String::from_utf8(killed::content(&file)).unwrap();
        for (name, numbers) in Log::parse(&text).numbers() {
            all.entry(name.into()).or_default().extend(numbers);
        }
    }
    assert_eq!(all.len(), NAMES.len());
    for (name, mut numbers) in all {
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..each), "{name}");
    }
}

mod killed {
    use super::*;

    #[cfg(feature = "lz4")]
    pub(super) fn compressed(builder: RollingBuilder) -> RollingBuilder {
        builder.compress(ringlog::sink::Compression::Lz4)
    }

    #[cfg(not(feature = "lz4"))]
    pub(super) fn compressed(builder: RollingBuilder) -> RollingBuilder {
        builder
    }

    const FOLDER: &str = "RINGLOG_ROLLING_FOLDER";
    const FIRST: &str = "RINGLOG_ROLLING_FIRST";

    /// Logs for ever, and tells the parent what has been written.
    fn log_until_killed() {
        let variable = |name| std::env::var(name).unwrap();
        let folder = PathBuf::from(variable(FOLDER));
        let builder = Rolling::builder(folder.join("app.log")).size(3000);
        let logger = logger(compressed(builder).open().unwrap());
        for number in variable(FIRST).parse().unwrap().. {
            let number: u64 = number;
            info!(logger: &logger, "n {number} end");
            if number % 64 == 63 {
                logger.flush(LONG).unwrap();
                println!("written {number}");
            }
        }
    }

    /// A folder that no disk makes slow.
    pub(super) fn in_memory() -> tempfile::TempDir {
        let memory = Path::new("/dev/shm");
        let any = || tempfile::tempdir().unwrap();
        tempfile::tempdir_in(memory).unwrap_or_else(|_| any())
    }

    /// What is in a file, whatever its name says of how.
    pub(super) fn content(path: &Path) -> Vec<u8> {
        let bytes = fs::read(path).unwrap();
        #[cfg(feature = "lz4")]
        if bytes.starts_with(&[0x04, 0x22, 0x4d, 0x18]) {
            let mut text = Vec::new();
            let mut decoder = lz4_flex::frame::FrameDecoder::new(&*bytes);
            std::io::Read::read_to_end(&mut decoder, &mut text).unwrap();
            return text;
        }
        bytes
    }

    /// The numbers in all files that are no remains, and how many lines are torn. Each number is
    /// there once, and those of one file are in order.
    fn read_all(path: &Path) -> (Vec<u64>, usize) {
        let (mut all, mut torn) = (Vec::new(), 0);
        for file in files(path) {
            let name = file.file_name().unwrap().to_str().unwrap();
            if name.ends_with(".tmp") || !file.exists() {
                continue;
            }
            let text = String::from_utf8(content(&file)).unwrap();
            if name.ends_with(".next") {
                assert_eq!(text, "");
            }
            for line in text.lines() {
                let number = line
                    .split_once("] n ")
                    .and_then(|(_, rest)| rest.strip_suffix(" end"));
                match number {
                    Some(number) => all.push(number.parse().unwrap()),
                    None => torn += 1,
                }
            }
        }
        assert!(all.is_sorted_by(|a, b| a < b), "doubled, or out of order");
        (all, torn)
    }

    #[test]
    fn at_any_moment_it_leaves_each_line_in_one_file_and_no_file_without_an_owner() {
        let name =
            "killed::at_any_moment_it_leaves_each_line_in_one_file_and_no_file_without_an_owner";
        if child::is_child() {
            return log_until_killed();
        }
        for seed in 0..scaled(20) as u64 {
            kill_again_and_again(name, seed);
        }
    }

    fn kill_again_and_again(name: &str, seed: u64) {
        const KILLS: usize = 8;
        let folder = in_memory();
        let path = folder.path().join("app.log");
        let mut random = Random::new(seed);
        let (mut written, mut first, mut lost) = (0, 0, Vec::new());
        for kill in 0..KILLS {
            let mut process = child::command(name)
                .env(FOLDER, folder.path())
                .env(FIRST, first.to_string())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
            let mut note = |line: String| {
                if let Some((_, number)) = line.split_once("written ") {
                    written = number.parse::<u64>().unwrap() + 1;
                }
            };
            let mut told = 0;
            let enough = random.below(30) + 1;
            while told < enough {
                let line = lines.next().expect("the process goes on").unwrap();
                told += u64::from(line.contains("written "));
                note(line);
            }
            thread::sleep(Duration::from_micros(random.below(1500)));
            process.kill().unwrap();
            process.wait().unwrap();
            lines.map_while(Result::ok).for_each(note);
            let (all, torn) = read_all(&path);
            // What was written is there; of what was not, a part may be.
            let last = all.last().map_or(0, |last| last + 1);
            assert!(last >= written, "kill {kill}: {last} < {written}");
            lost.extend(first.max(all[0])..last);
            lost.retain(|number| all.binary_search(number).is_err());
            assert!(lost.is_empty(), "kill {kill}: {lost:?}");
            assert!(torn <= kill + 1, "kill {kill}: {torn} torn lines");
            assert_eq!(all[0], 0);
            assert_eq!(all.len() as u64, last, "kill {kill}");
            first = last;
        }
        heal(&path);
        let (all, _) = read_all(&path);
        assert!(all.into_iter().eq(0..first));
        assert!(files(&path).len() > KILLS);
    }

    /// The next process takes over all there is.
    pub(super) fn heal(path: &Path) {
        let builder = Rolling::builder(path).size(3000);
        let logger = logger(compressed(builder).open().unwrap());
        wait_for("the closed files to be what they will be", || {
            files(path).iter().all(|file| {
                let name = file.file_name().unwrap().to_str().unwrap();
                let closed = if cfg!(feature = "lz4") {
                    ".lz4"
                } else {
                    "Z.log"
                };
                file == path || name.ends_with(closed)
            })
        });
        let report = logger.shutdown(LONG);
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
    }

    /// Not at any moment, but at each of those that count.
    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64", feature = "lz4"))]
    fn between_any_two_steps_it_leaves_each_line_in_one_file() {
        use std::os::unix::process::ExitStatusExt as _;

        const CALL: &str = "RINGLOG_ROLLING_CALL";
        let name = "killed::between_any_two_steps_it_leaves_each_line_in_one_file";
        if child::is_child() {
            let call = std::env::var(CALL).unwrap().parse().unwrap();
            support::seccomp::kill_at(call);
            return log_until_killed();
        }
        let steps = [
            libc::SYS_rename,
            libc::SYS_renameat2,
            libc::SYS_unlink,
            libc::SYS_fsync,
            libc::SYS_flock,
            libc::SYS_fchmod,
        ];
        for call in steps {
            // There is a file to be compressed, and a process that only logs; or there is none, and
            // the current file is rolled first.
            for closed in [true, false] {
                let folder = in_memory();
                let path = folder.path().join("app.log");
                let count = if closed { 60 } else { 10 };
                let plain = logger(Rolling::builder(&path).size(3000).open().unwrap());
                for number in 0..count {
                    info!(logger: &plain, "n {number} end");
                }
                plain.shutdown(LONG);
                let output = child::command(name)
                    .env(FOLDER, folder.path())
                    .env(FIRST, count.to_string())
                    .env(CALL, call.to_string())
                    .output()
                    .unwrap();
                assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{output:?}");
                let (all, torn) = read_all(&path);
                assert!(all.len() as u64 >= count);
                assert!(all.iter().copied().eq(0..all.len() as u64), "{call}");
                assert_eq!(torn, 0);
                heal(&path);
                assert_eq!(read_all(&path).0, all, "{call}");
            }
        }
    }
}
