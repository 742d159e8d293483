//! A sink that stands in for another: it takes over, gives back, and nothing is lost in between.

mod support;

use std::fs;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringlog::format::{AnyFormat, Format, Json, Record};
use ringlog::sink::{Batch, Fallback, File, Memory, Offload, Sink};
use ringlog::{Level, RingLogger, ShutdownOutcome, info};
use support::log::Line;
use support::sinks::Scripted;
use support::{Books, LONG, Log, Random, scaled, wait_for};

const AT_ONCE: Duration = Duration::ZERO;

fn log_numbers(logger: &RingLogger, books: &Books, numbers: std::ops::Range<u64>) {
    for number in numbers {
        books.note(Level::Info, info!(logger: logger, "n {number}"));
    }
}

/// The numbers of the records in a text of whole lines.
fn numbers(text: &str) -> Vec<u64> {
    let number = |line: &Line| line.text.strip_prefix("n ").unwrap().parse().unwrap();
    Log::parse(text).records().map(number).collect()
}

fn notices(text: &str) -> Vec<String> {
    let log = Log::parse(text);
    let own = log.lines.iter().filter(|line| line.is_own());
    own.map(|line| line.text.clone()).collect()
}

/// Takes everything, or fails, as it is told.
fn switched(memory: &Memory) -> (Scripted, Arc<AtomicBool>) {
    let (mut sink, down) = (memory.clone(), Arc::new(AtomicBool::new(false)));
    let is_down = down.clone();
    let sink = Scripted::new("main", move |batch| {
        if is_down.load(Ordering::Relaxed) {
            return Err(io::Error::other("broken"));
        }
        sink.write(batch)
    });
    (sink, down)
}

#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "miri has no files")]
fn a_full_device_costs_nothing() {
    let (memory, books) = (Memory::new(), Books::new());
    let logger = RingLogger::builder()
        .sink(Fallback::new(
            File::append("/dev/full").unwrap(),
            memory.clone(),
        ))
        .build()
        .unwrap();
    log_numbers(&logger, &books, 0..100);
    wait_for("the second sink to take over", || {
        logger.flush(LONG).is_ok()
    });
    log_numbers(&logger, &books, 100..200);
    let report = logger.shutdown(LONG);
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
    books.check_report(&logger, &report);
    assert_eq!((report.written, report.failed), (200, 0));
    assert!(numbers(&memory.contents()).into_iter().eq(0..200));
}

