//! How many lines a second reach a file: `cargo bench --bench throughput -- --help`
//!
//! Some threads log as fast as they can, with [`Overflow::Block`], so that nothing is dropped and
//! the slowest part sets the pace. The clock runs from when the logger is built and no thread is
//! started yet, to the return of `shutdown`, which has then written the last byte.
//!
//! * `file`, `file-4`: `"Iteration: {} int: {} double: {}"` from one thread, from four;
//! * `text121`: one string of 121 bytes, from one thread: real lines of [Loghub] where its files
//!   are found, see `--texts`, and otherwise made-up ones;
//! * `file-offload`: as `file`, with the file on a thread of its own behind a queue that has room for
//!   all lines: formatting and writing overlap, for a copy and a third thread;
//! * `null`, `null-4`: as `file`, but the text is rendered and then thrown away;
//! * `json`, `json-null`: as `file` and `null`, in JSON.
//!
//! The number of lines is that of all threads of a case together. The file lies on `/dev/shm` where
//! that exists, so that no disk is measured, and where it will be is written to before. After each run it is read back, JSON by `serde_json`: each
//! line must be the one that `format!` makes of its number, and the numbers of each thread must be
//! complete and in order.
//!
//! The cases run one after the other, and all of them again `--reps` times; shown is the median, and
//! the fastest and the slowest run. Threads are not pinned unless `--pin` is given: then the consumer
//! gets the last allowed core, and the others share the rest in turn.
//!
//! [Loghub]: https://github.com/logpai/loghub

mod support;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ringlog::format::{Json, Text};
use ringlog::sink::SinkOptions;
use ringlog::{Level, Overflow, RingLogger, ShutdownOutcome, rlog, sink};

use support::arguments::{Arguments, UsageError};
use support::cores;
use support::results::{self, Row};

const HELP: &str = "\
How many lines a second reach a file.

Usage: cargo bench --bench throughput -- [OPTIONS]

Options:
  --json               one JSON object per case instead of a table
  --filter SUBSTRING   only the case of this name, or else those with this in their names
  --reps N             how often all cases are repeated (default 5)
  --lines N            lines per run, all threads together (default 4000000)
  --texts FOLDER       where the lines of `text121` are cut from, which files `*.log` have
                       (default ../shared/data/loghub, if that is there)
  --pin                pins the consumer to the last allowed core, and the other threads to the rest
  --help               prints this
";

/// Four million lines take a second or less.
const DEADLINE: Duration = Duration::from_secs(120);

/// Room for the lines of a whole run, since a queue that is full loses what comes.
const QUEUE: usize = 1 << 30;

struct Options {
    json: bool,
    filter: String,
    reps: u64,
    lines: u64,
    pin: bool,
    texts: PathBuf,
}

/// `None`: the user asked for help.
fn options(mut arguments: Arguments) -> Result<Option<Options>, UsageError> {
    let measuring = support::is_measuring();
    let mut options = Options {
        json: false,
        filter: String::new(),
        reps: if measuring { 5 } else { 1 },
        lines: if measuring { 4_000_000 } else { 20_000 },
        pin: false,
        texts: Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/loghub"),
    };
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(None),
            // From cargo.
            Some("--bench") => {}
            Some("--json") => options.json = true,
            Some("--filter") => options.filter = arguments.text("--filter")?,
            Some("--reps") => options.reps = arguments.number("--reps", 1..=1000)?,
            Some("--lines") => options.lines = arguments.number("--lines", 1..=1_000_000_000)?,
            Some("--pin") => options.pin = true,
            Some("--texts") => options.texts = arguments.text("--texts")?.into(),
            _ => return Err(UsageError::unknown(&argument)),
        }
    }
    Ok(Some(options))
}

#[derive(Clone)]
enum Message {
    Iteration,
    /// One of these, in turn.
    Text(Arc<[String]>),
}

impl Message {
    /// Logs the messages that end in the numbers `0..count`.
    fn log_all(&self, logger: &RingLogger, count: u64) {
        match self {
            Message::Iteration => {
                for number in 0..count {
                    rlog!(
                        logger: logger,
                        Level::Info,
                        "Iteration: {} int: {} double: {}",
                        number,
                        2 * number,
                        number as f64 / 2.0
                    );
                }
            }
            Message::Text(texts) => {
                for text in texts.iter().cycle().take(count as usize) {
                    rlog!(logger: logger, Level::Info, "{}", text);
                }
            }
        }
    }

    /// Writes what message `number` should read.
    fn render(&self, number: u64, into: &mut String) {
        match self {
            Message::Iteration => write!(
                into,
                "Iteration: {} int: {} double: {}",
                number,
                2 * number,
                number as f64 / 2.0
            )
            .expect("a string takes all text"),
            Message::Text(texts) => {
                into.push_str(&texts[(number % texts.len() as u64) as usize]);
            }
        }
    }
}

/// The length of the strings that are logged, in bytes.
const TEXT: usize = 121;

/// How many different strings there are at most: so many are in the second cache.
const TEXTS: usize = 4096;

