//! Configurations: every key does what the builder's method does, every mistake is told with its
//! place, and the environment has the last word.

#![cfg(feature = "config")]

mod support;

use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use ringlog::format::Redaction;
use ringlog::sink::{
    Console, Fallback, File, Fsync, Memory, Null, Offload, Period, QueueFull, Rolling, Routes,
    Rule, SinkOptions,
};
use ringlog::{Builder, Clock, Config, ConfigError, Idle, Level, Overflow, RingLogger, info};
use support::{LONG, Log, Random, scaled};

/// What a builder is set to.
fn shape(builder: &Builder) -> String {
    format!("{builder:#?}")
}

#[track_caller]
fn check(config: Result<Config, ConfigError>, expected: &Builder) {
    let builder = config.unwrap().builder().unwrap();
    assert_eq!(shape(&builder), shape(expected));
}

/// The same in both languages.
#[track_caller]
fn check_both(toml: &str, json: &str, expected: &Builder) {
    check(Config::from_toml(toml), expected);
    check(Config::from_json(json), expected);
}

/// The error of a text.
#[track_caller]
fn refused(toml: &str) -> String {
    Config::from_toml(toml).unwrap_err().to_string()
}

#[test]
fn nothing_said_is_the_builder_as_it_is() {
    check_both("", "{}", &Builder::default());
    check_both(
        "[ring]",
        r#"{"ring": {}, "level": null}"#,
        &Builder::default(),
    );
}

#[test]
fn every_key_sets_what_its_method_does() {
    let ring = Builder::default()
        .lanes(3)
        .lane_capacity(128)
        .shared_capacity(256)
        .max_record_slots(7)
        .prefault(false)
        .mlock(true)
        .huge_pages(true)
        .overflow(Overflow::BlockFor(Duration::from_millis(10)));
    check_both(
        r#"
        [ring]
        lanes = 3
        lane_capacity = 128
        shared_capacity = 256
        max_record_slots = 7
        prefault = false
        mlock = true
        huge_pages = true
        overflow = "block"
        block_for = "10ms"
        "#,
        r#"{"ring": {"lanes": 3, "lane_capacity": 128, "shared_capacity": 256,
            "max_record_slots": 7, "prefault": false, "mlock": true, "huge_pages": true,
            "overflow": "block", "block_for": "10ms"}}"#,
        &ring,
    );
    check_both(
        "[ring]\noverflow = 'block'",
        r#"{"ring": {"overflow": "block"}}"#,
        &Builder::default().overflow(Overflow::Block),
    );
    let consumer = Builder::default()
        .thread(false)
        .pin(2)
        .idle(Idle::Spin)
        .clock(Clock::System);
    check_both(
        "[consumer]\nthread = false\npin = 2\nidle = 'spin'\nclock = 'system'",
        r#"{"consumer": {"thread": false, "pin": 2, "idle": "spin", "clock": "system"}}"#,
        &consumer,
    );
    for (word, clock) in [("tsc", Clock::Tsc), ("arrival", Clock::Arrival)] {
        check_both(
            &format!("[consumer]\nclock = '{word}'"),
            &format!(r#"{{"consumer": {{"clock": "{word}"}}}}"#),
            &Builder::default().clock(clock),
        );
    }
    let shutdown = Builder::default()
        .shutdown_deadline(Duration::from_secs(90))
        .exit_hook(false)
        .panic_hook(false)
        .closing_record(false)
        .print_report(true);
    check_both(
        "[shutdown]\ndeadline = '1.5m'\nexit_hook = false\npanic_hook = false\n\
         closing_record = false\nprint_report = true",
        r#"{"shutdown": {"deadline": "90s", "exit_hook": false, "panic_hook": false,
            "closing_record": false,
            "print_report": true}}"#,
        &shutdown,
    );
    check_both(
        "backtrace = { records = 100, levels = ['info', 'debug'], on = 'warn' }",
        r#"{"backtrace": {"records": 100, "levels": ["debug", "info"], "on": "WARN"}}"#,
        &Builder::default().backtrace(100, Level::Info..=Level::Debug, Level::Warn),
    );
    check_both(
        "backtrace.records = 7",
        r#"{"backtrace": {"records": 7}}"#,
        &Builder::default().backtrace(7, Level::Debug..=Level::Trace, Level::Error),
    );
    #[cfg(all(feature = "signals", feature = "crash"))]
    check_both(
        "[shutdown]\nsignals = false\ncrash_handler = false",
        r#"{"shutdown": {"signals": false, "crash_handler": false}}"#,
        &Builder::default().signals(false).crash_handler(false),
    );
    check_both(
        "redaction.fields = ['card*', 'session']",
        r#"{"redaction": {"fields": ["card*", "session"], "usual": true, "urls": true}}"#,
        &Builder::default().redact(Redaction::new().field("card*").field("session")),
    );
    check_both(
        "redaction = { fields = 'card*', usual = false, urls = false }",
        r#"{"redaction": {"fields": ["card*"], "usual": false, "urls": false}}"#,
        &Builder::default().redact(Redaction::none().field("card*")),
    );
    check_both(
        "[routing]\notherwise = 'app'\n[[routing.routes]]\nwhen = { target = 'bank' }\nto = \
         ['app', 'audit']\n[[routing.routes]]\nwhen.level = 'error'\nto = 'pager'",
        r#"{"routing": {"otherwise": ["app"], "routes": [
            {"when": {"target": "bank"}, "to": ["app", "audit"]},
            {"when": {"level": "error"}, "to": ["pager"]}]}}"#,
        &Builder::default().routes(
            Routes::new()
                .route(Rule::target("bank"), ["app", "audit"])
                .route(Rule::level(Level::Error), ["pager"])
                .otherwise(["app"]),
        ),
    );
    check_both(
        "level = 'trace'",
        r#"{"level": "TRACE"}"#,
        &Builder::default().level(Level::Trace),
    );
    check_both(
        "filter = 'warn,a::b=debug'\nfilter_variable = ''",
        r#"{"filter": "warn,a::b=debug", "filter_variable": ""}"#,
        &Builder::default()
            .filter("warn,a::b=debug")
            .filter_variable(None),
    );
    check_both(
        "filter_variable = 'APP_LOG'",
        r#"{"filter_variable": "APP_LOG"}"#,
        &Builder::default().filter_variable("APP_LOG"),
    );
}

