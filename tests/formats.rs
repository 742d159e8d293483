//! What the log looks like in each format: to the byte, and as others read it.

mod support;

#[path = "golden/statements.rs"]
mod statements;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::thread;

use ringlog::format::{AnyFormat, Color, Format, Json, Logfmt, Record, Redaction, Text, Value};
use ringlog::sink::{Memory, SinkOptions};
use ringlog::{Builder, LevelFilter, RingLogger, context, error, info};
use serde_json::json;
use support::LONG;

/// A logger of everything, in this format.
fn logging(format: impl Into<AnyFormat>) -> (RingLogger, Memory) {
    let memory = Memory::new();
    let logger = builder()
        .sink_with(memory.clone(), SinkOptions::new().format(format))
        .build()
        .unwrap();
    (logger, memory)
}

fn builder() -> Builder {
    RingLogger::builder()
        .level(LevelFilter::Trace)
        .closing_record(false)
}

/// What a thread of this name writes.
fn written(format: impl Into<AnyFormat>, thread: &str, log: impl Fn(&RingLogger) + Sync) -> String {
    let (logger, memory) = logging(format);
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(thread.into());
        thread.spawn_scoped(scope, || log(&logger)).unwrap();
    });
    logger.shutdown(LONG);
    memory.contents()
}

/// Each line as JSON.
fn documents(text: &str) -> Vec<serde_json::Value> {
    assert!(text.ends_with('\n'), "{text}");
    let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(read).collect()
}

/// Compares with the file, or writes it if the variable `RINGLOG_BLESS` is set.
#[track_caller]
fn compare_with_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("RINGLOG_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    for (number, (line, expected)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(line, expected, "line {} of {name}", number + 1);
    }
    assert_eq!(text, expected, "{name}");
}

/// The standard library panics at this precision.
#[test]
fn the_greatest_precision_costs_no_record() {
    let (logger, memory) = logging(Text::pattern("{message}").unwrap());
    let most = usize::from(u16::MAX);
    info!(logger: &logger, "first {:.*e}", most, 1.5);
    info!(logger: &logger, "second {:.*E}|", most, 1.5_f32);
    info!(logger: &logger, "third");
    let report = logger.shutdown(LONG);
    assert!(report.is_complete() && report.written == 3, "{report}");
    let lines = memory.lines();
    assert!(lines[0].starts_with("first 1.500") && lines[0].ends_with("000e0"));
    assert!(lines[1].starts_with("second 1.500") && lines[1].contains("000E0|"));
    assert_eq!(lines[2], "third");
}

#[test]
#[cfg_attr(miri, ignore = "miri has no files")]
fn every_format_writes_what_its_golden_file_has() {
    let pattern = "{seq:>3} {time:date} {time:clock,ms,+05:30}|{level:^7}|{target:.8}|{module}|\
                   {path}|{file}:{line:<4}|{thread:*>10}|{message}{fields}{{}}";
    let formats: [(&str, AnyFormat); 6] = [
        ("text.log", Text::new().into()),
        ("pattern.log", Text::pattern(pattern).unwrap().into()),
        ("color.log", Text::new().color(Color::Always).into()),
        ("raw.log", Text::new().escape(false).into()),
        ("json.log", Json::new().into()),
        ("logfmt.log", Logfmt::new().into()),
    ];
    for (name, format) in formats {
        compare_with_golden(name, &written(format, "matcher", statements::log));
    }
}

