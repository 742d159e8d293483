//! What the journal gets: systemd's own, and one that comes and goes.

#![cfg(all(target_os = "linux", not(miri)))]

mod support;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use ringlog::format::Text;
use ringlog::sink::{Journald, SinkOptions};
use ringlog::{RingLogger, context, error, info, warn};
use serde_json::Value;
use support::services::Services;
use support::{LONG, scaled, wait_for};

/// The entries that the journal has of a program, in order.
fn entries(services: &Services, program: &str) -> Vec<Value> {
    let output = Command::new("journalctl")
        .arg(format!("--namespace={}", services.get("journal-namespace")))
        .args(["-o", "json", "--all"])
        .arg(format!("SYSLOG_IDENTIFIER={program}"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let entry = |line| serde_json::from_str(line).unwrap();
    text.lines().map(entry).collect()
}

#[track_caller]
fn check(entry: &Value, fields: &[(&str, &str)]) {
    for &(name, value) in fields {
        assert_eq!(entry[name], value, "{name} in {entry:#}");
    }
}

#[test]
fn the_journal_has_every_record_with_its_fields() {
    let Some(services) = Services::find() else {
        return;
    };
    let program = format!("ringlog-{}", std::process::id());
    let journal = Journald::at(services.get("journal-socket")).unwrap();
    let logger = RingLogger::builder()
        .sink(journal.identifier(&program))
        .closing_record(false)
        .build()
        .unwrap();
    let long = "x".repeat(3000);
    let line = line!() + 1;
    info!(logger: &logger, order = 7, px = 7.25, side = "two\nlines", "filled {} lots", 100);
    {
        let _context = context!(trace = "abc");
        warn!(logger: &logger, target: "risk", priority = "high", "\x1b[31mred");
    }
    error!(logger: &logger, "{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}", long);
    let count = scaled(1000);
    for number in 0..count {
        info!(logger: &logger, number, "n");
    }
    logger.flush(LONG).unwrap();
    let report = logger.shutdown(LONG);
    assert_eq!((report.failed, report.sink_errors), (0, 0));
    wait_for("the journal to write", || {
        entries(&services, &program).len() == count + 3
    });
    let entries = entries(&services, &program);
    check(
        &entries[0],
        &[
            ("MESSAGE", "filled 100 lots"),
            ("PRIORITY", "6"),
            ("TARGET", "journald"),
            ("CODE_MODULE", "journald"),
            ("CODE_FILE", file!()),
            ("CODE_LINE", &line.to_string()),
            ("ORDER", "7"),
            ("PX", "7.25"),
            ("SIDE", "two\nlines"),
            ("THREAD", "the_journal_has_every_record_wit"),
            ("_PID", &std::process::id().to_string()),
        ],
    );
    let time: u64 = entries[0]["SYSLOG_TIMESTAMP"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let got: u64 = entries[0]["__REALTIME_TIMESTAMP"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(got.abs_diff(time / 1000) < 60_000_000);
    check(
        &entries[1],
        &[
            ("MESSAGE", "\\x1b[31mred"),
            ("PRIORITY", "4"),
            ("TARGET", "risk"),
            ("F_PRIORITY", "high"),
            ("TRACE", "abc"),
        ],
    );
    check(&entries[2], &[("PRIORITY", "3")]);
    assert!(entries[2]["MESSAGE"].as_str().unwrap().starts_with(&long));
    for (number, entry) in entries[3..].iter().enumerate() {
        check(entry, &[("NUMBER", &number.to_string()), ("MESSAGE", "n")]);
    }
}

/// Too long for a datagram on any machine: it is passed as a file in memory.
#[test]
fn the_journal_has_what_no_datagram_holds() {
    let Some(services) = Services::find() else {
        return;
    };
    let program = format!("ringlog-long-{}", std::process::id());
    let journal = Journald::at(services.get("journal-socket")).unwrap();
    // More than the socket takes, however large that is.
    let most: usize = fs::read_to_string("/proc/sys/net/core/wmem_max")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    /// A format that makes much of a record.
    struct Long(usize);
    impl ringlog::format::Format for Long {
        fn format(&mut self, record: &ringlog::format::Record<'_>, out: &mut Vec<u8>) {
            out.resize(self.0, b'x');
            out.extend_from_slice(record.message().to_string().as_bytes());
            out.push(b'\n');
        }
    }
    let length = most * 4;
    let logger = RingLogger::builder()
        .sink_with(
            journal.identifier(&program),
            SinkOptions::new().format(Long(length)),
        )
        .build()
        .unwrap();
    info!(logger: &logger, "the end");
    logger.flush(LONG).unwrap();
    assert_eq!(logger.shutdown(LONG).sink_errors, 0);
    wait_for("the journal to write", || {
        !entries(&services, &program).is_empty()
    });
    let entry = &entries(&services, &program)[0];
    let message = entry["MESSAGE"].as_str().unwrap();
    assert_eq!(message.len(), length + "the end".len());
    assert!(message.ends_with("the end"));
}

#[test]
fn another_format_is_the_message() {
    let Some(services) = Services::find() else {
        return;
    };
    let program = format!("ringlog-text-{}", std::process::id());
    let journal = Journald::at(services.get("journal-socket")).unwrap();
    let logger = RingLogger::builder()
        .sink_with(
            journal.identifier(&program),
            SinkOptions::new().format(Text::pattern("{level} {message}{fields}").unwrap()),
        )
        .build()
        .unwrap();
    error!(logger: &logger, order = 7, "failed");
    assert_eq!(logger.shutdown(LONG).sink_errors, 0);
    wait_for("the journal to write", || {
        !entries(&services, &program).is_empty()
    });
    check(
        &entries(&services, &program)[0],
        &[("MESSAGE", "ERROR failed order=7"), ("PRIORITY", "3")],
    );
}

#[test]
fn a_journal_that_is_restarted_gets_what_it_was_not_there_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut server = UnixDatagram::bind(&path).unwrap();
    let logger = RingLogger::builder()
        .sink(Journald::at(&path).unwrap())
        .build()
        .unwrap();
    for round in 0..5_u64 {
        drop(server);
        fs::remove_file(&path).unwrap();
        info!(logger: &logger, "n {round}");
        let error = logger.flush(LONG).unwrap_err().to_string();
        assert!(error.contains("sink `journald"), "{error}");
        server = UnixDatagram::bind(&path).unwrap();
        let mut datagram = [0; 1000];
        let length = server.recv(&mut datagram).unwrap();
        let text = std::str::from_utf8(&datagram[..length]).unwrap();
        assert!(text.contains(&format!("\nMESSAGE=n {round}\n")), "{text}");
    }
    let report = logger.shutdown(LONG);
    assert_eq!((report.written, report.failed), (5, 0));
    let error = Journald::at(folder.path().join("no")).unwrap_err();
    assert!(error.to_string().contains("/no"), "{error}");
}
