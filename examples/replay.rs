//! Logs every line of a text file, or of standard input:
//! `cargo run --release --example replay -- --threads 2 README.md`
//!
//! Each line is one record whose only argument is the line. Lines are dealt round robin: with
//! `--threads N`, line `i` (from 0) is logged by the thread `replay-K`, where `K` is `i % N`. A
//! thread logs its lines in the order of the input, so with one thread the log, stripped of its
//! prefixes, is the input:
//!
//! ```text
//! sed -E 's/^([^ ]+ +){4}\[replay-[0-9]+\] //' replay.log
//! ```
//!
//! What a line of a log cannot hold looks different there:
//! * A byte that is not part of valid UTF-8 becomes `\x` and two hexadecimal digits.
//! * Control characters are escaped by the logger, as in any record. A tab is one of them, and so is
//!   a carriage return in front of the newline.
//! * A line that is longer than a record, about 3.5 KiB, is cut by the logger, which marks the
//!   place. If it is longer than 8 KiB, a note behind the mark says how much was not even read.
//! * The log ends with a newline whether or not the input does.
//!
//! A full ring makes the threads wait ([`Overflow::Block`]), so every line gets in. The lines of
//! one run replace those of the last.

mod support;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use ringlog::{Overflow, RingLogger, sink};
use support::arguments::{Arguments, UsageError};
use support::lines::Lines;

const HELP: &str = "\
Logs every line of a text file.

Usage: replay [OPTIONS] [FILE]

FILE is the text to log; `-`, or none: standard input.

Options:
  --threads N   how many threads log; line i is logged by thread i % N (1 to 256; default 1)
  --log PATH    the log to write (default replay.log)
  --help        prints this
";

/// What is kept of a line: more than the largest record holds.
const LINE_LIMIT: usize = 8 * 1024;

/// How many lines a thread is handed at once, to make handing them over cheap.
const BATCH: usize = 256;

/// How long the lines still in the ring may take to reach the log.
const DEADLINE: Duration = Duration::from_secs(30);

struct Options {
    /// `None`: standard input.
    input: Option<PathBuf>,
    threads: usize,
    log: PathBuf,
}

/// `None`: the user asked for help.
fn options(mut arguments: Arguments) -> Result<Option<Options>, UsageError> {
    let mut input = None;
    let mut threads = 1;
    let mut log = PathBuf::from("replay.log");
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(None),
            Some("--threads") => threads = arguments.number("--threads", 1..=256)? as usize,
            Some("--log") => log = arguments.path("--log")?,
            Some(option) if option.starts_with("--") => {
                return Err(UsageError::unknown(&argument));
            }
            _ if input.is_some() => return Err(UsageError::new("there is more than one FILE")),
            _ => input = Some(PathBuf::from(argument)),
        }
    }
    Ok(Some(Options {
        input: input.filter(|path| path.as_os_str() != OsStr::new("-")),
        threads,
        log,
    }))
}

/// A line of the input, as it is logged.
struct Line {
    text: String,
    /// How many bytes of it were not kept.
    omitted: u64,
}

impl Line {
    fn new(bytes: &[u8], omitted: u64) -> Self {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                write!(text, "\\x{byte:02x}").expect("a string takes all text");
            }
        }
        Line { text, omitted }
    }

    fn log(&self, logger: &RingLogger) {
        let text = self.text.as_str();
        if self.omitted == 0 {
            ringlog::info!(logger: logger, "{text}");
        } else {
            let omitted = self.omitted;
            ringlog::info!(logger: logger, "{text} [{omitted} bytes more were not read]");
        }
    }
}

/// Logs all lines of `input` from `threads` threads, and answers how many there were.
///
/// # Errors
///
/// Those of the input, after the lines before them have been logged; or of starting a thread.
fn replay(input: impl BufRead, threads: usize, logger: &RingLogger) -> io::Result<u64> {
    thread::scope(|scope| {
        let mut players: Vec<Player> = Vec::with_capacity(threads);
        for number in 0..threads {
            let (batches, received) = mpsc::sync_channel::<Vec<Line>>(4);
            thread::Builder::new()
                .name(format!("replay-{number}"))
                .spawn_scoped(scope, move || {
                    for line in received.into_iter().flatten() {
                        line.log(logger);
                    }
                })?;
            players.push(Player {
                batches,
                batch: Vec::with_capacity(BATCH),
            });
        }
        let result = deal(input, &mut players);
        for player in &mut players {
            player.hand_over();
        }
        result
    })
}

fn deal(input: impl BufRead, players: &mut [Player]) -> io::Result<u64> {
    let mut lines = Lines::new(input, LINE_LIMIT);
    let mut bytes = Vec::new();
    let mut count = 0;
    let mut next = 0;
    while let Some(omitted) = lines.read(&mut bytes)? {
        players[next].take(Line::new(&bytes, omitted));
        next = (next + 1) % players.len();
        count += 1;
    }
    Ok(count)
}

