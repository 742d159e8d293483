//! The contenders: how each is set up, logs, and is brought to write out everything.
//!
//! Each is set up as its documentation recommends for a file that is written by another thread, with
//! its default format and queue, except that it waits when the queue is full. Where the
//! documentation leaves a choice, it is made in favour of the peer, and told in `setup`.

use std::fs::File;
use std::io::BufWriter;
use std::sync::Arc;
use std::time::Duration;

use crate::child::{Bench, Measured};

/// One logger in one set-up.
#[derive(Debug)]
pub struct Contender {
    /// As it is asked for and shown.
    pub name: &'static str,
    /// The package on crates.io whose version is shown.
    pub package: &'static str,
    /// How it is set up, in a few words of its own terms.
    pub setup: &'static str,
    pub run: fn(&Bench) -> Result<Measured, String>,
}

impl Contender {
    /// ringlog first.
    pub const ALL: &[Contender] = &[
        Contender {
            name: "ringlog-tsc",
            package: "ringlog",
            setup: "defaults, `Overflow::Block`, `Clock::Tsc`",
            run: |bench| ringlog(bench, ringlog::Clock::Tsc),
        },
        Contender {
            name: "ringlog-arrival",
            package: "ringlog",
            setup: "defaults, `Overflow::Block`, `Clock::Arrival`",
            run: |bench| ringlog(bench, ringlog::Clock::Arrival),
        },
        Contender {
            name: "ticklog",
            package: "ticklog",
            setup: "`FileSink`, `Backpressure::Block`; its thread always spins",
            run: crate::ticklog,
        },
        Contender {
            name: "inqjet",
            package: "inqjet",
            setup: "`BufWriter<File>`, 1 MiB buffer, `with_timeout(None)` (its thread always spins), \
                    `Backoff`: as in its own benchmark",
            run: inqjet,
        },
        Contender {
            name: "tracing",
            package: "tracing-appender",
            setup: "`non_blocking`, `lossy(false)`, over a `BufWriter<File>` (flushed whenever the \
                    queue is empty); `tracing_subscriber::fmt`, no colours",
            run: tracing,
        },
        Contender {
            name: "slog-async",
            package: "slog-async",
            setup: "`OverflowStrategy::Block`, default queue (128); `slog_term::FullFormat`, \
                    `PlainDecorator` over a `BufWriter<File>` (flushed at every record)",
            run: slog_async,
        },
        Contender {
            name: "spdlog-rs",
            package: "spdlog-rs",
            setup: "`AsyncPoolSink`, `OverflowPolicy::Block`, default queue (8,192), `FileSink`; \
                    flushed once, at the end",
            run: spdlog,
        },
        Contender {
            name: "ftlog",
            package: "ftlog",
            setup: "feature `tsc`, `bounded(100_000, true)`, `utc()`, `FileAppender`",
            run: ftlog,
        },
        Contender {
            name: "fast_log",
            package: "fast_log",
            setup: "`chan_len(Some(100_000))`, `file`",
            run: fast_log,
        },
        Contender {
            name: "flexi_logger",
            package: "flexi_logger",
            setup: "`WriteMode::Async`; its queue is unbounded, so it never waits",
            run: flexi_logger,
        },
        Contender {
            name: "log4rs",
            package: "log4rs",
            setup: "`FileAppender`, default pattern; it has no thread of its own, and writes each line \
                    in the call",
            run: log4rs,
        },
    ];