#[test]
#[cfg_attr(miri, ignore = "miri has no files")]
fn every_sink_is_what_its_constructor_makes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).display().to_string();
    let offload = || {
        Offload::new(Null)
            .queue_bytes(1 << 20)
            .when_full(QueueFull::DropOldest)
            .batch_bytes(1000)
            .batch_records(10)
            .batch_age(Duration::from_millis(5))
    };
    let expected = Builder::default()
        .sink(File::append(path("a.log")).unwrap())
        .sink(Console::stdout())
        .sink(Offload::new(Console::stderr()))
        .sink(offload())
        .sink(Fallback::new(File::append(path("b.log")).unwrap(), Null));
    check_both(
        &format!(
            r#"
            [[sinks]]
            kind = "file"
            path = '{}'
            [[sinks]]
            kind = "stdout"
            offload = false
            [[sinks]]
            kind = "stderr"
            offload = true
            [[sinks]]
            kind = "null"
            [sinks.offload]
            queue_bytes = "1 MiB"
            when_full = "drop_oldest"
            batch_bytes = 1000
            batch_records = 10
            batch_age = "5ms"
            [[sinks]]
            kind = "file"
            path = '{}'
            fallback = {{ kind = "null", after_failures = 2, probe_after = "1s" }}
            "#,
            text("a.log"),
            text("b.log")
        ),
        &format!(
            r#"{{"sinks": [
                {{"kind": "file", "path": {:?}}},
                {{"kind": "stdout"}},
                {{"kind": "stderr", "offload": {{}}}},
                {{"kind": "null", "offload": {{"queue_bytes": 1048576, "when_full": "drop_oldest",
                    "batch_bytes": "1 kB", "batch_records": 10, "batch_age": "5ms"}}}},
                {{"kind": "file", "path": {:?}, "fallback": {{"kind": "null"}}}}
            ]}}"#,
            text("a.log"),
            text("b.log")
        ),
        &expected,
    );
    let rolling = Rolling::builder(path("d.log"))
        .size(1000)
        .every(Period::Hour)
        .keep_files(3)
        .keep_age(Duration::from_secs(86_400))
        .keep_bytes(1 << 20)
        .fsync(Fsync::Every(Duration::from_millis(100)));
    let expected = Builder::default().sink(rolling.open().unwrap());
    check_both(
        &format!(
            "[[sinks]]\nkind = 'rolling'\npath = '{}'\nsize = '1 kB'\nevery = 'hour'\n\
             keep_files = 3\nkeep_age = '1d'\nkeep_bytes = '1 MiB'\nfsync = '100ms'\n",
            text("d.log")
        ),
        &format!(
            "{{\"sinks\": [{{\"kind\": \"rolling\", \"path\": {:?}, \"size\": 1000, \
             \"every\": \"1h\", \"keep_files\": 3, \"keep_age\": \"24h\", \
             \"keep_bytes\": 1048576, \"fsync\": \"100ms\"}}]}}",
            text("d.log")
        ),
        &expected,
    );
    fs::write(path("c.log"), "before\n").unwrap();
    let truncate = format!(
        "[[sinks]]\nkind = 'file'\ntruncate = true\npath = '{}'",
        text("c.log")
    );
    let config = Config::from_toml(&truncate).unwrap();
    // Reading it opens nothing.
    assert_eq!(fs::read_to_string(path("c.log")).unwrap(), "before\n");
    let _builder = config.builder().unwrap();
    assert_eq!(fs::read_to_string(path("c.log")).unwrap(), "");
}