/// The reader's end of a thread that logs.
struct Player {
    batches: SyncSender<Vec<Line>>,
    batch: Vec<Line>,
}

impl Player {
    fn take(&mut self, line: Line) {
        self.batch.push(line);
        if self.batch.len() == BATCH {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.batches
            .send(batch)
            .expect("the thread takes batches until there can be no more");
    }
}

fn run(options: &Options) -> Result<(), String> {
    let (name, input): (String, Box<dyn BufRead>) = match &options.input {
        None => ("standard input".into(), Box::new(io::stdin().lock())),
        Some(path) => {
            let name = path.display().to_string();
            let file = std::fs::File::open(path)
                .map_err(|error| format!("cannot open {name}: {error}"))?;
            (name, Box::new(BufReader::with_capacity(1 << 16, file)))
        }
    };
    let log = sink::File::truncate(&options.log).map_err(|error| error.to_string())?;
    let logger = RingLogger::builder()
        .overflow(Overflow::Block)
        // What comes out is what went in.
        .closing_record(false)
        .sink(log)
        .build()
        .map_err(|error| error.to_string())?;

    let start = Instant::now();
    let result = replay(input, options.threads, &logger);
    let report = logger.shutdown(DEADLINE);
    let seconds = start.elapsed().as_secs_f64();

    println!("{report}");
    let lines = result.map_err(|error| format!("cannot read {name}: {error}"))?;
    println!(
        "{lines} lines in {seconds:.3} s, {:.0} lines/s",
        lines as f64 / seconds
    );
    if report.written == lines {
        Ok(())
    } else {
        Err(format!(
            "{} of {lines} lines were written to {}",
            report.written,
            options.log.display()
        ))
    }
}

fn main() -> ExitCode {
    let options = match options(Arguments::of_process()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("replay: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("replay: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a log of `input` says, as (thread, text).
    fn replayed(input: &[u8], threads: usize) -> Vec<(usize, String)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replay.log");
        let logger = RingLogger::builder()
            .overflow(Overflow::Block)
            .closing_record(false)
            .sink(sink::File::truncate(&path).unwrap())
            .build()
            .unwrap();
        let lines = replay(input, threads, &logger).unwrap();
        assert_eq!(logger.shutdown(DEADLINE).written, lines);
        let log = std::fs::read_to_string(&path).unwrap();
        let parsed = log.lines().map(|line| {
            let (_, rest) = line.split_once(" [replay-").unwrap();
            let (thread, text) = rest.split_once("] ").unwrap();
            (thread.parse().unwrap(), text.to_string())
        });
        parsed.collect()
    }

    #[test]
    fn one_thread_writes_what_it_read() {
        let lines = ["first", "", "  {not} a %s format {}", "", "größer", "[x] y"];
        let logged = replayed(lines.join("\n").as_bytes(), 1);
        let expected: Vec<_> = lines.iter().map(|line| (0, line.to_string())).collect();
        assert_eq!(logged, expected);
    }

    #[test]
    fn an_empty_input_is_an_empty_log() {
        assert_eq!(replayed(b"", 3), []);
    }

    #[test]
    fn each_thread_writes_its_lines_in_order() {
        const THREADS: usize = 3;
        let count = 4 * BATCH + 1;
        let input: String = (0..count).map(|number| format!("{number}\n")).collect();
        let logged = replayed(input.as_bytes(), THREADS);
        for thread in 0..THREADS {
            let texts = logged
                .iter()
                .filter(|(by, _)| *by == thread)
                .map(|(_, text)| text.parse().unwrap());
            let expected = (thread..count).step_by(THREADS);
            assert_eq!(texts.collect::<Vec<usize>>(), expected.collect::<Vec<_>>());
        }
        assert_eq!(logged.len(), count);
    }

    #[test]
    fn bytes_that_are_no_text_are_spelt_out() {
        assert_eq!(
            replayed(b"a\xff\xfeb \xe2\x82\n\xe2\x82\xac", 1),
            [(0, "a\\xff\\xfeb \\xe2\\x82".into()), (0, "€".into())]
        );
    }

    #[test]
    fn a_line_longer_than_a_record_keeps_its_beginning() {
        let input = "x".repeat(LINE_LIMIT + 7);
        let logged = replayed(input.as_bytes(), 1);
        assert_eq!(logged.len(), 1);
        let text = &logged[0].1;
        assert!(text.starts_with(&"x".repeat(3000)), "{text}");
        assert!(text.len() < 4000, "{text}");
        assert!(text.ends_with("[7 bytes more were not read]"), "{text}");
    }
}
