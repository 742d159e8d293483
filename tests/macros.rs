//! What a statement may look like, and that it says what `format!` would.

mod support;

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use ringlog::sink::Memory;
use ringlog::{
    Level, LevelFilter, Outcome, Producer, RingLogger, Timestamp, debug, error, info, rlog, trace,
    warn,
};
use support::{Books, LONG, Log};

/// A logger, and the texts that it should log.
struct Said {
    logger: RingLogger,
    memory: Memory,
    books: Books,
    expected: Vec<String>,
}

impl Said {
    fn new() -> Self {
        let memory = Memory::new();
        Said {
            logger: RingLogger::builder()
                .level(LevelFilter::Trace)
                .sink(memory.clone())
                .build()
                .unwrap(),
            memory,
            books: Books::new(),
            expected: Vec::new(),
        }
    }

    #[track_caller]
    fn check(self) -> Log {
        let report = self.logger.shutdown(LONG);
        self.books.check_report(&self.logger, &report);
        let log = Log::of(&self.memory);
        for (found, expected) in log.texts().iter().zip(&self.expected) {
            assert_eq!(found, expected);
        }
        assert_eq!(log.records().count(), self.expected.len());
        log
    }
}

/// Logs, and expects what `format!` makes of the same.
macro_rules! say {
    ($said:ident, $($arguments:tt)+) => {
        let outcome = info!(logger: &$said.logger, $($arguments)+);
        assert_eq!($said.books.note(Level::Info, outcome), Outcome::Accepted);
        $said.expected.push(format!($($arguments)+));
    };
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Buy,
    Sell { short: bool },
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // With the specification's width.
        f.pad(match self {
            Side::Buy => "buy",
            Side::Sell { short: false } => "sell",
            Side::Sell { short: true } => "short",
        })
    }
}

#[test]
fn every_type_is_logged_as_it_is_formatted() {
    let mut said = Said::new();
    macro_rules! say_all {
        ($($value:expr),+ $(,)?) => {$(
            say!(said, "{}", $value);
            say!(said, "{:?} {0:>12} {0:<12?}|{0:^+9}", $value);
        )+};
    }
    say_all!(i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN, isize::MIN);
    say_all!(i8::MAX, i16::MAX, i32::MAX, i64::MAX, i128::MAX, isize::MAX);
    say_all!(u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX, usize::MAX);
    say_all!(0_i8, 0_u64, 0_i128, 42_u8, -1_i16);
    say_all!(
        1.5_f32,
        -0.0_f64,
        0.1_f64,
        f64::MAX,
        f64::MIN_POSITIVE,
        f32::EPSILON,
        1e16_f64
    );
    say_all!(f64::NAN, f64::INFINITY, f32::NEG_INFINITY);
    say_all!(true, false, 'x', 'é', '🦀', "text", "", "größer €");
    say_all!(
        String::from("owned"),
        &String::from("borrowed"),
        &&"twice",
        &mut 7
    );
    say_all!(Cow::Borrowed("cow"), Box::new(5), std::rc::Rc::new("rc"));
    say_all!(Side::Buy, &Side::Sell { short: true });
    say_all!(std::net::Ipv4Addr::LOCALHOST, std::num::NonZeroU32::MIN);
    say!(said, "{:?}", ());
    say!(
        said,
        "{:?} {:?}",
        Duration::from_micros(1500),
        Some(Duration::ZERO)
    );
    say!(said, "{:?} {:?} {:#?}", [1, 2], vec!["a"], 5);
    say!(said, "{:?} {:?}", (1, 'x', "y"), None::<u8>);
    say!(
        said,
        "{:?} {:?}",
        Ok::<u8, ()>(1),
        Side::Sell { short: false }
    );
    say!(
        said,
        "{} {}",
        format_args!("{}-{}", 1, 2),
        std::path::Path::new("/a b").display()
    );
    said.check();
}

#[test]
fn every_specification_means_what_it_means_to_format() {
    let mut said = Said::new();
    let (px, qty, width, precision) = (101.256, 300_i64, 12_usize, 1_usize);
    let name = "ACME";
    say!(said, "no arguments");
    say!(said, "");
    say!(said, "{{}} {{{}}} }}", 1);
    say!(said, "{px} {qty} {name}");
    say!(said, "{px:.2} {qty:>6} {name:-^10}");
    say!(said, "{0} {1} {0} {second}", 1, 2, second = 3);
    say!(said, "{1} {} {0} {}", 1, 2);
    say!(
        said,
        "{:x} {:X} {:o} {:b} {:#x} {:#b} {:#o}",
        255,
        255,
        8,
        5,
        -1_i8,
        5_u8,
        8_u128
    );
    say!(
        said,
        "{:08.3} {:+} {:+.1} {:e} {:E}",
        px,
        5,
        px,
        1500.0,
        0.001_f32
    );
    say!(
        said,
        "{:#010x} {:#06b} {:05} {:<05} {:^+7}",
        255,
        5,
        -42,
        7,
        7
    );
    say!(
        said,
        "{:width$} {:>1$} {:.precision$} {:>width$.precision$}",
        qty,
        width,
        px,
        px
    );
    say!(said, "{:.*} {:.*}", 2, px, 3, "truncated");
    say!(said, "{:>1$.2$} {}", px, 10, 3);
    say!(said, "{:*^20} {:🦀<6} {:>4}", name, "é", '€');
    say!(said, "{:.2} {:10.3}| {:<8?}|", "abc", "abcdef", "q\"uote");
    say!(said, "{:#?} {:02x?} {:02X?}", 5, [1, 171], [1, 171]);
    say!(
        said,
        "{:>8} {:<8}| {:^8}",
        Side::Buy,
        Side::Sell { short: true },
        Side::Buy
    );
    say!(said, "{:?} {:5} {:<7?}", true, true, false);
    let place = &7;
    say!(said, "{:p} {:#p} {place:p}", place, place);
    say!(said, "{:e} {:e}", 1500_u32, i128::MAX);
    said.check();
}