#[test]
fn json_keeps_the_types_of_fields() {
    let text = written(Json::new(), "matcher", statements::log);
    let lines = documents(&text);
    let types = &lines[3];
    for (key, expected) in [
        ("small", json!(-128)),
        ("large", json!(u64::MAX.to_string())),
        ("wide", json!(u128::MAX.to_string())),
        ("whole", json!(7.0)),
        ("tenth", json!(0.1)),
        ("nan", json!("NaN")),
        ("inf", json!("-inf")),
        ("yes", json!(true)),
        ("letter", json!("ß")),
        ("nothing", json!(null)),
        ("empty", json!("")),
        ("quoted", json!("say \"hi\"")),
        ("path", json!(r"C:\new folder")),
    ] {
        assert_eq!(types[key], expected, "{key}");
    }
    assert!(types["whole"].is_f64() && types["small"].is_i64());
    let composites = &lines[4];
    for (key, expected) in [
        ("list", json!([1, 2, 3])),
        ("pair", json!([1, "two"])),
        ("some", json!(1)),
        ("none", json!(null)),
        ("map", json!({"ESZ6": [1, 2], "NQZ6": []})),
        ("took", json!(0.0015)),
    ] {
        assert_eq!(composites[key], expected, "{key}");
    }
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], json!(number + 1));
    }
}

/// Whatever comes in as a value or a name, each line is one document that says what was logged.
#[test]
fn json_survives_hostile_names_and_values() {
    let long = "x\"\\\n\u{202e}é\0".repeat(30);
    let hostile = [
        "",
        "\"",
        "\\",
        "\"}\n{\"msg\":\"forged\"",
        "\0\x01\x1f\x7f",
        "\u{80}\u{9f}\u{2028}\u{2029}\u{202a}\u{2069}\u{feff}",
        "\u{1f980}\u{10ffff}",
        "// </script> & '",
        &long,
    ];
    let (logger, memory) = logging(Json::new());
    for text in hostile {
        info!(
            logger: &logger,
            "" = text,
            "\"" = 1,
            "\\\n\u{202e}" = text,
            "ts" = text,
            "msg" = 2,
            "same" = 3,
            "same" = 4,
            "same_2" = 5,
            "{}|{text:?}",
            text
        );
        let _context = context!(same = text, file = 6, same_3 = 7, same = 8);
        info!(logger: &logger, "context");
    }
    logger.shutdown(LONG);
    let text = memory.contents();
    let lines = documents(&text);
    assert_eq!(lines.len(), 2 * hostile.len());
    // Nothing that a terminal obeys, and no line within a line.
    let harmless =
        |c: char| c == '\n' || !(c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c));
    assert!(text.chars().all(harmless));
    for (text, pair) in hostile.iter().zip(lines.chunks(2)) {
        let [line, context] = pair else {
            unreachable!()
        };
        for (key, value) in [
            ("", json!(text)),
            ("\"", json!(1)),
            ("\\\n\u{202e}", json!(text)),
        ] {
            assert_eq!(line[key], value);
        }
        for (key, value) in [("ts_2", json!(text)), ("msg_2", json!(2))] {
            assert_eq!(line[key], value);
        }
        for (key, value) in [("same", 3), ("same_3", 4), ("same_2", 5)] {
            assert_eq!(line[key], json!(value));
        }
        assert_eq!(line["msg"], json!(format!("{text}|{text:?}")));
        assert_eq!(line.as_object().unwrap().len(), 8 + 8);
        for (key, value) in [
            ("same", json!(text)),
            ("file_2", json!(6)),
            ("same_3", json!(7)),
        ] {
            assert_eq!(context[key], value);
        }
        assert_eq!(context["same_2"], json!(8));
        assert_eq!(context.as_object().unwrap().len(), 8 + 4);
    }
}

/// What does not fit into a record is cut off at the call; the document is whole.
#[test]
fn json_survives_what_is_too_long_for_a_record() {
    let long = "\"\\\n\u{202e}".repeat(100_000);
    let (logger, memory) = logging(Json::new());
    info!(logger: &logger, a = 1, b = long, c = 2, "{long}|{long:?}");
    assert_eq!(logger.shutdown(LONG).written, 1);
    let line = &documents(&memory.contents())[0];
    assert_eq!((&line["a"], &line["c"]), (&json!(1), &json!(2)));
    for key in ["b", "msg"] {
        let text = line[key].as_str().unwrap();
        assert!(text.contains("…(+") && text.contains(" bytes)"), "{text}");
    }
}