/// The strings that are logged: the beginnings of real lines, or made-up ones.
fn texts(folder: &Path) -> Arc<[String]> {
    let mut texts = real_texts(folder);
    if texts.is_empty() {
        texts.extend((0..64).map(|number| {
            let text = format!("{number:02} {}", "0123456789 abcdefghijklmnopq ".repeat(5));
            text[..TEXT].to_string()
        }));
    }
    texts.into()
}

/// The beginnings of the lines that are long enough, and are logged as they are.
fn real_texts(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    files.sort();
    let contents = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    let is_plain = |text: &String| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    contents
        .flat_map(|content| {
            let lines = content.lines().filter_map(|line| line.get(..TEXT));
            let texts: Vec<_> = lines.map(str::to_string).filter(is_plain).collect();
            texts
        })
        .take(TEXTS)
        .collect()
}

#[derive(Clone, Copy, PartialEq)]
enum To {
    File,
    /// The same on a thread of its own.
    Offload,
    Null,
}

#[derive(Clone, Copy)]
enum Form {
    Text,
    Json,
}

/// What is logged, by how many threads, to where; and how long each run took.
struct Case {
    name: &'static str,
    producers: u64,
    message: Message,
    form: Form,
    to: To,
    seconds: Vec<f64>,
}

impl Case {
    fn all(options: &Options) -> Vec<Case> {
        let text = Message::Text(texts(&options.texts));
        [
            ("file", 1, Message::Iteration, Form::Text, To::File),
            ("file-4", 4, Message::Iteration, Form::Text, To::File),
            ("text121", 1, text, Form::Text, To::File),
            (
                "file-offload",
                1,
                Message::Iteration,
                Form::Text,
                To::Offload,
            ),
            ("null", 1, Message::Iteration, Form::Text, To::Null),
            ("null-4", 4, Message::Iteration, Form::Text, To::Null),
            ("json", 1, Message::Iteration, Form::Json, To::File),
            ("json-null", 1, Message::Iteration, Form::Json, To::Null),
        ]
        .map(|(name, producers, message, form, to)| Case {
            name,
            producers,
            message,
            form,
            to,
            seconds: Vec::new(),
        })
        .into()
    }

    /// How many lines producer `number` logs of `lines`.
    fn share(&self, number: u64, lines: u64) -> u64 {
        lines / self.producers + u64::from(number < lines % self.producers)
    }

    fn repeat(&mut self, options: &Options, file: &Path) -> Result<(), String> {
        let cores = if options.pin {
            cores::allowed()
        } else {
            Vec::new()
        };
        let (consumer, producers) = match cores.split_last() {
            Some((&last, rest)) if !rest.is_empty() => (Some(last), rest),
            _ => (None, &[][..]),
        };
        if self.to != To::Null {
            touch_memory(file, options.lines)
                .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        }
        let mut builder = RingLogger::builder()
            .overflow(Overflow::Block)
            .closing_record(false);
        if let Some(core) = consumer {
            builder = builder.pin(core);
        }
        let format = match self.form {
            Form::Text => SinkOptions::new().format(Text::new()),
            Form::Json => SinkOptions::new().format(Json::new()),
        };
        let open = || sink::File::truncate(file).map_err(|error| error.to_string());
        builder = match self.to {
            To::File => builder.sink_with(open()?, format),
            To::Offload => builder.sink_with(
                sink::Offload::new(open()?)
                    .queue_bytes(QUEUE)
                    .batch_bytes(1 << 20),
                format,
            ),
            To::Null => builder.sink_with(sink::Null, format),
        };
        let logger = builder.build().map_err(|error| error.to_string())?;
        if self.seconds.is_empty() {
            for warning in logger.warnings() {
                eprintln!("throughput: {}: {warning}", self.name);
            }
        }

        let start = Instant::now();
        thread::scope(|scope| {
            let mut cores = producers.iter().cycle();
            let mut threads = Vec::new();
            for number in 0..self.producers {
                let share = self.share(number, options.lines);
                let (logger, message, core) = (&logger, &self.message, cores.next());
                let thread = thread::Builder::new()
                    .name(format!("producer-{number}"))
                    .spawn_scoped(scope, move || {
                        let pinned = core.map_or(Ok(()), |&core| cores::pin(core));
                        message.log_all(logger, share);
                        pinned
                    })
                    .map_err(|error| format!("cannot start a thread: {error}"))?;
                threads.push(thread);
            }
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().expect("logging does not panic"))
        })?;
        let report = logger.shutdown(DEADLINE);
        let seconds = start.elapsed().as_secs_f64();