#[test]
#[cfg_attr(miri, ignore = "miri has no files")]
fn a_file_makes_a_logger_that_writes_there() {
    let folder = tempfile::tempdir().unwrap();
    let (log, spare) = (
        folder.path().join("app.log"),
        folder.path().join("spare.log"),
    );
    for (name, text) in [
        (
            "ringlog.toml",
            format!(
                "level = 'debug'\n[[sinks]]\nkind = 'file'\npath = '/dev/full'\noffload = true\n\
                 fallback = {{ kind = 'file', path = '{}' }}\n[[sinks]]\nkind = 'file'\npath = '{}'\n",
                spare.display(),
                log.display()
            ),
        ),
        (
            "ringlog.json",
            format!(
                "{{\"level\": \"debug\", \"sinks\": [{{\"kind\": \"file\", \"path\": \"/dev/full\", \
                 \"offload\": true, \"fallback\": {{\"kind\": \"file\", \"path\": {:?}}}}}, \
                 {{\"kind\": \"file\", \"path\": {:?}}}]}}",
                spare.display().to_string(),
                log.display().to_string()
            ),
        ),
    ] {
        if !cfg!(target_os = "linux") {
            return;
        }
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        for path in [&log, &spare] {
            let _ = fs::remove_file(path);
        }
        let logger = Config::load(&file)
            .unwrap()
            .builder()
            .unwrap()
            .build()
            .unwrap();
        for number in 0..10 {
            ringlog::debug!(logger: &logger, "n {number}");
        }
        let report = logger.shutdown(LONG);
        assert_eq!((report.written, report.failed), (10, 0), "{report:?}");
        for path in [&log, &spare] {
            let log = Log::parse(&fs::read_to_string(path).unwrap());
            assert_eq!(log.records().count(), 10);
        }
    }
}

/// What is received is what was configured.
#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "miri has no such sockets")]
fn servers_are_reached_where_they_are_said_to_be() {
    use std::net::UdpSocket;
    use std::os::unix::net::UnixDatagram;

    let folder = tempfile::tempdir().unwrap();
    let unix = |name: &str| {
        let path = folder.path().join(name);
        (
            UnixDatagram::bind(&path).unwrap(),
            path.display().to_string(),
        )
    };
    let (log, log_path) = unix("log");
    let (journal, journal_path) = unix("journal");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap();
    for (keys, wanted) in [
        (
            format!(
                "kind = 'syslog'\npath = '{log_path}'\nfacility = 'local0'\napp_name = 'matcher'"
            ),
            "matcher",
        ),
        (
            format!("kind = 'syslog'\ntransport = 'udp'\naddress = '{address}'\nhostname = 'here'"),
            " here ",
        ),
        (
            format!("kind = 'journald'\npath = '{journal_path}'\nidentifier = 'matcher'"),
            "SYSLOG_IDENTIFIER=matcher",
        ),
    ] {
        let config = Config::from_toml(&format!("[[sinks]]\n{keys}")).unwrap();
        let logger = config.builder().unwrap().build().unwrap();
        info!(logger: &logger, "n {}", 1);
        logger.flush(LONG).unwrap();
        let mut message = [0; 4096];
        let length = match &*keys {
            keys if keys.contains("udp") => udp.recv(&mut message),
            keys if keys.contains("journald") => journal.recv(&mut message),
            _ => log.recv(&mut message),
        };
        let message = String::from_utf8_lossy(&message[..length.unwrap()]).into_owned();
        assert!(
            message.contains(wanted) && message.contains("n 1"),
            "{message}"
        );
    }
}