#[test]
fn logfmt_is_pairs_whatever_is_logged() {
    let long = "x y\"\\\n\u{202e}é\0".repeat(50);
    let hostile = [
        "",
        "a b",
        "a=b",
        "\"",
        "\\",
        "\n",
        "level=error",
        "\x1b[2J",
        "é",
        &long,
    ];
    let (logger, memory) = logging(Logfmt::new());
    for text in hostile {
        info!(logger: &logger, a = text, "b c=\"\n" = text, number = 7, "{}", text);
    }
    logger.shutdown(LONG);
    let contents = memory.contents();
    let lines: Vec<_> = contents.lines().collect();
    assert_eq!(lines.len(), hostile.len());
    for (line, text) in lines.iter().zip(hostile) {
        let pairs = pairs(line);
        let keys: Vec<_> = pairs.iter().map(|(key, _)| &**key).collect();
        let fixed = [
            "ts", "level", "target", "thread", "seq", "msg", "file", "line",
        ];
        assert_eq!(keys[..8], fixed);
        assert_eq!(keys[8..], ["a", "b_c___", "number"]);
        for place in [5, 8, 9] {
            assert_eq!(pairs[place].1, text);
        }
        assert_eq!((&*pairs[1].1, &*pairs[10].1), ("info", "7"));
    }
}

/// Reads a line of logfmt.
fn pairs(line: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').expect("a key");
        let (value, after) = if after.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(after).into_iter::<String>();
            let value = values.next().unwrap().expect("a string of JSON");
            (value, &after[values.byte_offset()..])
        } else {
            let end = after.find(' ').unwrap_or(after.len());
            (after[..end].to_owned(), &after[end..])
        };
        pairs.push((key.to_owned(), value));
        rest = after.strip_prefix(' ').unwrap_or(after);
        assert!(!key.contains([' ', '"']), "{line}");
    }
    pairs
}

/// A thread's name is as untrusted as a value.
#[test]
fn no_thread_can_forge_a_line() {
    let name = "a\"] b\n\x1b[31m";
    let log = |logger: &RingLogger| {
        info!(logger: logger, "text");
    };
    for format in [Text::new().into(), Json::new().into(), Logfmt::new().into()] {
        let format: AnyFormat = format;
        let text = written(format, name, log);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }
    let text = written(Json::new(), name, log);
    assert_eq!(documents(&text)[0]["thread"], json!(name));
    let text = written(Logfmt::new(), name, log);
    assert_eq!(pairs(text.trim_end())[3].1, name);
}

#[test]
fn escapes_can_be_turned_off_for_one_sink() {
    let (safe, raw) = (Memory::new(), Memory::new());
    let text = Text::pattern("{message}{fields}").unwrap();
    let logger = builder()
        .sink_with(safe.clone(), SinkOptions::new().format(text.clone()))
        .sink_with(raw.clone(), SinkOptions::new().format(text.escape(false)))
        .build()
        .unwrap();
    info!(logger: &logger, a = "x\ny", "1\n{}", "\x1b[1m2");
    logger.shutdown(LONG);
    assert_eq!(safe.contents(), "1\\n\\x1b[1m2 a=\"x\\ny\"\n");
    assert_eq!(raw.contents(), "1\n\x1b[1m2 a=x\ny\n");
}

#[test]
fn what_a_pattern_does_not_show_costs_nothing_else() {
    for (pattern, expected) in [
        ("{fields}|{message}", " b=2 c=3|one 1\n"),
        ("{message}|{message}", "one 1|one 1\n"),
        ("{fields}", " b=2 c=3\n"),
        ("{level}", "INFO\n"),
        ("", "\n"),
    ] {
        let text = written(Text::pattern(pattern).unwrap(), "t", |logger| {
            info!(logger: logger, b = 2, c = 3, "one {}", 1);
        });
        assert_eq!(text, expected, "{pattern}");
    }
}

/// The name, the level, the message and the fields, in lines of their own.
struct Own;