        if report.outcome != ShutdownOutcome::Drained || report.written != options.lines {
            return Err(format!("{}: not all was written: {report}", self.name));
        }
        if self.to != To::Null {
            let verified = self.verify(file, options.lines);
            let removed = fs::remove_file(file);
            verified.map_err(|fault| format!("{}: {fault}", self.name))?;
            removed.map_err(|error| format!("cannot remove {}: {error}", file.display()))?;
        }
        self.seconds.push(seconds);
        Ok(())
    }

    /// Reads the log back: it has all messages of each producer, in order, and nothing else.
    fn verify(&self, file: &Path, lines: u64) -> Result<(), String> {
        let name = file.display();
        let cannot_read = |error| format!("cannot read {name}: {error}");
        let mut input =
            BufReader::with_capacity(1 << 20, fs::File::open(file).map_err(cannot_read)?);
        let mut next = vec![0; self.producers as usize];
        let mut line = String::new();
        let mut expected = String::new();
        let mut count = 0_u64;
        while input.read_line(&mut line).map_err(cannot_read)? > 0 {
            count += 1;
            let (producer, message) = match self.form {
                Form::Text => parse(&line).map(|(number, text)| (number, Cow::Borrowed(text))),
                Form::Json => parse_json(&line, count),
            }
            .ok_or_else(|| format!("line {count} is no record: {line:?}"))?;
            let number = next
                .get_mut(producer)
                .ok_or_else(|| format!("line {count} is of an unknown thread: {line:?}"))?;
            expected.clear();
            self.message.render(*number, &mut expected);
            if message != expected {
                return Err(format!("line {count} is {line:?}, and not {expected:?}"));
            }
            *number += 1;
            line.clear();
        }
        for (number, &found) in (0..).zip(&next) {
            let share = self.share(number, lines);
            if found != share {
                return Err(format!("producer {number} has {found} of {share} lines"));
            }
        }
        Ok(())
    }

    fn row(&self, lines: u64) -> Row {
        let [fastest, seconds, slowest] = support::spread(&self.seconds);
        let rate = |seconds| lines as f64 / seconds;
        Row::new()
            .text("case", self.name)
            .count("producers", self.producers)
            .text("clock", "tsc")
            .text(
                "format",
                match self.form {
                    Form::Text => "text",
                    Form::Json => "json",
                },
            )
            .count("lines", lines)
            .measured("seconds", seconds, 4)
            .measured("lines_per_s", rate(seconds), 0)
            .measured("fastest_lines_per_s", rate(fastest), 0)
            .measured("slowest_lines_per_s", rate(slowest), 0)
            .count("runs", self.seconds.len() as u64)
    }
}

/// Writes as much to the file as so many lines have at most, for the next who opens it to empty it. A
/// virtual machine may have handed memory that was free for a while back to its host, and getting
/// it again takes several times as long as all of the logging.
fn touch_memory(file: &Path, lines: u64) -> io::Result<()> {
    const LINE: u64 = 256;
    let mut file = fs::File::create(file)?;
    io::copy(&mut io::repeat(b' ').take(lines * LINE), &mut file)?;
    Ok(())
}

/// The producer's number and the message of a line of JSON, which is record `seq`.
fn parse_json(line: &str, seq: u64) -> Option<(usize, Cow<'static, str>)> {
    let line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).ok()?;
    let text = |key| line.get(key)?.as_str();
    let is_record = line.len() == 8
        && text("ts")?.len() == 30
        && text("level")? == "INFO"
        && text("target")? == "throughput"
        && text("file")?.ends_with("throughput.rs")
        && line["line"].as_u64()? > 0
        && line["seq"].as_u64()? == seq;
    let producer = text("thread")?.strip_prefix("producer-")?.parse().ok()?;
    let message = text("msg")?.to_owned();
    Some((producer, message.into())).filter(|_| is_record)
}

/// The producer's number and the message of a line such as
/// `2026-11-23T06:24:46.204916267Z INFO  throughput throughput.rs:42 [producer-0] text`.
fn parse(line: &str) -> Option<(usize, &str)> {
    let line = line.strip_suffix('\n')?;
    let (prefix, rest) = line.split_once(" [producer-")?;
    let (producer, message) = rest.split_once("] ")?;
    // A thread that was preempted while it logged.
    let message = message.strip_suffix(" late=true").unwrap_or(message);
    let mut words = prefix.split_ascii_whitespace();
    let time = words.next()?;
    let is_time = time.len() == 30 && time.as_bytes()[10] == b'T' && time.ends_with('Z');
    let is_prefix = is_time
        && words.next() == Some("INFO")
        && words.next() == Some("throughput")
        && words.next()?.starts_with("throughput.rs:")
        && words.next().is_none();
    Some((producer.parse().ok()?, message)).filter(|_| is_prefix)
}

fn run(options: &Options) -> Result<(), String> {
    let mut cases = Case::all(options);
    let is_one = cases.iter().any(|case| case.name == options.filter);
    cases.retain(|case| match is_one {
        true => case.name == options.filter,
        false => case.name.contains(&options.filter),
    });
    if cases.is_empty() {
        return Err(format!("no case has `{}` in its name", options.filter));
    }
    let file =
        support::memory_folder().join(format!("ringlog-throughput-{}.log", std::process::id()));
    for _ in 0..options.reps {
        for case in &mut cases {
            case.repeat(options, &file)?;
        }
    }
    let rows: Vec<Row> = cases.iter().map(|case| case.row(options.lines)).collect();
    results::print(&rows, options.json);
    Ok(())
}

fn main() -> ExitCode {
    support::run("throughput", HELP, options, run)
}