#[test]
fn every_mistake_is_told_with_its_line_and_what_was_meant() {
    for (toml, expected) in [
        (
            "[ring]\nlane_capcity = 4\n",
            "line 2: `ring.lane_capcity` is not a key; did you mean `lane_capacity`?",
        ),
        (
            "\n\nlevle = 'info'\n",
            "line 3: `levle` is not a key; did you mean `level`?",
        ),
        (
            "lanes = 3\n",
            "line 1: `lanes` is not a key here; did you mean `ring.lanes`?",
        ),
        (
            "[shutdown]\ncolour = 3\n",
            "line 2: `shutdown.colour` is not a key; there are `closing_record`, \
             `crash_handler`, `deadline`, `exit_hook`, `panic_hook`, `print_report`, `signals`",
        ),
        (
            "[ring]\n\noverflow = 'blok'\n",
            "line 3: `ring.overflow` cannot be \"blok\"; did you mean \"block\"?",
        ),
        (
            "[consumer]\nclock = 'sundial'\n",
            "line 2: `consumer.clock` cannot be \"sundial\"; it can be \"tsc\", \"arrival\", \
             \"system\"",
        ),
        (
            "[ring]\nlanes = 'many'\n",
            "line 2: `ring.lanes` must be a whole number, and is text",
        ),
        (
            "[ring]\nlanes = -1\n",
            "line 2: `ring.lanes` is -1, and must be between 0 and 65536",
        ),
        (
            "ring.lane_capacity = 3\n",
            "line 1: `ring.lane_capacity` is 3, and must be between 16 and 1073741824",
        ),
        (
            "[ring]\nprefault = 1\n",
            "line 2: `ring.prefault` must be true or false, and is a number",
        ),
        (
            "[ring]\noverflow = 'drop'\nblock_for = '1s'\n",
            "line 3: `ring.block_for` goes with `overflow = \"block\"` only",
        ),
        (
            "ring = 3\n",
            "line 1: `ring` must be a table, and is a number",
        ),
        (
            "sinks = { kind = 'null' }\n",
            "line 1: `sinks` must be a list of tables, and is a table",
        ),
        (
            "sinks = ['stdout']\n",
            "line 1: `sinks[0]` must be a table, and is text",
        ),
        (
            "[shutdown]\ndeadline = 5\n",
            "line 2: `shutdown.deadline` must be text, and is a number",
        ),
        (
            "[shutdown]\ndeadline = '5 minutes'\n",
            "line 2: `shutdown.deadline` is \"5 minutes\": a length of time is a number and ns, us, \
             ms, s, m, h or d, such as 250ms",
        ),
        (
            "level = 'info'\nfilter = 'info'\n",
            "line 1: `level` and `filter` are both there; a filter names the level",
        ),
        (
            "[[sinks]]\nkind = 'null'\n[[sinks]]\nkind = 'fil'\n",
            "line 4: `sinks[1].kind` cannot be \"fil\"; did you mean \"file\"?",
        ),
        (
            "[[sinks]]\nkind = 'null'\n\n[[sinks]]\nkind = 'file'\n",
            "line 4: `sinks[1]` lacks the key `path`",
        ),
        (
            "[[sinks]]\nkind = 'file'\npth = 'a.log'\n",
            "line 3: `sinks[0].pth` is not a key; did you mean `path`?",
        ),
        (
            "[[sinks]]\nkind = 'file'\nfsync = 'often'\npath = 'a.log'\n",
            "line 3: `sinks[0].fsync` is \"often\": it can be \"never\", \"on_error\", \
             \"at_shutdown\", or how often; a length of time is a number and ns, us, ms, s, m, h or \
             d, such as 250ms",
        ),
        (
            "[[sinks]]\nkind = 'rolling'\npath = 'a.log'\n",
            "line 1: `sinks[0]` lacks a key: `size` or `every`, or both",
        ),
        (
            "[[sinks]]\nkind = 'rolling'\nevery = 'week'\npath = 'a.log'\n",
            "line 3: `sinks[0].every` is \"week\": it can be \"minute\", \"hour\", \"day\", or a \
             time; a length of time is a number and ns, us, ms, s, m, h or d, such as 250ms",
        ),
        (
            "[[sinks]]\nkind = 'rolling'\nevery = '2d'\npath = 'a.log'\n",
            "line 3: `sinks[0].every` is \"2d\": a period has whole seconds, from one to a day",
        ),
        (
            "[[sinks]]\nkind = 'rolling'\ncompress = 'zip'\nsize = 3\npath = 'a.log'\n",
            "line 3: `sinks[0].compress` is \"zip\": it can be \"lz4\" or \"zstd\"",
        ),
        (
            "[[sinks]]\npath = 'a.log'\n",
            "line 1: `sinks[0]` lacks the key `kind`",
        ),
        (
            "[[sinks]]\nkind = 'stdout'\npath = 'a.log'\n",
            "line 3: `sinks[0].path` is not a key; there are `fallback`, `filter`, `format`, `kind`, \
             `level`, `name`, `offload`",
        ),
        (
            "[[sinks]]\nkind = 'null'\noffload = { queue_bytes = '1 B' }\n",
            "line 3: `sinks[0].offload.queue_bytes` is 1 bytes, and must be between 1024 and \
             1073741824",
        ),
        (
            "[[sinks]]\nkind = 'null'\noffload = { queue_bytes = '1 pound' }\n",
            "line 3: `sinks[0].offload.queue_bytes` is \"1 pound\": a size is a number and B, kB, \
             MB, GB, KiB, MiB or GiB, such as 64 KiB",
        ),
        (
            "[[sinks]]\nkind = 'null'\noffload = 'yes'\n",
            "line 3: `sinks[0].offload` must be a table, or true, and is text",
        ),
        (
            "[[sinks]]\nkind = 'null'\n[sinks.fallback]\nkind = 'null'\nprobe_afer = '1s'\n",
            "line 5: `sinks[0].fallback.probe_afer` is not a key; did you mean `probe_after`?",
        ),
        (
            "[[routing.routes]]\nto = 'app'\n",
            "line 1: `routing.routes[0]` lacks the key `when`",
        ),
        (
            "[[routing.routes]]\nwhen.level = 'info'\n",
            "line 1: `routing.routes[0]` lacks the key `to`",
        ),
        (
            "[[routing.routes]]\nto = 'app'\n[routing.routes.when]\ntarge = 'bank'\n",
            "line 4: `routing.routes[0].when.targe` is not a key; did you mean `target`?",
        ),
        (
            "[backtrace]\non = 'error'\n",
            "line 1: `backtrace` lacks the key `records`",
        ),
        (
            "[[sinks]]\nkind = 'syslog'\ntransport = 'udp'\n",
            "line 1: `sinks[0]` lacks the key `address`",
        ),
        (
            "[[sinks]]\nkind = 'syslog'\naddress = 'loghost:514'\n",
            "line 3: `sinks[0].address` is not a key; there are `app_name`, `facility`, `fallback`, \
             `filter`, `format`, `hostname`, `kind`, `level`, `name`, `offload`, `path`, `transport`",
        ),
        (
            "[[sinks]]\nkind = 'syslog'\nfacility = 'locale3'\n",
            "line 3: `sinks[0].facility` cannot be \"locale3\"; did you mean \"local3\"?",
        ),
        (
            "[redaction]\nfields = ['a', 3]\n",
            "line 2: `redaction.fields[1]` must be text, and is a number",
        ),
        (
            "[[sinks]]\nkind = 'null'\n[sinks.format]\nkind = 'jsno'\n",
            "line 4: `sinks[0].format.kind` cannot be \"jsno\"; did you mean \"json\"?",
        ),
        (
            "preset = 'developement'\n",
            "line 1: `preset` cannot be \"developement\"; there are \"dev\", \"production\", \
             \"low-latency\", \"audit\"",
        ),
        (
            "preset = 'producton'\n",
            "line 1: `preset` cannot be \"producton\"; did you mean \"production\"?",
        ),
    ] {
        assert_eq!(refused(toml), expected, "{toml}");
    }
    let error = refused("\nlevel = 'loud'\n");
    assert!(
        error.starts_with("line 2: `level` is \"loud\": "),
        "{error}"
    );
    let error = refused("filter = 'info,engine=loud'\n");
    assert!(
        error.starts_with("line 1: `filter` is \"info,engine=loud\": "),
        "{error}"
    );
}