impl Format for Own {
    fn format(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        assert!(out.is_empty());
        if record.message().to_string().contains("panic") {
            out.extend_from_slice(b"half an entry");
            panic!("on purpose");
        }
        let _ = writeln!(
            out,
            "{} {} {:?} {} {}",
            record.thread(),
            record.level(),
            record.number(),
            record.message(),
            record.raw_message().to_string().len()
        );
        for field in record.fields() {
            let kind = match &field.value {
                Value::Null => "null",
                Value::Bool(_) => "bool",
                Value::Signed(_) => "signed",
                Value::Unsigned(_) => "unsigned",
                Value::Float(_) => "float",
                _ => "text",
            };
            let _ = writeln!(out, "  {}: {kind} {}", field.name, field.value);
        }
    }
}

#[test]
fn a_format_of_ones_own_sees_the_record_whole() {
    let text = written(Own, "matcher", |logger| {
        let _context = context!(session = 42_u8);
        info!(
            logger: logger,
            a = -1, b = 2.5_f32, c = "x\n", d = true, e = (), password = "hunter2",
            "one\n{}", 1
        );
    });
    assert_eq!(
        text,
        "matcher INFO Some(1) one\\n1 5\n  a: signed -1\n  b: float 2.5\n  c: text x\n\n  d: bool true\n\
         \x20 e: null ()\n  password: text ***\n  session: unsigned 42\n"
    );
}

#[test]
fn a_format_that_panics_costs_no_record() {
    let (own, text) = (Memory::new(), Memory::new());
    let logger = builder()
        .sink_with(own.clone(), SinkOptions::new().format(Own))
        .sink(text.clone())
        .build()
        .unwrap();
    for message in ["fine", "panic", "fine again"] {
        info!(logger: &logger, "{message}");
    }
    let report = logger.shutdown(LONG);
    assert_eq!(
        (report.written, report.failed, report.sink_errors),
        (3, 0, 1)
    );
    let lines = own.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].ends_with("fine 4") && lines[2].ends_with("fine again 10"));
    assert_eq!(lines[1], text.lines()[1]);
}

#[test]
fn what_is_masked_is_seen_in_no_format() {
    let secrets = BTreeMap::from([
        ("http://a:s3cret@h", "1"),
        ("http://a:s3cret2@h", "2"),
        ("password", "s3cret"),
        ("user", "me"),
    ]);
    let log = |logger: &RingLogger| {
        let password = "s3cret";
        let _context = context!(
            api_token = "s3cret",
            session = 1,
            from = "http://u:s3cret@h"
        );
        info!(
            logger: logger,
            user.password = "s3cret",
            Authorization = 1234567,
            card_number = "s3cret",
            login = secrets,
            url = "see postgres://app:s3cret@db/x?a=1@2",
            after = 5,
            "{password} {:>12} {} {password:?}",
            7,
            String::from("ftp://u:s3cret@h")
        );
    };
    let redaction = || Redaction::new().field("card*");
    let formats: [AnyFormat; 5] = [
        Text::new().into(),
        Text::new().escape(false).into(),
        Json::new().into(),
        Logfmt::new().into(),
        Own.into(),
    ];
    for format in formats {
        let memory = Memory::new();
        let name = format!("{format:?}");
        let logger = builder()
            .redact(redaction())
            .sink_with(memory.clone(), SinkOptions::new().format(format))
            .build()
            .unwrap();
        log(&logger);
        logger.shutdown(LONG);
        let text = memory.contents();
        assert!(
            !text.contains("s3cret") && !text.contains("1234567"),
            "{name}: {text}"
        );
        for kept in [
            "***            7 ftp://u:***@h ***",
            "app:***@db/x",
            "session",
            "5",
            "me",
        ] {
            assert!(text.contains(kept), "{name}: {text}");
        }
    }
}

