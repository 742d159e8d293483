//! Statements in which nothing is formatted at the call.

mod support;

use ringlog::sink::Memory;
use ringlog::{Level, RingLogger, info, rlog};
use support::{LONG, Log};

#[test]
fn a_typed_statement_says_what_it_would_say_without_the_word() {
    let memory = Memory::new();
    let logger = RingLogger::builder().sink(memory.clone()).build().unwrap();
    let (qty, px, name, width) = (300_u32, 101.25, String::from("ACME"), 8_usize);
    rlog!(typed; logger: &logger, Level::Warn, "{qty} {px:.1} {name:?} {:>width$}|{:x}", 'c', 255);
    rlog!(logger: &logger, Level::Warn, "{qty} {px:.1} {name:?} {:>width$}|{:x}", 'c', 255);
    info!(typed; logger: &logger, qty, %px, ?name, own.name = &name, "fields");
    info!(logger: &logger, qty, %px, ?name, own.name = &name, "fields");
    info!(typed; logger: &logger, qty; "as {}", "log");
    info!(logger: &logger, qty; "as {}", "log");
    // A field of that name, in the syntax of `log`.
    let typed = true;
    info!(logger: &logger, typed; "field");
    assert_eq!(logger.shutdown(LONG).written, 7);
    let log = Log::of(&memory);
    let texts = log.texts();
    for pair in texts[..6].chunks(2) {
        assert_eq!(pair[0], pair[1]);
    }
    assert_eq!(texts[6], "field typed=true");
}