#[test]
fn mistakes_in_json_have_lines_too() {
    for (json, expected) in [
        (
            "{\n  \"ring\": {\n    \"lanes\": 4,\n    \"prefalt\": true\n  }\n}",
            "line 4: `ring.prefalt` is not a key; did you mean `prefault`?",
        ),
        (
            "{\n  \"sinks\": [\n    {\"kind\": \"null\"},\n    {\"kind\": \"file\"}\n  ]\n}",
            "line 4: `sinks[1]` lacks the key `path`",
        ),
        (
            "{\n  \"level\": \"info\",\n  \"level\": \"info\"\n}",
            "line 3: `level` is there twice",
        ),
    ] {
        let error = Config::from_json(json).unwrap_err();
        assert_eq!(error.to_string(), expected, "{json}");
    }
    for (json, line) in [("{\n \"level\": \n}", 3), ("{\n", 2), ("[]", 0), ("3", 0)] {
        let error = Config::from_json(json).unwrap_err();
        assert!(
            matches!(error, ConfigError::Syntax { .. }),
            "{json}: {error}"
        );
        let begins = format!("line {line}: ");
        assert_eq!(
            error.to_string().starts_with(&begins),
            line > 0,
            "{json}: {error}"
        );
    }
}

#[test]
fn a_text_that_is_not_toml_is_told_with_its_line() {
    for (toml, line) in [
        ("a = 1\nb\n", 2),
        ("[ring]\nlanes = \n", 2),
        ("a = 1\n\na = 2\n", 3),
    ] {
        let error = Config::from_toml(toml).unwrap_err();
        assert!(matches!(error, ConfigError::Syntax { .. }), "{toml}");
        let begins = format!("line {line}: ");
        assert!(error.to_string().starts_with(&begins), "{toml}: {error}");
    }
}

/// Whatever a file says, it is a configuration or an error in one line, which drives no terminal.
#[test]
fn no_text_is_anything_but_a_configuration_or_an_error() {
    const EXAMPLE: &str = include_str!("../examples/ringlog.toml");
    #[rustfmt::skip]
    const HOSTILE: [&str; 30] = [
        "-1", "0", "1e400", "nan", "-inf", "9223372036854775807", "99999999999999999999", "''",
        "'\u{1b}[2J'", "\"\\u001b\\u0000\\n\"", "[]", "{}", "[[]]", "[{}]", "true", "'-5s'",
        "'1e300d'", "'9999999999999999999 GiB'", "'0.5 B'", "'{'", "'{time:'", "'{{}}}'", "'**'",
        "'+25:00'", "1979-05-27T07:32:00Z", "'\u{202e}'", "\"\"\"\n\n\"\"\"", "{a.b = 1}", "= =",
        "'",
    ];
    let check = |result: Result<Config, ConfigError>, text: &str| {
        if let Err(error) = result {
            let error = error.to_string();
            let dangerous = |c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c);
            assert!(!error.contains(dangerous), "{error:?}\n{text}");
        }
    };
    let mut random = Random::new(7);
    let mut below = |most: usize| random.below(most as u64) as usize;
    for _ in 0..scaled(2000) {
        let mut lines: Vec<String> = EXAMPLE.lines().map(str::to_owned).collect();
        for _ in 0..=below(3) {
            let (place, other) = (below(lines.len()), below(lines.len()));
            let hostile = HOSTILE[below(HOSTILE.len())];
            match below(5) {
                0 => _ = lines.remove(place),
                1 => lines.insert(place, lines[other].clone()),
                2 => lines.insert(place, format!("\"\\u001b[2J\u{202e}\\n\" = {hostile}")),
                _ => {
                    if let Some((key, _)) = lines[place].split_once('=') {
                        lines[place] = format!("{key}= {hostile}");
                    }
                }
            }
        }
        let text = lines.join("\n");
        check(Config::from_toml(&text), &text);
        // The same in JSON, and JSON that ends too early.
        if let Ok(config) = Config::from_toml(&text) {
            let json = serde_json::to_string_pretty(&config).unwrap();
            check(Config::from_json(&json), &json);
            let cut = String::from_utf8_lossy(&json.as_bytes()[..below(json.len())]).into_owned();
            check(Config::from_json(&cut), &cut);
        }
    }
    let opening = ["[", "a.", "{\"a\":", "a = [", "[a.", "\"", "#"];
    for text in opening.map(|opening| opening.repeat(100_000)) {
        check(Config::from_toml(&text), "deep");
        check(Config::from_json(&text), "deep");
    }
}

