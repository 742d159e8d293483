//! What a syslog server gets: rsyslogd, and servers that come and go.

#![cfg(all(unix, not(miri)))]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

use ringlog::format::Json;
use ringlog::sink::{Facility, SinkOptions, Syslog};
use ringlog::{Overflow, RingLogger, ShutdownOutcome, error, info, warn};
use support::services::Services;
use support::{LONG, scaled, wait_for};

fn logger(syslog: Syslog) -> RingLogger {
    RingLogger::builder()
        .closing_record(false)
        .sink(syslog)
        .build()
        .unwrap()
}

/// The messages of a program in rsyslogd's log: what stands before its name, and behind it.
fn messages(services: &Services, program: &str) -> Vec<(String, String)> {
    let log = fs::read_to_string(services.get("syslog-log")).unwrap_or_default();
    let part = |line: &str| {
        let (before, after) = line.split_once(&format!(" {program} "))?;
        Some((before.to_owned(), after.to_owned()))
    };
    log.lines().filter_map(part).collect()
}

#[test]
fn rsyslogd_gets_every_message_whole_over_each_transport() {
    let Some(services) = Services::find() else {
        return;
    };
    let port: u16 = services.get("syslog-port").parse().unwrap();
    let process = std::process::id();
    let unix = || Syslog::unix_at(services.get("syslog-unix"));
    let transports: [(&str, &dyn Fn() -> std::io::Result<Syslog>); 3] = [
        ("unix", &unix),
        ("udp", &|| Syslog::udp(("127.0.0.1", port))),
        ("tcp", &|| Syslog::tcp(("127.0.0.1", port))),
    ];
    for (name, open) in transports {
        let program = format!("{name}-{process}");
        let syslog = open().unwrap().app_name(&program).hostname("here");
        let logger = logger(syslog.facility(Facility::Local4));
        let long = "ü".repeat(1500);
        error!(logger: &logger, "an error: \x1b[31m{}", "two\nlines");
        warn!(logger: &logger, order = 7, side = "buy side", "a warning");
        info!(logger: &logger, target: "risk", "long {long}");
        // Few enough for the buffers of a datagram socket.
        let count = if name == "udp" { 100 } else { scaled(2000) };
        for number in 0..count {
            info!(logger: &logger, target: "count", "n {number}");
        }
        logger.flush(LONG).unwrap();
        let report = logger.shutdown(LONG);
        assert_eq!(report.outcome, ShutdownOutcome::Drained);
        assert_eq!((report.failed, report.sink_errors), (0, 0), "{name}");
        wait_for("rsyslogd to write", || {
            messages(&services, &program).len() == count + 3
        });
        let messages = messages(&services, &program);
        let texts: Vec<_> = messages.iter().map(|(_, text)| &**text).collect();
        let process = format!("{process} - - ");
        assert_eq!(
            texts[0],
            format!("{process}syslog: an error: \\x1b[31mtwo\\nlines")
        );
        assert_eq!(
            texts[1],
            format!("{process}syslog: a warning order=7 side=\"buy side\"")
        );
        assert_eq!(texts[2], format!("{process}risk: long {long}"));
        let numbers = (0..count).map(|number| format!("{process}count: n {number}"));
        assert!(numbers.eq(texts[3..].iter().copied()), "{name}");
        for ((before, _), severity) in messages.iter().zip([3, 4, 6, 6]) {
            // Local4 is 20.
            assert!(
                before.starts_with(&format!("<{}>1 20", 160 + severity)),
                "{before}"
            );
            assert!(before.ends_with(" here"), "{before}");
        }
    }
}

/// Header and message of a datagram that a test's own server got.
fn split(datagram: &[u8]) -> (String, String) {
    let text = String::from_utf8(datagram.to_vec()).unwrap();
    let (header, message) = text.split_once(" - - ").unwrap();
    (header.to_owned(), message.to_owned())
}

#[test]
fn another_format_is_the_message() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let logger = RingLogger::builder()
        .closing_record(false)
        .sink_with(
            Syslog::udp(server.local_addr().unwrap()).unwrap(),
            SinkOptions::new().format(Json::new()),
        )
        .build()
        .unwrap();
    info!(logger: &logger, order = 7, "filled");
    logger.flush(LONG).unwrap();
    let mut datagram = [0; 2000];
    let length = server.recv(&mut datagram).unwrap();
    let (header, message) = split(&datagram[..length]);
    assert!(header.starts_with("<14>1 20"), "{header}");
    let json: serde_json::Value = serde_json::from_str(&message).unwrap();
    assert_eq!(
        (&json["msg"], &json["order"]),
        (&"filled".into(), &7.into())
    );
}

#[test]
fn a_local_server_that_is_restarted_gets_all_that_it_is_there_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut server = UnixDatagram::bind(&path).unwrap();
    let logger = logger(Syslog::unix_at(&path).unwrap());
    let mut next = 0;
    for _ in 0..5 {
        for _ in 0..3 {
            info!(logger: &logger, "n {next}");
            let mut datagram = [0; 1000];
            let length = server.recv(&mut datagram).unwrap();
            let expected = format!("syslog: n {next}");
            assert_eq!(split(&datagram[..length]).1, expected);
            next += 1;
        }
        drop(server);
        fs::remove_file(&path).unwrap();
        info!(logger: &logger, "n {next}");
        assert!(logger.flush(LONG).is_err());
        server = UnixDatagram::bind(&path).unwrap();
        let mut datagram = [0; 1000];
        let length = server.recv(&mut datagram).unwrap();
        assert_eq!(split(&datagram[..length]).1, format!("syslog: n {next}"));
        next += 1;
    }
    let report = logger.shutdown(LONG);
    assert_eq!((report.written, report.failed), (next, 0));
}