    pub fn named(name: &str) -> Result<&'static Contender, String> {
        Contender::ALL
            .iter()
            .find(|contender| contender.name == name)
            .ok_or_else(|| {
                let names: Vec<&str> = Contender::ALL.iter().map(|one| one.name).collect();
                format!("`{name}` is no contender; these are: {}", names.join(", "))
            })
    }

    pub fn is_ringlog(&self) -> bool {
        self.package == "ringlog"
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The statement of all contenders: the macro, and what it takes before the format string.
macro_rules! statement {
    ($number:ident, $($macro:ident)::+ $(, $argument:expr)*) => {
        $($macro)::+!(
            $($argument,)*
            "Iteration: {} int: {} double: {}",
            $number,
            2 * $number,
            $number as f64 / 2.0
        )
    };
}

pub(crate) use statement;

fn ringlog(bench: &Bench, clock: ringlog::Clock) -> Result<Measured, String> {
    use ringlog::{Overflow, RingLogger, ShutdownOutcome, sink};

    let logger = RingLogger::builder()
        .overflow(Overflow::Block)
        .closing_record(false)
        .clock(clock)
        .sink(sink::File::truncate(&bench.file).map_err(text)?)
        .install()
        .map_err(text)?;
    bench.measure(
        |number| {
            statement!(number, ringlog::info);
        },
        || {
            let report = logger.shutdown(Duration::from_secs(120));
            if report.outcome == ShutdownOutcome::Drained {
                Ok(())
            } else {
                Err(report.to_string())
            }
        },
    )
}

fn inqjet(bench: &Bench) -> Result<Measured, String> {
    let file = File::create(&bench.file).map_err(text)?;
    let guard = inqjet::InqJetBuilder::default()
        .with_writer(BufWriter::new(file))
        .with_log_level(inqjet::LevelFilter::Info)
        .with_buffer_size(1 << 20)
        .with_timeout(None)
        .with_backpressure(inqjet::BackpressureMode::Backoff)
        .build()
        .map_err(text)?;
    bench.measure(
        |number| statement!(number, inqjet::info),
        || {
            drop(guard);
            Ok(())
        },
    )
}

fn tracing(bench: &Bench) -> Result<Measured, String> {
    let file = File::create(&bench.file).map_err(text)?;
    let (writer, guard) = tracing_appender::non_blocking::NonBlockingBuilder::default()
        .lossy(false)
        .finish(BufWriter::new(file));
    tracing_subscriber::fmt()
        .with_writer(writer)
        .with_ansi(false)
        .init();
    bench.measure(
        |number| statement!(number, tracing::info),
        || {
            drop(guard);
            Ok(())
        },
    )
}

fn slog_async(bench: &Bench) -> Result<Measured, String> {
    use slog::Drain;

    let file = File::create(&bench.file).map_err(text)?;
    let decorator = slog_term::PlainDecorator::new(BufWriter::new(file));
    let drain = slog_term::FullFormat::new(decorator).build().fuse();
    let (drain, guard) = slog_async::Async::new(drain)
        .overflow_strategy(slog_async::OverflowStrategy::Block)
        .build_with_guard();
    let logger = slog::Logger::root(drain.fuse(), slog::o!());
    bench.measure(
        |number| statement!(number, slog::info, logger),
        || {
            drop(guard);
            Ok(())
        },
    )
}

fn spdlog(bench: &Bench) -> Result<Measured, String> {
    use spdlog::sink::{AsyncPoolSink, FileSink, OverflowPolicy};

    let file = FileSink::builder()
        .path(&bench.file)
        .truncate(true)
        .build_arc()
        .map_err(text)?;
    let pool = Arc::new(spdlog::ThreadPool::new().map_err(text)?);
    let sink = AsyncPoolSink::builder()
        .sink(file)
        .overflow_policy(OverflowPolicy::Block)
        .thread_pool(pool.clone())
        .build_arc()
        .map_err(text)?;
    let logger = spdlog::Logger::builder()
        .sink(sink)
        .build_arc()
        .map_err(text)?;
    spdlog::set_default_logger(logger.clone());
    bench.measure(
        |number| statement!(number, spdlog::info),
        || {
            logger.flush();
            // The pool's thread ends when it has done everything, and is waited for, once nobody
            // holds the pool.
            let other = Arc::new(spdlog::Logger::builder().build().map_err(text)?);
            drop(spdlog::swap_default_logger(other));
            drop(logger);
            drop(pool);
            Ok(())
        },
    )
}

fn ftlog(bench: &Bench) -> Result<Measured, String> {
    let guard = ftlog::builder()
        .max_log_level(ftlog::LevelFilter::Info)
        .bounded(100_000, true)
        .utc()
        .root(
            ftlog::appender::FileAppender::builder()
                .path(&bench.file)
                .build(),
        )
        .try_init()
        .map_err(text)?;
    bench.measure(
        |number| statement!(number, log::info),
        || {
            drop(guard);
            Ok(())
        },
    )
}

fn fast_log(bench: &Bench) -> Result<Measured, String> {
    let file = bench.file.to_str().ok_or("the path is not UTF-8")?;
    fast_log::init(
        fast_log::Config::new()
            .level(log::LevelFilter::Info)
            .chan_len(Some(100_000))
            .file(file),
    )
    .map_err(text)?;
    bench.measure(
        |number| statement!(number, log::info),
        || {
            log::logger().flush();
            Ok(())
        },
    )
}

fn flexi_logger(bench: &Bench) -> Result<Measured, String> {
    use flexi_logger::{FileSpec, Logger, WriteMode};

    let handle = Logger::try_with_str("info")
        .map_err(text)?
        .log_to_file(FileSpec::try_from(&bench.file).map_err(text)?)
        .write_mode(WriteMode::Async)
        .start()
        .map_err(text)?;
    bench.measure(
        |number| statement!(number, log::info),
        || {
            handle.shutdown();
            Ok(())
        },
    )
}

fn log4rs(bench: &Bench) -> Result<Measured, String> {
    use log4rs::append::file::FileAppender;
    use log4rs::config::{Appender, Config, Root};

    let file = FileAppender::builder()
        .append(false)
        .build(&bench.file)
        .map_err(text)?;
    let config = Config::builder()
        .appender(Appender::builder().build("file", Box::new(file)))
        .build(
            Root::builder()
                .appender("file")
                .build(log::LevelFilter::Info),
        )
        .map_err(text)?;
    log4rs::init_config(config).map_err(text)?;
    bench.measure(|number| statement!(number, log::info), || Ok(()))
}