#[test]
fn a_statement_names_its_target_its_place_and_its_thread() {
    let said = Said::new();
    const TARGET: &str = "engine::matcher";
    let logger = &said.logger;
    let lines = std::thread::Builder::new()
        .name("matcher".into())
        .spawn_scoped_and_join(|| {
            [
                (line!(), error!(logger: logger, target: "risk", "a")),
                (line!(), warn!(target: TARGET, logger: logger, "b")),
                (line!(), rlog!(logger: logger, Level::Debug, "c")),
                (line!(), trace!(logger: logger, "d")),
            ]
        });
    let report = said.logger.shutdown(LONG);
    assert_eq!(report.written, 4);
    let log = Log::of(&said.memory);
    let found: Vec<_> = log
        .lines
        .iter()
        .map(|line| (line.level, &*line.target, &*line.thread))
        .collect();
    assert_eq!(
        found,
        [
            (Level::Error, "risk", "matcher"),
            (Level::Warn, "engine::matcher", "matcher"),
            (Level::Debug, "macros", "matcher"),
            (Level::Trace, "macros", "matcher"),
        ]
    );
    for (found, (line, outcome)) in log.lines.iter().zip(lines) {
        assert_eq!(outcome, Outcome::Accepted);
        assert_eq!(found.location, format!("macros.rs:{line}"));
    }
}

/// Runs in a named thread.
trait Named {
    fn spawn_scoped_and_join<R: Send>(self, run: impl FnOnce() -> R + Send) -> R;
}

impl Named for std::thread::Builder {
    fn spawn_scoped_and_join<R: Send>(self, run: impl FnOnce() -> R + Send) -> R {
        std::thread::scope(|scope| self.spawn_scoped(scope, run).unwrap().join().unwrap())
    }
}

#[test]
fn a_logger_may_be_named_in_any_way_that_reaches_it() {
    let said = Said::new();
    let Said { logger, .. } = &said;
    let producer: Producer = logger.producer();
    let boxed: Box<&RingLogger> = Box::new(logger);
    let outcomes = [
        info!(logger: said.logger, "by value"),
        info!(logger: &said.logger, "by reference"),
        info!(logger: logger, "through a variable"),
        info!(logger: &&&logger, "through several references"),
        info!(logger: *boxed, "from a box"),
        info!(logger: { logger }, "from a block"),
        info!(logger: producer, "producer by value"),
        info!(logger: &producer, "producer by reference"),
    ];
    assert_eq!(outcomes, [Outcome::Accepted; 8]);
    // Naming it by value has not moved it.
    drop(producer);
    assert_eq!(said.logger.shutdown(LONG).written, 8);
}

#[test]
fn a_time_may_be_given_in_either_form() {
    let said = Said::new();
    let logger = &said.logger;
    let now = SystemTime::now();
    let nanos = Timestamp::from(now).as_unix_nanos();
    assert_eq!(info!(logger: logger, at: now, "a"), Outcome::Accepted);
    assert_eq!(
        info!(at: Timestamp::from_unix_nanos(nanos), logger: logger, target: "t", "b {}", 1),
        Outcome::Accepted
    );
    said.logger.shutdown(LONG);
    let log = Log::of(&said.memory);
    assert_eq!(log.lines[0].time, nanos);
    assert_eq!(log.lines[1].time, nanos);
}

#[test]
fn a_statement_is_an_expression_of_any_place() {
    fn tail(logger: &RingLogger) -> Outcome {
        debug!(logger: logger, "tail {}", 1,)
    }

    let said = Said::new();
    let logger = &said.logger;
    let closure = |n: u32| info!(logger: logger, "closure {n}");
    let chosen = match closure(1) {
        Outcome::Accepted => warn!(logger: logger, "arm"),
        other => other,
    };
    assert_eq!(chosen, Outcome::Accepted);
    assert_eq!(tail(logger), Outcome::Accepted);
    let temporary = info!(logger: logger, "{}", String::from("temporary").as_str());
    assert_eq!(temporary, Outcome::Accepted);
    if true {
        info!(logger: logger, "statement");
    }
    assert_eq!(said.logger.shutdown(LONG).written, 5);
}

