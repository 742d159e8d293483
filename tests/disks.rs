//! Destinations that take no more: a full disk, a pipe that nobody reads, a limit on the size of
//! files. The process goes on, and what is lost is counted.

#![cfg(all(target_os = "linux", not(miri)))]

mod support;

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::FromRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::ptr;

use ringlog::sink::{Batch, File, Rolling, Sink};
use ringlog::{FlushError, Level, RingLogger, ShutdownOutcome, info};
use support::child::{DONE, is_child};
use support::process::{Process, folder, log_path, ready};
use support::{Books, LONG, Log};

/// Logs so many records of about 150 bytes in all.
fn log(books: &Books, logger: &RingLogger, records: u64) {
    let text = "x".repeat(64);
    for _ in 0..records {
        let number = books.submitted();
        books.note(Level::Info, info!(logger: logger, "main {number} {text}"));
        if number % 500 == 499 {
            // The ring is not what is to be full.
            let _ = logger.flush(LONG);
        }
    }
}

/// Starts the test in a process of its own, prepared so, and asserts that it came to its end.
#[track_caller]
fn run(test: &str, prepare: impl FnOnce(&mut Command)) {
    let process = Process::start_in(tempfile::tempdir().unwrap(), test, "", prepare);
    let ended = process.end();
    let story = format!("{}\n{}\n{}", ended.status, ended.stdout, ended.stderr);
    assert!(
        ended.status.success() && ended.stdout.contains(DONE),
        "{story}"
    );
}

fn check(result: i32) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes the disk larger or smaller.
fn set_disk_size(directory: &Path, size: &CStr, flags: u64) -> io::Result<()> {
    let directory = CString::new(directory.as_os_str().as_bytes())?;
    let kind = c"tmpfs".as_ptr();
    // SAFETY: the texts end with a zero and live through the call.
    check(unsafe { libc::mount(kind, directory.as_ptr(), kind, flags, size.as_ptr().cast()) })
}

/// Mounts a disk of one megabyte on the directory, that only this process and its children see.
fn mount_small_disk(directory: &Path) -> io::Result<()> {
    // SAFETY: the texts end with a zero and live through the calls.
    unsafe {
        // Whoever is not allowed to mount, is as root of a name space of their own.
        if libc::unshare(libc::CLONE_NEWNS) != 0 {
            check(libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS))?;
        }
        let (root, none) = (c"/".as_ptr(), c"none".as_ptr());
        let private = libc::MS_REC | libc::MS_PRIVATE;
        check(libc::mount(none, root, ptr::null(), private, ptr::null()))?;
    }
    set_disk_size(directory, c"size=1m", 0)
}

