//! The example `axum_service`, with the real server: it is told to end while it has much to do, and
//! the file has every line of every request.

#![cfg(all(unix, not(miri)))] // which starts no processes

#[path = "../examples/axum_service.rs"]
#[allow(dead_code, reason = "the test does what `main` does")]
mod axum_service;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use support::child::is_child;
use support::process::{Process, log_path};
use support::{LONG, wait_for};

/// Asks for an order, and answers the number that the request was given.
fn ask(address: &str, order: u64) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LONG))?;
    write!(
        stream,
        "GET /orders/{order} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let answer = || {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let id = head
            .lines()
            .find_map(|line| line.strip_prefix("x-request-id: "))?;
        (body == format!("order {order}\n")).then(|| id.parse().ok())?
    };
    answer().ok_or(io::ErrorKind::UnexpectedEof.into())
}

#[test]
fn a_service_that_is_told_to_end_has_every_line_of_every_request_in_its_file() {
    let name = "a_service_that_is_told_to_end_has_every_line_of_every_request_in_its_file";
    if is_child() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(3)
            .thread_name_fn(|| {
                static LAST: AtomicU64 = AtomicU64::new(0);
                format!("worker {}", LAST.fetch_add(1, Ordering::Relaxed))
            })
            .enable_all()
            .build()
            .unwrap();
        let log = log_path();
        let service = axum_service::serve("127.0.0.1:0", &log);
        return runtime.block_on(service).unwrap();
    }
    let mut process = Process::start_unready(name, "");
    let address = process.rest_of_line("listening on ");
    let answered = Mutex::new(BTreeMap::new());
    let asked = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            // Until the service does not take connections any more.
            scope.spawn(|| {
                loop {
                    let order = asked.fetch_add(1, Ordering::Relaxed);
                    match ask(&address, order) {
                        Ok(request) => answered.lock().unwrap().insert(request, order),
                        Err(_) => break,
                    };
                }
            });
        }
        wait_for("answers", || answered.lock().unwrap().len() > 200);
        process.signal(libc::SIGTERM);
    });
    let ended = process.end();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);

    let log = ended.log();
    let mut lines = BTreeMap::<u64, Vec<&str>>::new();
    let mut threads = BTreeMap::<u64, BTreeSet<&str>>::new();
    for line in log.records() {
        let Some((text, request)) = line.text.rsplit_once(" request=") else {
            assert_eq!(line.text, "ending by=SIGTERM");
            continue;
        };
        let request = request.parse().unwrap();
        lines.entry(request).or_default().push(text);
        threads.entry(request).or_default().insert(&line.thread);
    }
    for (request, order) in answered.into_inner().unwrap() {
        let [begun, found, end] = lines[&request][..] else {
            panic!("{request}: {:?}", lines[&request]);
        };
        assert_eq!(begun, format!("request method=GET path=/orders/{order}"));
        assert_eq!(found, format!("found the order id={order}"));
        assert!(end.starts_with("answered status=200 took="), "{end}");
    }
    // A request that was begun has come to its end, whether or not its answer has arrived.
    assert!(lines.values().all(|lines| lines.len() == 3), "{lines:?}");
    // Otherwise the example would show less than it says.
    assert!(threads.values().any(|threads| threads.len() > 1));
    let written = log.records().count();
    let closing = log.closing.as_ref().unwrap();
    let report = format!("log closed: {written} written, 0 dropped, 0 rejected");
    assert_eq!(closing.text, report);
    assert!(ended.stdout.contains(&report), "{}", ended.stdout);
}