#[test]
#[cfg_attr(miri, ignore = "miri has no files")]
fn errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let refused = |path: &Path| Config::load(path).unwrap_err();
    let missing = folder.path().join("none.toml");
    let error = refused(&missing);
    assert!(error.to_string().contains("none.toml"), "{error}");
    assert!(error.source().is_some());
    let error = refused(&file("a.yaml", "")).to_string();
    assert!(error.ends_with("a.yaml: the name of a configuration ends in .toml or .json"));
    let error = refused(&file("b.toml", "\nlevle = 'info'")).to_string();
    assert!(
        error.contains("b.toml, line 2: `levle` is not a key"),
        "{error}"
    );
    let error = refused(&file("c.json", "{\n")).to_string();
    assert!(error.contains("c.json, line 2: "), "{error}");
    let text = "\n\n[[sinks]]\nkind = 'file'\npath = '/no/such/folder/app.log'\n";
    let config = Config::load(file("d.toml", text)).unwrap();
    let error = config.builder().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("d.toml, line 3: `sinks[0]`: cannot open log file"),
        "{error}"
    );
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
    assert!(error.source().is_some());
}

#[test]
#[cfg_attr(miri, ignore = "miri has no files")]
fn every_preset_makes_a_logger_and_a_file_says_more() {
    for name in ["dev", "production", "low-latency", "audit"] {
        let preset = Config::preset(name).unwrap();
        assert_eq!(
            format!("{preset:?}"),
            format!(
                "{:?}",
                Config::from_toml(&format!("preset = '{name}'")).unwrap()
            )
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let config = Config::from_json(&format!(
            "{{\"preset\": {name:?}, \"ring\": {{\"lanes\": 2}}, \
             \"sinks\": [{{\"kind\": \"file\", \"path\": {:?}}}]}}",
            path.display().to_string()
        ));
        let builder = config.unwrap().builder().unwrap();
        assert!(shape(&builder).contains("lanes: 2,"));
        let logger = builder.build().unwrap();
        info!(logger: &logger, "n {}", 1);
        assert_eq!(logger.shutdown(LONG).written, 1, "{name}");
        assert!(fs::read_to_string(path).unwrap().contains("n 1"));
    }
    let audit = Config::from_toml("preset = 'audit'\nsinks = []\nring.lanes = 2").unwrap();
    let expected = Builder::default()
        .lanes(2)
        .overflow(Overflow::Block)
        .shutdown_deadline(Duration::from_secs(60))
        .print_report(true);
    check(Ok(audit), &expected);
    // A filter takes the place of the preset's level.
    let audit = "preset = 'audit'\nsinks = []\nshutdown.print_report = false\n";
    let text = format!("{audit}filter = 'warn,a=debug'");
    check(
        Config::from_toml(&text),
        &Builder::default()
            .filter("warn,a=debug")
            .overflow(Overflow::Block)
            .shutdown_deadline(Duration::from_secs(60)),
    );
    let error = Config::preset("fast").unwrap_err().to_string();
    assert!(
        error.starts_with("`preset` cannot be \"fast\"; there are \"dev\""),
        "{error}"
    );
}

#[test]
fn a_configuration_is_a_part_of_the_programs_own() {
    let json = r#"{"level": "warn", "ring": {"lanes": 2}}"#;
    let config: Config = serde_json::from_str(json).unwrap();
    check(
        Ok(config.clone()),
        &Builder::default().lanes(2).level(Level::Warn),
    );
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(text, r#"{"level":"warn","ring":{"lanes":2}}"#);
    let error = serde_json::from_str::<Config>(r#"{"ring": {"lane": 2}}"#).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`ring.lane` is not a key; did you mean `lanes`?"),
        "{error}"
    );
    // What a preset says is part of it.
    let preset = Config::preset("audit").unwrap();
    let again = Config::from_json(&serde_json::to_string(&preset).unwrap()).unwrap();
    assert_eq!(format!("{preset:?}"), format!("{again:?}"));
}

#[test]
fn the_example_is_a_configuration() {
    let config = Config::from_toml(include_str!("../examples/ringlog.toml")).unwrap();
    let again = Config::from_json(&serde_json::to_string(&config).unwrap()).unwrap();
    assert_eq!(format!("{config:?}"), format!("{again:?}"));
}

#[test]
fn a_reload_changes_the_filter_and_nothing_else() {
    let memory = Memory::new();
    let builder = Config::from_toml("level = 'info'")
        .unwrap()
        .builder()
        .unwrap();
    let logger = builder.sink(memory.clone()).build().unwrap();
    ringlog::debug!(logger: &logger, target: "engine::risk", "n {}", 0);
    let config = Config::from_toml("filter = 'warn,engine=debug'\nring.lanes = 1").unwrap();
    logger.reload(&config).unwrap();
    assert_eq!(logger.filter(), "warn,engine=debug".parse().unwrap());
    ringlog::debug!(logger: &logger, target: "engine::risk", "n {}", 1);
    info!(logger: &logger, target: "net", "n {}", 2);
    logger
        .reload(&Config::from_toml("level = 'info'").unwrap())
        .unwrap();
    ringlog::debug!(logger: &logger, target: "engine::risk", "n {}", 3);
    info!(logger: &logger, target: "net", "n {}", 4);
    logger.shutdown(LONG);
    assert_eq!(Log::of(&memory).texts(), ["n 1", "n 4"]);
}

#[test]
fn a_reload_changes_what_is_masked() {
    let memory = Memory::new();
    let builder = Config::from_toml("").unwrap().builder().unwrap();
    let logger = builder.sink(memory.clone()).build().unwrap();
    let log = |number: u32| {
        let (card, password) = (number, "hunter2");
        info!(logger: &logger, "{card} {password}");
        logger.flush(LONG).unwrap();
    };
    log(1);
    let text = "redaction = { fields = 'card', usual = false }";
    logger.reload(&Config::from_toml(text).unwrap()).unwrap();
    log(2);
    logger.reload(&Config::from_toml("").unwrap()).unwrap();
    log(3);
    logger.shutdown(LONG);
    assert_eq!(Log::of(&memory).texts(), ["1 ***", "*** hunter2", "3 ***"]);
}

/// Sinks of one form, whose records are put together once, and of another.
#[test]
#[cfg_attr(miri, ignore = "miri has no files")]
fn a_reload_changes_what_each_sink_gets() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = |keys: [&str; 3], routing: &str| {
        let sink = |(name, format, keys): (&str, &str, &str)| {
            let path = path(name);
            format!(
                "[[sinks]]\nkind = 'file'\nname = '{name}'\npath = '{}'\nformat = '{format}'\n\
                 {keys}\n",
                path.display()
            )
        };
        let [a, b, c] = keys;
        let sinks = [("a", "text", a), ("b", "text", b), ("c", "json", c)].map(sink);
        Config::from_toml(&format!("level = 'debug'\n{routing}\n{}", sinks.concat())).unwrap()
    };
    let own = Memory::new();
    let builder = config(["", "", ""], "").builder().unwrap();
    let options = SinkOptions::new().name("own").level(Level::Warn);
    let logger = builder.sink_with(own.clone(), options).build().unwrap();
    let log = |round: u32| {
        ringlog::debug!(logger: &logger, target: "bank", "{round}d");
        info!(logger: &logger, target: "desk", "{round}i");
        ringlog::warn!(logger: &logger, target: "bank", "{round}w");
        logger.flush(LONG).unwrap();
    };
    log(1);
    let keys = ["level = 'warn'", "filter = { target = 'desk' }", ""];
    logger.reload(&config(keys, "")).unwrap();
    log(2);
    let routing = "[[routing.routes]]\nwhen.target = 'desk'\nto = ['c', 'own']\n";
    logger
        .reload(&config(["", "level = 'warn'", "level = 'info'"], routing))
        .unwrap();
    log(3);
    logger.reload(&config(["", "", ""], "")).unwrap();
    log(4);
    let report = logger.shutdown(LONG);
    assert_eq!((report.written, report.failed), (12, 0));
    let texts = |text: String| {
        let word = |line: &str| {
            let line = line.strip_suffix('}').map_or(line, |json| {
                json.split_once("\"msg\":\"")
                    .unwrap()
                    .1
                    .split('"')
                    .next()
                    .unwrap()
            });
            line.rsplit(' ').next().unwrap().to_owned()
        };
        let words: Vec<String> = text
            .lines()
            .filter(|line| !line.contains("log closed"))
            .map(word)
            .collect();
        words.join(" ")
    };
    let file = |name: &str| texts(fs::read_to_string(path(name)).unwrap());
    assert_eq!(file("a"), "1d 1i 1w 2w 3d 3w 4d 4i 4w");
    assert_eq!(file("b"), "1d 1i 1w 2i 3w 4d 4i 4w");
    assert_eq!(file("c"), "1d 1i 1w 2d 2i 2w 3i 3w 4d 4i 4w");
    assert_eq!(texts(own.contents()), "1w 2w 3w 4w");
}

#[test]
fn a_reload_with_other_sinks_is_refused_and_changes_nothing() {
    let toml = |sinks: &str| Config::from_toml(&format!("level = 'warn'\n{sinks}")).unwrap();
    let two = "[[sinks]]\nkind = 'null'\n[[sinks]]\nkind = 'null'\nname = 'b'\n";
    let builder = Config::from_toml(two).unwrap().builder().unwrap();
    let logger = builder.sink(Memory::new()).build().unwrap();
    for (sinks, expected) in [
        (
            "",
            "`sinks[0]` is not what the logger was built with; that takes a new start",
        ),
        (
            "[[sinks]]\nkind = 'stdout'\n[[sinks]]\nkind = 'null'\nname = 'b'\n",
            "line 2: `sinks[0]`",
        ),
        (
            "[[sinks]]\nkind = 'null'\n[[sinks]]\nkind = 'null'\n",
            "line 4: `sinks[1]`",
        ),
        (
            &format!("{two}[[sinks]]\nkind = 'null'\n"),
            "line 7: `sinks[2]`",
        ),
    ] {
        let error = logger.reload(&toml(sinks)).unwrap_err();
        assert!(matches!(error, ConfigError::OtherSinks { .. }), "{error}");
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    let routing = "[[routing.routes]]\nwhen.level = 'warn'\nto = 'nowhere'\n";
    let error = logger
        .reload(&toml(&format!("{two}{routing}")))
        .unwrap_err()
        .to_string();
    assert!(error.contains("nowhere"), "{error}");
    assert_eq!(logger.level(), Level::Info.into());
    logger.reload(&toml(two)).unwrap();
    assert_eq!(logger.level(), Level::Warn.into());
}

#[test]
#[cfg_attr(miri, ignore = "miri starts no processes")]
fn the_environment_has_the_last_word() {
    let name = "the_environment_has_the_last_word";
    if support::child::is_child() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ringlog.toml");
        let text = "preset = 'production'\nring = { lanes = 4, prefault = true }\n\
                    [[sinks]]\nkind = 'null'\n[[sinks]]\nkind = 'null'\n";
        fs::write(&file, text).unwrap();
        let expected = Builder::default()
            .lanes(32)
            .prefault(false)
            .overflow(Overflow::Block)
            .level(Level::Debug)
            .sink(Null)
            .sink(Console::stderr())
            .sink(Console::stdout())
            .clock(Clock::System);
        check(Config::load(&file), &expected);
        // A text alone is what it says.
        check(
            Config::from_toml("ring.lanes = 2"),
            &Builder::default().lanes(2),
        );
        let error = Config::from_toml("")
            .unwrap()
            .with_environment("OTHER")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable OTHER__RING__LANE: `ring.lane` is not a key; did you mean \
             `lanes`?"
        );
        let error = Config::from_toml("")
            .unwrap()
            .with_environment("THIRD")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable THIRD__SINKS__3__KIND: `sinks[3].kind` is not there, and does \
             not follow what is"
        );
        let error = Config::from_toml("")
            .unwrap()
            .with_environment("FOURTH")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable FOURTH__RING__LANES: `ring.lanes` must be a whole number, and is \
             text"
        );
        println!("{}", support::child::DONE);
        return;
    }
    let output = support::child::command(name)
        .env("RINGLOG__PRESET", "dev")
        .env("RINGLOG__RING__LANES", "32")
        .env("RINGLOG__RING__PREFAULT", "false")
        .env("RINGLOG__CONSUMER__CLOCK", "system")
        .env("RINGLOG__SINKS__1__KIND", "stderr")
        .env("RINGLOG__SINKS__2__KIND", "stdout")
        .env("OTHER__RING__LANE", "3")
        .env("THIRD__SINKS__3__KIND", "null")
        .env("FOURTH__RING__LANES", "many")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains(support::child::DONE), "{stdout}");
}