#[test]
fn a_disk_that_fills_up_costs_what_does_not_fit_and_nothing_else() {
    let name = "a_disk_that_fills_up_costs_what_does_not_fit_and_nothing_else";
    if is_child() {
        ready();
        let disk = folder().join("disk");
        let path = disk.join("app.log");
        let books = Books::new();
        let logger = RingLogger::builder()
            .sink(File::append(&path).unwrap())
            .sink(File::append(log_path()).unwrap())
            .build()
            .unwrap();
        // Far more than the disk holds, and than waits in the process.
        log(&books, &logger, 30_000);
        match logger.flush(LONG) {
            Err(FlushError::Sink { name, error }) => {
                assert!(name.contains("disk/app.log"), "{name}");
                assert!(error.contains("No space left"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        // Somebody makes room.
        set_disk_size(&disk, c"size=16m", libc::MS_REMOUNT).unwrap();
        assert!(
            (0..200).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                logger.flush(LONG).is_ok()
            }),
            "the sink did not recover"
        );
        let before = books.submitted();
        log(&books, &logger, 100);
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        assert!(report.failed > 0, "{report:?}");
        // The other sink has lost nothing.
        let whole = Log::parse(&fs::read_to_string(log_path()).unwrap());
        assert!(whole.numbers()["main"].iter().copied().eq(0..30_100));
        // What is on the disk is whole and in order, and ends with what came after.
        let text = fs::read_to_string(path).unwrap();
        let log = Log::parse(&text);
        let numbers = &log.numbers()["main"];
        assert_eq!(numbers.len() as u64, report.written, "{report:?}");
        assert!(numbers.is_sorted_by(|a, b| a < b));
        assert!(
            numbers[numbers.len() - 100..]
                .iter()
                .copied()
                .eq(before..before + 100)
        );
        assert!(text.contains("records are missing here"));
        println!("{DONE}");
        return;
    }
    run(name, with_small_disk);
}

/// Gives the process a disk of one megabyte, in its folder.
fn with_small_disk(command: &mut Command) {
    let environment = command.get_envs();
    let folder = environment
        .filter_map(|(name, value)| (name == "RINGLOG_TEST_FOLDER").then_some(value?))
        .next()
        .unwrap();
    let disk = Path::new(folder).join("disk");
    fs::create_dir(&disk).unwrap();
    // SAFETY: two system calls, with what was made before the fork.
    unsafe { command.pre_exec(move || mount_small_disk(&disk)) };
}

/// The numbers in the files of a folder, the oldest first, and what else is there.
fn read_rolled(disk: &Path) -> (Vec<u64>, Vec<String>) {
    let (mut numbers, mut others) = (Vec::new(), Vec::new());
    let entries = fs::read_dir(disk).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let text = match path.extension().unwrap().to_str().unwrap() {
            "log" => String::from_utf8(bytes).unwrap(),
            #[cfg(feature = "lz4")]
            "lz4" => io::read_to_string(lz4_flex::frame::FrameDecoder::new(&*bytes)).unwrap(),
            _ => {
                others.push(path.display().to_string());
                continue;
            }
        };
        let log = Log::parse(&text);
        numbers.extend(log.numbers().remove("main").unwrap_or_default());
    }
    (numbers, others)
}

/// New files, and compressing old ones, need room that is not there.
#[test]
fn a_disk_that_fills_up_while_a_log_rolls_costs_what_does_not_fit_and_leaves_nothing_behind() {
    let name =
        "a_disk_that_fills_up_while_a_log_rolls_costs_what_does_not_fit_and_leaves_nothing_behind";
    if is_child() {
        ready();
        let disk = folder().join("disk");
        let books = Books::new();
        let rolling = Rolling::builder(disk.join("app.log")).size(50_000);
        #[cfg(feature = "lz4")]
        let rolling = rolling.compress(ringlog::sink::Compression::Lz4);
        // What compresses well would never fill it.
        let mut state = 1_u64;
        let mut noise = || {
            let mut text = String::new();
            for _ in 0..4 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                text.push_str(&format!("{state:016x}"));
            }
            text
        };
        let logger = RingLogger::builder()
            .sink(rolling.open().unwrap())
            .build()
            .unwrap();
        let mut log = |records: u64| {
            for _ in 0..records {
                let (number, noise) = (books.submitted(), noise());
                books.note(Level::Info, info!(logger: &logger, "main {number} {noise}"));
                if number % 100 == 99 {
                    let _ = logger.flush(LONG);
                }
            }
        };
        log(40_000);
        let error = logger.flush(LONG).unwrap_err().to_string();
        assert!(error.contains("No space left"), "{error}");
        set_disk_size(&disk, c"size=16m", libc::MS_REMOUNT).unwrap();
        assert!(
            (0..200).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                logger.flush(LONG).is_ok()
            }),
            "the sink did not recover"
        );
        let before = books.submitted();
        // Enough for some files.
        log(3000);
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        assert!(report.failed > 0, "{report:?}");
        let (numbers, others) = read_rolled(&disk);
        assert_eq!(numbers.len() as u64, report.written, "{report:?}");
        assert!(numbers.is_sorted_by(|a, b| a < b));
        let last = &numbers[numbers.len() - 3000..];
        assert!(last.iter().copied().eq(before..before + 3000));
        assert!(others.is_empty(), "{others:?}");
        println!("{DONE}");
        return;
    }
    run(name, with_small_disk);
}