/// A server that reads nothing for a while, with a queue of a few datagrams.
#[test]
fn a_local_server_that_is_busy_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let server = UnixDatagram::bind(&path).unwrap();
    let logger = logger(Syslog::unix_at(&path).unwrap());
    // A lane holds them, however fast they come.
    let count = scaled(3000);
    for number in 0..count {
        info!(logger: &logger, "n {number}");
    }
    assert!(logger.flush(Duration::from_millis(100)).is_err());
    let reader = thread::spawn(move || {
        for number in 0..count {
            let mut datagram = [0; 1000];
            let length = server.recv(&mut datagram).unwrap();
            let expected = format!("syslog: n {number}");
            assert_eq!(split(&datagram[..length]).1, expected);
        }
    });
    let report = logger.shutdown(LONG);
    assert_eq!((report.written, report.failed), (count as u64, 0));
    assert_eq!(report.sink_errors, 0);
    reader.join().unwrap();
}

#[test]
fn a_message_that_no_datagram_holds_is_cut_at_a_character_and_marked() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(LONG)).unwrap();
    let logger = logger(Syslog::udp(server.local_addr().unwrap()).unwrap());
    // Each becomes a longer one.
    let text = "\u{202e}".repeat(1100);
    info!(logger: &logger, "{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}", text);
    let mut datagram = vec![0; 70_000];
    let length = server.recv(&mut datagram).unwrap();
    let (_, message) = split(&datagram[..length]);
    assert!(length > 30_000, "{length}");
    assert!(message.ends_with('…'));
    assert_eq!(logger.shutdown(LONG).written, 1);
}

/// Reads `LENGTH MESSAGE` until the connection ends.
fn frames(connection: TcpStream, mut each: impl FnMut(String)) {
    let mut reader = BufReader::new(connection);
    loop {
        let mut length = Vec::new();
        reader.read_until(b' ', &mut length).unwrap();
        let Some((b' ', digits)) = length.split_last() else {
            return assert!(length.is_empty(), "a torn length");
        };
        let length = std::str::from_utf8(digits).unwrap().parse().unwrap();
        let mut message = vec![0; length];
        match reader.read_exact(&mut message) {
            Ok(()) => each(split(&message).1),
            Err(error) => return assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        }
    }
}

/// Whatever the pieces are in which the server takes them.
#[test]
fn over_tcp_a_slow_server_gets_every_message_whole() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    // Little room, so that few messages fill it.
    let bytes: libc::c_int = 4096;
    // SAFETY: the number lives through the call, and its size is told.
    let set = unsafe {
        libc::setsockopt(
            server.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUF,
            (&raw const bytes).cast(),
            size_of_val(&bytes) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
    let logger = RingLogger::builder()
        .closing_record(false)
        .overflow(Overflow::Block)
        .sink(Syslog::tcp(server.local_addr().unwrap()).unwrap())
        .build()
        .unwrap();
    let (connection, _) = server.accept().unwrap();
    let count = scaled(100_000) as u64;
    let filler = "x".repeat(300);
    let writer = thread::spawn(move || {
        for number in 0..count {
            info!(logger: &logger, "n {number} {filler}");
            // What waits for a sink has a bound, so it is waited for.
            if number % 1000 == 0 {
                logger.flush(LONG).unwrap();
            }
        }
        logger.shutdown(LONG)
    });
    // The kernel's buffers are full by then.
    thread::sleep(Duration::from_millis(300));
    let mut next = 0;
    frames(connection, |message| {
        let rest = message
            .strip_prefix("syslog: n ")
            .unwrap_or_else(|| panic!("not a message of ours: {message:?}"));
        let (number, filler) = rest.split_once(' ').unwrap();
        assert_eq!(number.parse(), Ok(next));
        assert_eq!(filler.len(), 300);
        next += 1;
    });
    let report = writer.join().unwrap();
    assert_eq!(report.outcome, ShutdownOutcome::Drained);
    assert_eq!((report.written, report.sink_errors), (count, 0));
    assert_eq!(next, count);
}

/// The server ends the connection between two messages, and later within one.
#[test]
fn over_tcp_a_server_that_comes_back_gets_what_is_logged_afterwards() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let logger = logger(Syslog::tcp(server.local_addr().unwrap()).unwrap());
    for round in 0..10 {
        let (connection, _) = server.accept().unwrap();
        info!(logger: &logger, "n {round}");
        logger.flush(LONG).unwrap();
        let mut reader = BufReader::new(&connection);
        let mut text = vec![0; 1];
        while !text.ends_with(format!("n {round}").as_bytes()) {
            let mut byte = [0];
            reader.read_exact(&mut byte).unwrap();
            text.extend_from_slice(&byte);
        }
        drop(connection);
        // The end of the connection has come when a write would meet it.
        thread::sleep(Duration::from_millis(5));
        info!(logger: &logger, "again {round}");
        logger.flush(LONG).unwrap();
        let (connection, _) = server.accept().unwrap();
        let logger = &logger;
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut messages = Vec::new();
                frames(connection.try_clone().unwrap(), |message| {
                    messages.push(message)
                });
                messages
            });
            connection.shutdown(std::net::Shutdown::Write).unwrap();
            // Closes it on this side, and connects anew.
            logger.reopen();
            logger.flush(LONG).unwrap();
            assert_eq!(reader.join().unwrap(), [format!("syslog: again {round}")]);
        });
    }
    assert_eq!(logger.shutdown(LONG).failed, 0);
}

#[test]
fn where_nobody_listens_is_told_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let error = Syslog::unix_at(&path).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = Syslog::tcp(("127.0.0.1", port)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(Syslog::udp("no.such.host.invalid:514").is_err());
}