#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "miri has no pipes")]
fn a_pipe_gets_its_records_again_when_it_has_a_reader_again() {
    use std::io::Read as _;
    use std::os::unix::ffi::OsStrExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the name is a string of C that lives through the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let open_reader = || fs::File::open(&path).unwrap();
    // Opening one end waits for the other.
    let (reader, file) = std::thread::scope(|scope| {
        let reader = scope.spawn(open_reader);
        let file = File::append(&path).unwrap();
        (reader.join().unwrap(), file)
    });
    let (memory, books) = (Memory::new(), Books::new());
    let logger = RingLogger::builder()
        .thread(false)
        .sink(Fallback::new(file, memory.clone()).probe_after(AT_ONCE, AT_ONCE))
        .build()
        .unwrap();
    let read = |reader: &mut fs::File| {
        let mut text = [0; 4096];
        let length = reader.read(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    let mut reader = reader;
    log_numbers(&logger, &books, 0..1);
    logger.flush(LONG).unwrap();
    assert_eq!(numbers(&read(&mut reader)), [0]);
    drop(reader);
    log_numbers(&logger, &books, 1..4);
    wait_for("the second sink to take over", || {
        logger.flush(LONG).is_ok()
    });
    assert_eq!(numbers(&memory.contents()), [1, 2, 3]);
    let mut reader = open_reader();
    log_numbers(&logger, &books, 4..6);
    logger.flush(LONG).unwrap();
    assert_eq!(numbers(&read(&mut reader)), [4, 5]);
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!((report.written, report.failed), (6, 0));
}

/// A sink of the user's, over TCP, that connects when it has something to write.
struct Lines {
    address: std::net::SocketAddr,
    stream: Option<std::net::TcpStream>,
}

impl Sink for Lines {
    fn name(&self) -> &str {
        "tcp"
    }
    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        if self.stream.is_none() {
            self.stream = Some(std::net::TcpStream::connect(self.address)?);
        }
        let stream = self.stream.as_mut().expect("it was just connected");
        io::Write::write(stream, batch.bytes()).inspect_err(|_| self.stream = None)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
#[cfg_attr(miri, ignore = "miri has no sockets")]
fn a_server_that_refuses_is_stood_in_for_until_it_listens() {
    use std::io::BufRead as _;
    // Nobody listens at this address any more.
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local.log");
    let server = Lines {
        address,
        stream: None,
    };
    let books = Books::new();
    let pause = Duration::from_millis(1);
    let logger = RingLogger::builder()
        .sink(Offload::new(
            Fallback::new(server, File::append(&path).unwrap()).probe_after(pause, pause),
        ))
        .build()
        .unwrap();
    log_numbers(&logger, &books, 0..20);
    wait_for("the file to take over", || logger.flush(LONG).is_ok());
    let local = fs::read_to_string(&path).unwrap();
    assert!(numbers(&local).into_iter().eq(0..20), "{local}");
    let listener = std::net::TcpListener::bind(address).unwrap();
    std::thread::sleep(2 * pause);
    log_numbers(&logger, &books, 20..40);
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!((report.written, report.failed), (40, 0));
    let (stream, _) = listener.accept().unwrap();
    let lines = io::BufReader::new(stream).lines();
    let text: String = lines.map(|line| line.unwrap() + "\n").collect();
    assert!(numbers(&text).into_iter().eq(20..40), "{text}");
}

#[test]
fn the_log_says_who_is_written_to() {
    let (main, spare, books) = (Memory::new(), Memory::new(), Books::new());
    let (sink, down) = switched(&main);
    let logger = RingLogger::builder()
        .sink(Fallback::new(sink, spare.clone()).probe_after(AT_ONCE, AT_ONCE))
        .build()
        .unwrap();
    log_numbers(&logger, &books, 0..1);
    logger.flush(LONG).unwrap();
    down.store(true, Ordering::Relaxed);
    log_numbers(&logger, &books, 1..4);
    wait_for("the line that says so", || {
        spare.contents().contains("takes over")
    });
    down.store(false, Ordering::Relaxed);
    log_numbers(&logger, &books, 4..5);
    wait_for("the line that says so", || {
        main.contents().contains("works again")
    });
    assert_eq!(
        notices(&spare.contents()),
        ["sink `main, else memory`: `main` fails, `memory` takes over: broken"]
    );
    let text = notices(&main.contents()).concat();
    assert!(text.contains("`main` works again, after "), "{text}");
    // Three records and the line that says so.
    assert!(
        text.contains("4 entries went to `memory` (broken)"),
        "{text}"
    );
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!(report.written, 5);
    assert_eq!(numbers(&main.contents()), [0, 4]);
    assert_eq!(numbers(&spare.contents()), [1, 2, 3]);
}

#[test]
fn a_sink_that_fails_now_and_then_keeps_its_records() {
    let (main, spare) = (Memory::new(), Memory::new());
    let (mut sink, calls) = (main.clone(), AtomicU64::new(0));
    let sink = Scripted::new("main", move |batch| {
        if calls.fetch_add(1, Ordering::Relaxed) % 3 != 2 {
            return Err(io::Error::other("broken"));
        }
        sink.write(batch)
    });
    let logger = RingLogger::builder()
        .sink(Fallback::new(sink, spare.clone()))
        .build()
        .unwrap();
    for number in 0..20 {
        log_numbers(&logger, &Books::new(), number..number + 1);
        wait_for("the sink to succeed", || logger.flush(LONG).is_ok());
    }
    assert_eq!(logger.shutdown(LONG).written, 20);
    assert!(numbers(&main.contents()).into_iter().eq(0..20));
    assert_eq!(spare.contents(), "");
}

#[test]
fn a_probe_that_fails_costs_nothing_and_is_not_repeated_at_once() {
    let (spare, books, calls) = (Memory::new(), Books::new(), Arc::new(AtomicU64::new(0)));
    let count = calls.clone();
    let sink = Scripted::new("main", move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Err(io::Error::other("broken"))
    });
    let logger = RingLogger::builder()
        .thread(false)
        .sink(
            Fallback::new(sink, spare.clone())
                .after_failures(1)
                .probe_after(Duration::MAX, Duration::MAX),
        )
        .build()
        .unwrap();
    for number in 0..50 {
        log_numbers(&logger, &books, number..number + 1);
        assert_eq!(logger.flush(LONG), Ok(()));
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    // Whoever has repaired it says so.
    logger.reopen();
    log_numbers(&logger, &books, 50..51);
    assert_eq!(logger.flush(LONG), Ok(()));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert!(numbers(&spare.contents()).into_iter().eq(0..51));
}

#[test]
fn a_panic_is_a_failure_and_the_batch_goes_to_the_other_one() {
    let (spare, books) = (Memory::new(), Books::new());
    let logger = RingLogger::builder()
        .sink(Fallback::new(
            Scripted::new("main", |_| panic!("on purpose")),
            spare.clone(),
        ))
        .build()
        .unwrap();
    log_numbers(&logger, &books, 0..10);
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!((report.written, report.failed), (10, 0));
    assert!(numbers(&spare.contents()).into_iter().eq(0..10));
}

/// What a sink of changing moods has taken, in which lines may be torn.
fn moody(
    name: &'static str,
    memory: Arc<Mutex<Vec<u8>>>,
    mut random: Random,
    trouble: u64,
) -> Scripted {
    Scripted::new(name, move |batch| match random.below(100) {
        mood if mood < trouble => Err(io::Error::other("broken")),
        mood if mood < trouble + 3 => Err(ErrorKind::Interrupted.into()),
        mood if mood < trouble + 6 => Err(ErrorKind::WouldBlock.into()),
        mood if mood < trouble + 8 => Ok(0),
        _ => support::sinks::take_part(
            &mut memory.lock().unwrap(),
            batch,
            random.below(300) as usize + 1,
        ),
    })
}

/// Whatever the two do: every record is whole in one of them, and in order in each.
#[test]
fn every_record_is_whole_in_one_of_the_two() {
    for seed in 0..scaled(60) as u64 {
        let (main, spare) = (
            Arc::<Mutex<Vec<u8>>>::default(),
            Arc::<Mutex<Vec<u8>>>::default(),
        );
        let books = Books::new();
        let logger = RingLogger::builder()
            .sink(
                Fallback::new(
                    moody("main", main.clone(), Random::new(seed), 30),
                    moody("spare", spare.clone(), Random::new(seed + 1000), seed % 20),
                )
                .after_failures(1 + (seed % 3) as u32)
                .probe_after(AT_ONCE, AT_ONCE),
            )
            .build()
            .unwrap();
        for part in 0..10 {
            for number in part * 20..part * 20 + 20 {
                // The dot tells a whole line from a torn one.
                books.note(Level::Info, info!(logger: &logger, "n {number}."));
            }
            wait_for("a flush", || logger.flush(LONG).is_ok());
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!((report.written, report.failed), (200, 0), "seed {seed}");
        let mut found = Vec::new();
        for taken in [&main, &spare] {
            // A line that was torn may end in the middle of a character.
            let text = String::from_utf8_lossy(&taken.lock().unwrap()).into_owned();
            let whole: Vec<u64> = text
                .lines()
                .filter_map(|line| {
                    let (_, number) = line.rsplit_once("] n ")?;
                    number.strip_suffix('.')?.parse().ok()
                })
                .collect();
            assert!(whole.is_sorted(), "seed {seed}: {text}");
            found.extend(whole);
        }
        found.sort_unstable();
        found.dedup();
        let missing = (0..200).filter(|number| !found.contains(number));
        assert_eq!(missing.count(), 0, "seed {seed}");
    }
}

#[test]
fn an_entry_that_was_begun_is_given_to_the_other_one_whole() {
    let (main, spare) = (Arc::<Mutex<Vec<u8>>>::default(), Memory::new());
    let (taken, calls) = (main.clone(), AtomicU64::new(0));
    let sink = Scripted::new("main", move |batch| {
        match calls.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => support::sinks::take_part(&mut taken.lock().unwrap(), batch, 20),
            2..=9 => Err(io::Error::other("broken")),
            _ => support::sinks::take_part(&mut taken.lock().unwrap(), batch, usize::MAX),
        }
    });
    let logger = RingLogger::builder()
        .thread(false)
        .sink(
            Fallback::new(sink, spare.clone())
                .after_failures(8)
                .probe_after(AT_ONCE, AT_ONCE),
        )
        .build()
        .unwrap();
    log_numbers(&logger, &Books::new(), 0..1);
    wait_for("the other one to take over", || logger.flush(LONG).is_ok());
    assert_eq!(numbers(&spare.contents()), [0]);
    log_numbers(&logger, &Books::new(), 1..2);
    logger.flush(LONG).unwrap();
    logger.shutdown(LONG);
    let main = String::from_utf8(main.lock().unwrap().clone()).unwrap();
    let (torn, rest) = main.split_once('\n').unwrap();
    assert_eq!(torn, &spare.contents()[..40]);
    assert_eq!(numbers(rest), [1]);
}

/// A sink that likes a format of its own best.
struct Picky {
    memory: Memory,
    format: fn() -> AnyFormat,
}

impl Sink for Picky {
    fn name(&self) -> &str {
        "picky"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        self.memory.write(batch)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn default_format(&self) -> AnyFormat {
        (self.format)()
    }
}

struct Terse;

impl Format for Terse {
    fn format(&mut self, _record: &Record<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"terse\n");
    }
}

#[test]
fn both_get_a_format_that_suits_both() {
    let [text, json, terse]: [fn() -> AnyFormat; 3] =
        [AnyFormat::default, || Json::new().into(), || Terse.into()];
    for (first, second, suits) in [
        (text, text, "INFO"),
        (json, json, "{\"ts\""),
        (terse, terse, "terse"),
        (json, text, "INFO"),
        (text, json, "INFO"),
        (terse, json, "INFO"),
    ] {
        let memory = Memory::new();
        let picky = |format| Picky {
            memory: memory.clone(),
            format,
        };
        let logger = RingLogger::builder()
            .closing_record(false)
            .sink(Fallback::new(picky(first), picky(second)))
            .build()
            .unwrap();
        info!(logger: &logger, "n {}", 0);
        logger.shutdown(LONG);
        let contents = memory.contents();
        assert!(contents.contains(suits), "{contents}");
        assert_eq!(contents.starts_with("{"), suits.starts_with('{'));
    }
}