/// By its own name each value is harmless.
#[test]
fn what_is_masked_is_masked_inside_of_values() {
    #[derive(Debug, ringlog::Record)]
    struct Login {
        user: &'static str,
        password: &'static str,
        also: Option<Token>,
    }
    #[derive(Debug, ringlog::Record)]
    enum Token {
        Bearer { token: u64, kind: char },
    }

    for format in [
        AnyFormat::from(Text::new()),
        Json::new().into(),
        Logfmt::new().into(),
    ] {
        let text = written(format, "t", |logger| {
            let login = || Login {
                user: "somebody",
                password: "s3cret",
                also: Some(Token::Bearer {
                    token: 1_234_567,
                    kind: 'x',
                }),
            };
            let nested = BTreeMap::from([("a", BTreeMap::from([("API_TOKEN", 1_234_567)]))]);
            info!(logger: logger, login = login(), nested = nested, all = [login()], "{:?}", login());
        });
        assert!(
            !text.contains("s3cret") && !text.contains("1234567"),
            "{text}"
        );
        assert_eq!(text.matches("***").count(), 7, "{text}");
        assert_eq!(text.matches("somebody").count(), 3, "{text}");
    }
}

/// None of the parts is a URL, nor has a name that says what it is.
#[test]
fn credentials_are_masked_in_a_url_that_the_message_puts_together() {
    let (scheme, user, word, host, port) = ("postgres", "app", "s3cret", "db", 5432);
    let lines = |redaction: Redaction| {
        let memory = Memory::new();
        let logger = builder()
            .redact(redaction)
            .sink_with(
                memory.clone(),
                SinkOptions::new().format(Text::pattern("{message}").unwrap()),
            )
            .build()
            .unwrap();
        info!(logger: &logger, "at {scheme}://{user}:{word}@{host}:{port}/x, {word:?}");
        info!(logger: &logger, "http://{word}@{host}");
        info!(logger: &logger, "http://{host}:{port}/{user}@{word} and a {user}:{word}@{host}");
        info!(logger: &logger, "{0}://u:{1}@h {1} {0}://u:{1}@h", scheme, word);
        info!(logger: &logger, "built in: http://u:s3cret@h, {port}");
        logger.shutdown(LONG);
        memory.contents()
    };
    assert_eq!(
        lines(Redaction::new()),
        "at postgres://app:***@db:5432/x, \"s3cret\"\n\
         http://***@db\n\
         http://db:5432/app@s3cret and a app:s3cret@db\n\
         postgres://u:***@h s3cret postgres://u:***@h\n\
         built in: http://u:***@h, 5432\n"
    );
    let plain = lines(Redaction::new().urls(false));
    assert!(!plain.contains("***"), "{plain}");
}

#[test]
fn redaction_changes_while_the_logger_runs() {
    let (logger, memory) = logging(Text::pattern("{message}").unwrap());
    let log = || {
        let (card, password) = (1, 2);
        info!(logger: &logger, "{card} {password} {}", "http://a:b@c");
        logger.flush(LONG).unwrap();
    };
    log();
    logger.set_redaction(Redaction::none());
    log();
    logger.set_redaction(Redaction::none().field("card").urls(true));
    log();
    assert_eq!(
        memory.contents(),
        "1 *** http://a:***@c\n1 2 http://a:b@c\n*** 2 http://a:***@c\n"
    );
}

/// In another form than the records that are lost, nobody would find it.
#[test]
fn what_the_logger_says_itself_has_the_form_of_the_rest() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .thread(false)
        .lanes(1)
        .lane_capacity(16)
        .sink_with(memory.clone(), SinkOptions::new().format(Json::new()))
        .build()
        .unwrap();
    for number in 0..100 {
        info!(logger: &logger, "n {number}");
    }
    error!(logger: &logger, "the end");
    logger.shutdown(LONG);
    let lines = documents(&memory.contents());
    let own: Vec<_> = lines
        .iter()
        .filter(|line| line["target"] == "ringlog")
        .collect();
    // The other one says that the log is closed.
    assert_eq!(own.len(), 2, "{lines:?}");
    assert!(
        own[0]["msg"]
            .as_str()
            .unwrap()
            .contains(" records dropped here: ")
    );
    assert_eq!(own[0].as_object().unwrap().len(), 5);
}