#[test]
#[cfg_attr(miri, ignore = "miri starts no processes")]
fn the_filter_of_the_environment_counts_after_a_reload_too() {
    let name = "the_filter_of_the_environment_counts_after_a_reload_too";
    if support::child::is_child() {
        let config = Config::from_toml("level = 'error'").unwrap();
        let logger = config.builder().unwrap().build().unwrap();
        assert_eq!(logger.filter(), "debug".parse().unwrap());
        logger.reload(&config).unwrap();
        assert_eq!(logger.filter(), "debug".parse().unwrap());
        let config = Config::from_toml("level = 'error'\nfilter_variable = ''").unwrap();
        logger.reload(&config).unwrap();
        assert_eq!(logger.filter(), "error".parse().unwrap());
        let config = Config::from_toml("filter_variable = 'WRONG'").unwrap();
        let error = logger.reload(&config).unwrap_err().to_string();
        assert!(error.contains("WRONG"), "{error}");
        assert_eq!(logger.filter(), "error".parse().unwrap());
        println!("{}", support::child::DONE);
        return;
    }
    let output = support::child::command(name)
        .env("RINGLOG", "debug")
        .env("WRONG", "a=loud")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains(support::child::DONE), "{stdout}");
}

/// The logger that is used where none is named, from a file.
#[test]
#[cfg_attr(miri, ignore = "miri starts no processes")]
fn a_configuration_can_be_installed() {
    support::child::alone("a_configuration_can_be_installed", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let text = format!("[[sinks]]\nkind = 'file'\npath = '{}'\n", path.display());
        let config = Config::from_toml(&text).unwrap();
        let guard = config.builder().unwrap().install().unwrap();
        info!("n {}", 1);
        let logger: &RingLogger = &guard;
        assert_eq!(logger.shutdown(LONG).written, 1);
        assert!(fs::read_to_string(path).unwrap().contains("n 1"));
    });
}