#[test]
fn a_disk_that_was_always_full_costs_no_other_sink_anything() {
    let name = "a_disk_that_was_always_full_costs_no_other_sink_anything";
    if is_child() {
        ready();
        let books = Books::new();
        let logger = RingLogger::builder()
            .sink(File::append("/dev/full").unwrap())
            .sink(File::append(log_path()).unwrap())
            .build()
            .unwrap();
        log(&books, &logger, 20_000);
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        assert_eq!((report.written, report.failed), (0, 20_000));
        assert!(report.sink_errors > 0);
        let log = Log::parse(&fs::read_to_string(log_path()).unwrap());
        assert!(log.numbers()["main"].iter().copied().eq(0..20_000));
        println!("{DONE}");
        return;
    }
    run(name, |_| ());
}

/// A descriptor that was made elsewhere.
struct Pipe(fs::File);

impl Sink for Pipe {
    fn name(&self) -> &str {
        "pipe"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        io::Write::write(&mut self.0, batch.bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_pipe_whose_reader_died_does_not_end_the_process() {
    let name = "a_pipe_whose_reader_died_does_not_end_the_process";
    if is_child() {
        ready();
        let mut pipe = [0; 2];
        // SAFETY: two descriptors are written to the array, and owned by one file each.
        let (reader, writer) = unsafe {
            assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
            (
                fs::File::from_raw_fd(pipe[0]),
                fs::File::from_raw_fd(pipe[1]),
            )
        };
        // As programs have it that are not written in Rust.
        // SAFETY: the default action is one.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let books = Books::new();
        let logger = RingLogger::builder()
            .sink(Pipe(writer))
            .sink(File::append(log_path()).unwrap())
            .build()
            .unwrap();
        log(&books, &logger, 10);
        logger.flush(LONG).unwrap();
        let mut reader = reader;
        let mut text = [0; 4096];
        let length = io::Read::read(&mut reader, &mut text).unwrap();
        drop(reader);
        log(&books, &logger, 1000);
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!((report.written, report.failed), (10, 1000));
        let read = Log::parse(std::str::from_utf8(&text[..length]).unwrap());
        assert!(read.numbers()["main"].iter().copied().eq(0..10));
        let log = Log::parse(&fs::read_to_string(log_path()).unwrap());
        assert!(log.numbers()["main"].iter().copied().eq(0..1010));
        println!("{DONE}");
        return;
    }
    run(name, |_| ());
}

#[test]
fn a_limit_on_the_size_of_files_does_not_end_the_process() {
    let name = "a_limit_on_the_size_of_files_does_not_end_the_process";
    if is_child() {
        ready();
        let limit = libc::rlimit {
            rlim_cur: 256 << 10,
            rlim_max: 256 << 10,
        };
        // The signal that comes with the error would end the process.
        // SAFETY: the kernel reads one `rlimit`; the default action is one.
        unsafe {
            assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
            libc::signal(libc::SIGXFSZ, libc::SIG_DFL);
        }
        let books = Books::new();
        let logger = RingLogger::builder()
            .sink(File::append(log_path()).unwrap())
            .build()
            .unwrap();
        log(&books, &logger, 10_000);
        let error = logger.flush(LONG).unwrap_err();
        assert!(error.to_string().contains("File too large"), "{error}");
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(report.written + report.failed, 10_000);
        let text = fs::read_to_string(log_path()).unwrap();
        assert!(text.len() <= 256 << 10);
        let whole = Log::parse(&text[..=text.rfind('\n').unwrap()]);
        let numbers = &whole.numbers()["main"];
        assert!(numbers.iter().copied().eq(0..report.written), "{report:?}");
        println!("{DONE}");
        return;
    }
    run(name, |_| ());
}