#[test]
#[cfg(feature = "time-zones")]
fn times_are_told_in_a_zone() {
    let pattern = "{time:s,Europe/Berlin} {time:clock,us,Asia/Kolkata}";
    let text = written(Text::pattern(pattern).unwrap(), "t", |logger| {
        use ringlog::Timestamp;
        // In winter and in summer.
        let winter = Timestamp::from_unix_nanos(1_795_415_086_204_916_267);
        let summer = Timestamp::from_unix_nanos(1_782_000_000_000_000_000);
        info!(logger: logger, at: winter, "");
        info!(logger: logger, at: summer, "");
    });
    assert_eq!(
        text,
        "2026-11-23T07:24:46+01:00 11:54:46.204916\n2026-06-21T02:00:00+02:00 05:30:00.000000\n"
    );
}

/// A terminal, and what a process writes there.
#[cfg(target_os = "linux")]
mod terminal {
    use std::fs::File;
    use std::io::Read as _;
    use std::os::fd::FromRawFd as _;
    use std::process::Stdio;

    use super::support::child;
    use super::{LONG, RingLogger, info};
    use ringlog::sink::Console;

    /// Both ends of a pseudo-terminal.
    fn open() -> (File, File) {
        let (mut outer, mut inner) = (-1, -1);
        let null = std::ptr::null_mut();
        // SAFETY: the places for the two descriptors are valid; what is null is not used.
        let answer =
            unsafe { libc::openpty(&mut outer, &mut inner, null, null.cast(), null.cast()) };
        assert_eq!(answer, 0);
        // SAFETY: both were opened just now, and belong to nobody else.
        unsafe { (File::from_raw_fd(outer), File::from_raw_fd(inner)) }
    }

    /// What a child with these variables writes to its standard error, which is a terminal or a pipe.
    fn written(test: &str, on_terminal: bool, variables: &[(&str, &str)]) -> String {
        let mut command = child::command(test);
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm").envs(variables.iter().copied());
        command.stdout(Stdio::null());
        if !on_terminal {
            let output = command.stderr(Stdio::piped()).output().unwrap();
            assert!(output.status.success());
            return String::from_utf8(output.stderr).unwrap();
        }
        let (mut outer, inner) = open();
        let mut child = command.stderr(inner).spawn().unwrap();
        // The command holds the other end until then.
        drop(command);
        let mut bytes = Vec::new();
        // Ends with an error when nobody has the other end any more.
        let _ = outer.read_to_end(&mut bytes);
        assert!(child.wait().unwrap().success());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri starts no processes")]
    fn a_terminal_has_colours_unless_the_environment_says_otherwise() {
        let name = "terminal::a_terminal_has_colours_unless_the_environment_says_otherwise";
        if child::is_child() {
            let logger = RingLogger::builder()
                .closing_record(false)
                .sink(Console::stderr())
                .build()
                .unwrap();
            info!(logger: &logger, "a\nb {} c", "\x1b[31m\u{9b}31m\x07");
            logger.shutdown(LONG);
            return;
        }
        for (on_terminal, variables, has_colors) in [
            (true, &[][..], true),
            (true, &[("NO_COLOR", "")], true),
            (true, &[("NO_COLOR", "1")], false),
            (true, &[("CLICOLOR", "0")], false),
            (true, &[("TERM", "dumb")], false),
            (true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false),
            (false, &[], false),
            (false, &[("CLICOLOR_FORCE", "0")], false),
            (false, &[("CLICOLOR_FORCE", "1")], true),
        ] {
            let text = written(name, on_terminal, variables);
            let case = format!("{on_terminal} {variables:?}: {text:?}");
            assert_eq!(text.contains("\x1b[32mINFO\x1b[0m "), has_colors, "{case}");
            // Whatever a value says, the terminal is told nothing but colours of ours.
            let plain = ["\x1b[32m", "\x1b[2m", "\x1b[0m"]
                .iter()
                .fold(text, |text, ours| text.replace(ours, ""));
            let line = plain.trim_end_matches(['\r', '\n']);
            assert!(!line.contains(char::is_control), "{case}");
            assert!(line.ends_with(r"a\nb \x1b[31m\u{9b}31m\x07 c"), "{case}");
        }
    }
}