#[test]
fn a_generic_statement_logs_each_of_its_types() {
    fn generic<T: fmt::Display>(said: &mut Said, value: T) {
        for _ in 0..3 {
            say!(said, "{value} {value:>9}");
        }
    }

    let mut said = Said::new();
    for _ in 0..2 {
        generic(&mut said, 1_u8);
        generic(&mut said, -1_i64);
        generic(&mut said, "text");
        generic(&mut said, 2.5);
        generic(&mut said, Side::Buy);
        generic(&mut said, String::from("owned"));
    }
    said.check();
}

#[test]
fn a_value_may_log_while_it_is_logged() {
    struct Order<'a>(&'a RingLogger, u32);
    impl fmt::Display for Order<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if self.1 > 0 {
                let outcome = info!(logger: self.0, "inside {}", Order(self.0, self.1 - 1));
                assert_eq!(outcome, Outcome::Accepted);
            }
            write!(f, "order {}", self.1)
        }
    }

    let said = Said::new();
    let outcome = info!(logger: &said.logger, "outside {} {}", 5, Order(&said.logger, 3));
    assert_eq!(outcome, Outcome::Accepted);
    let report = said.logger.shutdown(LONG);
    assert_eq!(report.written, 4);
    assert_eq!(
        Log::of(&said.memory).texts(),
        [
            "inside order 0",
            "inside order 1",
            "inside order 2",
            "outside 5 order 3"
        ]
    );
}

#[test]
fn a_value_that_fails_to_format_says_so_in_its_place() {
    struct Failing;
    impl fmt::Display for Failing {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("begun")?;
            Err(fmt::Error)
        }
    }

    let mut said = Said::new();
    let outcome = info!(logger: &said.logger, "{} {} {}", 1, Failing, 2);
    assert_eq!(said.books.note(Level::Info, outcome), Outcome::Accepted);
    said.expected
        .push("1 begun<a formatting trait returned an error> 2".into());
    say!(said, "the lane works: {}", Side::Buy);
    said.check();
}

/// Lanes and the shared ring alike: nothing has been claimed when user code runs.
#[test]
fn a_value_that_panics_reaches_the_caller_and_leaves_the_ring_usable() {
    struct Panicking;
    impl fmt::Display for Panicking {
        fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("on purpose");
        }
    }

    for lanes in [1, 0] {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .lanes(lanes)
            .sink(memory.clone())
            .build()
            .unwrap();
        for number in 0..100 {
            books.note(Level::Info, info!(logger: &logger, "before {number}"));
            let panic = catch_unwind(AssertUnwindSafe(
                || info!(logger: &logger, "{} {} {}", number, Side::Buy, Panicking),
            ));
            assert!(panic.is_err());
            books.note(
                Level::Info,
                info!(logger: &logger, "after {number} {}", Side::Buy),
            );
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(report.written, 200);
        assert_eq!(Log::of(&memory).records().count(), 200);
    }
}

#[test]
fn many_arguments_fit_in_one_record() {
    let mut said = Said::new();
    say!(
        said,
        "{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
        1_u128,
        2_u128,
        3_u128,
        4_u128,
        5_u128,
        6_u128,
        7_u128,
        8_u128,
        9_u128,
        10_u128,
        11_u128,
        12_u128,
        13,
        14,
        "15",
        '6',
        true,
        18.5,
        Side::Buy,
        "20",
        String::from("21"),
        22_i8,
        23,
        24
    );
    assert_eq!(said.logger.stats().cut, 0);
    said.check();
}

/// Arguments and thread names come from outside; what they hold cannot look like another line.
#[test]
fn untrusted_text_cannot_forge_a_line() {
    const FORGED: &str = "ok\n2026-11-23T06:24:46.204916267Z ERROR risk risk.rs:1 [main] forged";
    let said = Said::new();
    let logger = &said.logger;
    std::thread::Builder::new()
        .name(format!("evil\n{FORGED}"))
        .spawn_scoped_and_join(|| {
            info!(logger: logger, "{FORGED}");
            info!(logger: logger, "{FORGED:?}");
            info!(logger: logger, "{}", format_args!("{FORGED}\r\n"));
            info!(logger: logger, "{}", '\n');
            info!(logger: logger, "\x1b[31m{}\u{9b}31m\0\u{7f}\u{202e}\u{2028}", "\x1b]0;title\x07");
            info!(logger: logger, "{:>10}|{:\n>5}", "\n", 1);
        });
    assert_eq!(said.logger.shutdown(LONG).written, 6);
    let contents = said.memory.contents();
    let log = Log::parse(&contents);
    assert_eq!((contents.lines().count(), log.lines.len()), (7, 6));
    assert!(
        log.lines.iter().all(|line| line.target == "macros"),
        "{log:#?}"
    );
    for dangerous in [
        '\x1b', '\r', '\t', '\0', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2028}',
    ] {
        assert!(!contents.contains(dangerous), "{dangerous:?}");
    }
    assert!(
        log.lines[0].text.starts_with(r"ok\n2026"),
        "{}",
        log.lines[0].text
    );
    assert!(
        log.lines[0].thread.starts_with(r"evil\n"),
        "{}",
        log.lines[0].thread
    );
    assert_eq!(log.lines[3].text, r"\n");
}
